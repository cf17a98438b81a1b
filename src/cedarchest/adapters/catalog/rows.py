"""Rows of the catalog's tables and the records that they stand for, each way.

What was added to a table later is NULL in rows from before; records have the value that it had in effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row

from cedarchest.model.disc import (
    BlockRange,
    CheckKind,
    CheckRecord,
    DayContent,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    Speed,
    StoredEntry,
)
from cedarchest.model.media import Medium
from cedarchest.model.names import from_text, to_text
from cedarchest.model.turns import Turns

_NANO = 1_000_000_000

_ROWS_AT_ONCE = 100
"""Rows of a statement; with nine values each that is less than any SQLite takes."""


class Insertion:
    """Many rows for a table, past all that looks at each, a hundred to a statement, which has its price."""

    def __init__(self, table: str, *columns: str, otherwise: str = "") -> None:
        row = f"({', '.join('?' * len(columns))})"
        self._into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {row}"  # noqa: S608 - names of ours
        self._more = f", {row}" * (_ROWS_AT_ONCE - 1)
        self._otherwise = f" {otherwise}"

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert them in their order."""
        whole = len(rows) - len(rows) % _ROWS_AT_ONCE
        if many := [
            tuple(chain.from_iterable(rows[first : first + _ROWS_AT_ONCE]))
            for first in range(0, whole, _ROWS_AT_ONCE)
        ]:
            connection.exec_driver_sql(self._into + self._more + self._otherwise, many)
        if few := list(rows[whole:]):
            connection.exec_driver_sql(self._into + self._otherwise, few)


INSERT_ENTRIES = Insertion(
    "entries", "session_id", "path", "kind", "size", "mtime_s", "mtime_ns", "sha256", "start", "traits"
)


def disc_values(disc: DiscRecord) -> dict[str, object]:
    """What a disc's row holds besides its id."""
    return {
        "label": disc.label,
        "medium": disc.medium.value,
        "capacity": disc.capacity,
        "created_at": disc.created_at,
        "copy": disc.copy,
        "accepts_sessions": disc.accepts_sessions,
        "given_up": disc.given_up,
        "reason": disc.reason,
    }


def disc_of(row: Row[*tuple[Any, ...]]) -> DiscRecord:
    """A disc, of a row as the table has it."""
    return DiscRecord(
        disc_id=row.disc_id,
        label=row.label,
        medium=Medium(row.medium),
        capacity=row.capacity,
        created_at=row.created_at,
        copy=row.copy,
        accepts_sessions=row.accepts_sessions,
        given_up=row.given_up,
        reason=row.reason or "",
    )


def session_values(session: SessionRecord) -> dict[str, object]:
    """What a session's row holds besides its disc and number."""
    return {
        "base": session.base,
        "start": session.start,
        "blocks": session.blocks,
        "volume_set": session.volume_set,
        "status": session.status.value,
        "created_at": session.created_at,
        "index_sha256": session.index_sha256,
        "sums_sha256": session.sums_sha256,
        "tool": session.tool,
        "drive": session.drive,
        "reason": session.reason,
        "block_map": session.block_map,
        "drive_model": session.drive_model,
        "volume": session.volume,
        "volumes": session.volumes,
        "medium_id": session.medium_id,
        "speed_asked": session.speed_asked,
        "speed_used": session.speed_used,
    }


def session_of(row: Row[*tuple[Any, ...]], days: Iterable[Row[*tuple[Any, ...]]]) -> SessionRecord:
    """A session, and the days it holds in their order."""
    return SessionRecord(
        disc_id=row.disc_id,
        number=row.number,
        base=row.base,
        start=row.start,
        blocks=row.blocks,
        volume_set=row.volume_set,
        status=SessionStatus(row.status),
        created_at=row.created_at,
        days=tuple(_day_of(day) for day in days),
        index_sha256=row.index_sha256,
        sums_sha256=row.sums_sha256,
        tool=row.tool,
        drive=row.drive,
        reason=row.reason,
        block_map=row.block_map,
        drive_model=row.drive_model or "",
        volume=row.volume or 1,
        volumes=row.volumes or 1,
        medium_id=row.medium_id or "",
        speed_asked=row.speed_asked or "",
        speed_used=row.speed_used or 0,
    )


def day_values(key: int, position: int, content: DayContent) -> dict[str, object]:
    """The row of what a session holds of a day."""
    return {
        "session_id": key,
        "position": position,
        "day": content.day,
        "index_digest": content.index_digest,
        "entries": content.entries,
        "data_bytes": content.data_bytes,
        "partial": content.partial,
        "pieces": content.pieces,
        "rests_on": content.rests_on,
    }


def _day_of(row: Row[*tuple[Any, ...]]) -> DayContent:
    """What a session holds of a day."""
    return DayContent(
        day=row.day,
        index_digest=row.index_digest,
        entries=row.entries,
        data_bytes=row.data_bytes,
        partial=row.partial,
        pieces=row.pieces or 1,
        rests_on=row.rests_on or (),
    )


def check_values(check: CheckRecord) -> dict[str, object]:
    """What a check's row holds besides its session."""
    return {
        "kind": check.kind.value,
        "at": check.at,
        "passed": check.passed,
        "drive": check.drive,
        "tool": check.tool,
        "blocks": check.blocks,
        "seconds": check.seconds,
        "findings": check.findings,
        "drive_model": check.drive_model,
        "whole": check.whole,
        "speeds": check.speeds,
        "slow": check.slow,
        "retries": check.retries,
        "damaged": check.damaged,
    }


def check_of(row: Row[*tuple[Any, ...]]) -> CheckRecord:
    """A check, of a row with its session's disc and number."""
    return CheckRecord(
        disc_id=row.disc_id,
        session=row.number,
        kind=CheckKind(row.kind),
        at=row.at,
        passed=row.passed,
        drive=row.drive,
        tool=row.tool,
        blocks=row.blocks,
        seconds=row.seconds,
        findings=row.findings,
        drive_model=row.drive_model or "",
        whole=row.whole is not False,
        speeds=tuple(Speed(*each) for each in row.speeds or ()),
        slow=tuple(Speed(*each) for each in row.slow or ()),
        retries=row.retries or 0,
        damaged=tuple(BlockRange(*each) for each in row.damaged or ()),
    )


def turns_values(turns: Turns) -> dict[str, object]:
    """What the row of a session's turns holds besides the session."""
    return {
        "last": turns.last,
        "times": tuple(time.astimezone(UTC).isoformat() for time in turns.times),
        "to_read": tuple(sorted(turns.left)),
    }


def turns_of(row: Row[*tuple[Any, ...]]) -> Turns:
    """What audits have read of a session.

    Raises:
        ValueError: the row makes no sense.
    """
    times = tuple(datetime.fromisoformat(time) for time in row.times)
    if max(row.last, default=0) > len(times) or max(row.to_read, default=-1) >= len(row.last):
        raise ValueError("turns that have no time, or are of no MiB")
    return Turns(row.last, times, frozenset(row.to_read))


def entry_values(key: int, entry: StoredEntry) -> tuple[int, str, str, int, int, int, bytes, int, bytes]:
    """The row of an entry of a session, in the order of `INSERT_ENTRIES`."""
    path, kind, size, mtime_ns, sha256, start, traits = entry
    # `str`: the driver is slow with subclasses of it, and an enum is one.
    return (key, to_text(path), str(kind), size, mtime_ns // _NANO, mtime_ns % _NANO, sha256, start, traits)


def entry_of(row: Sequence[Any]) -> StoredEntry:
    """An entry, of a row as the table has it."""
    _, path, kind, size, mtime_s, mtime_ns, sha256, start, traits = row
    return StoredEntry(from_text(path), kind, size, mtime_s * _NANO + mtime_ns, sha256, start, traits or b"")
