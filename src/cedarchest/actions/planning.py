"""Observes what a plan needs and has it made: what is due of each day, the disc in use, an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cedarchest.actions.facts import below, is_same
from cedarchest.actions.loading import CurrentDisc, find_current
from cedarchest.actions.selection import DayShare
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, StagingError
from cedarchest.model.disc import DiscState, Observation, SessionStatus, stored_as
from cedarchest.model.holdable import unholdable
from cedarchest.model.index import Entry
from cedarchest.model.media import BLOCK, TRAITS, Medium, MediumTraits
from cedarchest.model.packing import DueDay, Share
from cedarchest.model.parts import (
    PARTS_A_DISC,
    PORTABLE_BYTES,
    PORTABLE_PART_BYTES,
    Part,
    Split,
    part_bytes_for,
    parts_of,
)
from cedarchest.model.plan import Policy, Room, StorePlan, plan_store
from cedarchest.model.size import Tally
from cedarchest.model.stretches import Stretches
from cedarchest.ports import DayIndex, Ports, StagedDay, Writer

FIRST_SESSION_ON_OVERWRITABLE = 32
FOLDERS_ABOVE = 1024
"""Blocks that the folders above a file never need, with their names and continuations."""


@dataclass(frozen=True, slots=True)
class DayDue:
    """What is due of a staged day: parts in the place of files that are cut, without what discs have already.

    `rests_on` names the sessions that have the rest, by `SessionRecord.name`.
    """

    index: DayIndex
    entries: Stretches
    parts: Mapping[bytes, Part] = field(default_factory=dict)
    rests_on: tuple[str, ...] = ()
    supplement: Stretches | None = None

    @property
    def all(self) -> Share:
        """All that is due of it."""
        return Share(self.entries, 0, len(self.entries))

    def share(self, share: Share, pieces: int = 1) -> DayShare:
        """What of it a volume takes, the day being on as many."""
        entries = share.entries.entries(share.first, share.last)
        if self.parts:  # whose digests came to be known after the plan was made
            known = ((self.parts.get(entry.path), entry) for entry in entries)
            entries = [part.entry if part else entry for part, entry in known]
        return DayShare(
            self.index,
            entries,
            self.parts,
            is_whole=share.entries is self.entries and share.is_whole and not self.rests_on,
            pieces=pieces,
            rests_on=self.rests_on,
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what is due of the days in it."""

    plan: StorePlan
    days: Mapping[str, DayDue] = field(default_factory=dict)


def indexes_of(
    days: Sequence[StagedDay], ask: Callable[[Path, str], DayIndex]
) -> tuple[list[DayIndex], list[CedarchestError]]:
    """The days as `ask` finds them; what is wrong with one does not hold up the others."""
    found: list[DayIndex] = []
    problems: list[CedarchestError] = []
    for day in days:
        try:
            found.append(ask(day.directory, day.day))
        except StagingError as error:
            problems.append(error)
    return found, problems


def plan_days(
    config: Config, writer: Writer, days: Sequence[DayIndex], ports: Ports, *, always_new: bool, copy: int = 1
) -> Planned:
    """The volumes for these days on what is in the drive and on new discs. Writes nothing.

    Raises:
        MediaError: the disc that is there can be neither appended to nor replaced without a hand.
    """
    if not days:
        return Planned(StorePlan(()))
    current = None if always_new else find_current(config, writer, ports, copy=copy)
    seen = current.seen if current else writer.observe()
    looking = _looking(config, writer, seen, ports, always_new=always_new, copy=copy)
    due = [looking.whole(day) if always_new else looking.due(day, current) for day in days]
    plan = plan_store(
        [DueDay(each.index.day, each.entries, each.supplement) for each in due],
        current.room if current else None,
        looking.empty,
        looking.policy,
    )
    return Planned(plan, {each.index.day: each for each in due})


def whole_days(config: Config, writer: Writer, days: Sequence[DayIndex], ports: Ports) -> Planned:
    """All of these days, to be written on one disc of the kind that is in the drive."""
    looking = _looking(config, writer, writer.observe(), ports, always_new=True, copy=1)
    return Planned(StorePlan(()), {day.day: looking.whole(day) for day in days})


def _looking(
    config: Config, writer: Writer, seen: Observation, ports: Ports, *, always_new: bool, copy: int
) -> _Looking:
    store = config.require_store()
    traits, capacity = _medium_of(config, seen)
    empty = Room(label="", free=capacity - FIRST_SESSION_ON_OVERWRITABLE, sessions=0, visible=Tally())
    policy = Policy(
        new_disc=store.new_disc,
        starting_weekday=config.options.weekday,
        blank_factor=store.blank_factor,
        margin_blocks=store.margin_blocks(writer.device, capacity),
        traits=traits,
        always_new=always_new,
        copy=copy,
    )
    return _Looking(store.portable, empty, policy, ports)


@dataclass(frozen=True, slots=True)
class _Looking:
    """Finds what is due of days for discs of a kind."""

    portable: bool
    empty: Room
    policy: Policy
    ports: Ports

    def whole(self, day: DayIndex) -> DayDue:
        """All of a day that a disc can hold, large files in parts."""
        held = [entry for entry in day.entries if not unholdable(entry)]
        whole = Stretches(day.day, held)
        room = self.policy.usable(self.empty) - self.policy.bin(self.empty).blocks(Share(whole, 0, 0).cost)
        sizes = self._to_be_cut(whole, room)
        if not sizes:
            return DayDue(day, whole)
        taken = {entry.path for entry in day.entries}
        cut = {entry.path: list(parts_of(entry, self._split(entry, size), taken)) for entry, size in sizes}
        entries = [shown for entry in held for shown in _in_parts(entry, cut)]
        parts = {part.entry.path: part for several in cut.values() for part in several}
        return DayDue(day, Stretches(day.day, entries), parts)

    def _to_be_cut(self, whole: Stretches, room: int) -> list[tuple[Entry, int]]:
        """The files that an empty disc does not take, or not every system reads, and the bytes of a part."""
        disc = self.policy.bin(self.empty)
        doubtful = whole.larger_than(max(0, room - FOLDERS_ABOVE) * BLOCK)
        too_large = {place for place in doubtful if disc.left(Share(whole, place, place + 1)) < 0}
        if room < PARTS_A_DISC:  # then the plan refuses the day
            too_large = set()
        size = part_bytes_for(room)
        parts = dict.fromkeys(whole.larger_than(PORTABLE_BYTES) if self.portable else (), PORTABLE_PART_BYTES)
        parts |= dict.fromkeys(too_large, min(size, PORTABLE_PART_BYTES) if self.portable else size)
        return [(whole.ends(place, place + 1)[0], parts[place]) for place in sorted(parts)]

    def _split(self, entry: Entry, part_bytes: int) -> Split:
        """How a file is cut: as it was before, if it was in parts that small, so that these are of use."""
        known = self.ports.catalog.splits({entry.sha256}).get(entry.sha256, ())
        on_a_disc = part_bytes * PARTS_A_DISC
        most = min(on_a_disc, PORTABLE_PART_BYTES) if self.portable else on_a_disc
        fitting = [split for split in known if split.part_bytes <= most]
        return fitting[-1] if fitting else Split(part_bytes)

    def due(self, day: DayIndex, current: CurrentDisc | None) -> DayDue:
        """What of a day is not on discs yet.

        A day that a new disc takes whole goes on it whole, so that one disc has all of it. Of one that is
        over several discs, or is going to be, only what none of them has is due.
        """
        whole = self.whole(day)
        entries = whole.entries.entries(0, len(whole.entries))
        if rests_on := self._holding(day, whole):
            known = self.ports.catalog.copies(day.day, of_copy=self.policy.copy)
            missing = [entry for entry in entries if stored_as(entry) not in known]
            if 0 < len(missing) < len(entries):
                return DayDue(day, Stretches(day.day, _with_above(missing, entries)), whole.parts, rests_on)
        supplement = None
        if current is not None and below(current.visible, day.day):
            visible = current.visible
            supplement = Stretches(day.day, (e for e in entries if not is_same(e, visible.get(e.path))))
        return DayDue(day, whole.entries, whole.parts, supplement=supplement)

    def _holding(self, day: DayIndex, whole: DayDue) -> tuple[str, ...]:
        """The proven sessions that a day over several discs rests on; none where a disc takes all of it."""
        of_copy = {disc.disc_id for disc in self.ports.catalog.discs() if disc.copy == self.policy.copy}
        proven = [
            (session, content)
            for session, content in self.ports.catalog.contents(day.day)
            if session.status is SessionStatus.VERIFIED and session.disc_id in of_copy
        ]
        begun = any(content.index_digest == day.digest and content.pieces > 1 for _, content in proven)
        fits = self.policy.bin(self.empty).left(whole.all) >= 0
        return tuple(session.name for session, _ in proven) if begun or not fits else ()


def _in_parts(entry: Entry, cut: Mapping[bytes, Sequence[Part]]) -> Iterable[Entry]:
    return [part.entry for part in cut[entry.path]] if entry.path in cut else (entry,)


def _with_above(entries: Sequence[Entry], everything: Iterable[Entry]) -> list[Entry]:
    """Entries with all directories above them, which their disc shows as well."""
    wanted = {entry.path for entry in entries}
    above: set[bytes] = set()
    for path in wanted:
        parent = path.rpartition(b"/")[0]
        while parent and parent not in above:
            above.add(parent)
            parent = parent.rpartition(b"/")[0]
    return [entry for entry in everything if entry.path in wanted or entry.path in above]


def _medium_of(config: Config, seen: Observation) -> tuple[MediumTraits, int]:
    """Traits and capacity to plan with: the drive's word, else the nominal of the configured medium.

    Of a closed disc a drive only tells what is on it.
    """
    store = config.require_store()
    if seen.state is DiscState.CLOSED:
        return seen.traits, max(seen.capacity, seen.traits.nominal_blocks)
    if seen.state is not DiscState.NONE or seen.capacity:
        return seen.traits, seen.capacity
    medium = store.media if isinstance(store.media, Medium) else Medium.DVD_PLUS_R
    return TRAITS[medium], TRAITS[medium].nominal_blocks
