"""The Joliet tree: what it cannot hold, reading it, and where a path is to be found in it.

Joliet has no links, no specials and no paths that cost more than 240, and it writes some names
differently. All of it follows from the true names (`model.image.identifiers`), except which member of a
family of equal names got which number. `JolietPlaces` says where a path should be found;
`joliet_losses` says before a burn what will be missing or renamed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
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
from cedarchest.model.image.identifiers import JOLIET_PATH, PLAIN_JOLIET, joliet_name, joliet_path_cost
from cedarchest.model.image.rockridge import BadField
from cedarchest.model.index import Entry, Kind

_ALWAYS_FITS = 119
"""A path of so many characters fits, whatever its components."""


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
                name = identifier.decode("utf-16-be", "surrogatepass")
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


AS_IT_IS = ""
"""What `JolietPlaces.place` says of a path that Joliet spells as it is."""


class JolietPlaces:
    """Where each path is found in the Joliet tree; give it directories before what they hold."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        self._changed: dict[bytes, str | None] = {}

    def place(self, path: bytes, kind: Kind) -> str | None:
        """The path in the Joliet tree before any numbering; None when it is left out."""
        if kind is not Kind.FILE and kind is not Kind.DIR:
            return None
        parent, _, name = path.rpartition(b"/")
        if parent not in self._changed:
            if len(path) <= _ALWAYS_FITS and PLAIN_JOLIET.fullmatch(name):
                return AS_IT_IS
            base: str | None = parent.decode("utf-8")
        else:
            base = self._changed[parent]
        place = None
        if base is not None:
            place = f"{base}/" if base else ""
            place += joliet_name(name, directory=kind is Kind.DIR)
            if joliet_path_cost(place) > JOLIET_PATH:
                place = None
        if place is not None and place.encode() == path:
            return AS_IT_IS
        if kind is Kind.DIR:
            self._changed[path] = place
        return place


@dataclass(frozen=True, slots=True)
class JolietLoss:
    """A path that Joliet leaves out (`name` is empty) or knows by another name.

    A number is appended to the name, in its place where it is long, when others became the same
    name (`numbered`).
    """

    path: bytes
    name: str
    numbered: bool = False


def joliet_losses(entries: Collection[Entry]) -> tuple[JolietLoss, ...]:
    """What of a tree Joliet will leave out or rename, in the order given.

    `entries` are all of the tree, each directory before what it holds. Below what is left out
    nothing is listed again; what is below a renamed directory counts as renamed by its own name only.
    """
    places = JolietPlaces()
    changed: dict[bytes, str | None] = {}
    families: dict[bytes, int] = {}
    for entry in entries:
        place = places.place(entry.path, entry.kind)
        if place is None:
            changed[entry.path] = None
        elif place != AS_IT_IS:
            changed[entry.path] = place
            families[place.encode()] = families.get(place.encode(), 0) + 1
    if not changed:
        return ()
    for entry in entries:  # names that are right, but not alone in being what they are
        if entry.path in families and entry.path not in changed:
            families[entry.path] += 1
            changed[entry.path] = entry.path.decode()
    return tuple(_losses(entries, changed, families))


def _losses(
    entries: Collection[Entry], changed: dict[bytes, str | None], families: dict[bytes, int]
) -> Iterator[JolietLoss]:
    for entry in entries:
        if entry.path not in changed:
            continue
        place = changed[entry.path]
        parent, _, name = entry.path.rpartition(b"/")
        if place is None:
            if changed.get(parent, "") is not None:
                yield JolietLoss(entry.path, "")
            continue
        spelt = place.rpartition("/")[2]
        crowded = families[place.encode()] > 1
        if crowded or spelt.encode() != name:
            yield JolietLoss(entry.path, spelt, crowded)
