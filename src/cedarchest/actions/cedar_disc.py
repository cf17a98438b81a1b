"""Discs that Cedar Backup began: entered as they are, since nothing on them says what they hold.

Each session is read as a whole: its tree tells paths and days, its data the digests. Nothing was compared
with anything, so all of it is *claimed*; a later reading is compared with this one. What could not be read is
known by name, and its session is bad until a drive reads all of it. Sessions of ours on top of Cedar's are
read as any of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from cedarchest.errors import DamagedDisc, ForeignDisc
from cedarchest.model.claims import DiscClaim
from cedarchest.model.days import format_day, parse_day
from cedarchest.model.disc import (
    CEDAR_BACKUP,
    DayContent,
    Observation,
    SessionRecord,
    SessionStatus,
    StoredEntry,
    TocEntry,
)
from cedarchest.model.findings import Finding
from cedarchest.model.image.identity import cedar_identity
from cedarchest.model.image.volume import DESCRIPTORS, Read
from cedarchest.model.media import BLOCK
from cedarchest.model.names import first_few
from cedarchest.model.survey import Survey, made_at, survey_session
from cedarchest.model.sweep import CHUNK
from cedarchest.ports import Ports, Writer

GROWS_OVER = "Cedar Backup began it on a medium that is written over: a further session would hide its first"
"""Why such a disc takes no more sessions of ours."""

MOST_BLOCKS = 1 << 32
"""ISO 9660 knows no address beyond."""

_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def who_is_cedars(writer: Writer, seen: Observation) -> DiscClaim:
    """Who a disc is that Cedar Backup began; copy, medium and capacity are as the drive says.

    Raises:
        ForeignDisc: it is none.
    """
    identity = cedar_identity(writer.read, seen.sessions)
    if identity is None:
        raise ForeignDisc(f"{seen.device} holds no disc of Cedar Backup")
    begun = seen.sessions[0].start
    reason = GROWS_OVER if writer.loads_itself or seen.traits.overwritable else ""
    created_at = made_at(writer.read, begun) or _UNKNOWN_TIME
    return DiscClaim(identity.disc_id, identity.label, 1, created_at, reason=reason)


def data_end(seen: Observation, entry: TocEntry) -> int:
    """The block that the data of a session may reach: those of the newest one to where the next would start.

    On media that are written over the table of contents may know less of a disc than is on it.
    """
    newest = entry is seen.sessions[-1]
    return max(entry.end, seen.next_address) if newest else entry.end


def survey(
    writer: Writer,
    seen: Observation,
    entry: TocEntry,
    before: Mapping[bytes, StoredEntry],
    label: str,
    ports: Ports,
) -> Survey:
    """Read a session of the loaded disc as it is.

    Raises:
        ToolError: the drive went away.
    """

    def begin(blocks: int) -> None:
        ports.reporter.phase(f"reading {label} session {entry.number}", blocks * BLOCK)

    def progress(blocks: int) -> None:
        ports.interrupts.check()
        ports.reporter.advance(blocks * BLOCK)

    end = data_end(seen, entry)
    return survey_session(writer.read, entry, before, end=end, begin=begin, progress=progress)


def as_record(claim: DiscClaim, entry: TocEntry, found: Survey, base: int, writer: Writer) -> SessionRecord:
    """A session that was read, as a record: claimed, or bad where not all of it could be read."""
    return SessionRecord(
        disc_id=claim.disc_id,
        number=entry.number,
        base=base if found.on_top else 0,
        start=entry.start,
        blocks=found.blocks,
        volume_set=f"{claim.disc_id}-{entry.number}",
        status=SessionStatus.BAD if found.findings else SessionStatus.CLAIMED,
        created_at=found.created_at or claim.created_at,
        days=days_in(found.held),
        tool=CEDAR_BACKUP,
        drive="" if writer.loads_itself else writer.device,  # an image is of no drive: a burner wrote it
        reason=str(found.findings[0]) if found.findings else "",
        block_map=b"" if found.findings else found.block_map,
    )


def days_in(entries: Iterable[StoredEntry]) -> tuple[DayContent, ...]:
    """What of days some entries are: no index says what all of a day is, so they count entry by entry."""
    counts: dict[str, tuple[int, int]] = {}
    for entry in entries:
        day = entry.path[:10].decode("ascii", "replace")
        if entry.path[10:11] == b"/" and (day in counts or _is_day(day)):
            count, size = counts.get(day, (0, 0))
            counts[day] = (count + 1, size + entry.size)
    return tuple(
        DayContent(day, b"", count, size, partial=True) for day, (count, size) in sorted(counts.items())
    )


def _is_day(text: str) -> bool:
    try:
        return format_day(parse_day(text)) == text
    except ValueError:
        return False


def what_is_wrong(name: str, findings: tuple[Finding, ...]) -> str:
    """What of a session is not known, for a message."""
    return f"{name}: not all of it could be read: {first_few(findings)}"


def hidden_sessions(read: Read, label: str, end: int) -> list[str]:
    """What to say of further sessions behind the last one that an image shows.

    An image of a CD, or of a DVD that is written once, has them all: but only a drive tells where they begin.
    """
    found = []
    for first in range(end, MOST_BLOCKS, CHUNK):
        try:
            data = read(first, CHUNK)
        except DamagedDisc:
            continue
        for at in range(0, len(data), BLOCK):
            start = first + at // BLOCK - DESCRIPTORS
            if data[at : at + 7] == b"\1CD001\1" and start >= end:
                found.append(start)
        if len(data) < CHUNK * BLOCK:
            break
    if not found:
        return []
    said = f"{label}: its image holds further sessions (at block {first_few(found, ', ')})"
    return [f"{said} that only a drive shows: enter the disc itself, in a drive"]
