"""The catalog made anew from discs: each says what it holds, in any order, as far as they are at hand.

    look who each disc is → read what it says of itself → merge with what is known → list its archives
    → say what is missing

What a disc claims is entered as claimed; what was proven here, or is known to be bad, stays as it is. So a
disc may be entered again and again, and the order in which discs come changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from cedarchest.actions.cedar_told import tell_of_cedars
from cedarchest.actions.disc_archives import (
    AbsentArchives,
    Unindexed,
    absent_archives,
    index_from_disc,
    still_unindexed,
)
from cedarchest.actions.disc_joins import Joins
from cedarchest.actions.found_disc import FoundDisc, FoundSession, look_at_disc, who_is
from cedarchest.actions.merging import Merged, MissingVolume, merge, missing_volumes
from cedarchest.actions.writers import all_writers
from cedarchest.config.model import Config
from cedarchest.errors import CatalogError, CedarchestError, ForeignDisc, Interrupted, NoMedium
from cedarchest.model.claims import DiscClaim, OtherVolume
from cedarchest.model.disc import (
    DiscRecord,
    DiscState,
    Observation,
    SessionRecord,
)
from cedarchest.model.names import LONGEST_CEDAR_LABEL, is_cedar_label, label_word
from cedarchest.ports import Ports, Writer


@dataclass(frozen=True, slots=True)
class EnteredDisc:
    """A disc and its sessions that came into the catalog now, that were known, and what is wrong with it."""

    label: str
    entered: tuple[int, ...]
    known: tuple[int, ...]
    days: tuple[str, ...]
    wrong: tuple[str, ...]
    without_index: tuple[int, ...] = ()  # sessions of Cedar Backup, taken as they were read


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """What came into the catalog, what is known to be missing, and the discs that could not be entered."""

    discs: tuple[EnteredDisc, ...]
    missing: tuple[MissingVolume, ...]
    problems: tuple[CedarchestError, ...]
    indexed: int = 0  # archives whose members are known now
    unindexed: tuple[Unindexed, ...] = ()
    absent: tuple[AbsentArchives, ...] = ()


def execute_catalog_rebuild(
    config: Config, targets: Sequence[str], *, ports: Ports, dry_run: bool = False
) -> CatalogReport:
    """Enter the discs in these devices and images, or those in the configured drives.

    A disc that cannot be entered does not hold up the others.

    Raises:
        NoMedium: no drive holds a disc.
        LockedError: another run is at work.
    """
    work = _Work(ports, dry_run=dry_run)
    if dry_run:
        work.run(config, targets)
    else:
        with ports.locks.hold(config.options.state_dir):
            work.run(config, targets)
    missing = missing_volumes(work.sessions(), work.others)
    absent = absent_archives(work.at_hand, ports)
    left = still_unindexed(work.unindexed, work.joins, ports)
    return CatalogReport(tuple(work.discs), missing, tuple(work.problems), work.indexed, left, absent)


@dataclass(frozen=True, slots=True)
class _Place:
    """A disc that can be had again: who it is, and how."""

    claim: DiscClaim
    sessions: int
    have: Callable[[], tuple[Writer, Observation]]
    done: Callable[[], None]

    @property
    def age(self) -> tuple[datetime, str, str, int]:
        """Discs by when they were begun; of images of one disc the one with the most sessions first."""
        return self.claim.created_at, self.claim.label, self.claim.disc_id, -self.sessions


@dataclass
class _Work:
    """A rebuild on its way."""

    ports: Ports
    dry_run: bool
    discs: list[EnteredDisc] = field(default_factory=list)
    problems: list[CedarchestError] = field(default_factory=list)
    others: dict[str, dict[int, OtherVolume]] = field(default_factory=dict)
    found: list[SessionRecord] = field(default_factory=list)
    unindexed: list[Unindexed] = field(default_factory=list)
    indexed: int = 0
    joins: Joins = field(default_factory=Joins)
    at_hand: set[str] = field(default_factory=set)

    def run(self, config: Config, targets: Sequence[str]) -> None:
        """Look at each disc, then enter them from the oldest on."""
        if targets:
            self._enter_all([place for target in targets for place in self._tried(self._at(target))])
            return
        with all_writers(config, self.ports) as writers:
            places = [place for writer in writers for place in self._tried(self._in(writer))]
            self._enter_all(places)
        if not places and not self.problems:
            raise NoMedium("there is no disc to enter", advice="Insert one, or name devices or images.")

    def _tried(self, places: Iterable[_Place]) -> list[_Place]:
        """The discs at a place; one that cannot be had is a problem of the run."""
        try:
            return list(places)
        except Interrupted:
            raise
        except CedarchestError as error:
            self.problems.append(error)
            return []

    def _at(self, target: str) -> Iterator[_Place]:
        """The disc in a device, or an image."""
        opened: list[Writer] = []

        def have() -> tuple[Writer, Observation]:
            opened.append(self.ports.drives.open_path(Path(target)))
            return opened[-1], _seen(opened[-1], target)

        def done() -> None:
            while opened:
                opened.pop().close()

        try:
            writer, seen = have()
            claim = who_is(writer, seen)
        finally:
            done()
        yield _Place(claim, len(seen.sessions), have, done)

    def _in(self, writer: Writer) -> Iterator[_Place]:
        """The disc in a drive, or those of ours on a shelf."""

        def in_drive() -> tuple[Writer, Observation]:
            return writer, _seen(writer, writer.device)

        if not writer.loads_itself:
            _, seen = in_drive()
            yield _Place(who_is(writer, seen), len(seen.sessions), in_drive, _nothing)
            return
        for label in writer.labels():
            self.ports.interrupts.check()
            try:
                seen = writer.load(label)
                claim = who_is(writer, seen)
            except ForeignDisc as error:
                self.ports.reporter.warn(f"{error.message}: it is passed over")
            except Interrupted:
                raise
            except CedarchestError as error:
                self.problems.append(error)
            else:
                yield _Place(claim, len(seen.sessions), partial(_loaded, writer, label), _nothing)

    def _enter_all(self, places: Sequence[_Place]) -> None:
        """Enter discs by age, so that it does not matter in which order they were named.

        Then go on with archives in parts, of which another disc had what comes before.
        """
        entered: list[tuple[_Place, DiscRecord]] = []
        for place in sorted(places, key=lambda each: each.age):
            self.ports.interrupts.check()
            with self._held(place):
                writer, seen = place.have()
                disc = self._enter(look_at_disc(writer, seen, place.claim, self.ports), writer)
                if not self.dry_run:
                    entered.append((place, disc))
                    self.at_hand.add(disc.disc_id)
                    self._list(writer, disc)

        while len(entered) > 1 and self.joins.went_on():
            for place, disc in entered:
                with self._held(place):
                    writer, _ = place.have()
                    self._list(writer, disc, again=True)

    @contextlib.contextmanager
    def _held(self, place: _Place) -> Iterator[None]:
        """Give a disc back in the end; one that cannot be had or entered is a problem of the run."""
        try:
            yield
        except Interrupted:
            raise
        except CedarchestError as error:
            self.problems.append(error)
        finally:
            place.done()

    def _list(self, writer: Writer, disc: DiscRecord, *, again: bool = False) -> None:
        """Enter what is in the archives of the disc that is there."""
        listed = index_from_disc(writer, disc, self.joins, self.ports, again=again)
        self.indexed += listed.archives
        self.unindexed += listed.left

    def _enter(self, found: FoundDisc, writer: Writer) -> DiscRecord:
        """Merge a disc with what is known of it, session by session.

        Raises:
            CatalogError: another disc has its label, or it was given up.
        """
        known = {disc.disc_id: disc for disc in self.ports.catalog.discs()}
        before = known.get(found.disc.disc_id)
        found = self._named(found, known)
        if is_cedar_label(found.disc.label):
            tell_of_cedars(found, before, writer, self.ports)
        if before is not None and before.given_up:
            raise CatalogError(
                f"{before.label} was given up: nothing on it counts any more, and it is not entered",
                advice=f"If it was lost and is found: cedarchest verify {label_word(before.label)}",
                label=before.label,
            )
        merged = merge(before, self.ports.catalog.sessions(found.disc.disc_id) if before else (), found)
        for session in found.sessions:
            self._know(session)
        if not self.dry_run:
            self._write(before, merged)
        for line in merged.wrong:
            self.ports.reporter.warn(line)
        days = {content.day for each in found.sessions for content in each.record.days}
        entered = tuple(each.record.number for each in merged.sessions)
        bare = tuple(each.record.number for each in found.sessions if each.record.has_no_index)
        self.discs.append(
            EnteredDisc(merged.disc.label, entered, merged.known, tuple(sorted(days)), merged.wrong, bare)
        )
        return merged.disc

    def _write(self, before: DiscRecord | None, merged: Merged) -> None:
        """Record what is new; each session is whole or not there."""
        if merged.disc != before and not merged.sessions:
            self.ports.catalog.put_disc(merged.disc)
        for session in merged.sessions:
            self.ports.catalog.enter(session.record, session.entries, merged.disc)

    def _named(self, found: FoundDisc, known: Mapping[str, DiscRecord]) -> FoundDisc:
        """A disc by the label it has in the catalog; two of Cedar Backup may have the same.

        Raises:
            CatalogError: another disc of ours has its label.
        """
        disc, label = found.disc, found.disc.label
        if not is_cedar_label(label):
            self._refuse_label(disc, known.values())
            return found
        if disc.disc_id in known:
            label = known[disc.disc_id].label
        elif any(other.label == label for other in known.values()):
            label = f"{label[:LONGEST_CEDAR_LABEL]} {disc.disc_id[:4].upper()}"
            self.ports.reporter.warn(f"another disc is labelled {disc.label}: this one is {label} here")
        return replace(found, disc=replace(disc, label=label))

    def _refuse_label(self, disc: DiscRecord, known: Iterable[DiscRecord]) -> None:
        """Raise when another disc has the label.

        Raises:
            CatalogError: which one has it.
        """
        for other in known:
            if other.label == disc.label and other.disc_id != disc.disc_id:
                raise CatalogError(
                    f"the catalog knows another disc labelled {disc.label}"
                    f" ({other.disc_id}); the one with the id {disc.disc_id} is not entered",
                    advice="Discs of two pools may have the same label: keep a catalog for each pool.",
                    label=disc.label,
                )

    def _know(self, session: FoundSession) -> None:
        """Remember what a session tells of its set."""
        self.found.append(session.record)
        named = self.others.setdefault(session.record.volume_set, {})
        for other in session.others:
            if other.volume not in named or (other.label and not named[other.volume].label):
                named[other.volume] = other

    def sessions(self) -> list[SessionRecord]:
        """All sessions that count, of the catalog and, where nothing was written, of these discs."""
        kept = [disc for disc in self.ports.catalog.discs() if not disc.given_up]
        return [*self.found, *(each for disc in kept for each in self.ports.catalog.sessions(disc.disc_id))]


def _seen(writer: Writer, target: str) -> Observation:
    writer.reload()
    seen = writer.observe()
    if seen.state in (DiscState.NONE, DiscState.BLANK) or not seen.sessions:
        raise NoMedium(f"{target} holds no disc with data")
    return seen


def _loaded(writer: Writer, label: str) -> tuple[Writer, Observation]:
    return writer, writer.load(label)


def _nothing() -> None:
    pass
