"""A disc to begin: a blank one, or a rewritable one of ours that may be given up."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from cedarchest.actions.burn import new_disc
from cedarchest.actions.facts import days_on, is_stored
from cedarchest.actions.loading import known_disc, newer_than_catalog, sessions_unknown
from cedarchest.actions.marks import due_days, follow_proof, take_back
from cedarchest.config.model import Config
from cedarchest.errors import ForeignDisc, NoMedium, NotAppendable
from cedarchest.model.days import parse_day
from cedarchest.model.disc import DiscRecord, DiscState, Observation, SessionStatus
from cedarchest.model.names import label_word
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)


def begin_disc(
    config: Config, writer: Writer, ports: Ports, *, copy: int = 1, at_work: Collection[str] = ()
) -> DiscRecord:
    """Have a disc in the drive on which a first session of a copy can be written; erases only what may be.

    `at_work` are the labels of discs that other drives are writing now.

    Raises:
        NotAppendable, ForeignDisc, NoMedium: the disc that is there cannot become it.
    """
    if (disc := refuse_kept(config, writer, ports, at_work=at_work)) is not None:
        ports.reporter.note(f"erasing {disc.label}: nothing on it is needed any more")
        give_up(config, disc, ERASED, ports)
        writer.blank()
    return begin_blank(writer, ports, copy=copy, at_work=at_work)


def begin_blank(writer: Writer, ports: Ports, *, copy: int = 1, at_work: Collection[str] = ()) -> DiscRecord:
    """Have a blank disc in the drive on which a first session of a copy can be written.

    Raises:
        NotAppendable, ForeignDisc, NoMedium: the disc that is there is not blank.
    """
    capacity = writer.observe()
    on_shelf = writer.labels() if writer.loads_itself else ()  # of others, or of a catalog that was lost
    disc = new_disc(capacity, ports, copy, avoid={*on_shelf, *at_work})
    seen = writer.load_blank(disc.label)
    return replace(disc, medium=seen.medium, capacity=seen.capacity)


def refuse_kept(
    config: Config, writer: Writer, ports: Ports, *, at_work: Collection[str] = ()
) -> DiscRecord | None:
    """The disc of ours in a drive that is given up for a new one; None where none has to be. Erases nothing.

    Raises:
        NotAppendable, ForeignDisc, NoMedium: no disc can be begun with what is there.
    """
    if writer.loads_itself:
        return None
    seen = writer.observe()
    if seen.state is DiscState.BLANK:
        return None
    if seen.state is DiscState.NONE:
        raise NoMedium(f"there is no disc in {seen.device}", advice="Insert a blank disc.")
    disc = known_disc(seen, ports)
    if disc is None:
        raise ForeignDisc(
            f"a blank disc is needed; {seen.device} holds one that is not ours ({seen.label or 'no label'})",
            label=seen.label,
        )
    if not seen.traits.rewritable:
        raise NotAppendable(
            f"a new disc is needed; {seen.device} holds {disc.label}, which is written once and has data"
            + (f"; {disc.reason}" if disc.reason else ""),
            advice=f"Insert a blank disc in {seen.device} and run the command again.",
            label=disc.label,
        )
    if kept := reasons_to_keep(config, disc, seen, ports, at_work=at_work):
        raise NotAppendable(
            f"a new disc is needed; {disc.label} may not be erased: {kept[0]}",
            advice=f"Insert a blank disc in {seen.device} and run the command again.",
            label=disc.label,
            reasons=kept,
        )
    return disc


ERASED = "its disc was erased"
LOST = "its disc was given up as lost"


def give_up(config: Config, disc: DiscRecord, reason: str, ports: Ports) -> None:
    """Nothing on a disc counts any more, for a reason; days that no other disc proves are due again.

    Their marks go first, so that no moment has a mark without a proof.
    """
    sessions = ports.catalog.sessions(disc.disc_id)
    days = tuple(dict.fromkeys(content.day for session in sessions for content in session.days))
    take_back(config, days, ports)
    for session in sessions:
        unsettled = session.status in (SessionStatus.INTENDED, SessionStatus.BURNT)
        status = SessionStatus.ABANDONED if unsettled else session.status
        if unsettled or session.status in (SessionStatus.VERIFIED, SessionStatus.CLAIMED):
            ports.catalog.put_session(replace(session, status=status, reason=reason))
    ports.catalog.put_disc(replace(disc, given_up=True, accepts_sessions=False))
    follow_proof(config, days, ports)


def reasons_to_keep(
    config: Config, disc: DiscRecord, seen: Observation, ports: Ports, *, at_work: Collection[str] = ()
) -> list[str]:
    """Why a disc may not be erased: days inside the retention that are on too few other discs.

    A day is as young as the session that holds it: what was stored late is kept as long as the rest.
    """
    if unknown := sessions_unknown(seen, disc, ports):
        return [newer_than_catalog(disc, unknown)]
    store = config.require_store()
    today = ports.clock.now().date()
    sessions = ports.catalog.sessions(disc.disc_id)
    if any(session.status is SessionStatus.CLAIMED for session in sessions):
        return [f"what it claims to hold was not read yet (cedarchest verify {label_word(disc.label)})"]
    unfinished = due_days(config, days_on(sessions), ports)
    reasons = [f"it holds a part of {day}, which is not stored yet" for day in unfinished]
    for day in days_on(sessions):
        written = (each.created_at.date() for each in sessions for content in each.days if content.day == day)
        if today - max(parse_day(day), *written) >= store.retention:
            continue
        others = {
            session.disc_id
            for session, content in ports.catalog.contents(day)
            if session.status is SessionStatus.VERIFIED and session.disc_id != disc.disc_id
        }
        digests = {content.index_digest for _, content in ports.catalog.contents(day)}
        whole = all(is_stored(ports.catalog, day, digest, store.copies + 1) for digest in digests)
        if len(others) < store.copies or not whole:
            reasons.append(f"it holds {day}, which is younger than {store.retention.days} days")
    written_now = {disc.disc_id for disc in ports.catalog.discs() if disc.label in at_work}
    if any(session.disc_id not in written_now for session in ports.catalog.open_sessions()):
        reasons.append("a session of an earlier run is not settled yet")
    return reasons
