"""Members of archives: from the index beside one, or from the archive itself.

Both are data from a peer, and hostile. What is taken in of them has limits: records, bytes unpacked, bytes
of a header. Archives are of any kind that tar programs write; none is unpacked to a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any, BinaryIO

from cedarchest.adapters.folders import inside
from cedarchest.adapters.process import piped
from cedarchest.adapters.unpacking import LARGEST_RATIO, LEAST_LIMIT, UNPACKERS
from cedarchest.errors import CedarchestError, StagingError
from cedarchest.model.archive_names import INDEX_SUFFIX
from cedarchest.model.index import FORMAT, VERSION, Kind, index_lines, is_plain_path, parse_record
from cedarchest.model.members import Member, member_of
from cedarchest.model.names import from_text, to_text
from cedarchest.ports.archives import IndexHead

MOST_MEMBERS = 5_000_000
"""Members of an archive that are believed."""

LONGEST_READ = 64 << 20
"""Bytes that a header may have: names and extended attributes of one member."""

_DAMAGED = (
    *(tarfile.TarError, ValueError, OverflowError, EOFError, OSError, KeyError, IndexError, TypeError),
    *(RecursionError, zlib.error),
)
_KINDS = {
    tarfile.DIRTYPE: Kind.DIR,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.FIFOTYPE: Kind.FIFO,
    tarfile.CHRTYPE: Kind.CHAR,
    tarfile.BLKTYPE: Kind.BLOCK,
}
_PIECE = 1 << 20
_NANO = 1_000_000_000


class LocalArchives:
    """Archives on file systems of this machine."""

    def index_head(self, root: Path, path: bytes, sha256: bytes) -> IndexHead | None:
        """Of the index beside the archive at a path below `root`; None where there is none."""
        beside = path + INDEX_SUFFIX
        with _sentences(beside):
            try:
                with _opened(root, beside) as stream:
                    return _index_head(stream, sha256)
            except FileNotFoundError:
                return None

    def listed(self, root: Path, path: bytes) -> Iterator[Member]:
        """What the index beside an archive lists, in order of path."""
        beside = path + INDEX_SUFFIX
        with _sentences(beside), _opened(root, beside) as stream:
            yield from _listed(stream)

    def members(self, root: Path, path: bytes, read: Callable[[int], None]) -> tuple[list[Member], int]:
        """What an archive holds, by reading it, and of how many members the paths lead elsewhere."""
        with _sentences(path), _opened(root, path) as stream:
            size = os.fstat(stream.fileno()).st_size
            limit = max(LEAST_LIMIT, LARGEST_RATIO * size)
            with _unpacked(stream) as data:
                return _members(Forward(data, limit, read))

    def head_in(self, content: bytes, path: bytes, sha256: bytes) -> IndexHead:
        """Of an index, given as it stands beside the archive at a path."""
        with _sentences(path + INDEX_SUFFIX):
            return _index_head(io.BytesIO(content), sha256)

    def listed_in(self, content: bytes, path: bytes) -> Iterator[Member]:
        """What such an index lists, in order of path."""
        with _sentences(path + INDEX_SUFFIX):
            yield from _listed(io.BytesIO(content))

    def members_in(
        self, data: BinaryIO, size: int, path: bytes, read: Callable[[int], None]
    ) -> tuple[list[Member], int]:
        """What an archive holds of which there is but a stream."""
        with _sentences(path):
            return _members(Forward(data, max(LEAST_LIMIT, LARGEST_RATIO * size), read))


@contextlib.contextmanager
def _sentences(path: bytes) -> Iterator[None]:
    """Says of what is wrong what it is wrong with."""
    try:
        yield
    except CedarchestError:
        raise
    except _DAMAGED as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StagingError(
            f"{to_text(path)} cannot be read: {reason or type(error).__name__}",
            advice="Look at it with tar on the peer that it comes from.",
        ) from error


@contextlib.contextmanager
def _opened(root: Path, path: bytes) -> Iterator[BinaryIO]:
    folder, _, name = path.rpartition(b"/")
    with inside(root, folder) as parent:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=parent), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ValueError("it is no file")
            yield stream


def _index_head(stream: BinaryIO, sha256: bytes) -> IndexHead:
    head = _head(next(index_lines(stream, at_most=MOST_MEMBERS)))
    archives = head["archives"]
    if bytes.fromhex(archives[0]["sha256"]) != sha256:
        raise ValueError("it is the index of another archive")
    told = head.get("unread", [])
    if not isinstance(told, list) or not all(isinstance(path, str) for path in told):
        raise ValueError("what it calls unread are no paths")
    unread = frozenset(map(from_text, told))
    if not all(map(is_plain_path, unread)):
        raise ValueError("what it calls unread leads elsewhere")
    return IndexHead(len(archives) == 1 and head["day"] == head["whole_day"], unread)


def _listed(stream: BinaryIO) -> Iterator[Member]:
    lines = index_lines(stream, at_most=MOST_MEMBERS)
    archives = len(_head(next(lines))["archives"])
    last = b""
    for line in lines:
        entry = parse_record(line)
        number = json.loads(line).get("in", 0) if b'"in"' in line else 0
        if type(number) is not int or not 0 <= number < archives:
            raise ValueError(f"{to_text(entry.path)} is in an archive that it does not name")
        if entry.path <= last:
            raise ValueError(f"records out of order at {to_text(entry.path)}")
        last = entry.path
        yield _storable(member_of(entry, entry.path, held=number == 0))


def _head(line: bytes) -> dict[str, Any]:
    head = json.loads(line or b"null")
    if not isinstance(head, dict) or (head.get("format"), head.get("version")) != (FORMAT, VERSION):
        raise ValueError("it is no index, or one of a later version")
    if not isinstance(head.get("archives"), list) or not head["archives"]:
        raise ValueError("it is no index of an archive")
    return head


def _storable(member: Member) -> Member:
    """The same, if its figures are such as any file may have."""
    if not (0 <= member.size < 1 << 63 and abs(member.mtime_ns) < _NANO << 62):
        raise ValueError(f"{to_text(member.path)} has a size or time that no file has")
    return member


@contextlib.contextmanager
def _unpacked(stream: BinaryIO) -> Iterator[BinaryIO]:
    """An archive as tar wrote it, whatever it is packed with."""
    start = os.pread(stream.fileno(), 8, 0)
    unpacker = next((argv for magic, argv in UNPACKERS.values() if start.startswith(magic)), None)
    if unpacker is None:
        yield stream
        return
    with piped(unpacker, data=stream.fileno()) as program:
        yield program.data_out
        done = program.finish()
        if done.returncode:
            raise ValueError(f"{unpacker[0]} says: {done.tail.strip() or done.returncode}")


class Forward(io.RawIOBase):
    """A stream as tarfile wants it, which is only ever read onwards, and not for ever."""

    def __init__(self, data: BinaryIO, limit: int, read: Callable[[int], None]) -> None:
        self._data = data
        self._at = 0
        self._read = read
        self._back = b""
        self.limit = limit

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= LONGEST_READ:
            raise ValueError("a header in it is larger than any should be")
        if self._at > self.limit:
            raise ValueError(f"it unpacks to more than {self.limit} bytes")
        if self._back:
            data, self._back = self._back[:size], self._back[size:]
            data += self._data.read(size - len(data))
        else:
            data = self._data.read(size)
        before, self._at = self._at, self._at + len(data)
        if before // _PIECE != self._at // _PIECE:
            self._read(self._at)
        return data

    def put_back(self, data: bytes) -> None:
        """Have these bytes, which were read last, come again."""
        self._back = data + self._back
        self._at -= len(data)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Read on to a position; one that was passed cannot be gone back to."""
        if whence != os.SEEK_SET or position < self._at:
            raise ValueError("its members overlap")
        while self._at < position and self.read(min(_PIECE, position - self._at)):
            pass
        return self._at

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """As far as is needed."""
        return True


class _Archive(tarfile.TarFile):
    """An archive; the library keeps its members where its types do not say."""

    members: list[tarfile.TarInfo]


def _members(data: Forward) -> tuple[list[Member], int]:
    """What an archive holds; of a path that comes twice the last, as it is unpacked."""
    found: dict[bytes, Member] = {}
    elsewhere = 0
    with _Archive.open(fileobj=data, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # it would keep all of them
            path = plain_path(info.name)
            if not path:
                continue
            if not is_plain_path(path):
                elsewhere += 1
                continue
            if (member := _member(archive, info, path, data.limit, found)) is not None:
                found[path] = _storable(member)
            if len(found) > MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS} members")
    while data.read(_PIECE):  # what comes behind the end of the archive
        pass
    return list(found.values()), elsewhere


def plain_path(name: str) -> bytes:
    """A path as it would be below the folder it is unpacked in; empty for that folder itself."""
    parts = os.fsencode(name).split(b"/")
    return b"/".join(part for part in parts if part not in (b"", b"."))


def _member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, path: bytes, limit: int, found: Mapping[bytes, Member]
) -> Member | None:
    """A member as it is kept; None for what is no entry of a file system."""
    mtime_ns = mtime_ns_of(info)
    if info.islnk():
        first = found.get(plain_path(info.linkname))
        return first and first._replace(path=path)
    if not info.isreg():
        kind = _KINDS.get(info.type)
        return Member(path, kind.value, mtime_ns=mtime_ns) if kind else None
    digest = b""
    content = archive.extractfile(info) if info.size <= limit else None
    if content is not None:
        whole = hashlib.sha256()
        while piece := content.read(_PIECE):
            whole.update(piece)
        digest = whole.digest()
    return Member(path, Kind.FILE.value, info.size, mtime_ns, digest)


def mtime_ns_of(info: tarfile.TarInfo) -> int:
    """The time of a member; the beginning of time where it has none."""
    try:
        return int(Decimal(info.pax_headers.get("mtime") or str(info.mtime)) * _NANO)
    except (DecimalException, ValueError, OverflowError):
        return 0
