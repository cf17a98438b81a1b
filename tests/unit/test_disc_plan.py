"""The plan of a restore: every piece once, from a disc that has it, with the fewest changes of a disc."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.disc import SessionStatus
from cedarchest.model.disc_choice import fewest
from cedarchest.model.disc_plan import Disc, Reading, plan_discs
from cedarchest.model.restoring import Piece, Place, Role, Source, pieces_of, trust

LABELS = [f"D{number}" for number in range(7)]
COSTS = st.fixed_dictionaries({label: st.sampled_from([1, 1000, 1001, 1007]) for label in LABELS})
NEEDS = st.lists(st.sets(st.sampled_from(LABELS), min_size=1, max_size=4), max_size=8)


def cost(chosen: Collection[str], costs: Mapping[str, int]) -> int:
    return sum(costs[label] for label in chosen)


def by_trying_all(needs: Sequence[Collection[str]], costs: Mapping[str, int]) -> int:
    return min(
        cost(chosen, costs)
        for count in range(len(LABELS) + 1)
        for chosen in itertools.combinations(LABELS, count)
        if all(set(need) & set(chosen) for need in needs)
    )


@given(NEEDS, COSTS)
def test_the_fewest_discs_are_the_fewest_of_all(needs: list[set[str]], costs: dict[str, int]) -> None:
    chosen = fewest(needs, costs)
    assert all(need & chosen for need in needs)
    assert cost(chosen, costs) == by_trying_all(needs, costs)


@given(st.lists(st.sets(st.integers(0, 60), min_size=1, max_size=5), max_size=120))
def test_it_is_never_more_than_what_comes_of_one_need_after_the_other(needs: list[set[int]]) -> None:
    naive: set[int] = set()
    for need in needs:
        if not need & naive:
            naive.add(min(need))
    chosen = fewest(needs, dict.fromkeys(range(61), 5))
    assert all(need & chosen for need in needs)
    assert len(chosen) <= len(naive)


STATUS = st.sampled_from([SessionStatus.VERIFIED, SessionStatus.CLAIMED, SessionStatus.BAD])
PLACES = st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 90), STATUS), min_size=1, max_size=4)
ROLES = st.sampled_from([Role.FILE, Role.ARCHIVE, Role.INDEX])


def reading(number: int, role: Role, places: Sequence[tuple[str, int, SessionStatus]]) -> Reading:
    several = {label: Place(label, label, 1, status, start) for label, start, status in places}
    ordered = tuple(sorted(several.values(), key=lambda place: (trust(place), place)))
    piece = Piece(0, 2048, b"", ordered)
    return Reading(Source(role, bytes([number]), b"f%d" % number, 2048, (piece,)), piece, ordered)


@given(st.lists(st.tuples(ROLES, PLACES), max_size=10), st.sets(st.sampled_from(LABELS)), st.data())
def test_each_piece_is_read_once_from_as_good_a_place_as_there_is(
    wanted: list[tuple[Role, list[tuple[str, int, SessionStatus]]]], at_hand: set[str], data: st.DataObject
) -> None:
    readings = [reading(number, role, places) for number, (role, places) in enumerate(wanted)]
    without = data.draw(st.sets(st.sampled_from(LABELS), max_size=2))
    discs = {label: Disc(label, label, label in at_hand) for label in LABELS}
    plan = plan_discs(readings, discs, without)
    read = [(each.source.sha256, place) for disc in plan for each, place in disc.readings]
    possible = {
        each.source.sha256: [place for place in each.places if place.disc_id not in without]
        for each in readings
    }
    assert sorted(key for key, _ in read) == sorted(key for key, places in possible.items() if places)
    for key, place in read:
        assert place in possible[key]
        assert trust(place) == min(map(trust, possible[key]))
    order = [not disc.disc.at_hand for disc in plan]
    assert order == sorted(order)
    assert len({disc.disc.disc_id for disc in plan}) == len(plan)
    for disc in plan:
        assert all(place.disc_id == disc.disc.disc_id for _, place in disc.readings)
        starts = [place.start for each, place in disc.readings if each.source.role is not Role.INDEX]
        assert starts == sorted(starts)


def test_pieces_of_nothing_are_none() -> None:
    assert pieces_of([]) == ()
