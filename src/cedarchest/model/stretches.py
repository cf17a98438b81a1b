"""What of a day is due, in the order of its tree, with running sums: the cost of any stretch at once.

In the order of the tree a directory comes before all that is below it, and these stand together. So a day
is cut between discs at a place; what is above that place are the directories that each of the discs shows.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.size import Tally, cost_of

MAX_DEPTH = 255


class Stretches:
    """Due entries of a day (YYYY/MM/DD); the directories above each of them have to be among them.

    A stretch is given by two places, as in a slice.
    """

    def __init__(self, day: str, entries: Iterable[Entry]) -> None:
        self.day = day
        self._entries = sorted(entries, key=_tree_order)
        size = 8 * (len(self._entries) + 1)
        self._data, self._tree, self._own, self._dirs, self._bytes = (
            array("q", bytes(size)) for _ in range(5)
        )
        self._depths = bytearray(len(self._entries))
        self._linked: list[tuple[int, int, int]] = []  # place, place of the link before it, bytes
        self._shared: dict[int, tuple[list[int], list[int], list[int]]] = {}
        self._costs: dict[tuple[int, int], Tally] = {}
        self._add_up()

    def _add_up(self) -> None:
        data = tree = own = directories = size = 0
        above = self.day.count("/")
        first_names: set[bytes] = {entry.hardlink for entry in self._entries if entry.hardlink}
        before: dict[bytes, int] = {}
        for position, entry in enumerate(self._entries):
            blocks, of_tree, of_ours = cost_of(entry)
            tree += of_tree
            own += of_ours
            directories += entry.kind is Kind.DIR
            data += blocks
            size += entry.size
            self._depths[position] = min(entry.path.count(b"/") - above, MAX_DEPTH)
            after = position + 1
            self._data[after], self._tree[after], self._own[after] = data, tree, own
            self._dirs[after], self._bytes[after] = directories, size
            if entry.hardlink or entry.path in first_names:
                file = entry.hardlink or entry.path
                if file in before:
                    self._linked.append((position, before[file], entry.size))
                before[file] = position

    def __len__(self) -> int:
        return len(self._entries)

    def depth(self, place: int) -> int:
        """How deep a cut before a place goes: 1 is between two peers, 2 within one, and so on."""
        return self._depths[place]

    def cost(self, first: int, last: int) -> Tally:
        """What a stretch costs on a disc, with the directories above it; data of several links once."""
        known = self._costs.get((first, last))
        if known is None:
            above = [cost_of(entry) for entry in self._above(first)] if first < last else []
            known = self._costs[first, last] = Tally(
                self._data[last] - self._data[first] - self._shared_in(first, last)[0],
                self._tree[last] - self._tree[first] + sum(each[1] for each in above),
                self._dirs[last] - self._dirs[first] + len(above),
                last - first + len(above),
                self._own[last] - self._own[first] + sum(each[2] for each in above),
            )
        return known

    def data_bytes(self, first: int, last: int) -> int:
        """Bytes of data in a stretch."""
        return self._bytes[last] - self._bytes[first] - self._shared_in(first, last)[1]

    def larger_than(self, size: int) -> list[int]:
        """The places of files with more bytes."""
        return [place for place, entry in enumerate(self._entries) if entry.size > size]

    def entries(self, first: int, last: int) -> list[Entry]:
        """What a disc gets of a stretch: the directories above it, and all that is in it."""
        above = self._above(first) if first < last else ()
        return [*above, *self._entries[first:last]]

    def ends(self, first: int, last: int) -> tuple[Entry, Entry]:
        """The first and the last entry of a stretch."""
        return self._entries[first], self._entries[last - 1]

    def least_deep(self, first: int, last: int) -> int:
        """The least deep place to cut before, from `first` to `last`; the last of several."""
        depths = self._depths[first : last + 1]
        return first + depths.rfind(min(depths))

    def _shared_in(self, first: int, last: int) -> tuple[int, int]:
        """Blocks and bytes of files in a stretch whose data another link in it brings already."""
        if not self._linked:
            return 0, 0
        if first not in self._shared:
            pairs = [(place, size) for place, earlier, size in self._linked if earlier >= first]
            self._shared[first] = (
                [place for place, _ in pairs],
                [0, *accumulate(-(-size // BLOCK) for _, size in pairs)],
                [0, *accumulate(size for _, size in pairs)],
            )
        places, blocks, sizes = self._shared[first]
        count = bisect_left(places, last)
        return blocks[count], sizes[count]

    def _above(self, place: int) -> Iterator[Entry]:
        """The directories above an entry, which come before it, outermost first."""
        path = self._entries[place].path
        below_day = len(self.day) + 1
        cut = path.find(b"/", below_day)
        while cut > 0:
            order = _order(path[:cut])
            position = bisect_left(self._entries, order, 0, place, key=_tree_order)
            if position < place and self._entries[position].path == path[:cut]:
                yield self._entries[position]
            cut = path.find(b"/", cut + 1)


def _order(path: bytes) -> bytes:
    return path.replace(b"/", b"\0")


def _tree_order(entry: Entry) -> bytes:
    return _order(entry.path)
