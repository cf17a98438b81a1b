from __future__ import annotations

import contextlib
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.config.units import (
    LARGEST_SIZE,
    LONGEST,
    MONTH,
    Margin,
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_margin,
    parse_percent,
    parse_size,
)
from cedarchest.config.wording import Malformed

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers())
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64 MiB", 64 << 20),
        ("64MiB", 64 << 20),
        ("  64 mib ", 64 << 20),
        ("4.7 GB", 4_700_000_000),
        ("4.7 GiB", 5_046_586_572),
        ("1 kB", 1000),
        ("1 KB", 1000),
        ("0.3 B", 0),
        ("25 TB", 25 * 10**12),
        (2048, 2048),
        (0, 0),
    ],
)
def test_a_size_is_read(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "64", "MiB", "64 M", "-1 MiB", "1e3 MB", "1,5 GB", "٣ MB", "64 MiBs", "9999999999 TiB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_size(text)


@pytest.mark.parametrize(
    "value", [True, -1, LARGEST_SIZE + 1, 1.5, None, ["1 MB"], pytest.param(1 << 60_000, id="huge")]
)
def test_what_toml_may_hold_instead_of_a_size_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        parse_size(value)


@given(st.integers(0, LARGEST_SIZE))
def test_a_printed_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("10 s", timedelta(seconds=10)),
        ("1.5 h", timedelta(minutes=90)),
        ("5 min", timedelta(minutes=5)),
        ("1 day", timedelta(days=1)),
        ("14 days", timedelta(days=14)),
        ("2 weeks", timedelta(days=14)),
        ("0 s", timedelta()),
    ],
)
def test_a_time_is_read(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


def test_a_year_is_twelve_months_and_365_2425_days() -> None:
    assert parse_duration("1 year", calendar=True) == parse_duration("12 months", calendar=True) == 12 * MONTH
    assert timedelta(days=365.2425) == 12 * MONTH


def test_months_are_refused_where_no_calendar_makes_sense() -> None:
    with pytest.raises(Malformed, match="months or years"):
        parse_duration("24 months")


@pytest.mark.parametrize("value", [10, 1.5])
def test_a_number_without_a_unit_is_no_time(value: float) -> None:
    with pytest.raises(Malformed, match="has no unit"):
        parse_duration(value)


@pytest.mark.parametrize(
    "value", ["10", "s", "5 m", "-1 s", "1 s 2 s", "1001 years", True, None, timedelta(-1)]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        parse_duration(value, calendar=True)


@given(st.timedeltas(timedelta(), LONGEST), st.booleans())
def test_a_printed_time_reads_back(duration: timedelta, calendar: bool) -> None:
    assert parse_duration(format_duration(duration, calendar=calendar), calendar=calendar) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=14), "14 days"),
        (timedelta(seconds=10), "10 s"),
        (timedelta(seconds=1), "1 s"),
        (timedelta(days=1), "1 day"),
        (12 * MONTH, "1 year"),
        (timedelta(microseconds=1), "0.000001 s"),
    ],
)
def test_a_time_is_printed_as_a_person_writes_it(duration: timedelta, text: str) -> None:
    assert format_duration(duration, calendar=True) == text


@given(st.decimals(0, 100, places=6))
def test_a_printed_percentage_reads_back(percent: Decimal) -> None:
    assert parse_percent(format_percent(abs(percent))) == percent


@pytest.mark.parametrize("value", ["0.5", "%", "-1 %", "101 %", 0.5, None])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        parse_percent(value)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [("0.5 %", 5), ("0.51 %", 6), ("0 %", 0), ("2 KiB", 1), ("2049 B", 2), (0, 0), (4096, 2)],
)
def test_a_margin_is_counted_in_blocks_and_rounded_up(text: object, blocks: int) -> None:
    assert parse_margin(text).blocks(1000) == blocks


def test_a_margin_leaves_something_of_the_medium() -> None:
    with pytest.raises(Malformed, match="leaves nothing"):
        parse_margin("100.0 %")


@given(st.builds(Margin, size_bytes=st.integers(0, LARGEST_SIZE)))
def test_a_printed_margin_reads_back(margin: Margin) -> None:
    assert parse_margin(str(margin)) == margin


@given(ANYTHING, st.booleans())
def test_no_value_makes_a_parser_raise_anything_else(value: object, calendar: bool) -> None:
    for parse in (
        parse_size,
        parse_percent,
        parse_margin,
        lambda each: parse_duration(each, calendar=calendar),
    ):
        with contextlib.suppress(Malformed):
            parse(value)
