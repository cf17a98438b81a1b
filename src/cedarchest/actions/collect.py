"""The collect action: what this machine has is archived in the collect dir, for the master to stage.

    each source: due? → before → look → compare with what is proven → (dry run stops here) → archive → after
    each command: due? → its output; then the list of all that was made, and the mark

What cannot be read is named and harms nothing else; a source that fails holds up no other.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from cedarchest.actions.receipts import copies_told
from cedarchest.config.choices import AdvanceOn, ArchiveFormat, CollectMode
from cedarchest.config.model import Collect, CollectCommand, CollectSource, Config
from cedarchest.errors import CedarchestError, ConfigError, HookFailed, Interrupted
from cedarchest.model.archive_names import DELETED_SUFFIX, INDEX_SUFFIX, archive_names, name_below
from cedarchest.model.days import week_of
from cedarchest.model.handover import Collected
from cedarchest.model.increments import (
    Archive,
    Held,
    Increment,
    Seen,
    State,
    compare,
    deleted_since,
    next_state,
    write_state,
)
from cedarchest.model.index import Kind
from cedarchest.model.names import first_few, to_text
from cedarchest.ports import Packed, Ports

KEPT_STATES = 40
"""How many collects that no receipt has proven yet are remembered."""


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What the caller asks: everything whole, or only the plan."""

    full: bool = False
    dry_run: bool = False


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
class CollectReport:
    """All archives, in the order of the configuration."""

    archives: tuple[CollectedArchive, ...]


def execute_collect(config: Config, options: CollectOptions, *, ports: Ports) -> CollectReport:
    """Archive what is due, and mark the collect as done unless nothing of it worked.

    Raises:
        ConfigError: nothing is to be collected, or two things would have the same name.
        LockedError: another run is at work.
        CollectError, DiskFull: the collect dir cannot be used.
    """
    collect = config.require_collect()
    run = _Run(config, collect, options, ports, check_collected(collect))
    if options.dry_run:
        return CollectReport(tuple(run.all()))
    with ports.locks.hold(config.options.state_dir):
        ports.collect_dir.begin(collect.dir)
        archives = tuple(run.all())
        if any(archive.outcome is not CollectOutcome.FAILED for archive in archives):
            ports.collect_dir.finish(collect.dir, run.files)
        return CollectReport(archives)


def check_collected(collect: Collect) -> Mapping[bytes, bytes]:
    """The name of each source's archive, by path, without the suffix of its packing.

    Raises:
        ConfigError: there is nothing to collect, or it cannot be told apart.
    """
    paths = [os.fsencode(source.path) for source in collect.source]
    names = {path: name + b".tar" for path, name in archive_names(paths).items()}
    commands = [os.fsencode(command.name) for command in collect.command]
    if not paths and not commands:
        raise ConfigError(
            "the configuration names nothing to collect",
            advice="Add a [[collect.source]] with path, or a [[collect.command]] with name and argv.",
        )
    everything = [*paths, *commands, *names.values()]
    if twice := {each for each in everything if everything.count(each) > 1}:
        raise ConfigError(
            f"collect: {to_text(min(twice))} is there twice, and one archive would replace the other",
            advice="Name each source once, and give each command a name of its own.",
        )
    if collect.advance_on is AdvanceOn.STAGED:
        raise ConfigError(
            'collect.advance_on: only "stored" can be done yet',
            advice="Take it out of the configuration until it can be done.",
        )
    return names


@dataclass
class _Run:
    """One run; `files` are those that it left in the collect dir."""

    config: Config
    collect: Collect
    options: CollectOptions
    ports: Ports
    names: Mapping[bytes, bytes]
    files: dict[bytes, Collected] = field(default_factory=dict)
    _told: Mapping[bytes, int] | None = None

    @property
    def today(self) -> date:
        """The day by the clock."""
        return self.ports.clock.now().date()

    def all(self) -> Iterator[CollectedArchive]:
        """Collect all that is configured."""
        for source in self.collect.source:
            yield from self._source(source)
        for command in self.collect.command:
            yield self._command(command)

    # -- what is due ------------------------------------------------------------------------------

    def _is_due(self, mode: CollectMode, name: bytes) -> bool:
        """Whether something is collected today: what is weekly, also when it was missed."""
        if mode is not CollectMode.WEEKLY or self._is_full():
            return True
        newest = next(iter(self.ports.collect_states.heads(name).values()), None)
        return newest is None or newest.day < self._week()

    def _is_full(self) -> bool:
        return self.options.full or self.today == self._week()

    def _week(self) -> date:
        return week_of(self.today, self.config.options.weekday)

    # -- sources ----------------------------------------------------------------------------------

    def _source(self, source: CollectSource) -> Iterator[CollectedArchive]:
        """The archives of a source, between the programs that go with it."""
        shown = str(source.path)
        mode = source.mode or self.collect.mode
        try:
            if not self._is_due(mode, self.names[os.fsencode(source.path)]):
                yield CollectedArchive(shown, CollectOutcome.NOT_DUE)
                return
            if source.before and not self.options.dry_run:
                self.ports.hooks.run(source.before, {"CEDARCHEST_SOURCE": shown})
        except Interrupted:
            raise
        except CedarchestError as error:
            yield CollectedArchive(shown, CollectOutcome.FAILED, problem=error)
            return
        try:
            archives = self._archives(source, mode)
        finally:
            after = self._after(source)
        yield from archives[:-1]
        yield replace(archives[-1], left_out=(*archives[-1].left_out, *after))

    def _after(self, source: CollectSource) -> tuple[str, ...]:
        if source.after and not self.options.dry_run:
            try:
                self.ports.hooks.run(source.after, {"CEDARCHEST_SOURCE": str(source.path)})
            except HookFailed as error:
                return (error.message,)
        return ()

    def _archives(self, source: CollectSource, mode: CollectMode) -> list[CollectedArchive]:
        try:
            look = self.ports.sources.look(self.collect, source)
        except CedarchestError as error:
            return [CollectedArchive(str(source.path), CollectOutcome.FAILED, problem=error)]
        form = source.archive or self.collect.archive
        own = os.fsencode(source.path)
        names = {path: name.removesuffix(b".tar") for path, name in self.names.items()}
        archives = []
        for path, seen in look.archives.items():
            self.ports.interrupts.check()
            name = self.names[own] if path == own else name_below(path, own, names) + b".tar"
            archiving = _Archiving(self, path, name, form, mode, seen, look.problems)
            try:
                archives.append(archiving.archive())
            except Interrupted:
                raise
            except CedarchestError as error:
                archives.append(CollectedArchive(to_text(path), CollectOutcome.FAILED, problem=error))
        lines = tuple(f"/{to_text(path)} cannot be read: {why}" for path, why in look.problems.items())
        return [replace(archives[0], left_out=(*lines, *archives[0].left_out)), *archives[1:]]

    def told(self) -> Mapping[bytes, int]:
        """On how many verified discs each content is, by the master's receipts."""
        if self._told is None:
            root = self.collect.dir
            items = self.ports.folders.look(root) if root.is_dir() else ()
            self._told = copies_told(root, items, self.ports)
        return self._told

    def base(self, name: bytes, mode: CollectMode) -> tuple[State | None, int]:
        """What an increment of today is compared with, and its number; none for a whole collect.

        It is the newest state of this week's whole collect or after, whose archives are all proven.
        """
        if mode is not CollectMode.INCR or self._is_full():
            return None, 0
        copies = self.config.store.copies if self.config.store else 1
        for number, head in self.ports.collect_states.heads(name).items():
            if head.whole_day >= self._week() and head.is_proven(self.told(), copies):
                state = self.ports.collect_states.load(name, number)
                if state is not None:
                    return state, number
        return None, 0

    # -- commands ---------------------------------------------------------------------------------

    def _command(self, command: CollectCommand) -> CollectedArchive:
        shown = f"command {command.name}"
        own = os.fsencode(command.name)
        form = command.archive or self.collect.archive
        name = own + _packed_suffix(form)
        mode = command.mode or self.collect.mode
        try:
            if not self._is_due(mode, own):
                return CollectedArchive(shown, CollectOutcome.NOT_DUE)
            if self.options.dry_run:
                return CollectedArchive(shown, CollectOutcome.WHOLE, to_text(name))
            self.ports.reporter.phase("collecting", 0)
            packed = self.ports.collect_dir.pack_output(
                self.collect.dir, name, form, command.argv, self.ports.reporter.advance
            )
            self.remember(own, mode, State(self.today, self.today), whole=True, base_number=0)
        except Interrupted:
            raise
        except CedarchestError as error:
            return CollectedArchive(shown, CollectOutcome.FAILED, problem=error)
        self.files[name] = packed.collected
        self.ports.collect_dir.remove(self.collect.dir, _other_forms(own, form))
        return CollectedArchive(
            shown, CollectOutcome.WHOLE, to_text(name), 1, archive_bytes=packed.collected.size
        )

    def remember(
        self, name: bytes, mode: CollectMode, state: State, *, whole: bool, base_number: int
    ) -> None:
        """Keep a state; of what is never compared with only that it was."""
        if mode is not CollectMode.INCR:
            state = State(state.day, state.whole_day)
        newest = max(self.ports.collect_states.heads(name), default=0)
        oldest = newest - KEPT_STATES if mode is CollectMode.INCR else newest + 1
        self.ports.collect_states.keep(name, state, forget_before=oldest if whole else base_number)


@dataclass(frozen=True)
class _Archiving:
    """An archive of a source in the making."""

    run: _Run
    path: bytes
    name: bytes  # without the suffix of the packing
    form: ArchiveFormat
    mode: CollectMode
    seen: Sequence[Seen]
    unseen: Mapping[bytes, str]

    def archive(self) -> CollectedArchive:
        """Compare, archive, and keep what was found for the next time."""
        base, base_number = self.run.base(self.name, self.mode)
        increment = compare(self.seen, self.unseen, base, self.run.ports.sources.digest)
        earlier = self._since(base_number) if base else ()
        present = {*(one.entry.path for one in self.seen), *(held.entry.path for held in increment.kept)}
        deleted = deleted_since(earlier, present)
        if not increment.members and not deleted and not increment.altered:
            return self._nothing_new(base)
        if self.run.options.dry_run:
            return self._told(base, increment.members)
        packed = self._pack(increment.members)
        self._write(base, base_number, increment, packed, deleted)
        held = [one for one in packed.held if one.entry.kind is Kind.FILE]
        done = self._told(base, held)
        return replace(done, archive_bytes=packed.collected.size, left_out=_left_out(packed, self.unseen))

    @property
    def _file_name(self) -> bytes:
        return self.name + _packed_suffix(self.form)

    def _since(self, number: int) -> list[State]:
        """The base and all later states, of which nobody knows whether they came to be on disc."""
        states = self.run.ports.collect_states
        loaded = (states.load(self.name, each) for each in states.heads(self.name) if each >= number)
        return [state for state in loaded if state is not None]

    def _nothing_new(self, base: State | None) -> CollectedArchive:
        """What is unchanged leaves no archive behind; something empty that never had one neither."""
        outcome = CollectedArchive(to_text(self.path), CollectOutcome.NOTHING_NEW)
        if not self.run.options.dry_run:
            self._remove((self._file_name, *_other_forms(self.name, self.form)))
            if base is None:
                state = State(self.run.today, self.run.today)
                self.run.remember(self.name, self.mode, state, whole=True, base_number=0)
        return outcome

    def _told(self, base: State | None, members: Sequence[Seen] | Sequence[Held]) -> CollectedArchive:
        files = [one.entry for one in members if one.entry.kind is Kind.FILE]
        return CollectedArchive(
            to_text(self.path),
            CollectOutcome.CHANGES if base else CollectOutcome.WHOLE,
            to_text(self._file_name),
            len(files),
            sum(entry.size for entry in files if not entry.hardlink),
        )

    def _pack(self, members: Sequence[Seen]) -> Packed:
        ports = self.run.ports
        ports.reporter.phase("collecting", sum(one.entry.size for one in members))

        def read(done: int) -> None:
            ports.interrupts.check()
            ports.reporter.advance(done)

        return ports.collect_dir.pack(self.run.collect.dir, self._file_name, self.form, members, read)

    def _write(
        self,
        base: State | None,
        base_number: int,
        increment: Increment,
        packed: Packed,
        deleted: Sequence[bytes],
    ) -> None:
        """Write what goes with an archive; what of it could not be read is as the base has it."""
        before = base.held if base else {}
        kept = [*increment.kept, *(before[path] for path in packed.unread if path in before)]
        archive = Archive(self._file_name, self.run.today, packed.collected.sha256)
        state = next_state(self.run.today, base, archive, kept, packed.held)
        index = io.BytesIO()
        write_state(index, state, fingerprints=False)
        self._remove(_other_forms(self.name, self.form))
        files = {self._file_name: packed.collected}
        beside = {INDEX_SUFFIX: index.getvalue()}
        if base is not None:
            beside[DELETED_SUFFIX] = b"".join(path + b"\0" for path in deleted)
        for suffix, content in beside.items():
            name = self._file_name + suffix
            files[name] = self.run.ports.collect_dir.write(self.run.collect.dir, name, content)
        if base is None:
            self.run.ports.collect_dir.remove(self.run.collect.dir, [self._file_name + DELETED_SUFFIX])
        self.run.remember(self.name, self.mode, state, whole=base is None, base_number=base_number)
        self.run.files.update(files)

    def _remove(self, names: Sequence[bytes]) -> None:
        suffixes = (b"", INDEX_SUFFIX, DELETED_SUFFIX)
        self.run.ports.collect_dir.remove(
            self.run.collect.dir, [name + suffix for name in names for suffix in suffixes]
        )


def _packed_suffix(form: ArchiveFormat) -> bytes:
    return form.value.removeprefix("tar").encode()


def _other_forms(name: bytes, form: ArchiveFormat) -> list[bytes]:
    """Names that an archive has in other packings."""
    return [name + _packed_suffix(other) for other in ArchiveFormat if other is not form]


def _left_out(packed: Packed, told: Collection[bytes]) -> tuple[str, ...]:
    """A line for each thing that the archive does not hold as it is, but for paths that were told of."""
    unread = (
        f"/{to_text(path)} cannot be read: {reason}"
        for path, reason in packed.unread.items()
        if path not in told
    )
    restless = (
        f"/{to_text(path)} changed while it was read, and again when it was read once more: the archive has"
        " what was read"
        for path in packed.restless
    )
    said = (f"tar says: {first_few(packed.said)}",) if packed.said else ()
    return (*unread, *restless, *said)
