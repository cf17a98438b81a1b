"""What an ISO image with Rock Ridge cannot hold of an entry, or shows otherwise."""

from __future__ import annotations

from cedarchest.model.index import Entry, Kind

LONGEST_TARGET = 1023
LONGEST_NAME = 255
"""Of a link's target and of a name in it, in bytes: over them libisofs 1.5.4 gives up the whole image."""

FIRST_TIME, LAST_TIME = -2_208_988_800, 5_869_583_999
"""Seconds since 1970: from 1900 to 2155, the years of a directory record (ECMA-119 9.1.5)."""

_ALWAYS_HELD = frozenset((Kind.FILE, Kind.DIR, Kind.FIFO))


def unholdable(entry: Entry) -> str:
    """Why an ISO image with Rock Ridge cannot hold an entry; empty when it can."""
    kind = entry.kind
    if kind in _ALWAYS_HELD:
        return ""
    if kind is not Kind.LINK:
        return f"a {kind} node"
    if len(entry.target) > LONGEST_TARGET:
        return f"a link target of {len(entry.target)} bytes"
    longest = max(map(len, entry.target.split(b"/")))
    return f"a link target with a name of {longest} bytes" if longest > LONGEST_NAME else ""


def link_as_kept(target: bytes) -> bytes:
    """A link's target as Rock Ridge keeps it: without a slash at its end."""
    return target[:-1] if target.endswith(b"/") and len(target) > 1 else target


def kept_differently(entry: Entry) -> str:
    """What of an entry a disc shows otherwise than the index has it; empty when nothing."""
    if not FIRST_TIME <= entry.mtime_ns // 10**9 <= LAST_TIME:
        return "a time before 1900 or after 2155"
    if entry.target and entry.target != link_as_kept(entry.target):
        return "a link target that ends in a slash"
    return ""
