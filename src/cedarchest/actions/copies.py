"""Copies: discs are numbered by copy, and a day is due as each one that it is not on yet."""

from __future__ import annotations

from cedarchest.actions.facts import is_covered
from cedarchest.actions.marks import not_held
from cedarchest.config.model import Config
from cedarchest.ports import DayIndex, Ports


def is_due_as(copy: int, config: Config, day: DayIndex, ports: Ports) -> bool:
    """Whether a day that is not on enough discs has to be written as this copy.

    The copies that are missing are made as those of which no disc, or none together, has all of it.
    """
    copies = config.require_store().copies
    if copies == 1:
        return True
    catalog, left_out = ports.catalog, not_held(day)
    there = next((n for n in range(copies, 0, -1) if is_covered(catalog, day, n, left_out)), 0)
    lacking = [
        each for each in range(1, copies + 1) if not is_covered(catalog, day, 1, left_out, of_copy=each)
    ]
    return copy in lacking[: copies - there]
