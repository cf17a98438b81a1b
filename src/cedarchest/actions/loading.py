"""Which disc is there, whether it is the one that is needed, and what it has room for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cedarchest.actions.facts import (
    base_chain,
    days_on,
    last_good,
    visible_entries,
)
from cedarchest.config.kinds import SHELF
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, DamagedDisc, ForeignDisc, NoMedium, NotAppendable, WrongDisc
from cedarchest.model.disc import (
    DiscRecord,
    DiscState,
    Observation,
    SessionRecord,
    SessionStatus,
    StoredEntry,
    TocEntry,
)
from cedarchest.model.index import Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.names import first_few, label_word
from cedarchest.model.plan import Room
from cedarchest.model.size import Tally, described, record_bytes
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CurrentDisc:
    """The disc that takes further sessions: as seen, as recorded, and what its tree shows."""

    seen: Observation
    disc: DiscRecord
    base: SessionRecord | None
    sessions: tuple[SessionRecord, ...]
    visible: Mapping[bytes, StoredEntry] = field(repr=False)

    @property
    def room(self) -> Room:
        """The disc as a plan sees it."""
        return Room(
            label=self.disc.label,
            free=self.seen.free,
            sessions=len(self.seen.sessions),
            visible=visible_cost(self.visible, self.base) + described(self.base.blocks if self.base else 0),
            days=days_on(self.sessions),
        )


def visible_cost(visible: Mapping[bytes, StoredEntry], base: SessionRecord | None) -> Tally:
    """What repeating a tree costs: by names, and never less than what it takes on the disc now."""
    if base is None:
        return Tally()
    by_name = sum(
        record_bytes(len(path) - path.rfind(b"/") - 1, size=entry.size) for path, entry in visible.items()
    )
    directories = sum(1 for entry in visible.values() if entry.kind == Kind.DIR.value)
    starts = [
        entry.start for entry in visible.values() if base.start <= entry.start < base.start + base.blocks
    ]
    measured = (min(starts, default=base.start + base.blocks) - base.start) * BLOCK
    return Tally(0, max(by_name, measured), directories, len(visible))


def is_written_here(drive: str, label: str, writer: Writer) -> bool:
    """Whether a disc last written in a drive can be had in this one.

    A disc in a hand goes into any burner, whatever its device is called today. A shelf has its own discs
    and whatever image was put on it.
    """
    if writer.loads_itself:
        return drive == writer.device or label in writer.labels()
    return not drive.startswith(SHELF)


def expected_disc(writer: Writer, ports: Ports, copy: int = 1) -> DiscRecord | None:
    """The newest disc of a copy that takes further sessions from this device, as the catalog knows it.

    One that was begun while the clock was ahead is older than those that were begun since.
    """
    now = ports.clock.now()
    in_order = sorted(ports.catalog.discs(), key=lambda each: each.created_at <= now)
    for disc in reversed(in_order):
        if disc.given_up or not disc.accepts_sessions or disc.copy != copy:
            continue
        sessions = ports.catalog.sessions(disc.disc_id)
        if not sessions or is_written_here(sessions[-1].drive, disc.label, writer):
            return disc
    return None


def warn_of_strangers(writer: Writer, ports: Ports) -> None:
    """Name the images on a shelf that the catalog does not know: they are neither read nor written."""
    ours = {disc.label for disc in ports.catalog.discs()}
    strangers = [label for label in writer.labels() if label not in ours]
    if not strangers:
        return
    advice = "named by its path, one of ours is compared with itself by `cedarchest verify`"
    if not ours:
        advice = "it knows no disc at all; is it the one that belongs to this shelf?"
    ports.reporter.warn(
        f"{writer.device} holds images that this catalog does not know and passes over:"
        f" {first_few(strangers, ', ')}; {advice}"
    )


def find_current(config: Config, writer: Writer, ports: Ports, *, copy: int = 1) -> CurrentDisc | None:
    """The disc to append a copy to; None when a new one has to be begun, because a blank one is there.

    Raises:
        NoMedium, WrongDisc, ForeignDisc, NotAppendable: the disc that is there cannot be used;
            says which one to insert.
    """
    expected = expected_disc(writer, ports, copy)
    if writer.loads_itself:
        if expected is None:
            return None
        try:
            seen = writer.load(expected.label)
        except (NoMedium, DamagedDisc) as error:
            error.advice = f"{error.advice} {lost_advice(expected.label)}"
            raise
        if seen.state is DiscState.BLANK:
            return None
    else:
        seen = writer.observe()
        if seen.state is DiscState.NONE:
            raise NoMedium(f"there is no disc in {writer.device}", advice=_wanted(expected))
        if seen.state is DiscState.BLANK:
            return None
    return _known_current(config, seen, expected, copy, ports)


def with_right_disc(writer: Writer, ports: Ports, attempt: Callable[[], T]) -> T:
    """What an attempt gives; where the disc that is in the drive will not do, a person may change it."""
    while True:
        try:
            return attempt()
        except (NoMedium, WrongDisc, ForeignDisc, NotAppendable) as error:
            if writer.loads_itself or not ports.person.is_there():
                raise
            try:
                writer.eject()
            except CedarchestError as stuck:
                log.info("%s", stuck.message)
            if not ports.person.changes_disc(error.message, error.advice):
                raise


def _wanted(expected: DiscRecord | None) -> str:
    if expected is None:
        return "Insert a blank disc and run the command again."
    return f"Insert the disc {expected.label}, or a blank one, and run the command again."


def _known_current(
    config: Config, seen: Observation, expected: DiscRecord | None, copy: int, ports: Ports
) -> CurrentDisc | None:
    disc = known_disc(seen, ports)
    if disc is None:
        raise ForeignDisc(
            f"{seen.device} holds a disc that is not ours ({seen.label or 'no label'})",
            advice=_wanted(expected)
            + " To give up what is on a rewritable one: cedarchest initialize --overwrite-foreign LABEL.",
            label=seen.label,
        )
    if disc.copy != copy:
        raise WrongDisc(
            f"{seen.device} holds {disc.label}, which is for copy {disc.copy}; one for copy {copy} is needed",
            advice=_wanted(expected),
            found=disc.label,
            needed=expected.label if expected else "",
        )
    checked = config.require_store().check_media
    if checked and expected is not None and disc.disc_id != expected.disc_id and disc.accepts_sessions:
        raise WrongDisc(
            f"{seen.device} holds our disc {disc.label}, {expected.label} is in use",
            advice=_wanted(expected)
            + (
                " To use the one that is there again, if nothing on it is needed any more:"
                " cedarchest initialize."
                if seen.traits.rewritable
                else ""
            ),
            found=disc.label,
            needed=expected.label,
        )
    if not disc.accepts_sessions or seen.state is not DiscState.APPENDABLE:
        return None
    if unknown := sessions_unknown(seen, disc, ports):
        ports.reporter.warn(f"{newer_than_catalog(disc, unknown)}; a new disc is begun, nothing is put on it")
        return None
    _refuse_older(seen, disc, ports)
    return current_disc(seen, disc, ports)


def sessions_unknown(seen: Observation, disc: DiscRecord, ports: Ports) -> tuple[int, ...]:
    """Numbers of sessions that are on a disc and that the catalog has never heard of."""
    known = {session.number: session for session in ports.catalog.sessions(disc.disc_id)}
    shows_torn = not seen.traits.overwritable and not seen.device.startswith(SHELF)

    def is_known(entry: TocEntry) -> bool:
        session = known.get(entry.number)
        if session is None or (session.status is SessionStatus.ABANDONED and not shows_torn):
            return False
        # Where an intended one begins is known for certain only once it is settled.
        return session.start == entry.start or session.status is SessionStatus.INTENDED

    return tuple(entry.number for entry in seen.sessions if not is_known(entry))


def newer_than_catalog(disc: DiscRecord, unknown: Sequence[int]) -> str:
    """What to say of a disc that holds more than the catalog knows."""
    numbers = ", ".join(map(str, unknown))
    return (
        f"{disc.label} holds session {numbers}, which this catalog does not know:"
        " the catalog is older than the disc"
    )


def _refuse_older(seen: Observation, disc: DiscRecord, ports: Ports) -> None:
    """A disc that lacks what is proven to be on it, or what it claimed, is not the disc it was."""
    there = {entry.number for entry in seen.sessions}
    for session in ports.catalog.sessions(disc.disc_id):
        told = (SessionStatus.VERIFIED, SessionStatus.CLAIMED)
        if session.status in told and session.number not in there:
            raise NotAppendable(
                f"{seen.device} holds {disc.label} without its session {session.number}:"
                " what is there is an older copy of it",
                advice=f"Put {disc.label} back as it was. {lost_advice(disc.label)}",
                label=disc.label,
            )


def not_there(seen: Observation, label: str) -> NoMedium | WrongDisc:
    """The error that a drive holds another disc than the one that is needed, or none."""
    advice = f"Insert {label} and run the command again. {lost_advice(label)}"
    if seen.state is DiscState.NONE:
        return NoMedium(f"there is no disc in {seen.device}; {label} is needed", advice=advice, label=label)
    there = seen.label or ("a blank disc" if seen.state is DiscState.BLANK else "a disc that is not ours")
    message = f"{seen.device} holds {there}, and {label} is needed"
    return WrongDisc(message, advice=advice, needed=label, found=seen.label)


def lost_advice(label: str) -> str:
    """What to do when a disc will not come back."""
    return (
        f"If it is lost: cedarchest discs lost {label_word(label)};"
        " the days of it that are staged are then due on another disc."
    )


def known_disc(seen: Observation, ports: Ports) -> DiscRecord | None:
    """The catalog's record of the disc that is seen; None for a disc that is not ours.

    Raises:
        NotAppendable: it is ours, but this catalog has never heard of it, or has given it up.
    """
    if seen.identity is None:
        return _torn_disc(seen, ports)
    for disc in ports.catalog.discs():
        if disc.disc_id != seen.identity.disc_id:
            continue
        if not disc.given_up:
            return disc
        raise NotAppendable(
            f"{seen.device} holds our disc {disc.label}, which was given up",
            advice="Insert another disc of this catalog or a blank one. If it was lost and is found:"
            f" cedarchest verify {label_word(disc.label)}",
            label=disc.label,
        )
    raise NotAppendable(
        f"{seen.device} holds our disc {seen.identity.label}, which this catalog does not know",
        advice="Insert a disc of this catalog or a blank one."
        f" `cedarchest catalog rebuild {seen.device}` enters"
        + (" what Cedar Backup wrote." if seen.is_cedars else " this one, as when the catalog was lost."),
        label=seen.identity.label,
    )


def _torn_disc(seen: Observation, ports: Ports) -> DiscRecord | None:
    """A disc of ours on which nothing but cut-off sessions stands, known by their places."""
    places = [(entry.number, entry.start, entry.blocks) for entry in seen.sessions]
    for disc in ports.catalog.discs():
        sessions = ports.catalog.sessions(disc.disc_id)
        torn = all(session.status is SessionStatus.ABANDONED for session in sessions)
        known = [(session.number, session.start, session.blocks) for session in sessions]
        if not disc.given_up and torn and known == places and seen.label in ("", disc.label) and places:
            return disc
    return None


def current_disc(seen: Observation, disc: DiscRecord, ports: Ports) -> CurrentDisc:
    """A known disc with what its last verified session shows; one that is claimed has to be proven first."""
    sessions = ports.catalog.sessions(disc.disc_id)
    base = last_good(sessions)
    visible = visible_entries(ports.catalog, disc.disc_id, base.number) if base else {}
    chain = tuple(base_chain(sessions, base.number)) if base else ()
    return CurrentDisc(seen, disc, base, chain, visible)
