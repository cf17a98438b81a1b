"""What restored files and folders are given of an entry: owner, extended attributes, mode, ACLs and time.

What may not or cannot be set here is left off, and counted.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from cedarchest.model.index import Entry
from cedarchest.model.names import to_text
from cedarchest.ports.restoring import RestoreRules

log = logging.getLogger(__name__)

_PRIVILEGED_BITS = stat.S_ISUID | stat.S_ISGID
_ACL = b"system.posix_acl"
_PRIVILEGED_KINDS = (b"security.", b"trusted.")


class Attributes:
    """Attributes by rules; `left_off` counts in words what was not set."""

    def __init__(self, rules: RestoreRules) -> None:
        self._owners = _Owners(rules)
        self._privileged = rules.privileged
        self.left_off: Counter[str] = Counter()

    def give(self, descriptor: int, entry: Entry) -> None:
        """Give an open file or folder owner, extended attributes, mode, ACLs and time, in this order."""
        self.own(partial(os.fchown, descriptor), entry)
        acls: list[tuple[bytes, bytes]] = []
        if entry.xattrs:
            acls = [each for each in entry.xattrs if each[0].startswith(_ACL)]
            self._xattrs(descriptor, entry, [each for each in entry.xattrs if each not in acls])
        mode = entry.mode & 0o7777
        if mode & _PRIVILEGED_BITS and not self._privileged:
            self.left_off["setuid or setgid bits"] += 1
            mode &= ~_PRIVILEGED_BITS
        os.fchmod(descriptor, mode)
        if acls:
            self._xattrs(descriptor, entry, acls)
        try:
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        except (OSError, OverflowError):
            self.left_off["times that this file system cannot hold"] += 1

    def own(self, change: Callable[[int, int], None], entry: Entry) -> None:
        """Have `change` set an entry's user and group, as far as it may be done."""
        if entry.uid < 0:  # it is not known
            return
        if not self._owners.may_be_set:
            if (entry.uid, entry.gid) != (os.geteuid(), os.getegid()):
                self.left_off["owners, which only root may set"] += 1
            return
        try:
            change(*self._owners.of(entry))
        except (PermissionError, OverflowError):
            self.left_off["owners, which this machine does not let us set"] += 1

    def _xattrs(self, descriptor: int, entry: Entry, xattrs: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in xattrs:
            if name.startswith(_PRIVILEGED_KINDS) and not self._privileged:
                self.left_off["attributes of the kinds security and trusted"] += 1
                continue
            try:
                os.setxattr(descriptor, name, value)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else "no such name"
                log.info("%s cannot be given %s: %s", to_text(entry.path), to_text(name), why)
                self.left_off[f"attributes that cannot be set here ({why})"] += 1


class _Owners:
    """Whom restored files belong to, by number on this machine."""

    def __init__(self, rules: RestoreRules) -> None:
        self._rules = rules
        self._known: dict[tuple[str, int, str, int], tuple[int, int]] = {}
        self.may_be_set = os.geteuid() == 0

    def of(self, entry: Entry) -> tuple[int, int]:
        """User and group of an entry."""
        key = (entry.user, entry.uid, entry.group, entry.gid)
        found = self._known.get(key)
        if found is None:
            rules = self._rules
            found = self._known[key] = (
                _number(rules.users, entry.user, entry.uid, _user, numeric=rules.numeric),
                _number(rules.groups, entry.group, entry.gid, _group, numeric=rules.numeric),
            )
        return found


def _number(
    renamed: Mapping[str, str], name: str, number: int, ask: Callable[[str], int], *, numeric: bool
) -> int:
    meant = renamed.get(name) or renamed.get(str(number)) or ("" if numeric else name)
    try:
        return int(meant) if meant.isdecimal() and meant.isascii() else ask(meant) if meant else number
    except (KeyError, ValueError):
        return number


def _user(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _group(name: str) -> int:
    return grp.getgrnam(name).gr_gid
