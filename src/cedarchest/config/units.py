"""Sizes, times and percentages as the configuration writes them, and back.

Decimal prefixes are powers of 1000 (`4.7 GB`), binary ones powers of 1024 (`64 MiB`), in any case.
A time needs its unit; `m` is refused, for it may mean minutes or months. Months and years are mean
ones of the Gregorian calendar (365.2425 days a year, a twelfth of that a month) and are taken only
where a calendar makes sense. Every parser raises `Malformed` with what is wrong, never anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from cedarchest.config.wording import Malformed, shown
from cedarchest.model.media import BLOCK

MONTH = timedelta(seconds=2_629_746)
"""A twelfth of the mean Gregorian year."""

YEAR = 12 * MONTH

LARGEST_SIZE = 2**63 - 1
LONGEST = 1000 * YEAR

_NUMBER = r"([0-9]{1,19}(?:\.[0-9]{1,9})?)"
_QUANTITY = re.compile(_NUMBER + r"\s*([A-Za-z]+)", re.ASCII)
_PERCENT = re.compile(_NUMBER + r"\s*%", re.ASCII)

_SIZE_UNITS = {
    "TiB": 1024**4,
    "TB": 1000**4,
    "GiB": 1024**3,
    "GB": 1000**3,
    "MiB": 1024**2,
    "MB": 1000**2,
    "KiB": 1024,
    "kB": 1000,
    "B": 1,
}
_SIZES = {name.lower(): size for name, size in _SIZE_UNITS.items()}

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_TIME_UNITS = {
    "s": _SECOND,
    "second": _SECOND,
    "seconds": _SECOND,
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "minutes": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "hours": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "days": timedelta(days=1),
    "week": timedelta(weeks=1),
    "weeks": timedelta(weeks=1),
}
_CALENDAR_UNITS = {"month": MONTH, "months": MONTH, "year": YEAR, "years": YEAR}


def parse_size(value: object) -> int:
    """Bytes of `"64 MiB"`, or of a plain whole number; a fraction of a byte is dropped.

    Raises:
        Malformed: it is no size, or no file could have it.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str):
        size = _size_of(value)
    else:
        raise Malformed(f"{shown(value)} is not a size")
    if not 0 <= size <= LARGEST_SIZE:
        raise Malformed(f"{shown(value)} is {'less than nothing' if size < 0 else 'too large'}")
    return size


def _size_of(text: str) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise Malformed(f"{shown(text)} is not a number with a unit")
    unit = _SIZES.get(match[2].lower())
    if unit is None:
        raise Malformed(f"{shown(text)} has no unit of size that is known")
    return int(Fraction(match[1]) * unit)


def format_size(size: int) -> str:
    """The shortest exact text that `parse_size` reads back."""
    for name, unit in _SIZE_UNITS.items():
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def parse_duration(value: object, *, calendar: bool = False) -> timedelta:
    """The time of `"10 s"`, `"2 h"`, `"14 days"`; with `calendar` also of months and years.

    Raises:
        Malformed: it is no time, has no unit, or is longer than a thousand years.
    """
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, str):
        duration = _duration_of(value, calendar=calendar)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        raise Malformed(f"{shown(value)} has no unit")
    else:
        raise Malformed(f"{shown(value)} is not a length of time")
    if not timedelta() <= duration <= LONGEST:
        raise Malformed(f"{shown(value)} is not between nothing and a thousand years")
    return duration


def _duration_of(text: str, *, calendar: bool) -> timedelta:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise Malformed(f"{shown(text)} is not a number with a unit")
    name = match[2].lower()
    if name in _CALENDAR_UNITS and not calendar:
        raise Malformed(f"{shown(text)} counts in months or years, which are not exact enough here")
    unit = _TIME_UNITS.get(name) or _CALENDAR_UNITS.get(name)
    if unit is None:
        raise Malformed(f"{shown(text)} has no unit of time that is known")
    microseconds = Fraction(match[1]) * (unit // _MICROSECOND)
    if microseconds > LONGEST // _MICROSECOND:
        raise Malformed(f"{shown(text)} is longer than a thousand years")
    return timedelta(microseconds=int(microseconds))


def format_duration(duration: timedelta, *, calendar: bool = False) -> str:
    """The shortest exact text that `parse_duration` reads back, given the same `calendar`."""
    units = ("days", "h", "min", "s")
    for name in ("years", "months", *units) if calendar else units:
        unit = _TIME_UNITS.get(name) or _CALENDAR_UNITS[name]
        if duration and not duration % unit:
            count = duration // unit
            return f"{count} {name.removesuffix('s') if count == 1 and name != 's' else name}"
    seconds = Decimal(duration // _MICROSECOND) / 1_000_000
    return f"{seconds:f} s"


def parse_percent(value: object) -> Decimal:
    """The number before the sign in `"0.5 %"`, from 0 to 100.

    Raises:
        Malformed: it is no percentage.
    """
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Malformed(f"{shown(value)} is not a percentage")
    percent = Decimal(match[1])
    if percent > 100:
        raise Malformed(f"{shown(value)} is more than all")
    return percent


def format_percent(percent: Decimal) -> str:
    """The text that `parse_percent` reads back."""
    return f"{percent:f} %"


@dataclass(frozen=True, slots=True)
class Margin:
    """Space of a disc that is left free: so many bytes, and so many hundredths of the medium."""

    size_bytes: int = 0
    percent: Decimal = Decimal(0)

    def blocks(self, medium_blocks: int) -> int:
        """Blocks left free on a medium of so many blocks, rounded up."""
        of_medium = Fraction(self.percent) * medium_blocks / 100
        return -(-self.size_bytes // BLOCK) - (-of_medium.numerator // of_medium.denominator)

    def __str__(self) -> str:
        return format_percent(self.percent) if self.percent else format_size(self.size_bytes)


def parse_margin(value: object) -> Margin:
    """A margin from `"0.5 %"`, `"64 MiB"` or a plain number of bytes.

    Raises:
        Malformed: it is neither, or would leave nothing of the medium.
    """
    if isinstance(value, Margin):
        return value
    if not (isinstance(value, str) and value.strip().endswith("%")):
        return Margin(size_bytes=parse_size(value))
    percent = parse_percent(value)
    if percent == 100:
        raise Malformed(f"{shown(value)} leaves nothing of the medium")
    return Margin(percent=percent)
