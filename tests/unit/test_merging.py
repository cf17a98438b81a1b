"""What several images of a disc tell, merged in any order, with what was proven here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.actions.found_disc import UNKNOWN, FoundDisc, FoundSession
from cedarchest.actions.merging import MissingVolume, merge, missing_volumes
from cedarchest.model.claims import OtherVolume
from cedarchest.model.disc import (
    BAD_SESSION,
    CEDAR_BACKUP,
    CLOSED,
    DayContent,
    DiscRecord,
    SessionRecord,
    SessionStatus,
)
from cedarchest.model.media import Medium

AT = datetime(2026, 11, 22, tzinfo=UTC)
DISC = DiscRecord("disc", "CC_1", Medium.BD_R, 1000, AT)
Known = tuple[DiscRecord | None, dict[int, SessionRecord]]


def a_session(number: int, status: SessionStatus = SessionStatus.CLAIMED, **changes: object) -> SessionRecord:
    digest = b"%032d" % number
    made = SessionRecord(
        "disc", number, number - 1, number * 100, 50, f"set-{number}", status, AT, index_sha256=digest
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def unread(number: int) -> SessionRecord:
    return a_session(number, SessionStatus.BAD, index_sha256=b"", volume_set="", reason=f"{UNKNOWN}why")


def an_image(*sessions: SessionRecord, disc: DiscRecord = DISC) -> FoundDisc:
    return FoundDisc(disc, tuple(map(FoundSession, sessions)), ())


def merged(known: Known, *images: FoundDisc) -> Known:
    disc, sessions = known
    for image in images:
        result = merge(disc, list(sessions.values()), image)
        disc = result.disc
        sessions = {**sessions, **{each.record.number: each.record for each in result.sessions}}
    return disc, dict(sorted(sessions.items()))


@st.composite
def images(draw: st.DrawFn) -> list[FoundDisc]:
    """Images of one disc as it grew: each later one tells of the sessions before; some cannot be read."""
    bad = draw(st.sets(st.integers(1, 3)))
    found = []
    for size in draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)):
        spoilt = draw(st.sets(st.integers(1, 4), max_size=1))
        sessions = []
        for number in range(1, size + 1):
            told = number < size and number + 1 not in spoilt
            status = SessionStatus.BAD if told and number in bad else SessionStatus.CLAIMED
            outcome = {"block_map": b"map", "reason": "said" if status is SessionStatus.BAD else ""}
            session = a_session(number, status, **(outcome if told else {}))
            sessions.append(unread(number) if number in spoilt else session)
        found.append(an_image(*sessions))
    return found


@given(found=images())
def test_images_of_a_disc_may_come_in_any_order_and_again(found: list[FoundDisc]) -> None:
    outcomes = [merged((None, {}), *order) for order in itertools.islice(itertools.permutations(found), 24)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert merged(outcomes[0], *found) == outcomes[0]


@pytest.mark.parametrize("status", [each for each in SessionStatus if each is not SessionStatus.CLAIMED])
@pytest.mark.parametrize("found", [a_session(1), a_session(1, SessionStatus.BAD, reason="said"), unread(1)])
def test_what_was_judged_here_stands_whatever_a_disc_says(
    status: SessionStatus, found: SessionRecord
) -> None:
    ours = a_session(1, status, reason="ours", block_map=b"ours")
    result = merge(DISC, [ours], an_image(found))
    assert (result.disc, result.sessions, result.known) == (DISC, (), (1,))


def test_another_session_of_a_known_number_is_left_out_and_named() -> None:
    ours = a_session(1, SessionStatus.VERIFIED)
    for other in (a_session(1, index_sha256=b"x" * 32), a_session(1, start=7)):
        result = merge(DISC, [ours], an_image(other, a_session(2)))
        assert [each.record.number for each in result.sessions] == [2]
        assert result.wrong == ("CC_1 session 1: the catalog knows another of this number, and keeps it",)


def test_a_bad_session_keeps_its_disc_from_more_until_another_image_has_it() -> None:
    spoilt = merge(None, (), an_image(a_session(1), unread(2)))
    assert (spoilt.disc.accepts_sessions, spoilt.disc.reason) == (False, BAD_SESSION)
    known = [each.record for each in spoilt.sessions]
    whole = merge(spoilt.disc, known, an_image(a_session(1), a_session(2)))
    assert [each.record for each in whole.sessions] == [a_session(2)]
    assert whole.disc == DISC


def test_a_disc_that_its_drive_calls_closed_takes_no_more_and_other_reasons_stand() -> None:
    closed = replace(DISC, accepts_sessions=False, reason=CLOSED)
    assert merge(DISC, [a_session(1)], an_image(a_session(1), disc=closed)).disc == closed
    sealed = replace(DISC, accepts_sessions=False, reason="it is sealed")
    assert merge(sealed, [a_session(1)], an_image(a_session(1), disc=closed)).disc == sealed
    assert merge(sealed, [a_session(1)], an_image(a_session(1), a_session(2))).disc == sealed


def volume(number: int, of: int, status: SessionStatus = SessionStatus.CLAIMED) -> SessionRecord:
    day = DayContent("2026/11/22", b"d" * 32, 1, 1, partial=True)
    return a_session(number, status, volume_set="set", volume=number, volumes=of, days=(day,))


def missing(
    sessions: Sequence[SessionRecord], others: dict[str, dict[int, OtherVolume]] | None = None
) -> tuple[MissingVolume, ...]:
    return missing_volumes(sessions, others or {})


def test_volumes_that_are_not_there_are_named_as_far_as_any_other_tells() -> None:
    assert missing([volume(1, 1)]) == missing([volume(1, 2), volume(2, 2)]) == ()
    day = ("2026/11/22",)
    assert missing([volume(2, 3)], {"set": {1: OtherVolume(1, "CC_9", ("2026/11/21",))}}) == (
        MissingVolume(1, 3, "CC_9", ("2026/11/21",)),
        MissingVolume(3, 3, "", day),
    )
    assert missing([volume(1, 2), volume(2, 2, status=SessionStatus.ABANDONED)]) == (
        MissingVolume(2, 2, "", day),
    )


def test_a_volume_that_was_planned_for_days_of_its_own_is_missing_only_while_they_are() -> None:
    def whole(day: str) -> SessionRecord:
        return a_session(1, days=(DayContent(day, b"d" * 32, 1, 1),))

    first = replace(whole("2026/11/22"), volume_set="set", volume=1, volumes=2)
    planned = {"set": {2: OtherVolume(2, "", ("2026/11/23",))}}
    assert missing([first], planned) == (MissingVolume(2, 2, "", ("2026/11/23",)),)
    assert missing([first, whole("2026/11/23")], planned) == missing([first]) == ()


def test_sessions_that_a_day_rests_on_are_missing_until_they_are_there() -> None:
    day = DayContent("2026/11/22", b"d" * 32, 1, 1, partial=True, rests_on=("other 2",))
    resting = a_session(1, days=(day,))
    assert missing([resting]) == (MissingVolume(2, 0, "", ("2026/11/22",)),)
    assert missing([resting, a_session(2, volume_set="other", volume=2)]) == ()


# Sessions without an index


def bare(status: SessionStatus = SessionStatus.CLAIMED, **changes: object) -> SessionRecord:
    known = {"index_sha256": b"", "tool": CEDAR_BACKUP, "block_map": b"map", **changes}
    return a_session(1, status, **known)


def test_what_could_not_be_read_gives_way_to_what_could() -> None:
    unread_at_first = bare(SessionStatus.BAD, reason=f"{UNKNOWN}why", block_map=b"")
    known = merged((None, {}), an_image(unread_at_first), an_image(bare()))
    assert known[1] == {1: bare()}
    assert known[0] == DISC


@pytest.mark.parametrize("status", [SessionStatus.VERIFIED, SessionStatus.CLAIMED])
def test_what_was_read_stays_when_another_drive_reads_less(status: SessionStatus) -> None:
    worse = bare(SessionStatus.BAD, reason=f"{UNKNOWN}why", block_map=b"")
    assert merged((DISC, {1: bare(status)}), an_image(worse))[1] == {1: bare(status)}


def test_a_session_that_differs_from_its_first_reading_does_not_replace_it() -> None:
    result = merge(DISC, [bare()], an_image(bare(block_map=b"other")))
    assert (result.sessions, len(result.wrong)) == ((), 1)


def test_what_a_verify_found_bad_is_not_made_good_by_entering_it_again() -> None:
    bad = bare(SessionStatus.BAD, reason="different: /x")
    assert merged((DISC, {1: bad}), an_image(bare()))[1] == {1: bad}
