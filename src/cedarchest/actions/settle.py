"""Open intents: what an earlier run began and did not see the end of, settled from the disc itself."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace

from cedarchest.actions.loading import is_written_here, lost_advice, not_there
from cedarchest.actions.prove import conclude, read_session, same_disc
from cedarchest.actions.selfcheck import is_another
from cedarchest.actions.writers import labels_in
from cedarchest.config.model import Config
from cedarchest.errors import CatalogError, DamagedDisc, MediaError, NoMedium, VerifyError, WrongDisc
from cedarchest.model.disc import (
    CLOSED_BADLY,
    CheckKind,
    DiscRecord,
    DiscState,
    Observation,
    SessionRecord,
    SessionStatus,
)
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)


def settle(config: Config, writers: Sequence[Writer], ports: Ports) -> tuple[SessionRecord, ...]:
    """Settle every open session that can be asked for in these drives; what is proven now is returned.

    A session that is on the disc is checked and recorded, never burnt again; one that is not there is
    recorded as abandoned, and its days are due.

    Raises:
        NoMedium, WrongDisc: the disc that has to be asked is not there; says which to insert.
    """
    proven = []
    for session in ports.catalog.open_sessions():
        disc = _disc_of(session, ports)
        writer = _to_ask(session, disc, writers)
        if writer is None:
            continue
        try:
            settled = settle_session(config, writer, disc, session, ports)
        except (VerifyError, DamagedDisc) as error:
            if not _is_bad_now(session, ports):
                raise  # the disc could not even be looked at
            ports.reporter.warn(f"{error.message} (written by an earlier run; its days are due again)")
            continue
        if settled is not None:
            proven.append(settled)
    return tuple(proven)


def _to_ask(session: SessionRecord, disc: DiscRecord, writers: Sequence[Writer]) -> Writer | None:
    """The drive that holds the disc of a session, else the one that wrote it, else any that could have it."""
    able = [each for each in writers if is_written_here(session.drive, disc.label, each)]
    if len(able) <= 1:
        return next(iter(able), None)
    holding = (each for each in able if disc.label in labels_in(each))
    wrote = (each for each in able if each.device == session.drive)
    return next(itertools.chain(holding, wrote, able))


def _is_bad_now(session: SessionRecord, ports: Ports) -> bool:
    return any(
        each.number == session.number and each.status is SessionStatus.BAD
        for each in ports.catalog.sessions(session.disc_id)
    )


def _disc_of(session: SessionRecord, ports: Ports) -> DiscRecord:
    for disc in ports.catalog.discs():
        if disc.disc_id == session.disc_id:
            return disc
    raise CatalogError(f"the catalog has a session of a disc it does not know ({session.disc_id})")


def settle_session(
    config: Config, writer: Writer, disc: DiscRecord, session: SessionRecord, ports: Ports
) -> SessionRecord | None:
    """Ask the disc what came of an open session; None when it does not count.

    Raises:
        NoMedium, WrongDisc: the disc that has to be asked is not there; says which to insert.
        VerifyError, DamagedDisc: the session is there and bad, and is recorded so.
    """
    ports.reporter.note(f"settling {disc.label} session {session.number} of an earlier run")
    seen = _ask(writer, disc, session)
    entry = next((each for each in seen.sessions if each.number == session.number), None) if seen else None
    if seen is None or entry is None or entry.start < session.start:
        # A torn image on a shelf is not touched; the next session begins a disc of its own.
        torn = seen is None and writer.loads_itself
        after = replace(disc, accepts_sessions=False, given_up=True) if seen is None else None
        if seen is not None and _is_unclosed(seen, session):
            after = replace(disc, accepts_sessions=False, reason=CLOSED_BADLY)
            ports.reporter.warn(f"what was begun on {disc.label} cannot be closed: it takes no more sessions")
        _abandon(session, "it never came to be on the disc", ports, after)
        if torn:
            ports.reporter.note(f"{disc.label} never came to be; an image of it on the shelf may be deleted")
        return None
    if is_another(writer, entry, session.index_sha256, session.sums_sha256):
        ports.reporter.warn(
            f"session {session.number} of {disc.label} is not the one that this catalog began:"
            " the catalog is older than the disc"
        )
        # without a place: what stands there is nothing that the catalog knows
        _abandon(replace(session, start=0, blocks=0), "the disc has another one in its place", ports)
        return None
    there = replace(session, status=SessionStatus.BURNT, start=entry.start, blocks=entry.blocks)
    if session.status is SessionStatus.INTENDED and not entry.volume_id:
        _abandon(there, "the burn was cut off", ports)
        return None
    reading = read_session(writer, same_disc(writer, disc, there), there, ports)
    if reading.check.findings and _was_cut_off(session, writer, seen):
        _abandon(there, "the burn was cut off", ports)
        return None
    return conclude(config, writer, disc, there, reading, ports, kind=CheckKind.SETTLE)


def _was_cut_off(session: SessionRecord, writer: Writer, seen: Observation) -> bool:
    """Whether a session that differs says nothing against the disc: its burn did not reach its end.

    On overwritable media and shelves a session shows only once its last block is written.
    """
    sequential = not seen.traits.overwritable and not writer.loads_itself
    return session.status is SessionStatus.INTENDED and sequential


def _abandon(session: SessionRecord, reason: str, ports: Ports, disc: DiscRecord | None = None) -> None:
    """Record that a session does not count, in one step with what that means for its disc."""
    ports.catalog.put_session(replace(session, status=SessionStatus.ABANDONED, reason=reason), disc)
    log.info("session %d of an earlier run: %s; its days are due", session.number, reason)


def _ask(writer: Writer, disc: DiscRecord, session: SessionRecord) -> Observation | None:
    """The disc of an open session; None when no session of it can be there."""
    unwritten = session.status is SessionStatus.INTENDED and session.number == 1
    try:
        seen = writer.load(disc.label) if writer.loads_itself else writer.observe()
    except (NoMedium, DamagedDisc) as error:
        if writer.loads_itself and unwritten:
            return None  # an image that never got its descriptors
        error.advice = f"{error.advice} {lost_advice(disc.label)}"
        raise
    if seen.state is DiscState.BLANK and unwritten:
        return None
    if not writer.loads_itself:
        _refuse_other(writer, seen, disc, session)
    if _is_unclosed(seen, session):
        with contextlib.suppress(MediaError):  # whether it was closed shows now
            writer.close_damaged()
        seen = writer.observe()
    return seen


def _is_unclosed(seen: Observation, session: SessionRecord) -> bool:
    return seen.state is DiscState.DAMAGED or _left_open(seen, session)


def _left_open(seen: Observation, session: SessionRecord) -> bool:
    """Whether a write that failed left a track on which the next session would be continued unseen."""
    if seen.state is not DiscState.APPENDABLE or seen.traits.overwritable:
        return False
    grown = not seen.sessions or seen.next_address > session.start
    return grown and len(seen.sessions) < session.number


def _refuse_other(writer: Writer, seen: Observation, disc: DiscRecord, session: SessionRecord) -> None:
    advice = f"Insert {disc.label} and run the command again. {lost_advice(disc.label)}"
    if seen.state is DiscState.NONE:
        raise not_there(seen, disc.label)
    unseen = session.status is SessionStatus.INTENDED and session.number == 1
    if unseen and len(seen.sessions) <= 1 and not seen.label:
        return  # cut off before the disc got its label
    if not seen.is_of(disc.label):
        raise WrongDisc(
            f"session {session.number} of {disc.label} was written by an earlier run and is not proven;"
            f" {writer.device} holds {seen.label or 'another disc'}",
            advice=advice,
            needed=disc.label,
            found=seen.label,
        )
