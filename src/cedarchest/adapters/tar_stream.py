"""The stream of GNU tar in pax format, digested member by member while it is passed on.

Source: POSIX.1-2024, pax, "pax Interchange Format"; GNU tar manual, "Storing Sparse Files" (format 1.0).
Python's own tarfile reads the same far more slowly, since it keeps and decodes every field.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from cedarchest.errors import UnexpectedOutput

BLOCK = 512
RECORD = 20 * BLOCK
_ZEROS = bytes(BLOCK)
_PIECE = 1 << 20
_REGULAR = (b"0", b"\0", b"7")
_HARD_LINK = b"1"
_EXTENDED = b"x"
_OF_ALL = b"g"


class Member(NamedTuple):
    """A member: path as tar has it, without a slash at the end; of a regular file size and SHA-256.

    `link` is the path of the member before that is the same file.
    """

    path: bytes
    is_file: bool
    size: int = 0
    sha256: bytes = b""
    link: bytes = b""


ReadInto = Callable[[memoryview], int | None]
"""Fills a buffer from its start, and gives how many bytes there were; none at the end of a stream."""


def read_members(
    read: ReadInto, pass_on: Callable[[memoryview], object], *, behind: int = 1
) -> Iterator[Member]:
    """The members of an archive as they come; all of it but its end is passed on.

    What is passed on stays as it is until `behind` more calls of `pass_on` have returned.

    Raises:
        EOFError: the stream breaks off.
        UnexpectedOutput: it is no archive of this format.
    """
    source = _Source(read, pass_on, behind)
    extended: Mapping[bytes, bytes] = {}
    while (header := source.take(BLOCK)) != _ZEROS:
        if header[257:262] != b"ustar":
            raise UnexpectedOutput("tar wrote something that is no archive in pax format", tool="tar")
        kind, size = header[156:157], int(header[124:135].strip(b" \0") or b"0", 8)
        if kind in (_EXTENDED, _OF_ALL):
            content = source.take(size + -size % BLOCK)
            if kind == _EXTENDED and not _tells_time_only(content, size):
                extended = records_in(content[:size])
            continue
        size = int(extended.get(b"size", size))
        path = extended.get(b"GNU.sparse.name") or extended.get(b"path") or name_in(header)
        path = path.rstrip(b"/")
        if kind not in _REGULAR:
            source.digest(size)
            link = (extended.get(b"linkpath") or text_in(header[157:257])) if kind == _HARD_LINK else b""
            yield Member(path, is_file=False, link=link)
        elif b"GNU.sparse.major" in extended:
            real_size = int(extended[b"GNU.sparse.realsize"])
            yield Member(path, is_file=True, size=real_size, sha256=source.sparse_digest(size, real_size))
        else:
            yield Member(path, is_file=True, size=size, sha256=source.digest(size))
        extended = {}
    source.end()


def end_of_archive(length: int) -> bytes:
    """What completes an archive of so many bytes: two empty blocks, and more to the end of a record."""
    return bytes(2 * BLOCK + -(length + 2 * BLOCK) % RECORD)


class _Source:
    """The stream, read and passed on in large pieces, and taken apart in between.

    They stand in a few buffers in turn: to ask the kernel for the memory of each anew takes longer than to
    digest it, and some are still passed on while another is filled.
    """

    def __init__(self, read: ReadInto, pass_on: Callable[[memoryview], object], behind: int) -> None:
        self._read = read
        self._pass_on = pass_on
        self._buffer = memoryview(bytearray(2 * _PIECE))
        self._free = deque(memoryview(bytearray(2 * _PIECE)) for _ in range(behind))
        self._taken = 0  # bytes of the piece
        self._end = 0  # of the piece in the buffer

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            EOFError: there are fewer.
        """
        if self._taken + size > self._end:
            self._go_on(size)
        start = self._taken
        self._taken = end = start + size
        return self._buffer[start:end].tobytes()

    def _view(self, size: int) -> memoryview:
        """The next bytes as they stand in the buffer, until more is taken."""
        if self._taken + size > self._end:
            self._go_on(size)
        start = self._taken
        self._taken += size
        return self._buffer[start : self._taken]

    def end(self) -> None:
        """The empty block that was taken last is not passed on, nor is what comes after it."""
        self._pass_on(self._buffer[: self._taken - BLOCK])
        while self._read(self._free[0]):
            pass

    def _go_on(self, size: int) -> None:
        """Read on until there are so many bytes."""
        self._pass_on(self._buffer[: self._taken])
        rest = self._buffer[self._taken : self._end]
        self._free.append(self._buffer)
        self._buffer = self._free.popleft()
        if size > len(self._buffer):
            self._buffer = memoryview(bytearray(size + _PIECE))
        self._buffer[: len(rest)] = rest
        self._taken, self._end = 0, len(rest)
        while self._end < size:
            count = self._read(self._buffer[self._end : self._end + max(_PIECE, size - self._end)])
            if not count:
                raise EOFError("tar broke off before the end of the archive")
            self._end += count

    def data(self, size: int) -> Iterator[memoryview]:
        """The bytes of a member as they stand in the pieces, then what fills its last block."""
        left = size
        while left:
            if self._taken == self._end:
                self._go_on(1)
            count = min(left, self._end - self._taken)
            yield self._buffer[self._taken : self._taken + count]
            self._taken += count
            left -= count
        self.take(-size % BLOCK)

    def digest(self, size: int) -> bytes:
        """The SHA-256 of a member's bytes."""
        if self._taken + size + BLOCK <= self._end:
            return hashlib.sha256(self._view(size + -size % BLOCK)[:size]).digest()
        digest = hashlib.sha256()
        for piece in self.data(size):
            digest.update(piece)
        return digest.digest()

    def sparse_digest(self, size: int, real_size: int) -> bytes:
        """The SHA-256 of a file with holes, as it reads: a map of its data comes first, then the data."""
        numbers, used = self._map()
        digest = hashlib.sha256()
        position = 0
        rest = memoryview(b"")
        pieces = self.data(size - used)
        for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
            _hash_hole(digest, offset - position)
            position = offset
            while position < offset + length:
                rest = rest or next(pieces)
                piece, rest = rest[: offset + length - position], rest[offset + length - position :]
                digest.update(piece)
                position += len(piece)
        _hash_hole(digest, real_size - position)
        for _ in pieces:  # what fills the last block
            pass
        return digest.digest()

    def _map(self) -> tuple[list[int], int]:
        """Offset and length of each piece of data in turn, and the bytes that say so."""
        blocks = [self.take(BLOCK)]
        count = int(blocks[0].split(b"\n", 1)[0])
        lines = blocks[0].count(b"\n")
        while lines < 1 + 2 * count:
            blocks.append(self.take(BLOCK))
            lines += blocks[-1].count(b"\n")
        text = b"".join(blocks)
        return [int(number) for number in text.split(b"\n")[1 : 1 + 2 * count]], len(text)


def _hash_hole(digest: hashlib._Hash, size: int) -> None:
    while size > 0:
        digest.update(_HOLE[: min(size, len(_HOLE))])
        size -= len(_HOLE)


_HOLE = memoryview(bytes(_PIECE))


def name_in(header: bytes) -> bytes:
    """The path that a header tells."""
    name, prefix = text_in(header[:100]), text_in(header[345:500])
    return prefix + b"/" + name if prefix else name


def text_in(field: bytes) -> bytes:
    """What stands in a field of a header."""
    return field.partition(b"\0")[0]


def _tells_time_only(content: bytes, size: int) -> bool:
    """Whether an extended header has but the time, as that of nearly each member, which nobody asks here."""
    return content[2:9] == b" mtime=" and content[:3] == b"%d " % size


def records_in(content: bytes) -> Mapping[bytes, bytes]:
    """The records of an extended header: length, blank, keyword, `=`, value, newline."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(content):
        blank = content.index(b" ", position)
        end = position + int(content[position:blank])
        keyword, _, value = content[blank + 1 : end - 1].partition(b"=")
        found[keyword] = value
        position = end
    return found
