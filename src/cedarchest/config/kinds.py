"""The kinds of values a configuration holds: for each, how it is read and the words for what is allowed.

The same words serve the error messages and the reference page. Values are taken as TOML types them:
`"yes"` is no boolean and `"3"` no number. Paths are made absolute from the folder of the file, which
comes as validation context.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from cedarchest.config.choices import OWN_ACTIONS, ActionName
from cedarchest.config.units import parse_duration, parse_margin, parse_percent, parse_size
from cedarchest.config.wording import Malformed, shown
from cedarchest.model.media import Medium
from cedarchest.model.names import ACTION


class Rule(ValueError):
    """A value that is well formed but not allowed where it stands; the message says what is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: what is allowed, in words, and how it is read."""

    words: str
    parse: Callable[[Any, ValidationInfo], object]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.parse)


def plain(words: str, parse: Callable[[Any], object]) -> Kind:
    """A kind that is read without looking at anything else."""
    return Kind(words, lambda value, _info: parse(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{shown(value)} is not a text")
    if not value:
        raise Malformed("is empty")
    if "\0" in value:
        raise Malformed(f"{shown(value)} holds a NUL character")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise Malformed(f"{shown(value)} cannot be written in UTF-8") from None
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"{shown(value)} is neither true nor false")
    return value


def whole(low: int, high: int) -> Kind:
    """A whole number in a range."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Malformed(f"{shown(value)} is not a whole number")
        if not low <= value <= high:
            raise Malformed(f"{shown(value)} is too {'small' if value < low else 'large'}")
        return value

    return plain(f"a whole number from {low} to {high}", parse)


def _factor(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Malformed(f"{shown(value)} is not a number")
    if not 0 <= value <= 1_000_000 or math.isnan(value):
        raise Malformed(f"{shown(value)} is not between 0 and a million")
    return float(value)


def either(values: Iterable[str], *, also: str = "") -> str:
    """The words for a choice of texts."""
    listed = ", ".join(f'"{value}"' for value in values)
    return f"one of {listed}{also}"


def choose(value: object, values: Iterable[str]) -> str:
    """The value, when it is one of those.

    Raises:
        Malformed: it is none of them; names the one that was probably meant.
    """
    known = [str(each) for each in values]
    if not isinstance(value, str):
        raise Malformed(f"{shown(value)} is not a text")
    if value in known:
        return value
    close = difflib.get_close_matches(value.lower()[:60], known, 1)
    raise Malformed(f"{shown(value)} is not known" + (f', did you mean "{close[0]}"?' if close else ""))


def one_of(choices: type[StrEnum]) -> Kind:
    """One of the texts of an enumeration."""
    values = [str(choice) for choice in choices]
    return plain(either(values), lambda value: choices(choose(value, values)))


def some_of(choices: type[StrEnum]) -> Kind:
    """One or several of the texts of an enumeration."""
    values = [str(choice) for choice in choices]

    def parse(value: object) -> tuple[StrEnum, ...]:
        items = value if isinstance(value, list | tuple) else [value]
        if not items:
            raise Malformed("is empty")
        return tuple(choices(choose(item, values)) for item in items)

    return plain(either(values, also=", or a list of them"), parse)


def base_of(info: ValidationInfo) -> Path:
    """The folder that relative paths start from.

    Raises:
        Rule: there is none.
    """
    base = (info.context or {}).get("base")
    if not isinstance(base, Path):
        raise Rule("is relative, and there is no file it could be relative to; an absolute path")
    return base


def absolute(value: object, info: ValidationInfo) -> Path:
    """An absolute path; `~` and `~user` are homes, and `..` is followed where it leads.

    Raises:
        Malformed: it is no path.
    """
    text = _text(str(value) if isinstance(value, Path) else value)
    if text.startswith("~"):
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise Malformed(f"{shown(text)} starts at a home folder that is not known") from None
    path = Path(text)
    if not path.is_absolute():
        path = base_of(info) / path
    # A link before `..` leads elsewhere than the text says: only the file system knows where.
    return Path(os.path.realpath(path)) if ".." in path.parts else path


_RESERVED = ("SHA256SUMS", "INDEX.jsonl.gz")


def _file_name(value: object) -> str:
    name = _text(value)
    if "/" in name or name in {".", ".."}:
        raise Malformed(f"{shown(name)} cannot be the name of a file or folder")
    if len(os.fsencode(name)) > 255:
        raise Malformed(f"{shown(name)} has more than 255 bytes")
    return name


def _own_name(value: object) -> str:
    name = _file_name(value)
    if name.startswith("cback.") or name in _RESERVED:
        raise Malformed(f"{shown(name)} is the name of a file of ours")
    return name


def _remote_name(value: object) -> str:
    name = _text(value)
    if name.startswith("-") or re.search(r"[\s/@\x00-\x1f\x7f]", name):
        raise Malformed(f"{shown(name)} is not such a name")
    return name


def _action_name(value: object) -> str:
    name = _text(value)
    if not ACTION.fullmatch(name):
        raise Malformed(f"{shown(name)} is not the name of an action")
    return name


def _hooked(value: object, info: ValidationInfo) -> str:
    return choose(value, (*ActionName, *(info.context or {}).get("extensions", ())))


def _extensions(value: object) -> Mapping[str, Mapping[str, object]]:
    if not isinstance(value, Mapping):
        raise Malformed(f"{shown(value)} is not allowed here")
    for name, table in value.items():
        if _action_name(name) in OWN_ACTIONS:
            raise Malformed(f"{shown(name)} is an action of cedarchest itself")
        if not isinstance(table, Mapping):
            raise Malformed(f"{shown(name)} is not a table")
    return MappingProxyType({name: MappingProxyType(dict(table)) for name, table in value.items()})


def _regex(value: object) -> str:
    pattern = _text(value)
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise Malformed(f"{shown(pattern)} is not a regular expression ({error})") from None
    return pattern


def notify_url(value: object) -> str:
    """An address for apprise; in messages none is shown, for such addresses hold tokens.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(value, str) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", value):
        raise Malformed("is not an address")
    try:
        return _text(value)
    except Malformed:
        raise Malformed("is not an address") from None


def ping_url(value: object) -> str:
    """An address to ping; it is not shown either.

    Raises:
        Malformed: it is none.
    """
    if isinstance(value, str) and re.fullmatch(r"https?://[!-~]+", value):
        with contextlib.suppress(ValueError):
            split = urlsplit(value)
            if split.hostname and "@" not in split.netloc and split.port != 0:
                return value
    raise Malformed("is not an address")


def _ping_part(value: object) -> str:
    if value == "" or (isinstance(value, str) and re.fullmatch(r"[/?][!-~]+", value)):
        return value
    return ping_url(value)


def _sqlite_url(value: object, info: ValidationInfo) -> str:
    text = _text(value)
    prefix = "sqlite:///"
    name = text.removeprefix(prefix)
    if name == text or not name or name.startswith(":") or "?" in name:
        raise Malformed("is not the address of an SQLite file")  # not shown: it may hold a password
    return f"{prefix}{absolute(name, info)}"


def _times_of_day(value: object) -> tuple[time, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise Malformed("is empty")
    times = [_time_of_day(item) for item in items]
    for each in times:
        if times.count(each) > 1:
            raise Malformed(f"{each:%H:%M} is named twice")
    return tuple(sorted(times))


def _time_of_day(value: object) -> time:
    text = _text(value)
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if match is None:
        raise Malformed(f"{shown(text)} is no time of day")
    return time(int(match[1]), int(match[2]))


SHELF = "shelf:"
"""What the name of a device starts with when it is a shelf."""


def _devices(value: object, info: ValidationInfo) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise Malformed("is empty")
    devices = tuple(_device(item, info) for item in items)
    for device in devices:
        if devices.count(device) > 1:
            raise Malformed(f"{shown(device)} is named twice")
    return devices


def _device(value: object, info: ValidationInfo) -> str:
    text = _text(value)
    if text.startswith(SHELF):
        return f"{SHELF}{absolute(text.removeprefix(SHELF), info)}"
    if not text.startswith("/"):
        raise Malformed(f"{shown(text)} is neither an absolute path nor a shelf")
    return str(absolute(text, info))


def _duration(*, calendar: bool = False, positive: bool = False) -> Kind:
    def parse(value: object) -> object:
        duration = parse_duration(value, calendar=calendar)
        if positive and not duration:
            raise Malformed(f"{shown(value)} is too short")
        return duration

    units = "s, min, h, days, weeks, months, years" if calendar else "s, min, h, days, weeks"
    return plain(f"a time with its unit ({units})", parse)


def _media_intervals(value: object) -> Mapping[Medium, object]:
    if not isinstance(value, Mapping):
        raise Malformed(f"{shown(value)} is not a table")
    found = {}
    for name, interval in value.items():
        medium = Medium(choose(name, Medium))
        duration = parse_duration(interval, calendar=True)
        if not duration:
            raise Malformed(f"{shown(interval)} is too short for {medium}")
        found[medium] = duration
    return MappingProxyType(found)


def size(low: int = 0) -> Kind:
    """A size of at least so many bytes."""

    def parse(value: object) -> int:
        parsed = parse_size(value)
        if parsed < low:
            raise Malformed(f"{shown(value)} is too small")
        return parsed

    least = f", at least {low}" if low else ""
    return plain(f'a size such as "64 MiB" or "4.7 GB", or a number of bytes{least}', parse)


def _share(value: object) -> object:
    percent = parse_percent(value)
    if not percent:
        raise Malformed(f"{shown(value)} is nothing")
    return percent


def _reserved(_value: object) -> object:
    # The value is not shown: it may be a passphrase or a key.
    raise Rule("reserved: not built yet; nothing is written in plain that is meant to be secret")


TEXT = plain("a text", _text)
FLAG = plain("true or false", _flag)
FACTOR = plain("a number from 0 up", _factor)
PATH = Kind("a path", absolute)
FILE_NAME = plain("the name of a file, without folders", _file_name)
OWN_NAME = plain("a name that a folder can have, not one of ours (`cback.…`)", _own_name)
REMOTE_NAME = plain("a name without spaces, `/`, `@` or a leading dash", _remote_name)
HOOKED = Kind(either(ActionName, also=", or an extension that has its table"), _hooked)
EXTENSIONS = plain("tables, each written as [extension.NAME]", _extensions)
REGEX = plain("a regular expression", _regex)
NOTIFY_URL = plain("an address as apprise takes it, such as `mailto://…`", notify_url)
PING_URL = plain("an address `https://…` or `http://…`, without a name and password in it", ping_url)
PING_PART = plain("what begins with `/` or `?`, an address, or an empty text for none", _ping_part)
CATALOG_URL = Kind("`sqlite:///PATH`", _sqlite_url)
DEVICES = Kind("the absolute path of a drive, `shelf:DIR`, or a list of them", _devices)
DURATION = _duration()
TIMEOUT = _duration(positive=True)
CALENDAR = _duration(calendar=True)
INTERVAL = _duration(calendar=True, positive=True)
MEDIA_INTERVALS = plain(
    "a table of media, each with a time and its unit (s, min, h, days, weeks, months, years)",
    _media_intervals,
)
SHARE = plain('a percentage such as "10 %"', _share)
MARGIN = plain('a percentage such as "0.5 %", or a size such as "64 MiB"', parse_margin)
TIMES_OF_DAY = plain('a time of day such as "02:30", or a list of them', _times_of_day)
RESERVED = plain("nothing yet", _reserved)
