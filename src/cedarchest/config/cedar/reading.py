"""Takes values out of a tree by name, by Cedar Backup's rules; what nobody takes is told.

A `Part` is an element whose children are asked for by name. Whatever was never asked for is what Cedar Backup
ignores without a word, so it becomes a line, with the name that was probably meant. What is against the rules
becomes a problem with its line; reading goes on, so that all problems are told at once.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from cedarchest.config.cedar.tree import Element
from cedarchest.config.kinds import choose, either
from cedarchest.config.wording import Malformed, shown

Value = TypeVar("Value")

_TRUE, _FALSE = ("Y", "y"), ("N", "n")
_UNITS = {"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(KB|MB|GB)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_FACTOR = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,99})?|\.[0-9]{1,99}", re.ASCII)
MOST_LINES = 200


@dataclass(slots=True)
class Notes:
    """What reading finds besides values: what was ignored, and what is against the rules."""

    ignored: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Part:
    """An element whose children are taken by name. `place` is the path of names that leads to it."""

    def __init__(self, element: Element, place: str, notes: Notes) -> None:
        self.element, self.place, self.notes = element, place, notes
        self._asked: set[str] = set()
        self._taken: set[int] = set()
        self._parts: list[Part] = []
        self._hints: dict[str, str] = {}

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of all children of a name that have one."""
        return tuple(text for _, text in self._texts(name))

    def text(self, name: str) -> str | None:
        """The text of the first child of a name that has one; None when there is none."""
        found = self._first(name)
        return found[1] if found else None

    def _first(self, name: str) -> tuple[Element, str] | None:
        several = self._texts(name)
        for element, _ in several[1:]:
            self._ignore(element, "is there already; the first one counts")
        return several[0] if several else None

    def _texts(self, name: str) -> list[tuple[Element, str]]:
        elements = self._children(name)
        for element in elements:
            self._ignore_attributes(element)
            for child in element.children:
                self._ignore(child, f"stands in <{readable_name(name)}>, which holds nothing but a text")
            if element.stray:
                self._ignore(element, "has a comment or an element in its text; what follows it")
        return [(element, element.text) for element in elements if element.text]

    def read(self, name: str, rule: Callable[[str], Value]) -> Value | None:
        """The value of the first child of a name; None when it is absent or against the rule."""
        found = self._first(name)
        return self._ruled(*found, rule) if found else None

    def read_all(self, name: str, rule: Callable[[str], Value]) -> tuple[Value, ...]:
        """The values of all children of a name that keep to the rule."""
        ruled = (self._ruled(element, text, rule) for element, text in self._texts(name))
        return tuple(value for value in ruled if value is not None)

    def _ruled(self, element: Element, text: str, rule: Callable[[str], Value]) -> Value | None:
        try:
            return rule(text)
        except Malformed as error:
            self.notes.problems.append(f"{self._where(element)}: {error}")
            return None

    def part(self, name: str) -> Part | None:
        """The first child of a name, to take values from."""
        several = self._children(name)
        for element in several[1:]:
            self._ignore(element, "is there already; the first one counts")
        return self._made(several[0], name) if several else None

    def parts(self, name: str) -> list[Part]:
        """All children of a name, to take values from."""
        return [self._made(element, f"{name}[{n}]") for n, element in enumerate(self._children(name), 1)]

    def hint(self, name: str, why: str) -> None:
        """Say of an element that Cedar Backup ignores, should it be there, why that is so."""
        self._hints[name] = why

    def close(self) -> None:
        """Tell what was not taken from this part, and from those in it."""
        self._ignore_attributes(self.element)
        if self.element.stray or self.element.text.strip():
            self._ignore(self.element, "has text between its elements")
        for number, child in enumerate(self.element.children):
            if number not in self._taken and len(self.notes.ignored) <= MOST_LINES:
                self._ignore(child, self._hints.get(child.name) or self._meant(child.name))
        for part in self._parts:
            part.close()

    def _made(self, element: Element, name: str) -> Part:
        part = Part(element, f"{self.place}/{name}" if self.place else name, self.notes)
        self._parts.append(part)
        return part

    def _children(self, name: str) -> list[Element]:
        self._asked.add(name)
        found = [(n, child) for n, child in enumerate(self.element.children) if child.name == name]
        self._taken.update(n for n, _ in found)
        return [child for _, child in found]

    def _meant(self, name: str) -> str:
        close = difflib.get_close_matches(name[:60].lower(), self._asked, 1)
        return "is not known" + (f"; did you mean <{close[0]}>?" if close else " to Cedar Backup")

    def _where(self, element: Element) -> str:
        own = element is self.element
        inside = f" in {self.place}" if self.place and not own else ""
        return f"line {element.line}: <{readable_name(element.name)}>{inside}"

    def _ignore_attributes(self, element: Element) -> None:
        if element.attributes:
            self._ignore(element, f"has attributes ({', '.join(map(shown, element.attributes))})")

    def _ignore(self, element: Element, why: str) -> None:
        if len(self.notes.ignored) < MOST_LINES:
            self.notes.ignored.append(f"{self._where(element)} {why}")
        elif len(self.notes.ignored) == MOST_LINES:
            self.notes.ignored.append(f"line {element.line}: from here on there is more of this")


def readable_name(name: str) -> str:
    """The name of an element as a message shows it."""
    return shown(name).strip('"')


def any_text(text: str) -> str:
    """A text as it is."""
    return text


def flag(text: str) -> bool:
    """Yes or no."""
    if text not in (*_TRUE, *_FALSE):
        raise Malformed(f"{shown(text)} is neither Y nor N")
    return text in _TRUE


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of some texts."""

    def rule(text: str) -> str:
        try:
            return choose(text, allowed)
        except Malformed as error:
            raise Malformed(f"{error}; {either(allowed)}") from None

    return rule


def whole(low: int | None = 0) -> Callable[[str], int]:
    """A whole number, from `low` up."""

    def rule(text: str) -> int:
        if not _WHOLE.fullmatch(text.strip()):
            raise Malformed(f"{shown(text)} is not a whole number")
        number = int(text)
        if low is not None and number < low:
            raise Malformed(f"{shown(text)} is too small; at least {low}")
        return number

    return rule


def factor(text: str) -> float:
    """A number from 0 up."""
    if not _FACTOR.fullmatch(text.strip()):
        raise Malformed(f"{shown(text)} is not a number from 0 up")
    return float(text)


def percentage(text: str) -> Decimal:
    """A number from 0 to 100, as exact as our own are."""
    if factor(text) > 100:
        raise Malformed(f"{shown(text)} is more than all")
    return round(Decimal(text.strip()), 6)


def path(text: str) -> str:
    """An absolute path."""
    if not text.startswith("/"):
        raise Malformed(f"{shown(text)} is no absolute path")
    return text


def regex(text: str) -> str:
    """A regular expression."""
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise Malformed(f"{shown(text)} is not a regular expression ({error})") from None
    return text


def matching(pattern: str, words: str) -> Callable[[str], str]:
    """A text of a certain form."""

    def rule(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise Malformed(f"{shown(text)} is not {words}")
        return text

    return rule


def commas(pattern: str, words: str) -> Callable[[str], tuple[str, ...]]:
    """Texts of a certain form between commas."""
    rule = matching(pattern, words)

    def several(text: str) -> tuple[str, ...]:
        return tuple(rule(each.strip()) for each in text.split(",") if each.strip())

    return several


def size(text: str) -> int:
    """Bytes of a quantity, whose units count by 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Malformed(f"{shown(text)} is no number of bytes, KB, MB or GB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def first(*values: Value | None) -> Value | None:
    """The first value that there is."""
    return next((value for value in values if value is not None), None)


def unique(values: Iterable[str]) -> Sequence[str]:
    """The same without repeats, in order."""
    return list(dict.fromkeys(values))
