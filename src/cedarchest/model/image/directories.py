"""Walking the directories of a session, which both trees have in common.

Directories are taken in rising order of their addresses, which is the order libisofs writes them
in, so one sweep over the disc feeds the readers. A loop, an extent outside the session or a limit
ends the branch it stands in; what is wrong is reported as a finding and reading goes on.

Source: ECMA-119 6.8, 9.1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from calendar import timegm
from collections.abc import Callable, Iterator
from datetime import datetime
from heapq import heappop, heappush
from itertools import pairwise
from struct import Struct
from typing import NamedTuple, NoReturn

from cedarchest.model.image.rockridge import BadField
from cedarchest.model.image.volume import Directories, Read, Report, Tree, is_directory_head, structure
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text

Extents = tuple[tuple[int, int], ...]
"""(address, bytes) of each piece of a file, in order; none where there are no data."""

HEAD = Struct("<xBI4xI4x7sB6sB")
"""A record's attribute blocks, address, size, time, flags, gaps with volume, name length."""

HEAD_BIG = Struct(">6xI4xI")
VOLUME = b"\0\0\1\0\0\1"
"""No gaps, and volume 1 in both byte orders."""
DIRECTORY, MULTI = 0x02, 0x80
_PIECE = 512
_TIMES_KEPT = 65_536


class Limits(NamedTuple):
    """Where a tree ends to be believable."""

    entries: int = 10_000_000
    depth: int = 1000
    path: int = 65_536


LIMITS = Limits()


class Directory(NamedTuple):
    """A directory that waits for its turn; heads and posix are what `.` and `..` must repeat."""

    block: int
    size: int
    path: bytes
    depth: int
    head: bytes
    posix: bytes
    parent_head: bytes
    parent_posix: bytes
    grand_time: bytes
    moved: bool = False


def bad(detail: str) -> NoReturn:
    """Give a record up.

    Raises:
        BadField: always.
    """
    raise BadField(detail)


class TreeReader(ABC):
    """What the readers of both trees do alike."""

    def __init__(
        self, read: Read, tree: Tree, start: int, end: int, report: Report, limits: Limits = LIMITS
    ) -> None:
        self.read = read
        self.tree = tree
        self.start = start
        self.end = end
        self._report = report
        self._limits = limits
        self.budget = end - start
        self.entries_left = limits.entries
        self.times: dict[bytes, int] = {}
        self._waiting: list[Directory] = []
        self.own = (b"", b"")  # head and posix of the directory that is being read
        self.directories = Directories()
        self.done: Callable[[int], None] = _nothing

    def fault(self, path: bytes, detail: str, block: int) -> None:
        """Report something wrong."""
        self._report(structure("/" + to_text(path), detail, block))

    def walk(self) -> Iterator[Directory]:
        """The root, then whatever was admitted, by rising address."""
        tree = self.tree
        head = tree.root_head
        root = Directory(tree.root_block, tree.root_size, b"", 0, head, b"", head, b"", head[16:])
        self.admit(root, tree.root_block, b"\0")
        while self._waiting:
            directory = heappop(self._waiting)
            self.done(directory.block)
            self.own = (directory.head, directory.posix)
            yield directory

    def admit(self, directory: Directory, parent: int, identifier: bytes) -> None:
        """Have a directory read later if that is safe."""
        blocks = -(-directory.size // BLOCK)
        if directory.block < self.start or directory.block + blocks > self.end:
            refusal = "this directory is outside the session"
        elif not directory.size or directory.size % BLOCK:
            refusal = "this directory has no whole blocks"
        elif directory.depth > self._limits.depth or len(directory.path) > self._limits.path:
            refusal = "this directory is too deep"
        elif blocks > self.budget:
            refusal = "the directories are larger than their session"
        elif not self.directories.add(directory.block, parent, identifier):
            refusal = "this directory stands at the address of another one"
        else:
            self.budget -= blocks
            heappush(self._waiting, directory)
            return
        self.fault(directory.path, refusal, directory.block)

    def _pieces(self, directory: Directory) -> Iterator[tuple[int, bytes]]:
        """A directory's extent in pieces of whole blocks, so that a huge one needs little memory."""
        block, end = directory.block, directory.block + directory.size // BLOCK
        while block < end:
            count = min(_PIECE, end - block)
            data = self.read(block, count)
            yield block, data
            if len(data) < count * BLOCK:
                self.fault(directory.path, "the disc ends within this directory", block)
                return
            block += count

    def records(self, directory: Directory) -> Iterator[tuple[int, bytes, int, int]]:
        """The records behind `.` and `..`, as block, buffer, begin and end within it."""
        dots = 0
        left = self.entries_left
        for first, data in self._pieces(directory):
            if left < 0:
                self.fault(directory.path, "the tree has too many entries", directory.block)
                self._waiting.clear()
                break
            pos, size = 0, len(data)
            while pos < size:
                length = data[pos]
                end = pos + length
                following = (pos | 2047) + 1
                if length < 34 or length & 1 or end > following:  # ECMA-119 9.1.12: they end at even places
                    if length or data.count(0, pos, following) != following - pos or not pos & 2047:
                        detail = "a record of this directory has a wrong length"
                        self.fault(directory.path, detail, first + (pos >> 11))
                    pos = following
                    continue
                if dots == 2:
                    left -= 1
                    yield first + (pos >> 11), data, pos, end
                else:
                    self._check_dot(directory, data[pos:end], dots, first)
                    dots += 1
                pos = end
        self.entries_left = left
        if dots < 2:
            self.fault(directory.path, "this directory has no records of its own", directory.block)

    def _check_dot(self, directory: Directory, record: bytes, number: int, block: int) -> None:
        """Compare `.` with the record in the parent, `..` with the parent's own `.`.

        In Rock Ridge's `..` libisofs records the time of the parent's parent, in Joliet's the address
        of the directory itself (seen with xorriso 1.5.4); right ones are as good.
        """
        head = record[2:25]
        try:
            posix = self.dot_posix(record)
            if not is_directory_head(record) or record[32:34] != bytes((1, number)):
                bad("its constant fields are wrong")
            if directory.depth == 0 and number == 0:
                self.own = (head, posix)
                if head != directory.head:
                    bad("it is not what the descriptor says")
            elif number == 0 or directory.depth == 0:
                if (head, posix) != self.own:
                    bad("it differs from the same record elsewhere")
            elif not directory.moved and (
                head[:16] not in (directory.parent_head[:16], b"" if posix else directory.head[:16])
                or head[16:] not in (directory.parent_head[16:], directory.grand_time if posix else b"")
                or posix != directory.parent_posix
            ):
                bad("it differs from the same record elsewhere")
        except BadField as error:
            self.fault(directory.path, f"the record of the directory itself or its parent: {error}", block)

    @abstractmethod
    def dot_posix(self, record: bytes) -> bytes:
        """The raw attributes of a `.` or `..` record."""

    def time(self, raw: bytes) -> int:
        """Seconds since 1970 of a short time (ECMA-119 9.1.5).

        Raises:
            BadField: there is no such time.
        """
        year, month, day, hour, minute, second, offset = raw
        offset -= (offset & 0x80) << 1
        try:
            moment = datetime(1900 + year, month, day, hour, minute, second)  # noqa: DTZ001 - timegm says UTC
        except ValueError as error:
            raise BadField(f"a time is impossible: {raw.hex()}") from error
        if not -52 <= offset <= 52:
            raise BadField(f"a time zone is impossible: {offset}")
        if len(self.times) >= _TIMES_KEPT:
            self.times.clear()
        seconds = timegm(moment.timetuple()) - 900 * offset
        self.times[raw] = seconds
        return seconds


def _nothing(_: int) -> None:
    pass


class Order:
    """Follows the records of one directory: order, files of several pieces."""

    __slots__ = ("previous", "started", "started_as")

    def __init__(self) -> None:
        self.previous = b""
        self.started: list[tuple[int, int]] = []
        self.started_as = b""

    def goes_on(self, identifier: bytes, address: int, octets: int) -> None:
        """Keep a piece of a file whose next record has more of it."""
        if self.started and self.started_as != identifier:
            self.started.clear()
            raise BadField("the pieces of a file do not belong together")
        self.started.append((address, octets))
        self.started_as = identifier

    def whole(self, identifier: bytes, address: int, octets: int) -> Extents:
        """All pieces of a file of which this record has the last.

        Raises:
            BadField: they do not belong together.
        """
        pieces = (*self.started, (address, octets))
        if len(pieces) == 1:
            return pieces
        self.started = []
        follows = all(
            not size % BLOCK and block + size // BLOCK == after
            for (block, size), (after, _) in pairwise(pieces)
        )
        if not follows or self.started_as != identifier:
            raise BadField("the pieces of this file do not belong together")
        return pieces
