"""One source of a collect: what of it is new goes into archives, and what was found is kept for next time.

A source has an archive, and with a recursion level its folders have archives of their own. All of them
together make a state. Where a run may end at any moment, what it left is never taken for more than it is:
a collect is first kept as an attempt, each archive gets its name after all that goes with it, and only
when all are there the state is kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

from cedarchest.config.choices import ArchiveFormat, CollectMode
from cedarchest.config.collect import Collect, CollectSource
from cedarchest.errors import CedarchestError, Interrupted
from cedarchest.model.archive_names import DELETED_SUFFIX, INDEX_SUFFIX, name_below
from cedarchest.model.handover import Collected
from cedarchest.model.increments import (
    Archive,
    Held,
    Increment,
    Seen,
    State,
    attempt,
    collected_as,
    compare,
    deleted,
    is_unchanged,
    next_state,
    write_state,
)
from cedarchest.model.index import Kind
from cedarchest.model.names import first_few, to_text
from cedarchest.model.unread import is_unread
from cedarchest.ports import KeptOut, Packed, Ports, SourceLook

KEPT_STATES = 40
"""How many collects that no receipt has proven yet are remembered."""


class CollectOutcome(StrEnum):
    """What came of an archive."""

    WHOLE = "whole"
    CHANGES = "changes"
    NOTHING_NEW = "nothing-new"
    NOT_DUE = "not-due"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CollectedArchive:
    """An archive of a source, or of a command: its files, their bytes, and what it could not hold.

    `archive_bytes` are those of the archive as it is packed; 0 where none was made.
    """

    source: str
    outcome: CollectOutcome
    archive: str = ""
    files: int = 0
    data_bytes: int = 0
    archive_bytes: int = 0
    left_out: tuple[str, ...] = ()
    problem: CedarchestError | None = None


@dataclass(frozen=True, slots=True)
class Night:
    """What holds for all sources of a run, which began at `now`.

    `told` are the verified discs that each content is on by the master's receipts, `copies` how many
    are needed; `is_full` is the starting day, or what was asked for; `week` the first day of this week.
    What is our `own` is not collected below a source.
    """

    collect: Collect
    ports: Ports
    now: datetime
    today: date
    week: date
    is_full: bool
    dry_run: bool
    told: Mapping[bytes, int]
    copies: int
    own: KeptOut
    files: dict[bytes, Collected] = field(default_factory=dict)  # what the run left in the collect dir

    def is_due(self, mode: CollectMode, name: bytes) -> bool:
        """Whether something is collected today: what is weekly, also when it was missed or failed."""
        if mode is not CollectMode.WEEKLY or self.is_full:
            return True
        heads = self.ports.collect_states.heads(name).values()
        return not any(head and head.is_complete and head.day >= self.week for head in heads)

    def remember(self, name: bytes) -> None:
        """Keep that something was collected, which is never compared with."""
        number = max(self.ports.collect_states.heads(name), default=0) + 1
        state = State(self.today, self.today)
        self.ports.collect_states.keep(name, state, number=number, forget_before=number)

    def remove(self, names: Iterable[bytes]) -> None:
        """Take archives away, with all that goes with them."""
        suffixes = (b"", INDEX_SUFFIX, DELETED_SUFFIX)
        self.ports.collect_dir.remove(
            self.collect.dir, [name + suffix for name in names for suffix in suffixes]
        )


def packed_name(name: bytes, form: ArchiveFormat) -> bytes:
    """A name with the suffix of a packing."""
    return name + form.value.removeprefix("tar").encode()


def all_forms(name: bytes, but: ArchiveFormat | None = None) -> list[bytes]:
    """The names that an archive has in all packings, or in all others."""
    return [packed_name(name, form) for form in ArchiveFormat if form is not but]


@dataclass(frozen=True)
class Archiving:
    """A source of which archives are made; `name` is that of its archive without the packing."""

    night: Night
    source: CollectSource
    mode: CollectMode
    name: bytes
    names: Mapping[bytes, bytes]  # of all sources by path, without `.tar`

    def archive(self) -> list[CollectedArchive]:
        """Look, compare, archive, keep what was found."""
        states = self.night.ports.collect_states
        try:
            look, base, base_number, increment = self._compared()
            parts = self._parts(look, increment)
            if not any(part.is_new(base) for part in parts):
                return self._nothing_new(base, parts, look)
            if self.night.dry_run:
                return _with_problems([part.told(base) for part in parts if part.is_new(base)], look)
            newest = max(states.heads(self.name), default=0)
            if newest and self.mode is CollectMode.INCR:
                trial = attempt(self.night.today, base, increment)
                states.keep(self.name, trial, number=newest + 1, forget_before=base_number)
            done = [part.archive(base) for part in parts if part.is_new(base)]
            self._clear(parts, base)
            self._keep(base, base_number, newest + 1, increment, parts)
            return _with_problems(done, look)
        except Interrupted:
            raise
        except CedarchestError as error:
            return [CollectedArchive(str(self.source.path), CollectOutcome.FAILED, problem=error)]

    # -- comparing --------------------------------------------------------------------------------

    def _compared(self) -> tuple[SourceLook, State | None, int, Increment]:
        """The source as it stands, what an increment rests on, its number, and what is new since."""
        sources = self.night.ports.sources
        base, number, later = self._base()
        look = sources.look(self.night.collect, self.source, base.held if base else {}, self.night.own)
        seen = {one.entry.path: one for several in look.archives.values() for one in several}
        if base and not later and is_unchanged(seen, look.problems, base):
            return look, base, number, Increment({}, base.held)
        try:
            increment = compare(seen, look.problems, base, self._loaded(later), sources.digest)
        except LookupError as error:
            self.night.ports.reporter.warn(f"{self.source.path} is collected whole: {error}")
            return look, None, 0, compare(seen, look.problems, None, (), sources.digest)
        return look, base, number, increment

    def _loaded(self, numbers: Iterable[int]) -> Iterator[State]:
        """States, one after the other.

        Raises:
            LookupError: one is damaged, and nobody knows what may be on disc.
        """
        for number in numbers:
            state = self.night.ports.collect_states.load(self.name, number)
            if state is None:
                raise LookupError("what an earlier collect found cannot be read any more")
            yield state

    def _base(self) -> tuple[State | None, int, Sequence[int]]:
        """The state that an increment rests on, its number, and those of later ones.

        It is the newest of this week's whole collect or after, and of an earlier day, since what is
        collected again on a day takes the place of what that day had.
        """
        if self.mode is not CollectMode.INCR or self.night.is_full:
            return None, 0, ()
        heads = self.night.ports.collect_states.heads(self.name)
        for number, head in heads.items():
            if (
                head is not None
                and self.night.week <= head.whole_day
                and head.day < self.night.today
                and head.is_proven(self.night.told, self.night.copies)
            ):
                base = self.night.ports.collect_states.load(self.name, number)
                return base, number, [each for each in heads if each > number]
        return None, 0, ()

    def _parts(self, look: SourceLook, increment: Increment) -> list[_Part]:
        own = os.fsencode(self.source.path)
        form = self.source.archive or self.night.collect.archive
        kinds = {path: one.entry.kind for path, one in increment.members.items()}
        kinds |= {path: held.entry.kind for path, held in increment.kept.items()}
        parts = {
            path[1:]: _Part(
                self.night,
                own[1:],
                path,
                self.name if path == own else name_below(path, own, self.names) + b".tar",
                form,
                increment,
                [new for one in seen if (new := increment.members.get(one.entry.path))],
                kinds,
                {one.entry.path for one in seen},
                [each for each in look.problems if path == own or is_unread(each, {path[1:]})],
            )
            for path, seen in look.archives.items()
        }
        top = next(iter(parts))
        if len(parts) == 1:
            parts[top].known.extend(increment.kinds)
        for path in increment.kinds if len(parts) > 1 else ():
            parts[_part_of(path, parts) or top].known.append(path)
        for path in increment.kept.keys() - {path for part in parts.values() for path in part.paths}:
            parts[_part_of(path, parts) or top].paths.add(path)
        return list(parts.values())

    # -- keeping ----------------------------------------------------------------------------------

    def _nothing_new(
        self, base: State | None, parts: Sequence[_Part], look: SourceLook
    ) -> list[CollectedArchive]:
        """What is unchanged leaves no archive behind; something empty that never had one neither."""
        if not self.night.dry_run:
            self._clear(parts, base)
            if base is None:
                self.night.remember(self.name)
        return _with_problems([CollectedArchive(str(self.source.path), CollectOutcome.NOTHING_NEW)], look)

    def _clear(self, parts: Sequence[_Part], base: State | None) -> None:
        """Take away archives of the source that this collect did not make anew."""
        old = {name for part in parts for name in all_forms(part.name)}
        for head in self.night.ports.collect_states.heads(self.name).values():
            old |= {each.name for each in head.archives} if head else set()
        self.night.remove(old - {part.file_name for part in parts if part.is_new(base)})

    def _keep(
        self, base: State | None, base_number: int, number: int, increment: Increment, parts: Sequence[_Part]
    ) -> None:
        """Keep what was found; where a part failed it is never a base, but known to have been."""
        if self.mode is not CollectMode.INCR:
            if not any(part.failed for part in parts):
                self.night.remember(self.name)
            return
        made = [(part.made, part.held) for part in parts if part.made is not None]
        kept = [*increment.kept.values(), *(held for part in parts for held in part.as_before(base))]
        state = next_state(self.night.today, base, made, kept)
        state = replace(state, is_complete=not any(part.failed for part in parts))
        oldest = base_number if base else number - KEPT_STATES
        self.night.ports.collect_states.keep(self.name, state, number=number, forget_before=oldest)


def _part_of(path: bytes, parts: Collection[bytes]) -> bytes:
    """The nearest folder of a path that has an archive of its own; empty when there is none."""
    folder = path
    while folder:
        if folder in parts:
            return folder
        folder = folder.rpartition(b"/")[0]
    return b""


def _with_problems(archives: list[CollectedArchive], look: SourceLook) -> list[CollectedArchive]:
    """The archives, the first with a line for each thing of the source that cannot be looked at."""
    lines = tuple(f"/{to_text(path)} cannot be read: {why}" for path, why in look.problems.items())
    told = {*lines}
    others = [
        replace(each, left_out=tuple(line for line in each.left_out if line not in told)) for each in archives
    ]
    return [replace(others[0], left_out=(*lines, *others[0].left_out)), *others[1:]]


@dataclass
class _Part:
    """An archive in the making, of a source or of a folder below it."""

    night: Night
    source: bytes  # its path, without the leading slash
    path: bytes
    name: bytes  # without the packing
    form: ArchiveFormat
    increment: Increment
    members: Sequence[Seen]
    kinds: dict[bytes, Kind]  # of all that is there, shared by all parts
    paths: set[bytes]  # what is there and belongs here
    unseen: Sequence[bytes]  # what of it cannot be looked at
    known: list[bytes] = field(default_factory=list)  # what was there and belongs here
    held: Sequence[Held] = ()
    unread: Collection[bytes] = ()
    made: Archive | None = None
    failed: bool = False

    @property
    def file_name(self) -> bytes:
        """The name of the archive."""
        return packed_name(self.name, self.form)

    @cached_property
    def _is_changed(self) -> bool:
        return bool(self.members or self.deleted() or not self.increment.altered.isdisjoint(self.paths))

    def is_new(self, base: State | None) -> bool:
        """Whether there is anything to archive; of what is whole even an empty folder."""
        return bool(self.members) if base is None else self._is_changed

    def deleted(self) -> tuple[bytes, ...]:
        """What is to be taken away before this archive is restored."""
        here = (path for path in self.paths if path in self.kinds)
        return deleted(self.known, self.increment.kinds, self.kinds, here)

    def told(self, base: State | None, held: Sequence[Seen | Held] | None = None) -> CollectedArchive:
        """What there is to say of it."""
        several = self.members if held is None else held
        files = [one.entry for one in several if one.entry.kind is Kind.FILE]
        return CollectedArchive(
            to_text(self.path),
            CollectOutcome.CHANGES if base else CollectOutcome.WHOLE,
            to_text(self.file_name),
            len(files),
            sum(entry.size for entry in files if not entry.hardlink),
        )

    def archive(self, base: State | None) -> CollectedArchive:
        """Make it, with all that goes with it; one that fails leaves the others alone."""
        try:
            return self._archive(base)
        except Interrupted:
            raise
        except CedarchestError as error:
            self.failed = True
            return CollectedArchive(to_text(self.path), CollectOutcome.FAILED, problem=error)

    def _archive(self, base: State | None) -> CollectedArchive:
        ports, root = self.night.ports, self.night.collect.dir
        ports.reporter.phase("collecting", sum(one.entry.size for one in self.members))

        def read(done: int) -> None:
            ports.interrupts.check()
            ports.reporter.advance(done)

        with ports.collect_dir.packing(root, self.file_name, self.form, self.members, read) as packed:
            self.held, self.unread = packed.held, packed.unread
            there = {held.entry.path for held in packed.held}
            for one in self.members:  # what went while it was collected is not there any more
                if one.entry.path not in there and one.entry.path not in packed.unread:
                    self.kinds.pop(one.entry.path, None)
            try:
                files = self._write_beside(base, packed)
            except BaseException:
                self.night.remove(all_forms(self.name))
                raise
        beside = tuple(file.sha256 for name, file in files.items() if name != self.file_name and file.size)
        self.made = Archive(self.file_name, self.night.today, packed.collected.sha256, beside)
        self.night.files.update(files)
        told = self.told(base, packed.held)
        return replace(told, archive_bytes=packed.collected.size, left_out=_left_out(packed))

    def _write_beside(self, base: State | None, packed: Packed) -> dict[bytes, Collected]:
        """Write index and deletions; gives all files of the archive."""
        root, write = self.night.collect.dir, self.night.ports.collect_dir.write
        archive = Archive(self.file_name, self.night.today, packed.collected.sha256)
        kept = [self.increment.kept[path] for path in self.paths & self.increment.kept.keys()]
        kept += self.as_before(base)
        index = io.BytesIO()
        state = next_state(self.night.today, base, [(archive, packed.held)], kept)
        collected = collected_as(self.source, self.night.now, (*self.unseen, *packed.unread))
        write_state(index, state, fingerprints=False, collected=collected)
        self.night.remove(all_forms(self.name, but=self.form))
        files = {self.file_name: packed.collected}
        if base is None:
            self.night.ports.collect_dir.remove(root, [self.file_name + DELETED_SUFFIX])
        else:
            gone = b"".join(path + b"\0" for path in self.deleted())
            files[self.file_name + DELETED_SUFFIX] = write(root, self.file_name + DELETED_SUFFIX, gone)
        files[self.file_name + INDEX_SUFFIX] = write(root, self.file_name + INDEX_SUFFIX, index.getvalue())
        return files

    def as_before(self, base: State | None) -> list[Held]:
        """What could not be archived now, as the base has it."""
        if base is None:
            return []
        missing = [one.entry.path for one in self.members] if self.failed else list(self.unread)
        return [base.held[path] for path in missing if path in base.held]


def _left_out(packed: Packed) -> tuple[str, ...]:
    """A line for each thing that the archive does not hold as it is."""
    unread = (f"/{to_text(path)} cannot be read: {reason}" for path, reason in packed.unread.items())
    restless = (
        f"/{to_text(path)} changed while it was read, and again when it was read once more: the archive has"
        " what was read"
        for path in packed.restless
    )
    said = (f"tar says: {first_few(packed.said)}",) if packed.said else ()
    return (*unread, *restless, *said)
