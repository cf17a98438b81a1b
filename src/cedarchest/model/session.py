"""What of us stands on a disc: `/CEDARCHEST` and what each session adds to it.

`disc.json` is fixed by the first session. Each session brings `sessions/NNN/` with `session.json`,
`INDEX.jsonl.gz`, `SHA256SUMS`, and `earlier/NNN.json`: outcome and block map of sessions before it, so
that all discs together can tell what the catalog knew. `README.txt` and `restore.sh` may be renewed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from cedarchest.model.disc import DayContent, DiscIdentity, DiscRecord, SessionRecord
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import MIB
from cedarchest.model.names import is_label, sums_line, to_text
from cedarchest.model.parts import Part

HOME = "CEDARCHEST"
DISC_FILE = f"{HOME}/disc.json"
DISC_FORMAT = "cedarchest-disc"
SESSION_FORMAT = "cedarchest-session"
OUTCOME_FORMAT = "cedarchest-outcome"
VERSION = 1
REGENERATED = (f"{HOME}/README.txt", f"{HOME}/restore.sh")
"""Files a later session may renew; `SHA256SUMS` leaves them out so that it holds for ever."""

INDEX_NAME = "INDEX.jsonl.gz"
SUMS_NAME = "SHA256SUMS"
DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class VolumePlace:
    """The place of a session in a set of volumes; `others` says of each other one what it holds."""

    volume_set: str
    volume: int = 1
    volumes: int = 1
    others: tuple[Mapping[str, object], ...] = ()


def session_folder(number: int) -> str:
    """Where a session's own files stand, from the disc's root."""
    return f"{HOME}/sessions/{number:03d}"


def disc_json(disc: DiscRecord) -> bytes:
    """The content of `disc.json`."""
    return _json(
        {
            "format": DISC_FORMAT,
            "version": VERSION,
            "disc_id": disc.disc_id,
            "label": disc.label,
            "copy": disc.copy,
            "created": disc.created_at.isoformat(timespec="seconds"),
            "medium": disc.medium.value,
            "capacity_blocks": disc.capacity,
            **({} if disc.accepts_sessions else {"takes_no_more": disc.reason}),
        }
    )


def parse_disc_json(raw: bytes) -> DiscIdentity | None:
    """The identity in `disc.json`; None when it is none of ours.

    The content is foreign data until read back and compared: nothing in it is believed but who it says it is.
    """
    try:
        value = json.loads(raw)
        if value["format"] != DISC_FORMAT or not is_label(value["label"]):
            return None
        return DiscIdentity(str(value["disc_id"]), value["label"], int(value["copy"]))
    except (ValueError, KeyError, TypeError):
        return None


def session_json(
    disc: DiscRecord,
    session: SessionRecord,
    *,
    joliet_missing: Sequence[bytes],
    joliet_renamed: Sequence[tuple[bytes, str]],
    left_out: Sequence[str],
    replaces: Sequence[bytes],
    cut: Sequence[Part] = (),
    others: Sequence[Mapping[str, object]] = (),
) -> bytes:
    """The content of `session.json`: what the session is and what it could not hold.

    `cut` are the parts of files that it holds, `others` says what stands on the other volumes of its set.
    """
    return _json(
        {
            "format": SESSION_FORMAT,
            "version": VERSION,
            "disc_id": disc.disc_id,
            "label": disc.label,
            "session": session.number,
            "on_top_of": session.base,
            "created": session.created_at.isoformat(timespec="seconds"),
            "volume_set": session.volume_set,
            "volume": session.volume,
            "volumes": session.volumes,
            "other_volumes": list(others),
            "days": [_day(day) for day in session.days],
            "tool": session.tool,
            "drive": session.drive_model,
            "medium": session.medium_id,
            "speed": session.speed_asked,
            "joliet": {
                "missing": [to_text(path) for path in joliet_missing],
                "renamed": {to_text(path): name for path, name in joliet_renamed},
            },
            "left_out": list(left_out),
            "replaces": [to_text(path) for path in replaces],
            "in_parts": _in_parts(cut),
        }
    )


def _in_parts(cut: Sequence[Part]) -> dict[str, object]:
    """The files that a session holds parts of, by path: what they are as a whole, and what is here."""
    here: dict[bytes, list[Part]] = {}
    for part in cut:
        here.setdefault(part.whole.path, []).append(part)
    return {
        to_text(path): {
            "bytes": parts[0].whole.size,
            "sha256": parts[0].whole.sha256.hex(),
            "parts": parts[0].count,
            "here": [to_text(part.entry.path) for part in parts],
        }
        for path, parts in here.items()
    }


def _day(day: DayContent) -> dict[str, object]:
    return {
        "day": day.day,
        "index_sha256": day.index_digest.hex(),
        "entries": day.entries,
        "bytes": day.data_bytes,
        "partial": day.partial,
        "pieces": day.pieces,
        "rests_on": list(day.rests_on),
    }


def outcome_json(session: SessionRecord) -> bytes:
    """What came of an earlier session, with its block map."""
    chunks = range(0, len(session.block_map), DIGEST_SIZE)
    return _json(
        {
            "format": OUTCOME_FORMAT,
            "version": VERSION,
            "session": session.number,
            "status": session.status.value,
            "reason": session.reason,
            "first_block": session.start,
            "blocks": session.blocks,
            "speed_kb_s": session.speed_used,
            "bytes_per_digest": MIB,
            "sha256": [session.block_map[at : at + DIGEST_SIZE].hex() for at in chunks],
        }
    )


def _json(value: dict[str, object]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def readme() -> dict[str, bytes]:
    """The files that say how to read a disc without this program, by path on the disc."""
    folder = resources.files("cedarchest") / "on_disc"
    return {name: (folder / name.rpartition("/")[2]).read_bytes() for name in REGENERATED}


def session_sums(entries: Iterable[Entry]) -> Iterable[bytes]:
    """Lines of a session's `SHA256SUMS`, relative to the disc's root."""
    renewed = {name.encode() for name in REGENERATED}
    for entry in entries:
        if entry.kind is Kind.FILE and entry.path not in renewed:
            yield sums_line(entry.sha256, entry.path)
