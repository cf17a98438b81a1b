"""How values and places of a configuration appear in messages.

A configuration may hold anything, so nothing is echoed raw: names and texts take the readable form
of `model.names`, long ones are cut, lists and tables are named and not printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path

from cedarchest.model.names import readable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 60
_LARGEST = 10**18


class Malformed(ValueError):
    """A value that is not what it should be; the message says what it is instead."""


def shown(value: object) -> str:
    """A value as a message names it: short, on one line, quoted when it is a text."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > _LARGEST:
            return "so large a number"  # also: str() of an int refuses more than 4300 digits
        case int() | float():
            return str(value)
        case str() | Path():
            text = readable(value)
            return f'"{text[:_LONGEST]}…"' if len(text) > _LONGEST else f'"{text}"'
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
        case datetime() | date() | time():
            return "a date or time"
        case _:
            return f"a value of type {type(value).__name__}"


def dotted(place: tuple[int | str, ...]) -> str:
    """Where a value stands, as in `peer[1].name`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) and len(part) <= _LONGEST else shown(part)
            text += f".{name}" if text else name
    return text


def command_place(name: str) -> str:
    """How a `[[collect.command]]` is told apart from sources, which are paths."""
    return f"command {name}"
