"""Which disc takes which stretch of which day: few discs first, then few cuts.

Days are put on discs whole as far as that goes. What is left is cut where a disc is full: between peers
before between directories before between files, as long as the room that a better cut leaves unused is to
spare. Several orders are tried, and the arrangement with the fewest cuts is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cedarchest.model.media import MediumTraits
from cedarchest.model.names import to_text
from cedarchest.model.size import OWN_BLOCKS_A_DAY, Tally, session_blocks
from cedarchest.model.stretches import Stretches

PERMUTED = 4
"""As many days on as few new discs are tried in every order; more of them in their own and by size."""


@dataclass(frozen=True, slots=True)
class DueDay:
    """A day to be stored: what is due of it on a new disc, and on the one in use if that has some of it."""

    day: str
    due: Stretches
    supplement: Stretches | None = None

    def on(self, *, new_disc: bool) -> Stretches:
        """What a disc has to take of it."""
        return self.due if new_disc or self.supplement is None else self.supplement


@dataclass(frozen=True, slots=True)
class Share:
    """What a disc takes of a day: a stretch of its entries, mostly all of them."""

    entries: Stretches
    first: int
    last: int

    @property
    def day(self) -> str:
        """The day."""
        return self.entries.day

    @property
    def is_whole(self) -> bool:
        """Whether it is all that is due of the day."""
        return self.last - self.first == len(self.entries)

    @property
    def described(self) -> dict[str, str]:
        """The day, and from where to where it goes when it is not all that is due of it; for people."""
        if self.is_whole or self.first == self.last:
            return {"day": self.day}
        first, last = self.entries.ends(self.first, self.last)
        return {"day": self.day, "from": f"/{to_text(first.path)}", "to": f"/{to_text(last.path)}"}

    @property
    def data_bytes(self) -> int:
        """Bytes of data in it."""
        return self.entries.data_bytes(self.first, self.last)

    @property
    def cost(self) -> Tally:
        """What it takes on a disc: itself, and the index of the whole day, which each of its discs holds."""
        cost = self.entries.cost(self.first, self.last)
        everything = self.entries.cost(0, len(self.entries))
        rest = max(0, everything.own_bytes - cost.own_bytes + 1) // 2
        return cost + Tally(data_blocks=OWN_BLOCKS_A_DAY, own_bytes=rest)


@dataclass(slots=True)
class Bin:
    """A disc being filled: blocks that may be used, what it shows already, and what it gets."""

    limit: int
    visible: Tally
    traits: MediumTraits
    new_disc: bool
    shares: list[Share] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    _used: int = -1

    def blocks(self, more: Tally | None = None) -> int:
        """Blocks that the session takes at most, with something more."""
        if more is not None:
            return session_blocks(self.tally + more, self.visible, self.traits)
        if self._used < 0:
            self._used = session_blocks(self.tally, self.visible, self.traits)
        return self._used

    def left(self, share: Share) -> int:
        """Blocks that are left when it takes a share, negative when it cannot."""
        return self.limit - self.blocks(share.cost)

    def put(self, share: Share) -> None:
        """Take a share."""
        self.shares.append(share)
        self.tally += share.cost
        self._used = -1

    def whole(self, day: DueDay) -> Share:
        """All that this disc would have to take of a day."""
        entries = day.on(new_disc=self.new_disc)
        return Share(entries, 0, len(entries))

    def reach(self, day: DueDay, first: int) -> int:
        """The last place up to which a day can be taken from a first one on."""
        low, high = first, len(day.due)
        while low < high:
            middle = (low + high + 1) // 2
            if self.left(Share(day.due, first, middle)) >= 0:
                low = middle
            else:
                high = middle - 1
        return low


class DoesNotFitError(Exception):
    """An entry of a day needs more than an empty disc has."""

    def __init__(self, day: DueDay, place: int) -> None:
        super().__init__(f"{day.day}, entry {place}")
        self.day = day
        self.place = place


def pack(days: Sequence[DueDay], bins: Callable[[int], list[Bin]]) -> list[Bin]:
    """Discs with their shares, as few new ones as can be.

    `bins` makes them empty: the disc in use, if there is one, and so many new ones.

    Raises:
        DoesNotFitError: something of a day does not fit on an empty disc.
    """
    for count in itertools.count(_fewest(days, bins)):
        best: tuple[tuple[int, ...], list[Bin]] | None = None
        for order, tight in itertools.product(_orders(days, count), (False, True)):
            found = _arranged(order, bins(count), tight=tight)
            if found is not None and (best is None or _cuts(found) < best[0]):
                best = _cuts(found), found
                if not any(best[0]):
                    break
        if best:
            return best[1]
    raise AssertionError


def _fewest(days: Sequence[DueDay], bins: Callable[[int], list[Bin]]) -> int:
    """New discs below which it cannot be done, if cutting cost nothing."""
    in_use, one_more = _room(bins(0)), _room(bins(1))
    if one_more <= in_use:
        return 1
    return max(0, -(-(_data(days) - in_use) // (one_more - in_use)))


def _room(bins: Iterable[Bin]) -> int:
    return sum(max(0, each.limit - each.blocks()) for each in bins)


def _data(days: Iterable[DueDay]) -> int:
    """Blocks of data that certainly have to be put somewhere."""
    return sum(min(_blocks(day.due), _blocks(day.supplement or day.due)) for day in days)


def _blocks(entries: Stretches) -> int:
    return entries.cost(0, len(entries)).data_blocks


def _orders(days: Sequence[DueDay], new: int) -> Iterable[Sequence[DueDay]]:
    if max(len(days), new) <= PERMUTED:
        return itertools.permutations(days)
    return (days, sorted(days, key=lambda day: _blocks(day.due), reverse=True))


def _arranged(days: Sequence[DueDay], bins: list[Bin], *, tight: bool) -> list[Bin] | None:
    """The days put on these discs, in this order; None when they do not fit.

    When `tight`, no room is given away for a better cut.

    Raises:
        DoesNotFitError: not even on one that is empty.
    """
    left_over = [day for day in days if not _put_whole(day, bins)]
    spare = 0 if tight else _room(bins) - _data(left_over)
    for day in left_over:
        first = 0
        while first < len(day.due):
            last, spare = _put_some(day, first, bins, spare)
            if last == first:
                return None
            first = last
    return bins


def _put_whole(day: DueDay, bins: Sequence[Bin]) -> bool:
    """Put a day on the disc that it fills best, the earliest one among equals."""
    shares = [each.whole(day) for each in bins]
    best = _fullest(bins, shares)
    if best is not None:
        bins[best].put(shares[best])
    return best is not None


def _fullest(bins: Sequence[Bin], shares: Sequence[Share]) -> int | None:
    """The number of the disc that is fullest with the share for it; None when none can take its own."""
    left = [(each.left(share), number) for number, (each, share) in enumerate(zip(bins, shares, strict=True))]
    return min((each for each in left if each[0] >= 0), default=(0, None))[1]


def _put_some(day: DueDay, first: int, bins: Sequence[Bin], spare: int) -> tuple[int, int]:
    """Put a day from a place on, as far as it goes, on the disc with the most room.

    All that is left of it goes on the disc that it fills best, if it goes on one. Gives the place up to
    which it went, and the blocks that may still be given away.
    """
    free = [each for each in bins if all(share.day != day.day for share in each.shares)]
    rest = Share(day.due, first, len(day.due))
    best = _fullest(free, [rest] * len(free))
    if best is not None:
        free[best].put(rest)
        return rest.last, spare
    for each in sorted(free, key=lambda each: each.blocks() - each.limit):
        last = each.reach(day, first)
        if last > first:
            cut = _best_cut(day.due, first, last, max(0, spare))
            used = day.due.cost(first, cut).data_blocks
            each.put(Share(day.due, first, cut))
            return cut, spare - (day.due.cost(first, last).data_blocks - used)
    if any(not each.shares for each in free if each.new_disc):
        raise DoesNotFitError(day, first)
    return first, spare


def _best_cut(entries: Stretches, first: int, last: int, spare: int) -> int:
    """Where to cut, `last` at the latest: the least deep place that leaves no more than `spare` unused."""
    most = entries.cost(first, last).data_blocks
    low, high = first + 1, last
    while low < high:
        middle = (low + high) // 2
        if most - entries.cost(first, middle).data_blocks <= spare:
            high = middle
        else:
            low = middle + 1
    return entries.least_deep(low, last)


def _cuts(bins: Sequence[Bin]) -> tuple[int, ...]:
    """How bad an arrangement is: days cut, peers cut, directories cut, days out of their order."""
    cuts = [share.entries.depth(share.first) for each in bins for share in each.shares if share.first > 0]
    days = [share.day for each in bins for share in each.shares]
    out_of_order = sum(one > other for one, other in itertools.pairwise(days))
    cut_days = {share.day for each in bins for share in each.shares if not share.is_whole}
    return len(cut_days), sum(depth > 1 for depth in cuts), sum(depth > 2 for depth in cuts), out_of_order
