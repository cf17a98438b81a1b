"""Goes from disc to disc for a restore: asks for one, reads what is wanted of it, and for other copies.

What one disc cannot give in full is sought on the others that have it; then put together from what is good on
each; then as another file or member of the same content. Only what is nowhere is lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cedarchest.actions.prove import expected_of
from cedarchest.actions.restoring.learned import LearnedEntries
from cedarchest.actions.restoring.needed_discs import NeededDiscs
from cedarchest.actions.restoring.reading import BlockReader, Patchwork, stream
from cedarchest.actions.restoring.sources import other_sources
from cedarchest.actions.restoring.unpacking import take_packed, target_of
from cedarchest.actions.restoring.writing import LARGEST_INDEX, Restorer, as_chunks
from cedarchest.errors import (
    CatalogError,
    CedarchestError,
    MediaError,
    RestoreError,
    ToolMissing,
)
from cedarchest.model.disc_plan import DiscReading, Reading, plan_discs
from cedarchest.model.index import Entry
from cedarchest.model.names import to_text
from cedarchest.model.restoring import Packed, Piece, Place, Restoration, Role, Source
from cedarchest.ports import Ports, Writer
from cedarchest.ports.restoring import RestoreFolder, Spool

log = logging.getLogger(__name__)

DAMAGED = "it is damaged on every disc that has it"


@dataclass(slots=True)
class _Work:
    """A source, how far it has come, and the file that it is put together in, if it is."""

    source: Source
    finished: bool = False
    given_up: bool = False  # of what tells attributes: it could not be had
    tried: set[tuple[int, Place]] = field(default_factory=set)  # by the offset of the piece
    patches: Patchwork | None = None
    spool: Spool | None = None

    @property
    def is_put_together(self) -> bool:
        """Whether it cannot be taken from where it stands as it is read."""
        return self.source.role is Role.PACKED or not self.source.is_whole

    @property
    def tells_attributes(self) -> bool:
        """Whether it is an index."""
        return self.source.role in (Role.INDEX, Role.SESSION)

    @property
    def targets(self) -> Iterable[bytes]:
        """The paths that something is taken for."""
        yield from self.source.targets
        for targets in self.source.takes.values():
            yield from targets

    def lacking(self, discs: Collection[str]) -> Iterator[Reading]:
        """The pieces that were not had and are on some discs, with their places there."""
        for piece in self.source.pieces:
            there = tuple(place for place in piece.places if place.disc_id in discs)
            if there and (self.patches is None or not self.patches.has(piece)):
                yield Reading(self.source, piece, there)

    def readings(self) -> Iterator[Reading]:
        """The pieces that have to be read, with the places that were not tried."""
        for piece in self.source.pieces:
            if self.patches is None or not self.patches.has(piece):
                left = [place for place in piece.places if (piece.offset, place) not in self.tried]
                yield Reading(self.source, piece, tuple(left))


class DiscReader:
    """Reads sources from discs, one disc after the other."""

    def __init__(self, writers: Sequence[Writer], ports: Ports) -> None:
        self.discs = NeededDiscs(writers, ports)
        self._ports = ports
        self.absent: set[str] = set()
        self.needed: tuple[CedarchestError, ...] = ()
        self.labels_read: dict[str, None] = {}
        self.lost: dict[bytes, str] = {}
        self.notes: list[str] = []

    def plan(self, sources: Iterable[Source]) -> tuple[DiscReading, ...]:
        """What is read from which disc, if nothing goes wrong."""
        return self._planned([_Work(source) for source in sources])

    def _planned(self, works: Iterable[_Work]) -> tuple[DiscReading, ...]:
        readings = [reading for work in works for reading in work.readings()]
        discs = self.discs.of(readings)
        return plan_discs(readings, discs, self.absent)

    def read(self, restorer: Restorer) -> None:
        """Read all that is wanted; what cannot be had is `lost`, with the reason, and `needed` its discs."""
        restoration, folder = restorer.state.restoration, restorer.state.spools
        works = [_Work(source) for source in restoration.sources]
        packed = [(_Work(each.source), each) for each in restoration.packed]
        works += [work for work, _ in packed]
        sought: set[bytes] = {source.sha256 for source in restoration.sources}
        learned = LearnedEntries(folder, at_most=LARGEST_INDEX)
        for work in works:
            if work.tells_attributes and (entries := learned.recall(work.source)):
                restorer.learn(entries, work.source.takes)
                work.finished = True
        with contextlib.ExitStack() as opened:
            while True:
                left = [work for work in works if not work.finished and self._is_wanted(work, restorer)]
                for work in left:
                    if work.spool is None and work.is_put_together:
                        self._begin_patches(work, folder, opened)
                if plan := self._planned(left):
                    keep = learned if len(plan) > 1 else None
                    self._visit(plan[0], left, restorer, keep)
                elif not self._patch(left, restorer, folder, opened):
                    others = self._elsewhere(works, restoration, restorer, sought)
                    if not others:
                        break
                    works += others
            self._unpack(packed, restorer)
            self.needed = tuple(self._needed(works, restorer))
            if not self.absent:
                learned.drop()

    def _unpack(self, several: Iterable[tuple[_Work, Packed]], restorer: Restorer) -> None:
        """Take what is wanted of files that had to be there in full first, the newest first.

        Where a newer one of a source is missing, an older one would bring back what had changed since.
        """
        missing: set[bytes] = set()
        for work, packed in several:
            patches = work.patches
            if patches is None or work.spool is None:
                continue
            name = target_of(restorer.state.restoration, packed)
            if packed.line in missing:
                self.lost.setdefault(
                    name, f"{to_text(work.source.path)} waits for what is newer of its source"
                )
                continue
            if not all(map(patches.has, work.source.pieces)):
                missing.add(packed.line)
                self.lost[name] = f"{to_text(work.source.path)}: {self._why(work)}"
                continue
            try:
                take_packed(restorer, packed, patches.stream)
            except (RestoreError, ToolMissing) as error:
                self.lost[name] = f"{to_text(work.source.path)}: {error.message}"
            work.spool.drop()

    def _needed(self, works: Iterable[_Work], restorer: Restorer) -> Iterator[CedarchestError]:
        """The fewest of the discs that are not here which bring what is missing; of copies it is one."""
        missing = [work for work in works if self._is_missing(work, restorer)]
        readings = [reading for work in missing for reading in work.lacking(self.absent)]
        for each in plan_discs(readings, self.discs.of(readings)):
            able = [{place.label for place in reading.places} for reading, _ in each.readings]
            alike = set.intersection(*able) - {each.disc.label}
            yield self.discs.not_here(each.disc, sorted(alike))

    def _is_missing(self, work: _Work, restorer: Restorer) -> bool:
        """Whether something of a source is wanted that could not be had."""
        if work.tells_attributes:
            return work.given_up or work.patches is not None
        return work.source.role is Role.PACKED or any(restorer.state.unread(work.targets))

    def _is_wanted(self, work: _Work, restorer: Restorer) -> bool:
        if work.tells_attributes or work.source.role is Role.PACKED:
            return True
        return any(restorer.state.unread(work.targets))

    def _visit(
        self,
        reading: DiscReading,
        works: Iterable[_Work],
        restorer: Restorer,
        learned: LearnedEntries | None,
    ) -> None:
        """Read what is wanted of one disc; what is learned of attributes is kept where others follow."""
        try:
            writer = self.discs.loaded(reading.disc)
        except MediaError as error:
            log.info("%s", error.message)
            self.absent.add(reading.disc.disc_id)
            return
        if writer is None:
            return
        label = reading.disc.label
        self.labels_read[label] = None
        self._ports.reporter.phase(f"reading {label}", reading.size)
        of_source = {id(work.source): work for work in works}
        blocks = BlockReader(writer, self._ports)
        for each, place in reading.readings:
            self._ports.interrupts.check()
            work = of_source[id(each.source)]
            work.tried.add((each.piece.offset, place))
            if not self.discs.may_hold(each.piece, place):
                self._ports.reporter.note(f"{to_text(place.path)} cannot be where {label} is said to have it")
                continue
            if work.patches is not None:
                work.patches.fill(each.piece, place, self.discs.session(place), blocks)
            else:
                self._deliver(work, writer, blocks, place, restorer, learned)
            blocks.passed = self._tell(blocks, each.piece)
        for work in {id(work): work for work in of_source.values()}.values():
            if work.patches is not None and all(map(work.patches.has, work.source.pieces)):
                self._from_patches(work, restorer)

    def _tell(self, blocks: BlockReader, piece: Piece) -> int:
        """Have the reporter know that a piece was read, whatever of it was needed."""
        done = blocks.passed + piece.size
        self._ports.reporter.advance(done)
        return done

    def _deliver(
        self,
        work: _Work,
        writer: Writer,
        blocks: BlockReader,
        place: Place,
        restorer: Restorer,
        learned: LearnedEntries | None,
    ) -> None:
        """Take what is wanted of a source from its one piece as it is read."""
        source = work.source
        before = blocks.unreadable
        try:
            if source.role is Role.SESSION:
                session = self.discs.session(place)
                entries = expected_of(writer, session, self._ports) if session else ()
                self._told(work, restorer.learn(entries, source.takes), learned)
            elif source.role is Role.INDEX:
                if source.size > LARGEST_INDEX:
                    raise RestoreError("it is larger than any should be")
                content = b"".join(stream(blocks, place, source.size))
                self._told(work, restorer.take_index(source, content), learned)
            elif source.role is Role.FILE:
                targets = restorer.state.needs(source.targets)
                certain = bool(source.sha256)
                restorer.take_file(targets, as_chunks(stream(blocks, place, source.size, certain=certain)))
            else:
                self._take_members(source, lambda: stream(blocks, place, source.size), restorer)
        except (RestoreError, CatalogError) as error:
            self._ports.reporter.note(f"{to_text(source.path)} on {place.label}: {error.message}")
        if blocks.unreadable > before:
            number = blocks.unreadable - before
            self._ports.reporter.note(
                f"{to_text(source.path)} on {place.label}: {number} blocks cannot be read"
            )

    def _told(self, work: _Work, entries: Iterable[Entry], learned: LearnedEntries | None) -> None:
        work.finished = True
        if learned is not None:
            learned.keep(work.source, entries)

    def _take_members(
        self, source: Source, stream_again: Callable[[], Iterator[bytes]], restorer: Restorer
    ) -> None:
        """Take members of an archive; those that it has as further names of others with one more reading."""
        restorer.take_members(source, source.path, stream_again())
        if linked := restorer.linked_in(source):
            restorer.take_members(replace(source, takes=linked), source.path, stream_again())

    # -- what is damaged -----------------------------------------------------------------------------

    def _begin_patches(self, work: _Work, folder: RestoreFolder, opened: contextlib.ExitStack) -> None:
        digest = hashlib.sha256(work.source.path)
        for piece in work.source.pieces:
            digest.update(piece.sha256)
        name = digest.hexdigest().encode()
        work.spool = opened.enter_context(folder.spool(name))
        work.patches = Patchwork(work.source, work.spool)

    def _patch(
        self,
        works: Iterable[_Work],
        restorer: Restorer,
        folder: RestoreFolder,
        opened: contextlib.ExitStack,
    ) -> bool:
        """Begin to put together what no disc has in full; take what there is of what was begun before."""
        anew = False
        for work in works:
            if work.patches is not None:
                self._from_patches(work, restorer)
                anew = True
            elif work.source.role in (Role.FILE, Role.ARCHIVE) and len(work.tried) > 1:
                work.tried.clear()
                self._begin_patches(work, folder, opened)
                anew = True
        return anew

    def _from_patches(self, work: _Work, restorer: Restorer) -> None:
        """Take what is wanted of a source from what was put together of it."""
        source, patches = work.source, work.patches
        assert patches is not None
        work.finished = True
        if source.role is Role.PACKED:
            return  # until all that is newer is there as well
        whole = all(map(patches.has, source.pieces))
        try:
            if source.role is Role.FILE:
                restorer.take_file(restorer.state.needs(source.targets), as_chunks(patches.stream()))
            elif source.role is Role.ARCHIVE:
                self._take_members(source, patches.stream, restorer)
            else:
                restorer.take_index(source, b"".join(patches.stream()))
        except RestoreError as error:
            self._ports.reporter.note(f"{to_text(source.path)}: {error.message}")
        missing = {place.disc_id for piece in source.pieces for place in piece.places} & self.absent
        if work.spool is not None and (whole or not missing):
            work.spool.drop()

    def _elsewhere(
        self, works: Iterable[_Work], restoration: Restoration, restorer: Restorer, sought: set[bytes]
    ) -> list[_Work]:
        """Other files and members of the contents that could not be had."""
        wanted = []
        for work in works:
            if work.tells_attributes and not work.finished:
                self.notes.append(
                    f"{to_text(work.source.path)} could not be read: modes, owners, times and links of what"
                    " it tells of are as the archives have them, or not known"
                )
                work.finished = work.given_up = True
            why = self._why(work)
            if work.source.role not in (Role.FILE, Role.ARCHIVE):
                continue
            for target in restorer.state.unread(work.targets):
                self.lost.setdefault(target, f"{to_text(work.source.path)}: {why}")
                wanted.append(restoration.wanted[target])
        found = other_sources(wanted, sought, {}, self._ports)
        sought.update(source.sha256 for source in found)
        return [_Work(source) for source in found]

    def _why(self, work: _Work) -> str:
        """Why not all of a source is there."""
        several = {place for piece in work.source.pieces for place in piece.places}
        absent = {place.label for place in several if place.disc_id in self.absent}
        return f"it is on {', '.join(sorted(absent))}, which is not here" if absent else DAMAGED
