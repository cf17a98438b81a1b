"""How sections of a configuration, and command lines, are compared: value by value, as Cedar Backup does."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import Any

from cedarchest_cedar.restricted import UnorderedList


@functools.total_ordering
class Compared:
    """Equal to another whose values are equal; None comes first, and the order of a list does not count."""

    def _values(self) -> list[Any]:
        return [getattr(self, each.name) for each in fields(self)]  # type: ignore[arg-type]  # of dataclasses

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Compared):
            return NotImplemented
        return [_place(each) for each in self._values()] == [_place(each) for each in other._values()]

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Compared):
            return NotImplemented
        return [_place(each) for each in self._values()] < [_place(each) for each in other._values()]

    __hash__ = None  # type: ignore[assignment]  # it can be changed


def _place(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (False,)
    return (True, UnorderedList(value) if isinstance(value, list) else value)
