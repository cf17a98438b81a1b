"""What audits read next: what was read longest ago, and in time all of it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.disc import CheckKind, CheckRecord
from cedarchest.model.sweep import CHUNK
from cedarchest.model.turns import Turns, mibs_of, proven_at, sampled

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EARLIER = NOON - 30 * DAY


def check(kind: CheckKind, days: int, *, passed: bool = True, session: int = 1) -> CheckRecord:
    return CheckRecord(
        "disc", session, kind, NOON + days * DAY, passed=passed, drive="", tool="", blocks=1, seconds=1
    )


@pytest.mark.parametrize(("blocks", "mibs"), [(0, 0), (1, 1), (CHUNK, 1), (CHUNK + 1, 2)])
def test_a_session_has_a_mib_for_whatever_is_left(blocks: int, mibs: int) -> None:
    assert (mibs_of(blocks), len(Turns.none(blocks).last)) == (mibs, mibs)


def test_all_of_a_session_was_proven_by_its_last_check_that_was_no_audit_and_passed() -> None:
    checks = [
        check(CheckKind.STORE, 0),
        check(CheckKind.VERIFY, 3),
        check(CheckKind.VERIFY, 4, passed=False),
        check(CheckKind.VERIFY, 5, session=2),
        check(CheckKind.AUDIT, 6),
    ]
    assert proven_at(checks, 1) == NOON + 3 * DAY
    assert proven_at(checks, 3) is None


@given(
    st.lists(st.integers(1, 9000), min_size=1, max_size=4),
    st.decimals("0.5", 100, places=1),
    st.sampled_from([timedelta(0), DAY]),
)
def test_samples_come_round_to_all_of_a_disc_even_when_the_clock_stands_still(
    sizes: list[int], percent: Decimal, between: timedelta
) -> None:
    sessions = {number: Turns.none(blocks) for number, blocks in enumerate(sizes, 1)}
    total = sum(len(each.last) for each in sessions.values())
    left = {(number, mib) for number, each in sessions.items() for mib in range(len(each.last))}
    at = NOON
    turns = 0
    while left:
        chosen = sampled({number: (each, NOON) for number, each in sessions.items()}, percent)
        read = {(number, mib) for number, mibs in chosen.items() for mib in mibs}
        assert len(read) >= percent * total / 100
        assert read <= left or left < read  # nothing twice before all was read once
        left -= read
        turns += 1
        at += between
        sessions = {
            number: each.read(chosen[number], len(each.times) + 1, at) if chosen[number] else each
            for number, each in sessions.items()
        }
    assert turns <= math.ceil(100 / percent)


def test_a_sample_is_spread_over_the_disc() -> None:
    chosen = sampled({1: (Turns.none(100 * CHUNK), NOON)}, Decimal(10))
    assert sorted(chosen[1]) == list(range(0, 100, 10))


def test_what_was_read_longest_ago_comes_first_in_whatever_session() -> None:
    old = Turns((1, 0), (EARLIER,))
    new = Turns((0, 0))
    assert sampled({1: (old, EARLIER - DAY), 2: (new, NOON)}, Decimal(50)) == {1: {0, 1}, 2: frozenset()}


def test_a_later_proof_of_all_counts_for_each_mib() -> None:
    turns = Turns((1, 0), (EARLIER,))
    assert turns.read_since(EARLIER - DAY) == EARLIER - DAY
    assert turns.read_since(NOON) == NOON


def test_a_sample_makes_no_disc_read_since() -> None:
    turns = Turns.none(10 * CHUNK).read(range(9), 1, NOON)
    assert turns.read_since(EARLIER) == EARLIER
    assert turns.read([9], 2, NOON + DAY).read_since(EARLIER) == NOON


def test_an_audit_of_all_goes_on_with_what_is_left_and_with_what_is_too_old() -> None:
    turns = Turns.none(4 * CHUNK)
    assert turns.to_read(EARLIER, NOON - DAY, begun=False) == {0, 1, 2, 3}
    begun = replace(turns, left=frozenset(range(4))).read([0, 1], 1, NOON)
    assert begun.left == {2, 3}
    assert begun.to_read(EARLIER, NOON - 31 * DAY, begun=True) == {2, 3}
    assert begun.to_read(EARLIER, NOON + DAY, begun=True) == {0, 1, 2, 3}
    assert replace(begun, left=frozenset()).to_read(NOON, NOON - DAY, begun=True) == frozenset()


def test_what_made_a_session_bad_had_its_turn_and_is_still_left_to_an_audit_of_all() -> None:
    turns = replace(Turns.none(3 * CHUNK), left=frozenset({0, 1, 2})).read([0], 1, NOON).tried([1])
    assert (turns.last, set(turns.left)) == ((1, 1, 0), {1, 2})
    assert sampled({1: (turns, EARLIER)}, Decimal(30))[1] == {2}
