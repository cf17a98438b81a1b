"""Looks at a tree of files without following links."""

from __future__ import annotations

import errno
import functools
import grp
import os
import pwd
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, MutableSequence, Sequence
from typing import NamedTuple

from cedarchest.errors import StagingError
from cedarchest.model.index import KIND_BY_FORMAT, Entry, Fingerprint, Kind
from cedarchest.model.names import to_text

FORMAT = 0o170000
"""The bits of a mode that say what an entry is (inode(7))."""

_DEVICES = (Kind.CHAR, Kind.BLOCK)
_NEW = tuple.__new__  # as in `model.index`


class Found(NamedTuple):
    """An entry as it stands in the file system, without digest."""

    entry: Entry
    fingerprint: Fingerprint


def fingerprints_of(
    root: os.PathLike[str], *, prefix: bytes, leave_out: Collection[str] = ()
) -> Iterator[tuple[bytes, int, int]]:
    """Path, inode and change time of all below `root`, in no order; nothing but directories is opened.

    Raises:
        StagingError: a directory or entry cannot be looked at.
    """
    for _, relative, status in _walk(os.fsencode(root), {os.fsencode(name) for name in leave_out}):
        yield prefix + relative, status.st_ino, status.st_ctime_ns


def scan(
    root: os.PathLike[str],
    *,
    prefix: bytes,
    leave_out: Collection[str] = (),
    known: Callable[[bytes, Fingerprint], Entry | None] | None = None,
) -> list[Found]:
    """Everything below `root` in byte order of path; `leave_out` names are skipped at its top only.

    An entry that is `known` by its fingerprint is not looked at any closer.

    Raises:
        StagingError: a directory or entry cannot be looked at.
    """
    found: list[Found] = []
    shared: dict[tuple[int, int], list[int]] = {}
    for item, relative, status in _walk(os.fsencode(root), {os.fsencode(name) for name in leave_out}):
        if known:
            fingerprint = Fingerprint(status.st_ino, status.st_ctime_ns)
            if entry := known(prefix + relative, fingerprint):
                found.append(Found(entry, fingerprint))
                continue
        if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
            shared.setdefault((status.st_dev, status.st_ino), []).append(len(found))
        try:
            found.append(found_at(item.path, prefix + relative, status))
        except OSError as error:
            raise _cannot_look(item.path, error) from error
    link_names(found, shared.values())
    found.sort(key=lambda one: one.entry.path)
    return found


def link_names(found: MutableSequence[Found], shared: Iterable[Sequence[int]]) -> None:
    """Have the names of each file with several say which is the first; `shared` are their positions."""
    for members in shared:
        first, *others = sorted(members, key=lambda position: found[position].entry.path)
        for position in others:
            one = found[position]
            found[position] = one._replace(entry=one.entry._replace(hardlink=found[first].entry.path))


def _walk(top: bytes, left_out: set[bytes]) -> Iterator[tuple[os.DirEntry[bytes], bytes, os.stat_result]]:
    pending = [b""]
    while pending:
        below = pending.pop()
        directory, start = (top + b"/" + below, below + b"/") if below else (top, b"")
        try:
            with os.scandir(directory) as items:
                for item in items:
                    name = item.name
                    if not below and name in left_out:
                        continue
                    relative = start + name
                    status = item.stat(follow_symlinks=False)
                    yield item, relative, status
                    if status.st_mode & FORMAT == stat.S_IFDIR:
                        pending.append(relative)
        except OSError as error:
            raise _cannot_look(directory, error) from error


def _cannot_look(path: bytes, error: OSError) -> StagingError:
    advice = "Let whatever writes there finish, or run as a user who may read all that is staged."
    if error.errno == errno.ENAMETOOLONG:
        advice = "It is longer than a path may be (4,095 bytes): stage the folder it is in as an archive."
    return StagingError(
        f"{to_text(path)} cannot be looked at: {error.strerror}",
        advice=advice,
        path=to_text(path),
    )


def scan_one(path: bytes, disc_path: bytes) -> Found:
    """A single entry.

    Raises:
        StagingError: it is not there or cannot be looked at.
    """
    try:
        return found_at(path, disc_path, os.lstat(path))
    except OSError as error:
        raise StagingError(f"{to_text(path)} cannot be looked at: {error.strerror}") from error


def found_at(path: bytes, disc_path: bytes, status: os.stat_result) -> Found:
    """What stands at a path, by its status.

    Raises:
        OSError: it cannot be looked at.
    """
    mode, uid, gid = status.st_mode, status.st_uid, status.st_gid
    kind = KIND_BY_FORMAT[mode & FORMAT]
    fields = (
        disc_path,
        kind,
        status.st_size if kind is Kind.FILE else 0,
        _shared(mode & ~FORMAT),
        uid,
        gid,
        status.st_mtime_ns,
        _user(uid),
        _group(gid),
        b"",
        _link_target(path) if kind is Kind.LINK else b"",
        b"",
        () if kind is Kind.LINK else _xattrs(path),
        status.st_rdev if kind in _DEVICES else 0,
    )
    fingerprint = _NEW(Fingerprint, (status.st_ino, status.st_ctime_ns))
    return _NEW(Found, (_NEW(Entry, fields), fingerprint))


def is_as_it_was(status: os.stat_result, entry: Entry, fingerprint: Fingerprint) -> bool:
    """Whether what has this status still is an entry that was looked at before, with all its attributes."""
    return (
        (status.st_ino, status.st_ctime_ns) == fingerprint
        and status.st_mtime_ns == entry.mtime_ns
        and (entry.kind is not Kind.FILE or status.st_size == entry.size)
        and KIND_BY_FORMAT[status.st_mode & FORMAT] is entry.kind
        and (_user(status.st_uid), _group(status.st_gid)) == (entry.user, entry.group)
    )


@functools.cache
def _shared(mode: int) -> int:
    """The one object for a mode, of which a day has few: a million of them would be 28 MB."""
    return mode


def _link_target(path: bytes) -> bytes:
    return os.readlink(path)  # noqa: PTH115 - a path of bytes, which pathlib does not know


@functools.cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@functools.cache
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def _xattrs(path: bytes) -> tuple[tuple[bytes, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
        if not names:
            return ()
        raw = sorted(os.fsencode(name) for name in names)
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in raw)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA):
            return ()
        raise
