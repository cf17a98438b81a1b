"""Which discs bring all that is wanted, with the fewest changes of a disc.

Each need is met by any one of some discs; a disc costs much where a hand is needed for it, and little where
not. To choose the fewest is to find a smallest hitting set: by trying, cheapest first, cut off where it can
not become better any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Generic, TypeVar

D = TypeVar("D")

TRIED_AT_MOST = 4_000
"""Partial choices that are looked at, where discs and needs are many; then the best so far is taken."""

SEARCHED_AT_MOST = 200
"""Discs of a choice that is tried to be made better."""


def fewest(needs: Iterable[Collection[D]], costs: Mapping[D, int]) -> frozenset[D]:
    """Discs of least cost, which is above 0, of which each need has one; needs without any are passed over.

    It is the least of all as long as no more than `TRIED_AT_MOST` choices had to be looked at, and never more
    than what comes of meeting one need after the other.
    """
    left = _smallest({frozenset(need) for need in needs if need})
    by_need = _one_by_one(left, costs)
    best = min((by_need, _by_gain(left, costs)), key=lambda chosen: _cost(chosen, costs))
    return _Search(costs, best).over(left) if len(best) <= SEARCHED_AT_MOST else best


def _cost(chosen: Iterable[D], costs: Mapping[D, int]) -> int:
    return sum(costs[disc] for disc in chosen)


def _smallest(needs: Iterable[frozenset[D]]) -> list[frozenset[D]]:
    """Needs without those that any choice for another one meets as well, the narrowest first."""
    kept: list[frozenset[D]] = []
    for need in sorted(needs, key=lambda need: (len(need), sorted(map(str, need)))):
        if not any(other <= need for other in kept):
            kept.append(need)
    return kept


def _one_by_one(needs: Iterable[frozenset[D]], costs: Mapping[D, int]) -> frozenset[D]:
    """What comes of meeting each need in turn, with what was taken before wherever that will do."""
    chosen: set[D] = set()
    for need in needs:
        if not need & chosen:
            chosen.add(min(need, key=_cheapest(costs)))
    return frozenset(chosen)


def _cheapest(costs: Mapping[D, int]) -> Callable[[D], tuple[int, str]]:
    return lambda disc: (costs[disc], str(disc))


def _by_gain(needs: list[frozenset[D]], costs: Mapping[D, int]) -> frozenset[D]:
    """What comes of taking the disc next that meets most for its cost."""
    chosen: set[D] = set()
    left = needs
    while left:
        met: dict[D, int] = {}
        for need in left:
            for disc in need:
                met[disc] = met.get(disc, 0) + 1
        best = max(met, key=lambda disc: (met[disc] / costs[disc], str(disc)))
        chosen.add(best)
        left = [need for need in left if best not in need]
    return frozenset(chosen)


class _Search(Generic[D]):
    """Looks for something better than what is known, from the narrowest need on."""

    def __init__(self, costs: Mapping[D, int], best: frozenset[D]) -> None:
        self._costs: Mapping[D, int] = costs
        self._best: frozenset[D] = best
        self._least = _cost(best, costs)
        self._left = TRIED_AT_MOST

    def over(self, needs: list[frozenset[D]]) -> frozenset[D]:
        """The best choice for these needs that was found."""
        self._try(needs, frozenset(), 0)
        return self._best

    def _try(self, needs: list[frozenset[D]], chosen: frozenset[D], cost: int) -> None:
        if cost >= self._least or self._left <= 0:
            return
        self._left -= 1
        if not needs:
            self._best, self._least = chosen, cost
            return
        if cost + self._at_least(needs) >= self._least:
            return
        need = min(needs, key=len)
        refused: frozenset[D] = frozenset()
        for disc in sorted(need, key=_cheapest(self._costs)):
            rest = [other - refused for other in needs if disc not in other]
            if all(rest):
                self._try(rest, chosen | {disc}, cost + self._costs[disc])
            refused |= {disc}

    def _at_least(self, needs: list[frozenset[D]]) -> int:
        """What needs that have no disc in common cost at the least."""
        seen: set[D] = set()
        least = 0
        for need in sorted(needs, key=len):
            if not need & seen:
                seen |= need
                least += min(self._costs[disc] for disc in need)
        return least
