"""Lists that take certain things only, and a graph, under the names of Cedar Backup's `util`."""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

from cedarchest.config.wording import shown
from cedarchest.model.order import Circle
from cedarchest_cedar.ordering import depth_first

__all__ = [
    "AbsolutePathList",
    "DirectedGraph",
    "ObjectTypeList",
    "RegexList",
    "RegexMatchList",
    "RestrictedContentList",
    "UnorderedList",
]


@functools.total_ordering
class UnorderedList(list[Any]):
    """A list of which the order does not count when it is compared."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and _sorted(self) == _sorted(other)

    def __lt__(self, other: Sequence[Any]) -> bool:
        return _sorted(self) < _sorted(other)

    __hash__ = None  # it can be changed, as any list


class _Restricted(UnorderedList, ABC):
    """A list that takes what is right, and of several things all or none."""

    def append(self, item: Any) -> None:
        """Add something.

        Raises:
            ValueError: it is not of the kind that is taken.
        """
        self._check(item)
        super().append(item)

    def insert(self, index: SupportsIndex, item: Any) -> None:
        """Add something at a place.

        Raises:
            ValueError: it is not of the kind that is taken.
        """
        self._check(item)
        super().insert(index, item)

    def extend(self, seq: Iterable[Any]) -> None:
        """Add several things.

        Raises:
            ValueError: one is not of the kind that is taken.
        """
        several = list(seq)
        for item in several:
            self._check(item)
        super().extend(several)

    @abstractmethod
    def _check(self, item: Any) -> None:
        """See that something is of the kind that is taken."""


class AbsolutePathList(_Restricted):
    """A list of absolute paths."""

    def _check(self, item: Any) -> None:
        if not str(item).startswith("/"):
            raise ValueError(f"{shown(item)} is no absolute path")


class ObjectTypeList(_Restricted):
    """A list of objects of a class, which has a name for people."""

    def __init__(self, objectType: type, objectName: str) -> None:
        super().__init__()
        self.objectType, self.objectName = objectType, objectName

    def _check(self, item: Any) -> None:
        fits = isinstance(item, self.objectType)
        if not fits:
            raise ValueError(f"{shown(item)} is no {self.objectName}")


class RestrictedContentList(_Restricted):
    """A list of some values, of which a text says what they are."""

    def __init__(self, valuesList: Sequence[Any], valuesDescr: str, prefix: str | None = None) -> None:
        super().__init__()
        self.valuesList, self.valuesDescr, self.prefix = valuesList, valuesDescr, prefix

    def _check(self, item: Any) -> None:
        if item not in self.valuesList:
            raise ValueError(f"{self.prefix or shown(item)} is none of the values in {self.valuesDescr}")


class RegexMatchList(_Restricted):
    """A list of texts that match an expression."""

    def __init__(self, valuesRegex: str, emptyAllowed: bool = True, prefix: str | None = None) -> None:
        super().__init__()
        self.valuesRegex, self.emptyAllowed, self.prefix = valuesRegex, emptyAllowed, prefix

    def _check(self, item: Any) -> None:
        if item is None or (item == "" and not self.emptyAllowed):
            raise ValueError(f"{self.prefix or 'what is in the list'} may not be empty")
        if not isinstance(item, str):
            raise TypeError(f"{self.prefix or 'what is in the list'} has to be a text: {shown(item)}")
        if not re.search(self.valuesRegex, item):
            raise ValueError(f"{self.prefix or 'what is in the list'} may not be {shown(item)}")


class RegexList(_Restricted):
    """A list of regular expressions."""

    def _check(self, item: Any) -> None:
        try:
            re.compile(item)
        except (re.error, TypeError):
            raise ValueError(f"{shown(item)} is no regular expression") from None


class DirectedGraph:
    """Names, of which some come before others."""

    def __init__(self, name: str) -> None:
        if not name:
            raise ValueError("a graph needs a name")
        self.name = name
        self._followers: dict[str, list[str]] = {}

    def createVertex(self, name: str) -> None:
        """Add a name."""
        self._followers.setdefault(name, [])

    def createEdge(self, start: str, finish: str) -> None:
        """Have a name come before another.

        Raises:
            ValueError: one was not added.
        """
        for name in (start, finish):
            if name not in self._followers:
                raise ValueError(f"{shown(name)} is not in the graph {self.name}")
        self._followers[start].append(finish)

    def topologicalSort(self) -> list[str]:
        """All names, each before those that it comes before.

        Raises:
            ValueError: there is a circle.
        """
        try:
            return depth_first(self._followers)
        except Circle as circle:
            raise ValueError(f"the graph {self.name} has a circle: {circle}") from None


def _sorted(values: Iterable[Any]) -> list[Any]:
    """Things of several kinds by kind, and else as they sort."""
    several = list(values)
    mixed = len({type(each) for each in several}) > 1
    return sorted(several, key=(lambda each: (type(each).__name__, str(each))) if mixed else None)
