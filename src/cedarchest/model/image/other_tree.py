"""The tree of a session that another program wrote: Rock Ridge, else Joliet, else the bare names.

The readers of our own trees compare every bit with what libisofs writes; here only what has to be known is
taken, and what another program may do otherwise is let be. It is as little believed: a loop, an address
outside the disc or a limit ends the branch it stands in, with a finding.

Source: ECMA-119 6.8, 9.1; IEEE P1281 (SUSP), IEEE P1282 (RRIP); images of genisoimage 1.1.11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from cedarchest.errors import DamagedDisc
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.image.directories import DIRECTORY, LIMITS, MULTI, Limits
from cedarchest.model.image.rockridge import BadField
from cedarchest.model.image.susp import System, read_system, short_time
from cedarchest.model.image.volume import Read, Report, Volume, structure
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text

PATHS_AT_MOST = 1 << 30
"""Bytes that the paths of a tree may have together."""

_PIECE = 512
_SECOND = 1_000_000_000
_HEADER = 33


class OtherNode(NamedTuple):
    """An entry, without digest, and the block that its data begin at: -1 where there are none to be read."""

    entry: Entry
    start: int


class _Directory(NamedTuple):
    """A directory that waits for its turn; those at lower addresses come first."""

    block: int
    size: int
    path: bytes
    depth: int


class _Record(NamedTuple):
    """A directory record as it stands."""

    address: int
    size: int
    date: bytes
    flags: int
    identifier: bytes
    system: bytes
    block: int


class OtherTree:
    """Reads a tree: iterate over it once. Nothing below block 0 or from `end` on is looked at.

    `highest` is the block behind all that it needs, once it was read.
    """

    def __init__(self, read: Read, volume: Volume, end: int, report: Report, limits: Limits = LIMITS) -> None:
        self._read = read
        self._report = report
        self._limits = limits
        self._end = end
        self._budget = end
        self._skipped = 0
        self._waiting: list[_Directory] = []
        self._seen: set[int] = set()
        self._rock_ridge = self._has_rock_ridge(volume)
        self._joliet = not self._rock_ridge and volume.joliet is not None
        tree = volume.joliet if self._joliet and volume.joliet else volume.tree
        self._root = _Directory(tree.root_block, tree.root_size, b"", 0)
        self.highest = volume.start

    def _has_rock_ridge(self, volume: Volume) -> bool:
        """Whether the root's own record begins with what announces system use fields (SUSP 5.3)."""
        try:
            data = self._read(volume.tree.root_block, 1) if volume.tree.root_block < self._end else b""
        except DamagedDisc:
            return True  # its records will be looked at all the same
        area = data[_HEADER + 1 : data[0]] if data else b""
        if area[:2] != b"SP" or area[4:6] != b"\xbe\xef":
            return False
        self._skipped = area[6]
        return True

    def __iter__(self) -> Iterator[OtherNode]:
        self._admit(self._root)
        left, room = self._limits.entries, PATHS_AT_MOST
        while self._waiting:
            directory = heappop(self._waiting)
            for node in self._children(directory):
                left -= 1
                room -= len(node.entry.path)
                if left < 0 or room < 0:
                    self._fault(directory.path, "the tree is larger than can be believed", directory.block)
                    return
                yield node

    def _fault(self, path: bytes, detail: str, block: int) -> None:
        self._report(structure("/" + to_text(path), detail, block))

    def _unreadable(self, path: bytes, detail: str, block: int) -> None:
        self._report(Finding(FindingKind.UNREADABLE, "/" + to_text(path), detail, block, block))

    def _admit(self, directory: _Directory) -> None:
        """Have a directory read later, where that is safe."""
        blocks = -(-directory.size // BLOCK)
        refusal = ""
        if directory.block + blocks > self._end:
            refusal = "this directory is outside the disc"
        elif directory.depth > self._limits.depth or len(directory.path) > self._limits.path:
            refusal = "this directory is too deep"
        elif directory.block in self._seen:
            refusal = "this directory stands at the address of another one"
        elif blocks > self._budget:
            refusal = "the directories are larger than their disc"
        if refusal:
            self._fault(directory.path, refusal, directory.block)
            return
        self._seen.add(directory.block)
        self._budget -= blocks
        self.highest = max(self.highest, directory.block + blocks)
        heappush(self._waiting, directory)

    def _children(self, directory: _Directory) -> Iterator[OtherNode]:
        pieces: list[_Record] = []
        for record in self._records(directory):
            if record.flags & MULTI:
                pieces.append(record)
                continue
            node = self._node(directory, [*pieces, record])
            pieces = []
            if node is not None:
                yield node
        if pieces:
            self._fault(directory.path, "the last file of this directory has no end", directory.block)

    def _records(self, directory: _Directory) -> Iterator[_Record]:
        """The records of a directory but those of itself and its parent."""
        for first, data in self._blocks(directory):
            pos = 0
            while pos < len(data):
                length = data[pos]
                following = (pos | BLOCK - 1) + 1
                if length == 0:
                    pos = following
                    continue
                block = first + pos // BLOCK
                record = _record(data[pos : pos + length], block)
                if pos + length > following or record is None:
                    self._fault(directory.path, "a record of this directory is damaged", block)
                    pos = following
                    continue
                pos += length
                if record.identifier not in (b"\0", b"\1"):
                    yield record

    def _blocks(self, directory: _Directory) -> Iterator[tuple[int, bytes]]:
        """A directory's blocks in pieces, those left out that cannot be read."""
        end = directory.block + -(-directory.size // BLOCK)
        for block in range(directory.block, end, _PIECE):
            count = min(_PIECE, end - block)
            try:
                yield block, self._read(block, count)
            except DamagedDisc:
                yield from self._one_by_one(directory, block, count)

    def _one_by_one(self, directory: _Directory, first: int, count: int) -> Iterator[tuple[int, bytes]]:
        for block in range(first, first + count):
            try:
                yield block, self._read(block, 1)
            except DamagedDisc:
                self._unreadable(directory.path, "what stands in this directory could not all be read", block)

    def _node(self, directory: _Directory, records: Sequence[_Record]) -> OtherNode | None:
        last = records[-1]
        try:
            system = self._system(last)
        except BadField as error:
            self._fault(directory.path, f"a record is without its name: {error}", last.block)
            return None
        except DamagedDisc:
            self._unreadable(directory.path, "a name could not be read", last.block)
            return None
        if system.moved:
            return None
        name = system.name if self._rock_ridge and system.name else self._bare_name(last)
        path = directory.path + b"/" + name if directory.path else name
        if not name or b"/" in name or b"\0" in name or name in (b".", b".."):
            self._fault(directory.path, "a record has an impossible name", last.block)
            return None
        if len(path) > self._limits.path:
            self._fault(directory.path, "a path is longer than can be believed", last.block)
            return None
        is_directory = bool(last.flags & DIRECTORY) or system.child >= 0
        kind = Kind.DIR if is_directory else system.kind or Kind.FILE
        seconds = system.mtime if system.mtime is not None else short_time(last.date)
        size, start = self._data(path, records) if kind is Kind.FILE else (0, -1)
        mode = system.mode if system.mode >= 0 else 0o755 if is_directory else 0o644
        entry = Entry(path, kind, size, mode, system.uid, system.gid, seconds * _SECOND, target=system.target)
        if is_directory:
            self._descend(directory, path, last, system)
        return OtherNode(entry, start)

    def _system(self, record: _Record) -> System:
        if not self._rock_ridge:
            return System()
        return read_system(record.system[self._skipped :], self._continuation)

    def _continuation(self, block: int, offset: int, size: int) -> bytes:
        """Bytes of a continuation area.

        Raises:
            BadField: it is none.
            DamagedDisc: it cannot be read.
        """
        count = -(-(offset + size) // BLOCK)
        if offset >= BLOCK or block + count > self._end or count > self._budget:
            raise BadField("what continues it is outside the disc")
        self.highest = max(self.highest, block + count)
        return self._read(block, count)[offset : offset + size]

    def _bare_name(self, record: _Record) -> bytes:
        """A name without version: of Joliet's tree in UTF-8, else as ISO 9660 has it."""
        if self._joliet:
            text = record.identifier.decode("utf-16-be", "replace")
            return text.partition(";")[0].encode("utf-8", "replace")
        return record.identifier.partition(b";")[0].rstrip(b".")

    def _data(self, path: bytes, records: Sequence[_Record]) -> tuple[int, int]:
        """Size of a file, and where it begins."""
        size = sum(record.size for record in records)
        start = at = records[0].address
        for record in records:
            if record.address != at or (record is not records[-1] and record.size % BLOCK):
                self._fault(path, "the pieces of this file do not belong together", record.block)
                return size, -1
            at += -(-record.size // BLOCK)
        if not size:
            return 0, -1
        if at > self._end:
            self._fault(path, "its data are outside the disc", records[0].block)
            return size, -1
        self.highest = max(self.highest, at)
        return size, start

    def _descend(self, parent: _Directory, path: bytes, record: _Record, system: System) -> None:
        """Have a directory read later, from where it was moved if it was."""
        block, size = record.address, record.size
        if system.child >= 0:
            block = system.child
            try:
                own = _record(self._read(block, 1), block) if block < self._end else None
            except DamagedDisc:
                own = None
            if own is None:
                self._fault(path, "a moved directory is not there", record.block)
                return
            size = own.size
        self._admit(_Directory(block, size, path, parent.depth + 1))


def _record(raw: bytes, block: int) -> _Record | None:
    """A directory record (ECMA-119 9.1); None for what is none."""
    length = raw[0] if raw else 0
    if length <= _HEADER or length > len(raw) or not raw[32] or _HEADER + raw[32] > length:
        return None
    name_end = _HEADER + raw[32]
    address, size = raw[2:10], raw[10:18]
    if address[:4] != address[:3:-1] or size[:4] != size[:3:-1]:
        return None
    return _Record(
        int.from_bytes(address[:4], "little") + raw[1],
        int.from_bytes(size[:4], "little"),
        raw[18:25],
        raw[25],
        raw[_HEADER:name_end],
        raw[name_end + (not raw[32] & 1) : length],
        block,
    )
