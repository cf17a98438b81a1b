"""The trees of one session: Rock Ridge and Joliet, read fast, believed nothing.

Directories are taken in rising order of their addresses, which is the order libisofs writes them
in, so one sweep over the disc feeds the readers. Everything that is constant or written twice is
compared: both byte orders, reserved fields, the order of records, `.` and `..` with the record in
the parent, the identifier with the name, the record's time with the file's, and what must be zero.
A violation is reported as a finding and reading goes on; a loop, an extent outside the session or
a limit ends the branch it stands in.

What nothing can tell to be wrong, a changed bit in the value of libisofs' own attributes
(`isofs.*`) and in access and change times, is for the caller to compare, where it knows them, and
for the block map. Identifiers of names that are not UTF-8 are compared as far as they are ASCII.

Source: ECMA-119 6.8, 9.1; Rock Ridge and Joliet as in `model.image.rockridge` and `model.image.identifiers`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from cedarchest.model.image.directories import (
    DIRECTORY,
    HEAD,
    HEAD_BIG,
    LIMITS,
    MULTI,
    VOLUME,
    Directory,
    Extents,
    Limits,
    Order,
    TreeReader,
    bad,
)
from cedarchest.model.image.identifiers import ISO, USUAL, Family, iso_identifier, number_families
from cedarchest.model.image.rockridge import POSIX_LENGTH, PX, TF, BadField, Fields, read_fields
from cedarchest.model.image.volume import Read, Report, Tree
from cedarchest.model.index import KIND_BY_FORMAT, Kind
from cedarchest.model.media import BLOCK


class Node(NamedTuple):
    """An entry of the Rock Ridge tree; times are whole seconds since 1970, `path` has no leading slash.

    `block` is where its directory record stands.
    """

    path: bytes
    kind: Kind
    mode: int
    nlink: int
    uid: int
    gid: int
    mtime: int
    atime: int
    ctime: int
    size: int
    extents: Extents
    target: bytes
    rdev: int
    serial: int
    xattrs: tuple[tuple[bytes, bytes], ...]
    block: int


_POSIX = Struct("<4sI4xI4xI4xI4xI4x5s7s7s7s")
_POSIX_BIG = Struct(">8xI4xI4xI4xI4xI")
_OWN = b"\1\0\0\3\4di\0"  # an AL field that begins with device and inode
_CHECKSUM = b"\0\3\4cx\0\4"  # and may go on with the number of a checksum (`-md5 on`)
_WINDOW = 64
_DOTS = (b".", b"..")

_Named = tuple[bytes, bytes, bool, int]
"""Identifier without version, name, whether it is a directory, block of the record."""


class RockRidgeReader(TreeReader):
    """Reads the Rock Ridge tree of a session: iterate over it.

    `directories` knows all directories afterwards, for the path tables, which are those of the tree
    only when nothing was moved (`relocates`). `done` may be set to a
    function that is told below which address nothing is left to be read.
    """

    def __init__(
        self, read: Read, tree: Tree, start: int, end: int, report: Report, limits: Limits = LIMITS
    ) -> None:
        super().__init__(read, tree, start, end, report, limits)
        self._window = b""
        self._window_block = 0
        self._area_end = 0
        self.relocates = False

    def __iter__(self) -> Iterator[Node]:
        for directory in self.walk():
            self._area_end = directory.block * BLOCK + directory.size
            yield from self._children(directory)
            self._check_gap(directory.path, -(-self._area_end // BLOCK) * BLOCK)

    def _children(self, directory: Directory) -> Iterator[Node]:
        """The entries of a directory.

        All that is looked at in a record stands in one function: it is run once for each entry of a disc.
        """
        prefix = directory.path + b"/" if directory.path else b""
        order = Order()
        names: list[_Named] = []
        numbered = False
        times, limit, last = self.times, self.end, 0
        new = tuple.__new__
        for block, data, pos, end in self.records(directory):
            attributes, address, octets, date, flags, gaps, length = HEAD.unpack_from(data, pos)
            area = pos + 33 + length
            identifier = data[pos + 33 : area]
            padded = not length & 1
            area += padded
            tail = area + POSIX_LENGTH
            target, rdev = b"", 0
            xattrs: tuple[tuple[bytes, bytes], ...] = ()
            fields = None
            try:
                if (
                    (address, octets) != HEAD_BIG.unpack_from(data, pos)
                    or attributes
                    or gaps != VOLUME
                    or tail > end
                    or (padded and data[area - 1])
                ):
                    bad("a directory record is damaged")
                posix = _POSIX.unpack_from(data, area)
                if posix[1:6] == _POSIX_BIG.unpack_from(data, area) and _is_plain(data, tail, end, posix):
                    name = data[tail + 5 : tail + data[tail + 2]]
                else:
                    fields = self._fields(directory, data[area:end])
                    if fields.moved:
                        self.relocates = True
                        continue
                    posix = _POSIX.unpack(fields.posix)
                    name, target, rdev, xattrs = fields.name or b"", fields.target, fields.rdev, fields.xattrs
                _, mode, nlink, uid, gid, serial, _, modified, accessed, changed = posix
                if modified != date:
                    bad("the time of a record is not that of its file")
                mtime = times.get(modified) or self.time(modified)
                atime = times.get(accessed) or self.time(accessed)
                ctime = times.get(changed) or self.time(changed)
                kind = KIND_BY_FORMAT.get(mode & 0xFFFFF000)
                if kind is None or not name or b"/" in name or b"\0" in name or name in _DOTS:
                    bad("a record has an impossible name or mode")
                path = prefix + name
                plain = identifier
                if kind is not Kind.DIR:
                    plain = identifier[:-2]
                    if identifier[-2:] != b";1":
                        self.fault(path, "an identifier has no version", block)
                if flags & MULTI and kind is Kind.FILE:
                    order.goes_on(identifier, address, octets)
                    continue
                if plain <= order.previous:
                    self.fault(path, "the records are not in order", block)
                order.previous = plain
                extents: Extents = ()
                if kind is Kind.DIR:
                    if flags != (DIRECTORY if fields is None or fields.child < 0 else 0):
                        self.fault(path, "a record has wrong flags", block)
                    self._descend(directory, path, data[pos:end], fields)
                    octets = 0
                else:
                    if flags:
                        self.fault(path, "a record has wrong flags", block)
                    if octets and not order.started:
                        extents = ((address, octets),)
                        last = address + (octets + 2047 >> 11)
                    elif order.started:
                        extents = order.whole(identifier, address, octets)
                        octets = sum(piece[1] for piece in extents)
                        last = address + (extents[-1][1] + 2047 >> 11)
                    if extents and (last > limit or kind is not Kind.FILE):
                        self.fault(path, "the data are outside the disc or should not be", block)
                        extents = ()
                names.append((plain, name, kind is Kind.DIR, block))
                if plain != name.translate(USUAL) and plain != iso_identifier(
                    name, directory=kind is Kind.DIR
                ):
                    numbered = True
            except BadField as error:
                self.fault(prefix + identifier, str(error), block)
                continue
            mode &= 0o7777
            yield new(
                Node,
                (
                    path,
                    kind,
                    mode,
                    nlink,
                    uid,
                    gid,
                    mtime,
                    atime,
                    ctime,
                    octets,
                    extents,
                    target,
                    rdev,
                    serial,
                    xattrs,
                    block,
                ),
            )
        if order.started:
            self.fault(directory.path, "the last file of this directory has no end", directory.block)
        if numbered:
            self._check_identifiers(prefix, names)

    def _descend(self, parent: Directory, path: bytes, record: bytes, fields: Fields | None) -> None:
        """Have a directory read later, from where it was moved if it was."""
        head = record[2:25]
        block, size = int.from_bytes(head[:4], "little"), int.from_bytes(head[8:12], "little")
        moved = False
        if fields is None:
            area = 33 + record[32] + (not record[32] & 1)
            posix = record[area : area + POSIX_LENGTH]
        else:
            posix = fields.posix
            moved = fields.child >= 0
        if fields is not None and moved:
            self.relocates = True
            block = fields.child
            if not self.start <= block < self.end:
                bad("a moved directory is outside the session")
            head = self.read(block, 1)[2:25]
            size = int.from_bytes(head[8:12], "little")
        own, own_posix = self.own
        depth, grand = parent.depth + 1, parent.parent_head[16:]
        child = Directory(block, size, path, depth, head, posix, own, own_posix, grand, moved)
        self.admit(child, parent.block, record[33 : 33 + record[32]])

    def dot_posix(self, record: bytes) -> bytes:
        """The raw attributes of a `.` or `..` record."""
        fields = self._fields(None, record[34:])
        if fields.name or fields.xattrs or fields.target or fields.moved:
            bad("it has fields that belong elsewhere")
        return fields.posix

    def _fields(self, directory: Directory | None, area: bytes) -> Fields:
        path = directory.path if directory else b""
        return read_fields(area, lambda block, offset, size: self._continuation(path, block, offset, size))

    def _continuation(self, path: bytes, block: int, offset: int, size: int) -> bytes:
        """A continuation area; those of a directory stand one behind another after its records."""
        count = -(-(offset + size) // BLOCK)
        if offset >= BLOCK or not self.start <= block <= self.end - count or count > self.budget:
            bad("a continuation area is outside the session")
        begin = block * BLOCK + offset
        if begin < self._area_end:
            bad("a continuation area overlaps others")
        self._check_gap(path, begin)
        self._area_end = begin + size
        return self._bytes(begin, size)

    def _check_gap(self, path: bytes, begin: int) -> None:
        """Between continuation areas, at most to the end of a block, there is nothing but zeros."""
        gap = begin - self._area_end
        if gap and (gap >= BLOCK or any(self._bytes(self._area_end, gap))):
            self.fault(path, "there is something between continuation areas", self._area_end // BLOCK)

    def _bytes(self, begin: int, size: int) -> bytes:
        """Bytes at an address in bytes, from a window of blocks that is read at once."""
        if size <= 0:
            return b""
        first, last = begin // BLOCK, (begin + size - 1) // BLOCK
        at = begin - self._window_block * BLOCK
        if at < 0 or at + size > len(self._window):
            count = min(max(_WINDOW, last - first + 1), self.end - first)
            self._window_block, self._window = first, self.read(first, count)
            at = begin - first * BLOCK
        found = self._window[at : at + size]
        if len(found) < size:
            bad("the disc ends within a continuation area")
        return found

    def _check_identifiers(self, prefix: bytes, names: Iterable[_Named]) -> None:
        """Where identifiers are not made from their names alone: all must be what libisofs makes of them."""
        families: dict[str, list[_Named]] = defaultdict(list)
        for named in names:
            _, name, is_directory, _ = named
            families[iso_identifier(name, directory=is_directory).decode("ascii")].append(named)
        crowds = {
            base: Family(len(members), is_directory=members[0][2])
            for base, members in families.items()
            if len(members) > 1
        }
        numbered = number_families(crowds, families.keys() - crowds.keys(), ISO)
        for base, members in families.items():
            right = numbered.get(base, (base,))
            for identifier, name, _, block in members:
                if identifier.decode("latin-1") not in right:
                    detail = "an ISO 9660 identifier does not belong to its name"
                    self.fault(prefix + name, detail, block)


def _is_plain(
    data: bytes, tail: int, end: int, posix: tuple[bytes, int, int, int, int, int, bytes, bytes, bytes, bytes]
) -> bool:
    """Whether a record has but the usual: PX, TF, a whole NM, at most libisofs' own in an AL."""
    if posix[0] != PX or posix[6] != TF or end - tail < 6:
        return False
    if data[tail] != 78 or data[tail + 1] != 77 or data[tail + 3] != 1 or data[tail + 4]:
        return False
    tail += data[tail + 2]
    left = end - tail
    if left >= 15 and data[tail] == 65 and data[tail + 1] == 76 and data[tail + 3 : tail + 11] == _OWN:
        device = data[tail + 12]
        if device > 8 or tail + 13 + device >= end:
            return False
        inode = data[tail + 13 + device]
        value = device + inode + 2
        length = data[tail + 2]
        if length == 23 + value and data[tail + 12 + value : tail + 19 + value] == _CHECKSUM:
            left -= 11
        elif length != 12 + value:
            return False
        if inode > 8 or data[tail + 11] != value:
            return False
        left -= 12 + value
    return left == 0 or (left == 1 and not data[end - 1])
