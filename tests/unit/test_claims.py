"""What discs say of themselves: what we write is read again, all else is read or refused."""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.claims import parse_disc_claim, parse_outcome_claim, parse_session_claim
from cedarchest.model.disc import DayContent, DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.media import MIB, Medium
from cedarchest.model.session import disc_json, outcome_json, session_json

AT = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
DISC = DiscRecord(str(uuid.UUID(int=1)), "CC_20261122_001", Medium.BD_R, 12_219_392, AT, copy=2)
DAYS = (
    DayContent("2026/11/21", b"a" * 32, 3, 10, partial=True, pieces=2, rests_on=("set-1 2",)),
    DayContent("2026/11/22", b"b" * 32, 4, 2**40),
)
SESSION = SessionRecord(
    DISC.disc_id, 2, 1, 32, 600, "set-2", SessionStatus.BURNT, AT, DAYS, tool="it", drive_model="Model é",
    medium_id="MID", speed_asked="8x", volume=2, volumes=3,
)  # fmt: skip
OTHERS: tuple[dict[str, object], ...] = (
    {"volume": 1, "disc": "CC_20261121_001", "holds": [{"day": "2026/11/21", "from": "/a", "to": "/b"}]},
    {"volume": 3, "disc": None, "holds": []},
)


def a_session_json(session: SessionRecord = SESSION) -> bytes:
    return session_json(
        DISC, session, joliet_missing=(), joliet_renamed=(), left_out=(), replaces=(), others=OTHERS
    )


def test_a_session_is_read_as_it_was_written() -> None:
    claim = parse_session_claim(a_session_json())
    told = {name: getattr(SESSION, name, None) for name in claim.__dataclass_fields__}
    told |= {"label": DISC.label, "others": claim.others, "drive_model": "Model é"}
    assert {name: getattr(claim, name) for name in claim.__dataclass_fields__} == told
    assert [(each.volume, each.label, each.days) for each in claim.others] == [
        (1, "CC_20261121_001", ("2026/11/21",)),
        (3, "", ()),
    ]


def test_a_session_of_before_it_told_pieces_is_read_by_the_other_volumes() -> None:
    value = json.loads(a_session_json())
    for day in value["days"]:
        del day["pieces"], day["rests_on"]
    first, second = parse_session_claim(json.dumps(value).encode()).days
    assert (first.pieces, first.rests_on, second.pieces) == (2, (), 1)


@pytest.mark.parametrize("closed", [False, True])
def test_a_disc_is_read_as_it_was_written(closed: bool) -> None:
    disc = replace(DISC, accepts_sessions=not closed, reason="it is a copy of X" if closed else "")
    claim = parse_disc_claim(disc_json(disc))
    assert (claim.disc_id, claim.label, claim.copy, claim.created_at) == (DISC.disc_id, DISC.label, 2, AT)
    assert (claim.medium, claim.capacity, claim.reason) == (DISC.medium, DISC.capacity, disc.reason)


@pytest.mark.parametrize("blocks", [1, MIB // 2048, MIB // 2048 + 1])
def test_an_outcome_is_read_as_it_was_written_and_a_map_of_another_size_is_left_out(blocks: int) -> None:
    digests = b"d" * 32 * -(-blocks * 2048 // MIB)
    done = replace(SESSION, status=SessionStatus.VERIFIED, blocks=blocks, block_map=digests, speed_used=9)
    claim = parse_outcome_claim(outcome_json(done))
    assert (claim.number, claim.status, claim.start, claim.blocks) == (2, done.status, 32, blocks)
    assert (claim.block_map, claim.speed_used) == (digests, 9)
    assert parse_outcome_claim(outcome_json(replace(done, block_map=digests + b"e" * 32))).block_map == b""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data(), value=values)
def test_whatever_stands_in_a_field_is_read_or_refused(data: st.DataObject, value: object) -> None:
    for raw, parse in (
        (a_session_json(), parse_session_claim),
        (disc_json(DISC), parse_disc_claim),
        (outcome_json(SESSION), parse_outcome_claim),
    ):
        whole = json.loads(raw)
        part = whole
        while True:
            key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
            if not isinstance(part[key], dict | list) or not part[key] or data.draw(st.booleans()):
                part[key] = value
                break
            part = part[key]
        with contextlib.suppress(ValueError):
            parse(json.dumps(whole).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[" * 100_000, b"{}", b"\xff", b'{"format": "cedarchest-session", "version": 2}',
        a_session_json().replace(b"2026-11-22T23:00:00+00:00", b"0001-01-01T00:00:00+14:00"),
        a_session_json().replace(b"2026/11/21", b"2026/../21"),
        a_session_json().replace(b'"on_top_of": 1', b'"on_top_of": 2'),
        a_session_json().replace(b'"volumes": 3', b'"volumes": 3000000000'),
        a_session_json().replace(b'"it"', b'"' + b"x" * 3000 + b'"'),
        a_session_json().replace(b'"it"', b'"\\ud800"'),
        a_session_json().replace(b'"entries": 3', b'"entries": 99999999999999999999'),
    ],
)  # fmt: skip
def test_what_no_session_can_say_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_session_claim(raw)
