"""Plans: what they weigh, when they begin a new disc, that they lose nothing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK, TRAITS, Medium
from cedarchest.model.packing import DueDay, Share
from cedarchest.model.plan import NewDisc, Policy, Room, StorePlan, plan_store, sessions_until_full
from cedarchest.model.size import Tally, session_blocks, tally
from cedarchest.model.stretches import Stretches

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


def entry(path: str, blocks: int = -1) -> Entry:
    """A file of so many blocks, or a directory."""
    kind = Kind.DIR if blocks < 0 else Kind.FILE
    return Entry(path.encode(), kind, max(0, blocks) * BLOCK, 0o644, 0, 0, 0)


def due(day: str, *files: int, peers: int = 1) -> DueDay:
    """A day with files of so many blocks, dealt out to peers."""
    entries = [entry(f"{day}/peer{number}") for number in range(peers)]
    entries += [
        entry(f"{day}/peer{number * peers // len(files)}/{number:04}", blocks)
        for number, blocks in enumerate(files)
    ]
    return DueDay(day, Stretches(day, entries))


def current(free: int = CAPACITY, days: tuple[str, ...] = ("2026/11/16",), sessions: int = 1) -> Room:
    return Room("CC_1", free, sessions, Tally(0, 1000, 1, 3), days)


def shape(days: list[DueDay], room: Room | None, rules: Policy) -> list[tuple[str, tuple[str, ...]]]:
    return [(volume.label, volume.days) for volume in plan_store(days, room, EMPTY, rules).volumes]


def test_days_that_fit_are_appended_to_the_disc_in_use() -> None:
    assert shape([due("2026/11/17", 1000), due("2026/11/18", 1000)], current(), policy()) == [
        ("CC_1", ("2026/11/17", "2026/11/18"))
    ]


def test_without_a_disc_in_use_a_new_one_is_begun() -> None:
    assert shape([due("2026/11/17", 1000)], None, policy()) == [("", ("2026/11/17",))]


def test_what_does_not_fit_any_more_goes_on_a_new_disc() -> None:
    days = [due("2026/11/17", 60_000), due("2026/11/18", 60_000)]
    assert shape(days, current(), policy()) == [("CC_1", ("2026/11/17",)), ("", ("2026/11/18",))]


def test_a_day_that_fits_on_no_disc_is_refused_with_the_numbers() -> None:
    plan = plan_store([due("2026/11/17", CAPACITY), due("2026/11/18", 1000)], current(), EMPTY, policy())
    (refused,) = plan.refused
    assert refused.message.startswith("2026/11/17 needs up to")
    assert refused.fields["free"] == CAPACITY
    assert [volume.days for volume in plan.volumes] == [("2026/11/18",)]
    assert plan.volumes[0].label == "CC_1"


def test_a_new_week_begins_a_new_disc() -> None:
    rules = policy(NewDisc.WEEKLY)
    assert shape([due("2026/11/22", 1000), due("2026/11/23", 1000)], current(), rules) == [
        ("CC_1", ("2026/11/22",)),
        ("", ("2026/11/23",)),
    ]


def test_a_late_day_of_an_earlier_week_does_not_begin_a_disc() -> None:
    room = current(days=("2026/11/23",))
    assert shape([due("2026/11/22", 1000)], room, policy(NewDisc.WEEKLY)) == [("CC_1", ("2026/11/22",))]


def test_each_day_has_its_disc_when_daily() -> None:
    assert shape([due("2026/11/17", 1000), due("2026/11/18", 1000)], current(), policy(NewDisc.DAILY)) == [
        ("", ("2026/11/17",)),
        ("", ("2026/11/18",)),
    ]


def test_a_supplement_joins_its_day_also_when_daily() -> None:
    room = current(days=("2026/11/17",))
    assert shape([due("2026/11/17", 1000)], room, policy(NewDisc.DAILY)) == [("CC_1", ("2026/11/17",))]


def test_with_a_blank_factor_a_disc_with_much_room_is_not_given_up() -> None:
    rules = policy(NewDisc.WEEKLY, factor=1.3)
    assert shape([due("2026/11/23", 1000)], current(), rules) == [("CC_1", ("2026/11/23",))]


def test_with_a_blank_factor_a_disc_with_little_room_is_given_up() -> None:
    rules = policy(NewDisc.WEEKLY, factor=1.3)
    assert shape([due("2026/11/23", 1000)], current(free=1290), rules) == [("", ("2026/11/23",))]


def test_all_days_of_a_rebuild_go_on_one_new_disc() -> None:
    rules = policy(NewDisc.DAILY, always_new=True)
    assert shape([due("2026/11/17", 1000), due("2026/11/18", 1000)], None, rules) == [
        ("", ("2026/11/17", "2026/11/18"))
    ]


def test_a_disc_with_as_many_sessions_as_it_can_take_is_left_alone() -> None:
    room = current(sessions=TRAIT.max_sessions)
    assert shape([due("2026/11/17", 1000)], room, policy()) == [("", ("2026/11/17",))]


def test_the_margin_is_kept_free() -> None:
    day = due("2026/11/17", 1000)
    needed = session_blocks(Share(day.due, 0, len(day.due)).cost, Tally(), TRAIT)
    empty = Room("", needed + 9, 0, Tally())
    assert plan_store([day], None, empty, policy(margin=9)).volumes
    assert plan_store([day], None, empty, policy(margin=10)).refused


def test_a_day_larger_than_a_disc_is_cut_between_peers() -> None:
    plan = plan_store([due("2026/11/17", *[45_000] * 6, peers=3)], None, EMPTY, policy())
    assert ends(plan) == [("peer0", "peer0/0001"), ("peer1", "peer1/0003"), ("peer2", "peer2/0005")]


def test_a_cut_between_peers_costs_no_further_disc() -> None:
    """Two discs hold it only if one peer is cut: that comes before the better cut."""
    plan = plan_store([due("2026/11/17", *[30_000] * 6, peers=2)], None, EMPTY, policy())
    assert ends(plan) == [("peer0", "peer0/0002"), ("peer1", "peer1/0005")]
    plan = plan_store([due("2026/11/17", *[16_000] * 12, peers=4)], None, EMPTY, policy())
    assert ends(plan) == [("peer0", "peer1/0005"), ("peer2", "peer3/0011")]
    plan = plan_store([due("2026/11/17", *[16_000] * 12, peers=3)], None, EMPTY, policy())
    assert ends(plan) == [("peer0", "peer1/0005"), ("peer1/0006", "peer2/0011")]


def test_what_fits_together_whole_is_not_cut() -> None:
    """In their own order the days would need a third disc, or a cut."""
    days = [
        due(f"2026/11/{16 + number}", size) for number, size in enumerate([50_000, 60_000, 45_000, 35_000])
    ]
    plan = plan_store(days, None, EMPTY, policy())
    assert [volume.days for volume in plan.volumes] == [
        ("2026/11/16", "2026/11/18"),
        ("2026/11/17", "2026/11/19"),
    ]


def test_the_disc_in_use_takes_a_part_of_a_day_only_when_that_saves_a_disc() -> None:
    room = current(free=60_000)
    saving = plan_store([due("2026/11/17", *[10_000] * 12)], room, EMPTY, policy())
    assert sorted(volume.label for volume in saving.volumes) == ["", "CC_1"]
    assert shape([due("2026/11/17", *[10_000] * 8)], room, policy()) == [("", ("2026/11/17",))]


def ends(plan: StorePlan) -> list[tuple[str, str]]:
    """The first and last entry of each share, below the day."""
    shares = [share for volume in plan.volumes for share in volume.shares]
    found = [share.entries.entries(share.first, share.last) for share in shares]
    texts = [[each.path.decode().partition("/")[2][6:] for each in entries] for entries in found]
    return [
        (names[0] if share.first == 0 else names[-(share.last - share.first)], names[-1])
        for names, share in zip(texts, shares, strict=True)
    ]


SIZES = st.lists(st.lists(st.integers(0, 40_000), min_size=1, max_size=12), min_size=1, max_size=8)


@given(SIZES, st.integers(0, CAPACITY), st.sampled_from(NewDisc), st.integers(1, 4))
def test_no_plan_loses_or_doubles_an_entry_or_exceeds_a_disc(
    sizes: list[list[int]], free: int, rule: NewDisc, peers: int
) -> None:
    days = [due(f"2026/10/{number + 1:02}", *files, peers=peers) for number, files in enumerate(sizes)]
    plan = plan_store(days, current(free=free, days=("2026/09/30",)), EMPTY, policy(rule))
    assert not plan.refused
    places = sorted(
        (share.day, share.first, share.last) for volume in plan.volumes for share in volume.shares
    )
    for day in days:
        ranges = [(first, last) for name, first, last in places if name == day.day]
        assert ranges[0][0] == 0
        assert ranges[-1][1] == len(day.due)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(ranges))
    for volume in plan.volumes:
        written = [each for share in volume.shares for each in share.entries.entries(share.first, share.last)]
        assert session_blocks(tally(written), Tally(), TRAIT) <= volume.blocks <= volume.free
        assert len(set(volume.days)) == len(volume.days)


@given(SIZES, st.integers(1, 4))
def test_a_plan_needs_at_most_one_disc_more_than_the_data_would_fill(
    sizes: list[list[int]], peers: int
) -> None:
    days = [due(f"2026/10/{number + 1:02}", *files, peers=peers) for number, files in enumerate(sizes)]
    plan = plan_store(days, None, EMPTY, policy())
    blocks = sum(map(sum, sizes))
    assert len(plan.volumes) <= -(-blocks // (CAPACITY - 1000)) + 1


def test_a_forecast_counts_gaps_between_sessions() -> None:
    assert sessions_until_full(10_000, 1000, 1, TRAIT) == 3
