"""Reading the Joliet tree of a session; what it should show is in `model.image.joliet_names`."""

from __future__ import annotations

from codecs import utf_16_be_decode
from collections.abc import Iterator
from typing import NamedTuple

from cedarchest.model.image.directories import (
    DIRECTORY,
    HEAD,
    HEAD_BIG,
    MULTI,
    VOLUME,
    Directory,
    Extents,
    Order,
    TreeReader,
    bad,
)
from cedarchest.model.image.rockridge import BadField
from cedarchest.model.index import Kind

_ALL_OF_IT = True
"""Nothing is left to be decoded with what would come next."""


class JolietNode(NamedTuple):
    """An entry of the Joliet tree; `block` is where its directory record stands."""

    path: str
    kind: Kind
    mtime: int
    size: int
    extents: Extents
    block: int


class JolietReader(TreeReader):
    """Reads the Joliet tree of a session: iterate over it; as `RockRidgeReader` otherwise."""

    def __iter__(self) -> Iterator[JolietNode]:
        for directory in self.walk():
            yield from self._children(directory)

    def _children(self, directory: Directory) -> Iterator[JolietNode]:
        """The entries of a directory.

        All that is looked at in a record stands in one function: it is run once for each entry of a disc.
        """
        prefix = directory.path.decode("utf-8", "surrogatepass") + "/" if directory.path else ""
        order = Order()
        times, limit, new = self.times, self.end, tuple.__new__
        for block, data, pos, end in self.records(directory):
            attributes, address, octets, date, flags, gaps, length = HEAD.unpack_from(data, pos)
            after = pos + 33 + length
            identifier = data[pos + 33 : after]
            try:
                if (
                    (address, octets) != HEAD_BIG.unpack_from(data, pos)
                    or attributes
                    or gaps != VOLUME
                    or length & 1
                    or not length
                    or after + 1 != end
                    or data[after]
                ):
                    bad("a directory record is damaged")
                name = utf_16_be_decode(identifier, "surrogatepass", _ALL_OF_IT)[0]
                if "/" in name or "\0" in name:
                    bad("a record has an impossible name")
                path = prefix + name
                mtime = times.get(date) or self.time(date)
                if flags == MULTI:
                    order.goes_on(identifier, address, octets)
                    continue
                if identifier <= order.previous:
                    bad("the records are not in order")
                order.previous = identifier
                extents: Extents = ()
                last = 0
                if flags == DIRECTORY:
                    self._descend(directory, path, data[pos:end], address, octets)
                    octets = 0
                elif flags:
                    bad("a record has wrong flags")
                elif octets and not order.started:
                    extents = ((address, octets),)
                    last = address + (octets + 2047 >> 11)
                elif order.started:
                    extents = order.whole(identifier, address, octets)
                    octets = sum(piece[1] for piece in extents)
                    last = address + (extents[-1][1] + 2047 >> 11)
                if last > limit:
                    bad("the data are outside the disc")
            except BadField as error:
                path = prefix + identifier.decode("utf-16-be", "replace")
                self.fault(path.encode("utf-8", "surrogatepass"), f"in the Joliet tree: {error}", block)
                continue
            kind = Kind.DIR if flags else Kind.FILE
            yield new(JolietNode, (path, kind, mtime, octets, extents, block))
        if order.started:
            self.fault(directory.path, "the last file of this directory has no end", directory.block)

    def _descend(self, parent: Directory, path: str, record: bytes, block: int, size: int) -> None:
        raw, own = path.encode("utf-8", "surrogatepass"), self.own[0]
        depth, grand = parent.depth + 1, parent.parent_head[16:]
        child = Directory(block, size, raw, depth, record[2:25], b"", own, b"", grand)
        self.admit(child, parent.block, record[33:-1])

    def dot_posix(self, record: bytes) -> bytes:
        """Nothing: the record ends behind its name."""
        if len(record) != 34:
            bad("it is too long")
        return b""
