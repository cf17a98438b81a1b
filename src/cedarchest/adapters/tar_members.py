"""Members of an archive in pax or ustar format that have nothing unusual, read without any detour.

Nearly every member is such a one, and Python's tarfile takes five times as long for it. Before the first one
that is not, the stream is put back to where it begins, for that library to go on from there: it knows what
else there is, and finds its way behind what is damaged.

Source: POSIX.1-2024, pax, "pax Interchange Format" and "ustar Interchange Format".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, DecimalException
from functools import partial
from typing import Protocol
from zlib import adler32

from cedarchest.adapters.tar_stream import BLOCK, name_in, records_in, text_in
from cedarchest.errors import RestoreError
from cedarchest.model.index import Entry, Kind, is_plain_path
from cedarchest.ports.restoring import Chunk, Unpacked

_PIECE = 1 << 20
_WINDOW = 1 << 17
_HEADERS = 1 << 14  # bytes of headers of a member that are usual
_ADLER_MODULUS = 65521
_NANO = 1_000_000_000
_MAGIC = b"ustar\x0000"
_FILES = (b"0", b"\0")
_HARD_LINK = b"1"
_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"1": Kind.FILE,
    b"2": Kind.LINK,
    b"3": Kind.CHAR,
    b"4": Kind.BLOCK,
    b"5": Kind.DIR,
    b"6": Kind.FIFO,
}
_XATTR = b"SCHILY.xattr."
_NOT_USUAL = (b"GNU.", b"hdrcharset")  # keywords of what this does not know


class Stream(Protocol):
    """What an archive comes from: it is read onwards, and a little of it can be put back."""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        ...

    def put_back(self, data: bytes) -> None:
        """Have these bytes come again, before all that was not read yet."""
        ...

    def seek(self, position: int) -> int:
        """Read on to a position."""
        ...

    def tell(self) -> int:
        """How many bytes were read."""
        ...


def usual_members(data: Stream) -> Iterator[Unpacked]:
    """The members up to the first that has anything unusual, or is damaged; the stream stands before it."""
    held, at = b"", 0  # what was read, and how much of it was dealt with
    while True:
        if len(held) - at < _HEADERS:
            held, at = held[at:] + data.read(_WINDOW), 0
        head = _head(held, at)
        if head is None:
            data.put_back(held[at:])
            return
        path, kind, size, hardlink, begin, entry = head
        at = begin + size + -size % BLOCK
        end = data.tell() - len(held) + at
        if path and is_plain_path(path):
            yield Unpacked(path, kind, hardlink, _chunks(data, held, begin, size), entry)
        if at > len(held):
            data.seek(end)
            held, at = b"", 0


_Head = tuple[bytes, Kind, int, bytes, int, Callable[[], Entry]]
"""What headers of a member tell: path, kind, size, hard link, where the content begins, and attributes."""


def _head(held: bytes, at: int) -> _Head | None:
    """The headers that stand at a place; None where they are unusual, damaged, or not all there."""
    header = held[at : at + BLOCK]
    if not _is_whole(header):
        return None
    try:
        extended: Mapping[bytes, bytes] = {}
        if header[156:157] == b"x":
            size = int(header[124:135], 8)
            content = held[at + BLOCK : at + BLOCK + size]
            extended = records_in(content)
            if (b"GNU." in content or b"hdrcharset" in content) and any(
                key.startswith(_NOT_USUAL) for key in extended
            ):
                return None
            at += BLOCK + size + -size % BLOCK
            header = held[at : at + BLOCK]
            if not _is_whole(header):
                return None
        kind = _KINDS[header[156:157]]
        size = int(extended.get(b"size") or int(header[124:135], 8))
        path = _below(extended.get(b"path") or name_in(header))
        link = extended.get(b"linkpath") or text_in(header[157:257])
    except (KeyError, ValueError):
        return None
    if size < 0:
        return None
    entry = partial(_entry, header, extended, kind, size, path, link)
    hardlink = _below(link) if header[156:157] == _HARD_LINK else b""
    return path, kind, size if header[156:157] in _FILES else 0, hardlink, at + BLOCK, entry


def _is_whole(header: bytes) -> bool:
    """Whether a header is one of this format, and adds up."""
    if len(header) < BLOCK or header[257:265] != _MAGIC:
        return False
    try:
        told = int(header[148:155].strip(b" \0"), 8)
    except ValueError:
        return False
    # All bytes are added but for multiples of the modulus, ten times as fast as could be done here.
    added = (adler32(header) & 0xFFFF) - 1
    return (added - sum(header[148:156]) + 8 * 32 - told) % _ADLER_MODULUS == 0


def _below(name: bytes) -> bytes:
    """A path as it would be below the folder it is unpacked in."""
    if b"/." in name or b"//" in name or name[:1] in b"./" or name[-1:] == b"/":
        return b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))
    return name


def _chunks(data: Stream, held: bytes, begin: int, size: int) -> Iterator[Chunk]:
    """The content of a member, of which the beginning, or all, is held already."""
    if begin + size <= len(held):
        return iter([Chunk(0, held[begin : begin + size])])
    return _read_on(data, held, begin, size)


def _read_on(data: Stream, held: bytes, begin: int, size: int) -> Iterator[Chunk]:
    done = min(size, len(held) - begin)
    if done > 0:
        yield Chunk(0, held[begin : begin + done])
    while done < size:
        piece = data.read(min(_PIECE, size - done))
        if not piece:
            raise RestoreError("it breaks off in the middle of a file")
        yield Chunk(done, piece)
        done += len(piece)


def _entry(
    header: bytes, extended: Mapping[bytes, bytes], kind: Kind, size: int, path: bytes, link: bytes
) -> Entry:
    """A member with the attributes that its headers tell."""

    def number(key: bytes, start: int, end: int) -> int:
        try:
            return int(extended.get(key) or int(header[start:end].strip(b" \0") or b"0", 8))
        except ValueError:
            return 0

    def text(key: bytes, start: int, end: int) -> str:
        return (extended.get(key) or text_in(header[start:end])).decode("utf-8", "surrogateescape")

    xattrs = [
        (key[len(_XATTR) :].replace(b"%3D", b"=").replace(b"%25", b"%"), value)
        for key, value in extended.items()
        if key.startswith(_XATTR)
    ]
    device = os.makedev(number(b"", 329, 336), number(b"", 337, 344))  # seven octal digits each
    return Entry(
        path,
        kind,
        size if kind is Kind.FILE else 0,
        number(b"", 100, 107) & 0o7777,
        number(b"uid", 108, 115),
        number(b"gid", 116, 123),
        _nanoseconds(extended.get(b"mtime", b"")) or number(b"", 136, 147) * _NANO,
        text(b"uname", 265, 297),
        text(b"gname", 297, 329),
        target=link if kind is Kind.LINK else b"",
        hardlink=_below(link) if header[156:157] == _HARD_LINK else b"",
        xattrs=tuple(sorted(xattrs)),
        rdev=device if kind in (Kind.CHAR, Kind.BLOCK) else 0,
    )


def _nanoseconds(seconds: bytes) -> int:
    try:
        return int(Decimal(seconds.decode("ascii")) * _NANO) if seconds else 0
    except (DecimalException, ValueError, OverflowError):
        return 0
