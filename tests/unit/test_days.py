"""Days and the weeks they belong to."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.days import days_of_newest_week, format_day, parse_day, week_of


@given(st.dates(date(1990, 1, 1), date(2200, 1, 1)), st.integers(0, 6))
def test_a_week_begins_on_its_starting_day_and_holds_the_day(day: date, start: int) -> None:
    first = week_of(day, start)
    assert first.weekday() == start
    assert 0 <= (day - first).days < 7


@given(st.dates(date(1990, 1, 1), date(2200, 1, 1)))
def test_a_day_written_is_the_day_read(day: date) -> None:
    assert parse_day(format_day(day)) == day


@pytest.mark.parametrize("text", ["2026/13/01", "2026-02-30", "today", "", "2026/1/1"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_day(text)


def test_the_week_of_the_newest_day_leaves_earlier_weeks_out() -> None:
    days = ["2026/11/22", "2026/11/24", "2026/11/23", "2026/11/15"]
    assert days_of_newest_week(days, 0) == ("2026/11/23", "2026/11/24")
