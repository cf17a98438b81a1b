"""Days and weeks. What belongs to which week is decided by the staged day, never by the clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta


def parse_day(text: str) -> date:
    """The date of `YYYY/MM/DD` or `YYYY-MM-DD`.

    Raises:
        ValueError: it is no date in one of these forms.
    """
    return date.fromisoformat(text.replace("/", "-"))


def format_day(day: date) -> str:
    """A date as a day's path on staging and disc."""
    return f"{day:%Y/%m/%d}"


def week_of(day: date, starting_weekday: int) -> date:
    """The first day of the week that a day belongs to; Monday is 0."""
    return day - timedelta(days=(day.weekday() - starting_weekday) % 7)


def days_of_newest_week(days: Iterable[str], starting_weekday: int) -> tuple[str, ...]:
    """The days that share the week of the newest one, oldest first."""
    dated = sorted((parse_day(day), day) for day in days)
    if not dated:
        return ()
    newest = week_of(dated[-1][0], starting_weekday)
    return tuple(text for day, text in dated if week_of(day, starting_weekday) == newest)
