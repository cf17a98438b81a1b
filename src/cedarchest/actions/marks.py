"""`cback.store` says of a staged day what the catalog proves; it follows whatever happens to the discs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cedarchest.actions.facts import is_claimed, is_covered, is_on_a_disc, is_stored, is_whole, newest_written
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError
from cedarchest.model.disc import SAID, SessionRecord, SessionStatus
from cedarchest.model.holdable import unholdable
from cedarchest.model.names import first_few
from cedarchest.ports import DayIndex, Ports, StagedDay


def is_proven(config: Config, day: DayIndex, ports: Ports) -> bool:
    """Whether the catalog proves that a day as it is staged now is on enough discs."""
    copies = config.require_store().copies
    if day.digest and is_stored(ports.catalog, day.day, day.digest, copies):
        return True
    return is_covered(ports.catalog, day, copies, not_held(day))


def not_held(day: DayIndex) -> list[bytes]:
    """The paths of a day that no disc can hold: they live in its index."""
    return [entry.path for entry in day.entries if unholdable(entry)]


def awaits_check(day: DayIndex, ports: Ports) -> bool:
    """Whether a day stands on a disc, or is said to, as it is staged now, and only has to be read back."""
    unread = (SessionStatus.BURNT, SessionStatus.CLAIMED)
    return bool(day.digest) and any(
        session.status in unread and content.index_digest == day.digest
        for session, content in ports.catalog.contents(day.day)
    )


def follow_proof(config: Config, days: Iterable[str], ports: Ports, *, trust_marks: bool = False) -> None:
    """Mark the staged ones of these days that are proven now, and take the mark from the others.

    With `trust_marks` a day that is marked is not looked at.
    """
    for day in _staged(config, days, ports) or ():
        if day.marked_stored and trust_marks:
            continue
        proven = _is_proven_as_staged(config, day, ports)
        if proven and not day.marked_stored:
            ports.staging.mark_stored(day.directory)
        elif not proven and day.marked_stored:
            ports.staging.unmark_stored(day.directory)
            ports.reporter.warn(f"{day.day} is no longer proven to be on disc; it is due again")


def follow_claims(config: Config, session: SessionRecord, ports: Ports) -> None:
    """As `follow_proof`, for days of a session whose claim was just found true.

    Of some the rest is still to be read: those keep the mark that they have. So do those on discs of Cedar
    Backup, which itself marked them: what it leaves out of a disc would have them written once more.
    """
    found = [content.day for content in session.days]
    claimed = {day for day in found if session.has_no_index or is_claimed(ports.catalog, day)}
    follow_proof(config, claimed, ports, trust_marks=True)
    follow_proof(config, [day for day in found if day not in claimed], ports)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where days stand that a disc failed: proven elsewhere, due again, or neither."""

    kept: tuple[str, ...]
    due: tuple[str, ...]
    lost: tuple[str, ...]


def standing(config: Config, digests: Mapping[str, bytes], ports: Ports) -> Standing:
    """Where days stand now, each given with the index digest of what was written of it last."""
    found = _staged(config, digests, ports)
    staged = {day.day: day for day in found or ()}
    kept: list[str] = []
    due: list[str] = []
    lost: list[str] = []
    for day, digest in sorted(digests.items()):
        if day in staged:
            (kept if _is_proven_as_staged(config, staged[day], ports) else due).append(day)
        elif is_whole(ports.catalog, day, digest):
            kept.append(day)
        elif found is not None:  # where staging cannot be read nothing is said to be lost
            lost.append(day)
    return Standing(tuple(kept), tuple(due), tuple(lost))


def last_digests(days: Iterable[str], ports: Ports) -> dict[str, bytes]:
    """Days of which something was written, with the index digest of what was written last."""
    found = {day: newest_written(ports.catalog.contents(day)) for day in days}
    return {day: newest[1].index_digest for day, newest in found.items() if newest is not None}


def warn_of_unproven_marks(days: Iterable[StagedDay], ports: Ports) -> None:
    """Say which marks are believed without any proof: another program's, or of a catalog that was lost."""
    unproven = [day.day for day in days if day.marked_stored and not is_on_a_disc(ports.catalog, day.day)]
    claimed = [day for day in unproven if is_claimed(ports.catalog, day)]
    if claimed:
        ports.reporter.warn(
            f"marked stored, and on discs that only claim to hold it: {first_few(claimed, ', ')};"
            " `cedarchest verify` reads those discs"
        )
    if unknown := [day for day in unproven if day not in claimed]:
        ports.reporter.warn(
            f"marked stored, but on no disc that this catalog knows: {first_few(unknown, ', ')};"
            " if no other program has them on disc, remove their cback.store, and they are stored"
        )


def follow_failures(config: Config, ports: Ports) -> None:
    """As `follow_proof`, for marked days of which something failed or was given up since it was proven.

    Whoever found that out took their marks, unless it was killed before, or the staging folder was not there.
    """
    if config.stage is None:
        return  # what is stored is named by whoever stores it
    marked = (day.day for day in ports.staging.days(config.stage.dir) if day.marked_stored)
    follow_proof(config, [day for day in marked if _has_failed(day, ports)], ports)


def _has_failed(day: str, ports: Ports) -> bool:
    """Whether a session of a day was found bad here, or counted once and is on a disc that was given up."""
    counting = {(session.disc_id, session.number): session for session, _ in ports.catalog.contents(day)}
    counted = (SessionStatus.VERIFIED, SessionStatus.CLAIMED)
    return any(
        session.status is SessionStatus.BAD and not session.reason.startswith(SAID)
        for session in counting.values()
    ) or any(
        session.status in counted and (session.disc_id, session.number) not in counting
        for session, _ in ports.catalog.contents(day, everywhere=True)
    )


def take_back(config: Config, days: Iterable[str], ports: Ports) -> None:
    """Take the marks away before something happens to the proof; `follow_proof` then decides anew."""
    for day in _staged(config, days, ports) or ():
        if day.marked_stored:
            ports.staging.unmark_stored(day.directory)


def due_days(config: Config, days: Iterable[str], ports: Ports) -> list[str]:
    """Those of the days that are staged and not marked stored."""
    return [day.day for day in _staged(config, days, ports) or () if not day.marked_stored]


def _is_proven_as_staged(config: Config, day: StagedDay, ports: Ports) -> bool:
    """Whether all that is staged of a day now is proven: a supplement that no disc has keeps it due."""
    try:
        return is_proven(config, ports.staging.look(day.directory, day.day), ports)
    except CedarchestError as error:
        ports.reporter.warn(error.message)
        return False


def _staged(config: Config, days: Iterable[str], ports: Ports) -> list[StagedDay] | None:
    """Those of the days that are staged; None, with a warning, when that cannot be known."""
    wanted = set(days)
    if config.stage is None or not wanted:
        return []
    try:
        found = ports.staging.days(config.stage.dir)
    except CedarchestError as error:
        ports.reporter.warn(error.message)
        return None
    return [day for day in found if day.staged and day.day in wanted]
