"""Plans: what they weigh, when they begin a new disc, that they lose nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.media import TRAITS, Medium
from cedarchest.model.plan import DueDay, NewDisc, Policy, Room, plan_store, sessions_until_full
from cedarchest.model.size import Tally, session_blocks

CAPACITY = 100_000
TRAIT = TRAITS[Medium.DVD_PLUS_R]
EMPTY = Room("", CAPACITY, 0, Tally())


def policy(
    new_disc: NewDisc = NewDisc.WHEN_FULL,
    *,
    factor: float | None = None,
    margin: int = 0,
    always_new: bool = False,
) -> Policy:
    return Policy(new_disc, 0, factor, margin, TRAIT, always_new)


def due(day: str, blocks: int = 1000) -> DueDay:
    return DueDay(day, Tally(blocks, 1000, 1, 3), blocks * 2048)


def current(free: int = CAPACITY, days: tuple[str, ...] = ("2026/11/16",), sessions: int = 1) -> Room:
    return Room("CC_1", free, sessions, Tally(0, 1000, 1, 3), days)


def shape(days: list[DueDay], room: Room | None, rules: Policy) -> list[tuple[str, tuple[str, ...]]]:
    return [(volume.label, volume.days) for volume in plan_store(days, room, EMPTY, rules).volumes]


def test_days_that_fit_are_appended_to_the_disc_in_use() -> None:
    assert shape([due("2026/11/17"), due("2026/11/18")], current(), policy()) == [
        ("CC_1", ("2026/11/17", "2026/11/18"))
    ]


def test_without_a_disc_in_use_a_new_one_is_begun() -> None:
    assert shape([due("2026/11/17")], None, policy()) == [("", ("2026/11/17",))]


def test_what_does_not_fit_any_more_goes_on_a_new_disc() -> None:
    days = [due("2026/11/17", 60_000), due("2026/11/18", 60_000)]
    assert shape(days, current(), policy()) == [("CC_1", ("2026/11/17",)), ("", ("2026/11/18",))]


def test_a_day_that_fits_on_no_disc_is_refused_with_the_numbers() -> None:
    plan = plan_store([due("2026/11/17", CAPACITY), due("2026/11/18")], current(), EMPTY, policy())
    (refused,) = plan.refused
    assert refused.message.startswith("2026/11/17 needs up to")
    assert refused.fields["free"] == CAPACITY
    assert [volume.days for volume in plan.volumes] == [("2026/11/18",)]
    assert plan.volumes[0].label == "CC_1"


def test_a_new_week_begins_a_new_disc() -> None:
    rules = policy(NewDisc.WEEKLY)
    assert shape([due("2026/11/22"), due("2026/11/23")], current(), rules) == [
        ("CC_1", ("2026/11/22",)),
        ("", ("2026/11/23",)),
    ]


def test_a_late_day_of_an_earlier_week_does_not_begin_a_disc() -> None:
    room = current(days=("2026/11/23",))
    assert shape([due("2026/11/22")], room, policy(NewDisc.WEEKLY)) == [("CC_1", ("2026/11/22",))]


def test_each_day_has_its_disc_when_daily() -> None:
    assert shape([due("2026/11/17"), due("2026/11/18")], current(), policy(NewDisc.DAILY)) == [
        ("", ("2026/11/17",)),
        ("", ("2026/11/18",)),
    ]


def test_a_supplement_joins_its_day_also_when_daily() -> None:
    room = current(days=("2026/11/17",))
    assert shape([due("2026/11/17")], room, policy(NewDisc.DAILY)) == [("CC_1", ("2026/11/17",))]


def test_with_a_blank_factor_a_disc_with_much_room_is_not_given_up() -> None:
    rules = policy(NewDisc.WEEKLY, factor=1.3)
    assert shape([due("2026/11/23", 1000)], current(), rules) == [("CC_1", ("2026/11/23",))]


def test_with_a_blank_factor_a_disc_with_little_room_is_given_up() -> None:
    rules = policy(NewDisc.WEEKLY, factor=1.3)
    assert shape([due("2026/11/23", 1000)], current(free=1290), rules) == [("", ("2026/11/23",))]


def test_all_days_of_a_rebuild_go_on_one_new_disc() -> None:
    rules = policy(NewDisc.DAILY, always_new=True)
    assert shape([due("2026/11/17"), due("2026/11/18")], None, rules) == [("", ("2026/11/17", "2026/11/18"))]


def test_a_disc_with_as_many_sessions_as_it_can_take_is_left_alone() -> None:
    room = current(sessions=TRAIT.max_sessions)
    assert shape([due("2026/11/17")], room, policy()) == [("", ("2026/11/17",))]


def test_the_margin_is_kept_free() -> None:
    needed = session_blocks(due("2026/11/17").cost, Tally(), TRAIT)
    empty = Room("", needed + 9, 0, Tally())
    assert plan_store([due("2026/11/17")], None, empty, policy(margin=9)).volumes
    assert plan_store([due("2026/11/17")], None, empty, policy(margin=10)).refused


@given(
    st.lists(st.integers(1, 120_000), min_size=1, max_size=20),
    st.integers(0, CAPACITY),
    st.sampled_from(NewDisc),
)
def test_no_plan_loses_or_doubles_a_day_or_exceeds_a_disc(sizes: list[int], free: int, rule: NewDisc) -> None:
    days = [due(f"2026/10/{number + 1:02}", blocks) for number, blocks in enumerate(sizes)]
    plan = plan_store(days, current(free=free, days=("2026/09/30",)), EMPTY, policy(rule))
    placed = [day for volume in plan.volumes for day in volume.days]
    refused = [error.fields["day"] for error in plan.refused]
    assert placed == [day.day for day in days if day.day not in refused]
    assert set(refused) <= {day.day for day in days if day.cost.data_blocks > CAPACITY - 1000}
    assert all(volume.blocks <= volume.free for volume in plan.volumes)


def test_a_forecast_counts_gaps_between_sessions() -> None:
    assert sessions_until_full(10_000, 1000, 1, TRAIT) == 3
