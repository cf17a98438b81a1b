"""When a disc is closed with the session that is written to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cedarchest.model.closing import CloseDisc, is_last_session
from cedarchest.model.disc import DiscState, Observation, TocEntry
from cedarchest.model.media import TRAITS, Medium

CAPACITY = TRAITS[Medium.DVD_PLUS_R].nominal_blocks
GAP = TRAITS[Medium.DVD_PLUS_R].first_gap
TWENTIETH = CAPACITY // 20


def disc(free: int, *sessions: int, medium: Medium = Medium.DVD_PLUS_R) -> Observation:
    there = tuple(TocEntry(number, 0, blocks, "CC_1") for number, blocks in enumerate(sessions, 1))
    return Observation("/dev/sr0", DiscState.APPENDABLE, medium, CAPACITY, free, sessions=there)


def is_last(seen: Observation, blocks: int, close: CloseDisc = CloseDisc.WHEN_FULL, margin: int = 0) -> bool:
    return is_last_session(seen, blocks, margin, close)


def test_a_disc_is_closed_never_or_always_whatever_is_left() -> None:
    assert not is_last(disc(1000, 500), 1000, CloseDisc.NEVER)
    assert is_last(disc(CAPACITY), 1000, CloseDisc.ALWAYS)


def test_a_disc_is_full_when_less_is_left_than_its_smallest_session_took() -> None:
    assert not is_last(disc(1000 + GAP + 500, 500, 2000), 1000)
    assert is_last(disc(1000 + GAP + 499, 500, 2000), 1000)
    assert not is_last(disc(400 + GAP + 400, 500), 400)
    assert is_last(disc(400 + GAP + 399, 500), 400)


def test_a_disc_that_began_with_a_large_session_is_left_open_for_small_ones() -> None:
    half = CAPACITY // 2
    assert not is_last(disc(half + GAP + TWENTIETH), half)
    assert is_last(disc(half + GAP + TWENTIETH - 1), half)


def test_the_margin_is_no_room_for_another_session() -> None:
    assert not is_last(disc(1000 + GAP + 600, 500), 1000, margin=100)
    assert is_last(disc(1000 + GAP + 600, 500), 1000, margin=101)


@pytest.mark.parametrize("medium", [Medium.DVD_PLUS_R, Medium.CD_R])
def test_a_disc_with_as_many_sessions_as_it_can_hold_is_full(medium: Medium) -> None:
    most = TRAITS[medium].max_sessions
    assert not is_last(disc(CAPACITY // 2, *[10] * (most - 2), medium=medium), 10)
    assert is_last(disc(CAPACITY // 2, *[10] * (most - 1), medium=medium), 10)


def test_a_disc_that_takes_one_session_is_closed_with_it() -> None:
    assert is_last(replace(disc(CAPACITY, medium=Medium.DVD_RW), single=True), 10, CloseDisc.NEVER)
