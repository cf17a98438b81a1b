"""What a disc says of itself in its JSON files: claims, each checked for its form, none of them believed.

The files are foreign data. Whatever is not as this program writes it, too long, out of range or of another
version is a `ValueError`, never a guess; what an earlier version did not write yet has a default.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cedarchest.model.days import format_day, parse_day
from cedarchest.model.disc import DayContent, SessionStatus
from cedarchest.model.media import BLOCK, MIB, Medium
from cedarchest.model.names import is_label
from cedarchest.model.session import (
    DIGEST_SIZE,
    DISC_FORMAT,
    OUTCOME_FORMAT,
    SESSION_FORMAT,
    VERSION,
)

LONGEST_TEXT = 2000
"""Characters of a text that only tells people something."""

LARGEST = (1 << 63) - 1
MOST_SESSIONS = 1000
MOST_VOLUMES = 10_000
MOST_DAYS = 100_000
LAST_YEAR = 9000
_SET = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAME = re.compile(r"[0-9A-Za-z-]{1,64} [0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class DiscClaim:
    """Who a disc says it is. `medium` and `capacity` are None and 0 where it does not say them."""

    disc_id: str
    label: str
    copy: int
    created_at: datetime
    medium: Medium | None = None
    capacity: int = 0
    reason: str = ""  # why it takes no more sessions since its first one; mostly empty


@dataclass(frozen=True, slots=True)
class OtherVolume:
    """Another volume of a session's set: its number, the days it holds, its disc's label if that is known."""

    volume: int
    label: str
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionClaim:
    """What a session says that it is."""

    disc_id: str
    label: str
    number: int
    base: int
    created_at: datetime
    volume_set: str
    volume: int
    volumes: int
    others: tuple[OtherVolume, ...]
    days: tuple[DayContent, ...]
    tool: str
    drive_model: str
    medium_id: str
    speed_asked: str


@dataclass(frozen=True, slots=True)
class OutcomeClaim:
    """What a later session says that came of an earlier one; `block_map` is empty where it has none."""

    number: int
    status: SessionStatus
    reason: str
    start: int
    blocks: int
    speed_used: int
    block_map: bytes


def parse_disc_claim(raw: bytes) -> DiscClaim:
    """Who `disc.json` says that the disc is.

    Raises:
        ValueError: it is none of ours.
    """
    value = _object(raw, DISC_FORMAT)
    medium = _text(value, "medium", "")
    return DiscClaim(
        str(uuid.UUID(_text(value, "disc_id"))),
        _label(value),
        _number(value, "copy", least=1, most=26),
        _time(value),
        Medium(medium) if medium in set(Medium) else None,
        _number(value, "capacity_blocks", 0),
        _text(value, "takes_no_more", ""),
    )


def parse_session_claim(raw: bytes) -> SessionClaim:
    """What `session.json` says.

    Raises:
        ValueError: it is none of ours.
    """
    value = _object(raw, SESSION_FORMAT)
    number = _number(value, "session", least=1, most=MOST_SESSIONS)
    volumes = _number(value, "volumes", 1, least=1, most=MOST_VOLUMES)
    volume = _number(value, "volume", 1, least=1, most=volumes)
    others = tuple(_other(each, volumes) for each in _list(value, "other_volumes", MOST_VOLUMES))
    days = tuple(_day(each, others) for each in _list(value, "days", MOST_DAYS))
    if len({day.day for day in days}) < len(days):
        raise ValueError("a day stands in it twice")
    return SessionClaim(
        str(uuid.UUID(_text(value, "disc_id"))),
        _label(value),
        number,
        _number(value, "on_top_of", most=number - 1),
        _time(value),
        _matching(_SET, _text(value, "volume_set")),
        volume,
        volumes,
        others,
        days,
        _text(value, "tool", ""),
        _text(value, "drive", ""),
        _text(value, "medium", ""),
        _text(value, "speed", ""),
    )


def parse_outcome_claim(raw: bytes) -> OutcomeClaim:
    """What an `earlier/NNN.json` says; a block map that is not one of its session is left out.

    Raises:
        ValueError: it is none of ours.
    """
    value = _object(raw, OUTCOME_FORMAT)
    blocks = _number(value, "blocks")
    digests = [_digest(each) for each in _list(value, "sha256", LARGEST)]
    fits = _number(value, "bytes_per_digest") == MIB and len(digests) == -(-blocks * BLOCK // MIB)
    return OutcomeClaim(
        _number(value, "session", least=1, most=MOST_SESSIONS),
        SessionStatus(_text(value, "status")),
        _text(value, "reason", ""),
        _number(value, "first_block"),
        blocks,
        _number(value, "speed_kb_s", 0, most=(1 << 31) - 1),
        b"".join(digests) if fits else b"",
    )


def _day(value: object, others: Sequence[OtherVolume]) -> DayContent:
    day = _mapping(value)
    name = _day_name(_text(day, "day"))
    held = 1 + sum(name in other.days for other in others)
    rests_on = tuple(_matching(_NAME, str(each)) for each in _list(day, "rests_on", MOST_VOLUMES))
    if day["partial"] not in (True, False):
        raise ValueError("`partial` is neither true nor false")
    return DayContent(
        name,
        _digest(day["index_sha256"]),
        _number(day, "entries"),
        _number(day, "bytes"),
        partial=bool(day["partial"]),
        pieces=_number(day, "pieces", held, least=1, most=MOST_VOLUMES),
        rests_on=rests_on,
    )


def _other(value: object, volumes: int) -> OtherVolume:
    other = _mapping(value)
    label = other.get("disc")
    held = (_mapping(each) for each in _list(other, "holds", MOST_DAYS))
    return OtherVolume(
        _number(other, "volume", least=1, most=volumes),
        "" if label is None else _label_text(_text(other, "disc")),
        tuple(dict.fromkeys(_day_name(_text(each, "day")) for each in held)),
    )


def _object(raw: bytes, form: str) -> Mapping[str, Any]:
    try:
        value = _mapping(json.loads(raw))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if value.get("format") != form:
        raise ValueError(f"it is no {form}")
    if value.get("version") != VERSION:
        raise ValueError(f"it has version {value.get('version')!r}; this program reads {VERSION}")
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return _Fields(value)
    raise ValueError("something in it should be an object and is not")


class _Fields(dict[str, Any]):
    """An object of JSON in which a field that is missing is an error of ours."""

    def __missing__(self, name: str) -> object:
        raise ValueError(f"it has no `{name}`")


def _list(value: Mapping[str, Any], name: str, most: int) -> Sequence[object]:
    found = value.get(name, [])
    if not isinstance(found, list) or len(found) > most:
        raise ValueError(f"`{name}` is no list, or too long a one")
    return found


def _text(value: Mapping[str, Any], name: str, default: str | None = None) -> str:
    found = value[name] if default is None else value.get(name, default)
    if not isinstance(found, str) or len(found) > LONGEST_TEXT:
        raise ValueError(f"`{name}` is no text, or too long a one")
    found.encode()  # a lone surrogate is none
    return found


def _number(
    value: Mapping[str, Any], name: str, default: int | None = None, *, least: int = 0, most: int = LARGEST
) -> int:
    found = value[name] if default is None else value.get(name, default)
    if type(found) is not int or not least <= found <= most:
        raise ValueError(f"`{name}` is not a number from {least} to {most}")
    return found


def _time(value: Mapping[str, Any]) -> datetime:
    found = datetime.fromisoformat(_text(value, "created"))
    if found.tzinfo is None or not 1970 <= found.year <= LAST_YEAR:
        raise ValueError("`created` has no offset, or an impossible year")
    return found


def _label(value: Mapping[str, Any]) -> str:
    return _label_text(_text(value, "label"))


def _label_text(text: str) -> str:
    if not is_label(text):
        raise ValueError(f"{text[:80]!r} is no label")
    return text


def _day_name(text: str) -> str:
    if format_day(parse_day(text)) != text:
        raise ValueError(f"{text!r} is no day")
    return text


def _digest(value: object) -> bytes:
    digest = bytes.fromhex(value) if isinstance(value, str) else b""
    if len(digest) != DIGEST_SIZE:
        raise ValueError("a digest in it is none")
    return digest


def _matching(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not what should stand there")
    return text
