from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.schedule import RunRecord, missed_runs, next_run

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = time(2, 30)


def berlin(wall: datetime) -> datetime:
    return wall.replace(tzinfo=BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def runs(*times: str, schedule: Sequence[str] = ("02:30",), action: str = "all") -> list[RunRecord]:
    return [RunRecord(action, at(each), tuple(schedule)) for each in times]


def missed(records: Sequence[RunRecord], now: str, *times: time) -> list[str]:
    found = missed_runs(times or (NIGHT,), records, "all", at(now), berlin)
    return [f"{each:%Y-%m-%d %H:%M}" for each in found]


def test_the_next_run_is_the_first_time_after_now() -> None:
    times = (time(2, 30), time(14, 0))
    assert next_run(times, at("2026-11-24T02:30"), berlin) == at("2026-11-24T14:00")
    assert next_run(times, at("2026-11-24T14:00:01"), berlin) == at("2026-11-25T02:30")
    assert next_run((), at("2026-11-24T02:30"), berlin) is None


def test_a_time_that_the_clocks_skip_is_no_run_of_that_day() -> None:
    assert next_run((NIGHT,), at("2026-03-28T12:00"), berlin) == at("2026-03-30T02:30")


def test_a_time_that_comes_twice_is_due_at_the_first() -> None:
    found = next_run((NIGHT,), at("2026-10-24T12:00"), berlin)
    assert found is not None
    assert found.utcoffset() == timedelta(hours=2)


def test_nights_that_were_run_are_not_missed() -> None:
    records = runs("2026-11-20T02:30:20", "2026-11-21T02:31", "2026-11-22T02:30", "2026-11-23T02:30")
    assert missed(records, "2026-11-23T12:00") == []


def test_a_night_without_a_run_before_the_next_is_missed() -> None:
    records = runs("2026-11-20T02:30", "2026-11-23T02:30")
    assert missed(records, "2026-11-23T12:00") == ["2026-11-21 02:30", "2026-11-22 02:30"]


def test_a_run_that_was_caught_up_with_is_not_missed() -> None:
    assert missed(runs("2026-11-20T02:30", "2026-11-21T19:00"), "2026-11-22T02:31") == []


def test_the_last_time_is_missed_after_an_hour_until_it_is_caught_up_with() -> None:
    records = runs("2026-11-20T02:30")
    assert missed(records, "2026-11-21T03:29") == []
    assert missed(records, "2026-11-21T03:30") == ["2026-11-21 02:30"]
    assert missed(records, "2026-11-22T03:29") == ["2026-11-21 02:30"]
    assert missed([*records, *runs("2026-11-21T12:00")], "2026-11-21T13:00") == []


def test_other_actions_are_no_nights() -> None:
    records = [*runs("2026-11-20T02:30"), *runs("2026-11-21T02:30", action="store")]
    assert missed(records, "2026-11-21T12:00") == ["2026-11-21 02:30"]


def test_nothing_is_missed_from_before_the_journal_or_the_schedule() -> None:
    assert missed([], "2026-11-22T12:00") == []
    before = runs("2026-11-01T02:30", schedule=())
    assert missed(before, "2026-11-22T12:00") == []
    assert missed([*before, *runs("2026-11-20T12:00")], "2026-11-21T12:00") == ["2026-11-21 02:30"]
    other = runs("2026-11-01T02:30", "2026-11-19T23:00", schedule=["23:00"])
    assert missed([*other, *runs("2026-11-21T02:30")], "2026-11-22T02:00") == []


def test_only_the_last_thirty_days_count() -> None:
    records = runs("2026-06-01T02:30")
    found = missed(records, "2026-11-30T12:00")
    assert (found[0], found[-1], len(found)) == ("2026-11-01 02:30", "2026-11-30 02:30", 30)


@pytest.mark.parametrize("sunday", ["2026-03-29", "2026-10-25"])
@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize(
    "times", [(NIGHT,), (time(2, 15), time(2, 45)), (time(1, 30), time(2, 0), time(3, 0))]
)
def test_a_change_of_the_clocks_makes_no_missed_run(sunday: str, fold: int, times: tuple[time, ...]) -> None:
    """Whichever of two occurrences is taken; what does not exist is run an hour later, or not at all."""
    day = datetime.fromisoformat(sunday)
    schedule = tuple(f"{each:%H:%M}" for each in times)
    for skipped_are_run in (True, False):
        begun: list[datetime] = []
        for number in range(-3, 4):
            for each in times:
                wall = datetime.combine(day + timedelta(days=number), each).replace(tzinfo=BERLIN, fold=fold)
                real = wall.astimezone(UTC).astimezone(BERLIN)
                if skipped_are_run or real.replace(tzinfo=None) == wall.replace(tzinfo=None):
                    begun.append(wall.replace(fold=0 if number else fold).astimezone(UTC))
        records = [RunRecord("all", each, schedule) for each in sorted(begun)]
        now = (day + timedelta(days=3, hours=12)).replace(tzinfo=BERLIN)
        assert missed_runs(times, records, "all", now, berlin) == ()


@given(
    st.lists(st.times(timezones=st.none()).map(lambda t: t.replace(second=0, microsecond=0)), min_size=1,
             max_size=4, unique=True),
    st.datetimes(datetime.fromisoformat("2026-02-01"), datetime.fromisoformat("2026-11-30")),
)  # fmt: skip
def test_the_next_run_lies_ahead_within_two_days_and_is_a_time_of_the_schedule(
    times: list[time], wall: datetime
) -> None:
    now = wall.replace(tzinfo=BERLIN)
    found = next_run(times, now, berlin)
    assert found is not None
    assert timedelta(0) < found.astimezone(UTC) - now.astimezone(UTC) <= timedelta(hours=49)
    assert found.replace(tzinfo=None).time() in times
