"""System use fields of Rock Ridge as any program may write them: what is known is taken, the rest let be.

Fields that are cut off end their area; nothing raises for what a disc says.

Source: IEEE P1281 (SUSP), IEEE P1282 (RRIP 4.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cedarchest.model.index import KIND_BY_FORMAT, Kind

Continuation = Callable[[int, int, int], bytes]
"""Gives the bytes of a continuation area at block, offset, with length; what it raises comes through."""

_LONGEST = 1 << 17
"""Bytes of all continuation areas of one record: no name or link target needs as many."""

_AREAS = 64
_CREATED, _MODIFIED, _LONG = 0x01, 0x02, 0x80
_COMPONENTS = {2: b".", 4: b"..", 8: b""}


@dataclass(slots=True)
class System:
    """What the fields of a record say; `mode` is -1, `kind` and `mtime` None where they do not."""

    name: bytes = b""
    kind: Kind | None = None
    mode: int = -1
    uid: int = 0
    gid: int = 0
    mtime: int | None = None
    target: bytes = b""
    child: int = -1  # where a directory that was moved elsewhere stands
    moved: bool = False  # it is shown where it was moved from
    links: list[bytes] = field(default_factory=list)


def read_system(area: bytes, continuation: Continuation) -> System:
    """What a record's system use area says, continuation areas included."""
    found = System()
    for tag, body in _fields(area, continuation):
        if tag == b"NM" and body and not body[0] & 0x06:
            found.name += body[1:]
        elif tag == b"PX" and len(body) >= 32:
            _posix(found, body)
        elif tag == b"TF" and body:
            found.mtime = _modified(body)
        elif tag == b"SL" and body:
            found.links.append(body[1:])
        elif tag == b"CL" and len(body) >= 4:
            found.child = int.from_bytes(body[:4], "little")
        elif tag == b"RE":
            found.moved = True
    found.target = _target(b"".join(found.links))
    return found


def _fields(area: bytes, continuation: Continuation) -> Iterator[tuple[bytes, bytes]]:
    """Tag and content of each field."""
    left = _LONGEST
    for _ in range(_AREAS):
        following = (0, 0, 0)
        pos = 0
        while pos + 4 <= len(area):
            length = area[pos + 2]
            if length < 4 or pos + length > len(area):
                break
            tag, body = area[pos : pos + 2], area[pos + 4 : pos + length]
            pos += length
            if tag == b"CE" and len(body) == 24:
                following = struct.unpack("<I4xI4xI4x", body)
            elif tag == b"ST":
                break
            else:
                yield tag, body
        left -= following[2]
        if not following[2] or left < 0:
            return
        area = continuation(*following)


def _posix(found: System, body: bytes) -> None:
    mode, _, uid, gid = struct.unpack_from("<I4xI4xI4xI", body)
    found.kind = KIND_BY_FORMAT.get(mode & 0o170000)
    found.mode, found.uid, found.gid = mode & 0o7777, uid, gid


def _modified(body: bytes) -> int | None:
    """The time of modification among those of a TF field (RRIP 4.1.6)."""
    flags = body[0]
    length = 17 if flags & _LONG else 7
    begin = 1 + length * bool(flags & _CREATED)
    raw = body[begin : begin + length]
    if not flags & _MODIFIED or len(raw) < length:
        return None
    if not flags & _LONG:
        return short_time(raw)
    try:
        moment = datetime.strptime(raw[:14].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) - 900 * int.from_bytes(raw[-1:], "little", signed=True)


def short_time(raw: bytes) -> int:
    """Seconds since 1970 of a time in seven bytes (ECMA-119 9.1.5); 0 where there is no such time."""
    year, month, day, hour, minute, second, offset = raw
    offset -= (offset & 0x80) << 1
    try:
        moment = datetime(1900 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return 0
    return int(moment.timestamp()) - 900 * offset


def _target(stream: bytes) -> bytes:
    """A link's target from its components (RRIP 4.1.3)."""
    target = separator = b""
    pos = 0
    while pos + 2 <= len(stream):
        flags, length = stream[pos], stream[pos + 1]
        part = _COMPONENTS.get(flags & 0x0E, stream[pos + 2 : pos + 2 + length])
        target += separator + part
        separator = b"" if flags & 1 else b"/"
        pos += 2 + length
    return target or (b"/" if stream else b"")
