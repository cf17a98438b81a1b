"""Archives taken apart on the way, member by member, read as they come.

What is in them is hostile. It has limits: bytes unpacked, bytes of a header; and where a header is damaged
the next one that is whole is looked for.
"""

from __future__ import annotations

import contextlib
import os
import tarfile
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO

from cedarchest.adapters.archive_members import Forward, mtime_ns_of, plain_path
from cedarchest.adapters.tar_members import usual_members
from cedarchest.adapters.unpacking import LARGEST_RATIO, LEAST_LIMIT
from cedarchest.errors import CedarchestError, RestoreError
from cedarchest.model.index import Entry, Kind, is_plain_path
from cedarchest.model.names import to_text
from cedarchest.ports.restoring import Chunk, Unpacked
from cedarchest.ports.unpacking import Unpacking

_PIECE = 1 << 20
_XATTR = "SCHILY.xattr."
_DAMAGED_HEADERS = 100_000
_KINDS = {
    tarfile.DIRTYPE: Kind.DIR,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.LNKTYPE: Kind.FILE,
    tarfile.FIFOTYPE: Kind.FIFO,
    tarfile.CHRTYPE: Kind.CHAR,
    tarfile.BLKTYPE: Kind.BLOCK,
}


class StreamUnpacker:
    """Takes archives apart as their bytes come, when what they are packed with is undone."""

    def __init__(self, unpacking: Unpacking) -> None:
        self._unpacking = unpacking

    def members(self, name: bytes, pieces: Iterable[bytes], size: int) -> Generator[Unpacked]:
        """The members of an archive of a name, from its bytes as they come."""
        limit = max(LEAST_LIMIT, LARGEST_RATIO * size)
        with _sentences(name), self._unpacking.opened(name, pieces) as stream:
            data = _Named(stream, limit, name)
            yield from usual_members(data)
            yield from _members(data)


@contextlib.contextmanager
def _sentences(name: bytes) -> Iterator[None]:
    """Says of what is wrong with an archive which it is."""
    try:
        yield
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as error:
        raise _damaged(name, error) from error


def _damaged(name: bytes, error: Exception) -> RestoreError:
    advice = error.advice if isinstance(error, CedarchestError) else ""
    return RestoreError(
        f"{to_text(name)} is damaged: {str(error) or type(error).__name__}",
        advice=advice or "What is not in it any more is sought elsewhere.",
    )


class _Named(Forward):
    """A stream that says of what is wrong with it which archive it is: whoever reads a member hears of it."""

    def __init__(self, data: BinaryIO, limit: int, name: bytes) -> None:
        super().__init__(data, limit, lambda _done: None)
        self._name = name

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        try:
            return super().read(size)
        except ValueError as error:
            raise _damaged(self._name, error) from error


class _Archive(tarfile.TarFile):
    """An archive; the library keeps its members where its types do not say."""

    members: list[tarfile.TarInfo]


def _members(data: Forward) -> Iterator[Unpacked]:
    """The members from here on, those that can be told behind damaged ones included."""
    archive: _Archive | None = None
    damaged = 0
    while True:
        try:
            info = archive.next() if archive else None
            if archive is None:
                archive = _Archive.open(
                    fileobj=data, mode="r:", encoding="utf-8", errors="surrogateescape", ignore_zeros=True
                )
                info = archive.next()
        except tarfile.ReadError:
            damaged += 1
            if damaged > _DAMAGED_HEADERS or not data.read(tarfile.BLOCKSIZE):
                raise
            data.seek(data.tell() + -data.tell() % tarfile.BLOCKSIZE)
            archive = None
            continue
        if info is None:
            return
        archive.members.clear()  # it would keep all of them
        path = plain_path(info.name)
        if path and is_plain_path(path):
            kind = _KINDS.get(info.type, Kind.FILE)
            hardlink = plain_path(info.linkname) if info.islnk() else b""
            yield Unpacked(path, kind, hardlink, _chunks(data, info), partial(_entry, info, path, kind))


def _entry(info: tarfile.TarInfo, path: bytes, kind: Kind) -> Entry:
    """A member with the attributes that its header tells."""
    xattrs = [
        (_raw(key[len(_XATTR) :]), _raw(value))
        for key, value in info.pax_headers.items()
        if key.startswith(_XATTR)
    ]
    return Entry(
        path,
        kind,
        info.size if kind is Kind.FILE else 0,
        info.mode & 0o7777,
        info.uid,
        info.gid,
        mtime_ns_of(info),
        info.uname,
        info.gname,
        target=_raw(info.linkname) if kind is Kind.LINK else b"",
        hardlink=plain_path(info.linkname) if info.islnk() else b"",
        xattrs=tuple(sorted(xattrs)),
        rdev=_device(info) if kind in (Kind.CHAR, Kind.BLOCK) else 0,
    )


def _device(info: tarfile.TarInfo) -> int:
    """Its number; that of none where there is no such device."""
    try:
        return os.makedev(info.devmajor, info.devminor)
    except OverflowError:
        return 0


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _chunks(data: Forward, info: tarfile.TarInfo) -> Iterator[Chunk]:
    """The content of a member as it stands there, without what was left out of it."""
    if not info.isreg():
        return
    data.seek(info.offset_data)
    sparse: Any = info.sparse  # pairs of offset and size, which its types do not say
    stretches: Iterable[tuple[int, int]] = sparse or ((0, info.size),)
    for offset, size in stretches:
        done = 0
        while done < size:
            piece = data.read(min(_PIECE, size - done))
            if not piece:
                raise RestoreError("it breaks off in the middle of a file")
            yield Chunk(offset + done, piece)
            done += len(piece)
