"""The collect action: what this machine has is archived in the collect dir, for the master to stage.

    each source: due? → before → look → compare with what is proven → (dry run stops here) → archive → after
    each command: due? → its output; then the list of all that was made, and the mark

What cannot be read is named and harms nothing else; a source that fails holds up no other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cedarchest.actions.apart import kept_out, refuse_nested
from cedarchest.actions.archiving import (
    Archiving,
    CollectedArchive,
    CollectOutcome,
    Night,
    all_forms,
    packed_name,
)
from cedarchest.actions.told import copies_told
from cedarchest.config.choices import AdvanceOn
from cedarchest.config.collect import Collect, CollectCommand, CollectSource
from cedarchest.config.model import Config
from cedarchest.config.wording import command_place
from cedarchest.errors import CedarchestError, ConfigError, HookFailed, Interrupted
from cedarchest.model.archive_names import archive_names
from cedarchest.model.days import week_of
from cedarchest.model.excludes import Excludes
from cedarchest.model.names import to_text
from cedarchest.ports import Ports


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What the caller asks: everything whole, only the plan, names that depend on nothing but the path.

    `only` are paths of sources, and places of commands; the others are passed over. A `part` is added to what
    an earlier collect left, and says of no collect that it has ended.
    """

    full: bool = False
    dry_run: bool = False
    by_path: bool = False
    only: frozenset[str] | None = None
    part: bool = False

    def wants(self, what: str) -> bool:
        """Whether a source or command is to be collected."""
        return self.only is None or what in self.only


@dataclass(frozen=True, slots=True)
class CollectReport:
    """All archives, in the order of the configuration."""

    archives: tuple[CollectedArchive, ...]

    @property
    def worked(self) -> bool:
        """Whether anything that was due worked, or nothing was due."""
        outcomes = {archive.outcome for archive in self.archives}
        return CollectOutcome.FAILED not in outcomes or bool(
            outcomes - {CollectOutcome.FAILED, CollectOutcome.NOT_DUE}
        )


def execute_collect(config: Config, options: CollectOptions, *, ports: Ports) -> CollectReport:
    """Archive what is due, and mark the collect as done unless nothing of it worked.

    Raises:
        ConfigError: nothing is to be collected, it cannot be told apart, or a folder of ours lies in the
            collect dir.
        LockedError: another run is at work.
        CollectError, DiskFull: the collect dir cannot be used.
    """
    collect = config.require_collect()
    refuse_nested(config)
    names = check_collected(collect, by_path=options.by_path)
    if options.dry_run:
        night = _night(config, collect, options, ports)
        return CollectReport(tuple(_all(night, names, options)))
    with ports.locks.hold(config.options.state_dir):
        was_marked = ports.collect_dir.begin(collect.dir)
        night = _night(config, collect, options, ports)
        report = CollectReport(tuple(_all(night, names, options)))
        if options.part:
            ports.collect_dir.add(collect.dir, night.files, marked=was_marked)
        elif report.worked:
            ports.collect_dir.finish(collect.dir, night.files)
        return report


def check_collected(collect: Collect, *, by_path: bool = False) -> Mapping[bytes, bytes]:
    """The name of each source's archive, by path, without `.tar` and the suffix of its packing.

    Raises:
        ConfigError: there is nothing to collect, or it cannot be told apart.
    """
    names = archive_names((os.fsencode(source.path) for source in collect.source), by_path=by_path)
    commands = [os.fsencode(command.name) for command in collect.command]
    if not names and not commands:
        raise ConfigError(
            "the configuration names nothing to collect",
            advice="Add a [[collect.source]] with path, or a [[collect.command]] with name and argv.",
        )
    for several in ([os.fsencode(source.path) for source in collect.source], commands):
        if twice := {each for each in several if several.count(each) > 1}:
            raise ConfigError(
                f"collect: {to_text(min(twice))} is there twice, and one archive would replace the other",
                advice="Name each source once, and give each command a name of its own.",
            )
    for command in commands:
        if re.search(rb"\.tar(?:\.|\Z)|\.(?:deleted|jsonl\.gz)\Z", command) or any(
            command in all_forms(other) for other in commands if other != command
        ):
            raise ConfigError(
                f"collect.command: {to_text(command)} might be the name of another archive",
                advice="Give the command a name without `.tar` and without the suffix of a packing.",
            )
    for source in collect.source:
        _check_patterns(collect, source)
    return names


def _check_patterns(collect: Collect, source: CollectSource) -> None:
    for exclude in (*collect.exclude, *source.exclude):
        try:
            Excludes(os.fsencode(source.path), [exclude])
        except ValueError as error:
            raise ConfigError(
                f"collect: exclude {exclude!r} is no pattern as in .gitignore",
                advice="Correct it; a backslash, and a `!` or `#` that begins it, has a backslash before it.",
            ) from error


def _night(config: Config, collect: Collect, options: CollectOptions, ports: Ports) -> Night:
    now = ports.clock.now()
    week = week_of(now.date(), config.options.weekday)
    items = ports.folders.look(collect.dir) if collect.dir.is_dir() else ()
    return Night(
        collect,
        ports,
        now,
        now.date(),
        week,
        is_full=options.full or now.date() == week,
        dry_run=options.dry_run,
        told=copies_told(collect.dir, items, ports),
        copies=0 if collect.advance_on is AdvanceOn.STAGED else config.store.copies if config.store else 1,
        own=kept_out(config),
    )


def _all(night: Night, names: Mapping[bytes, bytes], options: CollectOptions) -> Iterator[CollectedArchive]:
    for source in night.collect.source:
        night.ports.interrupts.check()
        if options.wants(str(source.path)):
            yield from _source(night, source, names)
    for command in night.collect.command:
        night.ports.interrupts.check()
        if options.wants(command_place(command.name)):
            yield _command(night, command)


def _source(night: Night, source: CollectSource, names: Mapping[bytes, bytes]) -> Iterator[CollectedArchive]:
    """The archives of a source, between the programs that go with it."""
    shown = str(source.path)
    mode = source.mode or night.collect.mode
    name = names[os.fsencode(source.path)] + b".tar"
    try:
        if not night.is_due(mode, name):
            yield CollectedArchive(shown, CollectOutcome.NOT_DUE)
            return
        if source.before and not night.dry_run:
            night.ports.hooks.run(source.before, {"CEDARCHEST_SOURCE": shown})
    except Interrupted:
        raise
    except CedarchestError as error:
        yield CollectedArchive(shown, CollectOutcome.FAILED, problem=error.told_of(shown))
        return
    try:
        archives = Archiving(night, source, mode, name, names).archive()
    finally:
        after = _after(night, source)
    yield from archives[:-1]
    yield replace(archives[-1], left_out=(*archives[-1].left_out, *after))


def _after(night: Night, source: CollectSource) -> tuple[str, ...]:
    if source.after and not night.dry_run:
        try:
            night.ports.hooks.run(source.after, {"CEDARCHEST_SOURCE": str(source.path)})
        except HookFailed as error:
            return (error.told_of(str(source.path)).message,)
    return ()


def _command(night: Night, command: CollectCommand) -> CollectedArchive:
    """The output of a program."""
    shown = command_place(command.name)
    own = os.fsencode(command.name)
    form = command.archive or night.collect.archive
    name = packed_name(own, form)
    try:
        if not night.is_due(command.mode or night.collect.mode, own):
            return CollectedArchive(shown, CollectOutcome.NOT_DUE)
        if night.dry_run:
            return CollectedArchive(shown, CollectOutcome.WHOLE, to_text(name))
        night.ports.reporter.phase("collecting", 0)
        packed = night.ports.collect_dir.pack_output(
            night.collect.dir, name, form, command.argv, night.ports.reporter.advance
        )
        night.files[name] = packed.collected
        night.ports.collect_dir.remove(night.collect.dir, all_forms(own, but=form))
        night.remember(own)
    except Interrupted:
        raise
    except CedarchestError as error:
        return CollectedArchive(shown, CollectOutcome.FAILED, problem=error.told_of(shown))
    return CollectedArchive(
        shown, CollectOutcome.WHOLE, to_text(name), 1, archive_bytes=packed.collected.size
    )
