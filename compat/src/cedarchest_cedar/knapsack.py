"""Ways to choose what goes on a disc: `f({key: (key, size)}, capacity)` gives the keys and the size of all.

Each takes what fits, one after the other, and passes over what does not, until nothing more would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import TypeVar

__all__ = ["alternateFit", "bestFit", "firstFit", "worstFit"]

Key = TypeVar("Key")
Items = Mapping[Key, tuple[Key, float]]


def firstFit(items: Items[Key], capacity: float) -> tuple[list[Key], float]:
    """In the order in which they come."""
    return _taken(items, items, capacity)


def bestFit(items: Items[Key], capacity: float) -> tuple[list[Key], float]:
    """The largest first, so that they are few."""
    return _taken(sorted(items, key=lambda key: items[key][1], reverse=True), items, capacity)


def worstFit(items: Items[Key], capacity: float) -> tuple[list[Key], float]:
    """The smallest first, so that they are many."""
    return _taken(_ascending(items), items, capacity)


def alternateFit(items: Items[Key], capacity: float) -> tuple[list[Key], float]:
    """The smallest of the smaller half and the largest of the larger half in turn."""
    order = _ascending(items)
    half = len(order) // 2
    pairs = zip_longest(
        ((key,) for key in order[:half]), ((key,) for key in reversed(order[half:])), fillvalue=()
    )
    return _taken((key for pair in pairs for key in chain(*pair)), items, capacity)


def _ascending(items: Items[Key]) -> list[Key]:
    return sorted(items, key=lambda key: items[key][1])


def _taken(order: Iterable[Key], items: Items[Key], capacity: float) -> tuple[list[Key], float]:
    taken: list[Key] = []
    used: float = 0
    for key in order if capacity > 0 else ():
        if used + items[key][1] <= capacity:
            taken.append(key)
            used += items[key][1]
            if used == capacity:
                break
    return taken, used
