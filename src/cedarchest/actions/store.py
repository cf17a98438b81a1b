"""The store action: staged days go to a disc as `/YYYY/MM/DD`, are read back, and only then marked.

    choose days → writer → plan → (dry run stops here) → image → consistency check → indicator

`rebuild` does the same for all days of a week, on a new disc.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cedarchest.actions.burn import burn_session, reading_ahead
from cedarchest.actions.claims import claims_to_prove, prove_claims
from cedarchest.actions.copies import is_due_as
from cedarchest.actions.facts import base_chain
from cedarchest.actions.foreseen import Drives, begins_new, burnt_elsewhere, refused_beginning
from cedarchest.actions.indexing import index_archives
from cedarchest.actions.known_parts import learn_parts
from cedarchest.actions.loading import CurrentDisc, find_current, with_right_disc
from cedarchest.actions.marks import (
    awaits_check,
    follow_failures,
    follow_proof,
    is_proven,
    warn_of_unproven_marks,
)
from cedarchest.actions.planning import indexes_of, plan_days, whole_days
from cedarchest.actions.prove import prove_again, prove_session
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.reuse import begin_disc
from cedarchest.actions.room import warn_of_room
from cedarchest.actions.settle import settle
from cedarchest.actions.volumes import VolumeSet, with_part_digests
from cedarchest.actions.writers import (
    all_writers,
    copies_with_drives,
    create_writer,
    device_for,
    device_holding,
)
from cedarchest.actions.writing import Series, Task, Writing
from cedarchest.config.choices import CheckTime
from cedarchest.config.model import Config
from cedarchest.errors import (
    CedarchestError,
    Interrupted,
    MediaError,
    StagingError,
    VerifyError,
)
from cedarchest.model.days import format_day, parse_day
from cedarchest.model.disc import CheckKind, DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.holdable import unholdable
from cedarchest.model.names import to_text
from cedarchest.model.plan import StorePlan, Volume
from cedarchest.ports import DayIndex, Ports, StagedDay, Writer

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What the caller asks: certain days, today again on a new disc, or only the plan.

    A plan may be one for `after_stage`, which is not run for it and would make the staging folder.
    """

    days: tuple[str, ...] = ()
    full: bool = False
    dry_run: bool = False
    after_stage: bool = False


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What came of a store: days that are proven now, on which discs, and what no disc could hold.

    `marked` are those of the days that were proven before and only got their mark. `problems` are what
    kept other days from being stored.
    """

    plan: StorePlan
    days: tuple[str, ...] = ()
    discs: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    deferred: bool = False
    marked: tuple[str, ...] = ()
    problems: tuple[CedarchestError, ...] = ()


def execute_store(
    config_path: Path | None, options: StoreOptions, config: Config, *, ports: Ports
) -> StoreReport:
    """Store every staged day that is not stored, oldest first; or the days that are asked for.

    Raises:
        ConfigError, StagingError, VerifyError, LockedError: kinds of ValueError.
        MediaError, ToolError, CatalogError: kinds of OSError.
    """
    log.info("store, configured by %s", config_path or "its caller")
    if options.dry_run and options.after_stage and not config.require_stage().dir.exists():
        return StoreReport(StorePlan(()))
    if options.dry_run:
        return plan_only(config, choose_days(config, options, ports), ports, always_new=options.full)
    with ports.locks.hold(config.options.state_dir):
        settle_earlier(config, options, ports)
        days = choose_days(config, options, ports)
        report = store_days(config, days, ports=ports, always_new=options.full)
        leave_receipts(config, ports=ports)
        warn_of_room(config, report.discs, ports)
        return report


def plan_only(config: Config, days: Sequence[StagedDay], ports: Ports, *, always_new: bool) -> StoreReport:
    """What a store of these days would do. Writes nothing."""
    seen, problems = indexes_of(days, ports.staging.look)
    pending = [
        day for day in seen if always_new or not (is_proven(config, day, ports) or awaits_check(day, ports))
    ]
    for line in claims_to_prove(config, ports):
        ports.reporter.warn(line)
    for session in ports.catalog.open_sessions():
        days_of = ", ".join(content.day for content in session.days) or "a repair"
        ports.reporter.warn(f"an earlier run left {days_of} unproven; a store looks at that disc first")
    volumes: list[Volume] = []
    with all_writers(config, ports) as writers:
        by_device = {writer.device: writer for writer in writers}
        if not always_new and (waits := burnt_elsewhere(writers, ports)):
            raise waits
        for homes in copies_with_drives(_copies(config), writers, ports, always_new=always_new):
            due = {copy: _due_for(copy, config, pending, ports, always_new=always_new) for copy in homes}
            drives = Drives(writers, {copy: device for copy, device in homes.items() if due[copy]})
            for copy, device in homes.items():
                try:
                    plan = plan_days(
                        config, by_device[device], due[copy], ports, always_new=always_new, copy=copy
                    ).plan
                except MediaError as error:
                    problems.append(error)
                    continue
                volumes += plan.volumes
                problems += plan.refused
                if begins_new(plan) and (refused := refused_beginning(config, copy, drives, ports)):
                    problems.append(refused)
    if len(problems) == 1 and not volumes:
        raise problems[0]
    return StoreReport(StorePlan(tuple(volumes)), problems=tuple(problems))


def store_days(config: Config, days: Sequence[StagedDay], *, ports: Ports, always_new: bool) -> StoreReport:
    """Write, check and mark the days, volume by volume; each volume stands when the next one fails."""
    with reading_ahead(days, ports, always_new=always_new):
        return _store_days(config, days, ports, always_new=always_new)


def _store_days(config: Config, days: Sequence[StagedDay], ports: Ports, *, always_new: bool) -> StoreReport:
    indexed, problems = indexes_of(days, ports.staging.index)
    proven = [day for day in indexed if not always_new and _is_proven_now(config, day, ports)]
    marked = [day.day for day in proven if ports.staging.mark_stored(day.directory)]
    pending = [day for day in indexed if day not in proven]
    deferred = config.require_store().check is CheckTime.DEFERRED
    with all_writers(config, ports) as writers:
        devices = [writer.device for writer in writers]
        rounds = list(
            copies_with_drives(_copies(config) if pending else (), writers, ports, always_new=always_new)
        )
    work = _Work(config, ports, devices, always_new=always_new, deferred=deferred, problems=problems)
    for homes in rounds:
        work.store_copies(homes, pending)
    index_archives(config, ports, work.written)
    if len(problems) == 1 and not (work.discs or marked):
        raise problems[0]
    if not deferred:  # a session that is still to be read stays where it is
        _finish(config, work.used, ports)
    return StoreReport(
        StorePlan(tuple(work.volumes)),
        days=tuple(sorted({*work.done, *marked})),
        discs=tuple(dict.fromkeys(work.discs)),
        left_out=_left_out(indexed),
        deferred=deferred,
        marked=tuple(marked),
        problems=tuple(problems),
    )


def _is_proven_now(config: Config, day: DayIndex, ports: Ports) -> bool:
    """Whether discs have a day, also where it first has to be found out which file their parts are of."""
    return is_proven(config, day, ports) or (learn_parts(day, ports) and is_proven(config, day, ports))


def _copies(config: Config) -> range:
    return range(1, config.require_store().copies + 1)


def _due_for(
    copy: int, config: Config, pending: Sequence[DayIndex], ports: Ports, *, always_new: bool
) -> list[DayIndex]:
    """The days of which a copy is due."""
    return [day for day in pending if always_new or is_due_as(copy, config, day, ports)]


@dataclass
class _Work:
    """A store on its way: what is written and what is proven so far."""

    config: Config
    ports: Ports
    devices: Sequence[str]
    always_new: bool
    deferred: bool
    problems: list[CedarchestError]
    volumes: list[Volume] = field(default_factory=list)
    discs: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    written: list[DayIndex] = field(default_factory=list)

    def store_copies(self, homes: Mapping[int, str], pending: Sequence[DayIndex]) -> None:
        """Store days as copies on drives, all at once. What goes wrong is a problem of the run."""
        due = {
            copy: _due_for(copy, self.config, pending, self.ports, always_new=self.always_new)
            for copy in homes
        }
        series = [
            planned
            for copy, device in homes.items()
            if due[copy] and (planned := self._planned(copy, device, due[copy]))
        ]
        writing = Writing(
            self.config, self.ports, self.devices, series, deferred=self.deferred, proven=self._proven
        )
        try:
            writing.run()
        finally:
            self.problems += writing.problems

    def _planned(self, copy: int, device: str, due: Sequence[DayIndex]) -> Series | None:
        """The volumes of a copy; None where they cannot be planned, which is a problem of the run."""
        try:
            planned = _with_writer(
                self.config,
                self.ports,
                device,
                lambda writer: plan_days(
                    self.config, writer, due, self.ports, always_new=self.always_new, copy=copy
                ),
            )
            self.volumes += planned.plan.volumes
            self.problems += planned.plan.refused
            volumes = VolumeSet.of(with_part_digests(planned, self.ports), self.ports)
        except Interrupted:
            raise
        except CedarchestError as error:
            self.problems.append(error)
            return None
        return Series(device, volumes, list(range(len(planned.plan.volumes))))

    def _proven(self, task: Task) -> None:
        """A volume is written and, unless deferred, proven; days of which nothing is missing are marked."""
        volumes = task.series.volumes
        self.used.add(task.device)
        for disc in self.ports.catalog.discs():
            if disc.disc_id == task.disc.disc_id:
                self.discs.append(disc.label)
                volumes.has_label(task.position, disc)
        days = [share.index for share in volumes.shares(task.position)]
        self.written += days
        stored = [day for day in days if not self.deferred and is_proven(self.config, day, self.ports)]
        write_store_indicator(self.config, {day.directory: day.day for day in stored}, ports=self.ports)
        self.done += [day.day for day in stored]


def _with_writer(config: Config, ports: Ports, device: str, ask: Callable[[Writer], T]) -> T:
    """Something that only looks, done with a writer; where the wrong disc is in, a person may change it."""
    writer = create_writer(config, ports=ports, device=device)
    try:
        return with_right_disc(writer, ports, lambda: ask(writer))
    finally:
        writer.close()


def _left_out(days: Sequence[DayIndex]) -> tuple[str, ...]:
    lost = ((entry, unholdable(entry)) for day in days for entry in day.entries)
    return tuple(f"/{to_text(entry.path)}: {why}" for entry, why in lost if why)


def write_image(
    config: Config,
    new_disc: bool,
    staging_dirs: Mapping[Path, str],
    *,
    ports: Ports,
) -> SessionRecord:
    """Write each staging directory to the disc, at the root by date.

    `/opt/stage/2005/02/10` is placed at `/2005/02/10`. Plans, journals and burns; proves nothing.

    Raises:
        StagingError: what is staged changed since it was indexed.
        MediaError, ToolError: the disc cannot take it, or the write failed.
    """
    days = [ports.staging.index(path, day) for path, day in _by_day(staging_dirs)]
    device = device_for(config, ports, always_new=new_disc)
    planned = _with_writer(config, ports, device, lambda writer: whole_days(config, writer, days, ports))
    shares = [due.share(due.all) for due in with_part_digests(planned, ports).days.values()]
    writer = create_writer(config, ports=ports, device=device)

    def load() -> tuple[DiscRecord, CurrentDisc | None]:
        current = None if new_disc else find_current(config, writer, ports)
        return current.disc if current else begin_disc(config, writer, ports), current

    try:
        disc, current = with_right_disc(writer, ports, load)
        close = config.require_store().close
        return burn_session(config, writer, disc, current, shares, ports, close=close)
    finally:
        writer.close()


def write_store_indicator(config: Config, staging_dirs: Mapping[Path, str], *, ports: Ports) -> None:
    """Mark each staging directory stored, if and only if the catalog proves that it is.

    Raises:
        StagingError: a directory is not proven to be on disc; it is not marked.
    """
    for directory, day in _by_day(staging_dirs):
        seen = ports.staging.look(directory, day)
        if not is_proven(config, seen, ports):
            raise StagingError(
                f"{directory} is not marked stored: the catalog does not prove that {day} is on disc",
                advice="Run `cedarchest store` or, for a disc that was not checked yet, `cedarchest verify`.",
                day=day,
            )
        if not ports.staging.mark_stored(directory):
            ports.reporter.warn(
                f"{directory} may not be written: only the catalog knows that {day} is stored"
            )


def consistency_check(config: Config, staging_dirs: Mapping[Path, str], *, ports: Ports) -> None:
    """Compare the disc with what was staged, by reading the disc itself.

    Sometimes a corrupted multi-session disc is written although no error is seen: this makes sure that
    what is read matches what was stored. Without an exception there were no problems, which is logged.

    Raises:
        VerifyError: disc and data differ (a ValueError).
        MediaError: there is a problem with the medium (an OSError).
    """
    try:
        _check_sessions(config, _sessions_of(staging_dirs, ports), ports)
    except (MediaError, VerifyError):
        follow_proof(config, staging_dirs.values(), ports)  # what was proven once may be no more
        raise


def _check_sessions(config: Config, sessions: Sequence[SessionRecord], ports: Ports) -> None:
    for session in sessions:
        disc = next(each for each in ports.catalog.discs() if each.disc_id == session.disc_id)
        writer = create_writer(config, ports=ports, device=device_holding(config, disc.label, ports))
        try:
            if session.status is SessionStatus.BURNT:
                prove_session(config, writer, disc, session, ports, kind=CheckKind.STORE)
            else:
                prove_again(writer, disc, session, ports)
        finally:
            writer.close()


def choose_days(config: Config, options: StoreOptions, ports: Ports) -> list[StagedDay]:
    """The staged days to store, oldest first.

    Raises:
        StagingError: a day that was asked for is not staged.
    """
    staged = {day.day: day for day in ports.staging.days(config.require_stage().dir) if day.staged}
    if options.days or options.full:
        today = format_day(ports.clock.now().date())
        asked = sorted({format_day(parse_day(day)) for day in options.days} or {today})
        if absent := [day for day in asked if day not in staged]:
            raise StagingError(
                f"{absent[0]} is not staged below {config.require_stage().dir}",
                advice="Look at `cedarchest status`; a day is staged when it holds cback.stage.",
                day=absent[0],
            )
        return [staged[day] for day in asked if options.full or not staged[day].marked_stored]
    warn_of_unproven_marks(staged.values(), ports)
    chosen = [day for day in staged.values() if not day.marked_stored]
    if config.require_store().warn_midnight:
        today = format_day(ports.clock.now().date())
        for day in chosen:
            if day.day != today:
                ports.reporter.warn(f"{day.day} is stored on {today}, after its midnight")
    return chosen


def settle_earlier(config: Config, options: StoreOptions, ports: Ports) -> None:
    """What an earlier run left open is settled first; `full` may go on without the disc it needs."""
    with all_writers(config, ports) as writers:
        try:
            settle(config, writers, ports)
            prove_claims(config, writers, ports)
            follow_failures(config, ports)
        except MediaError as error:
            if not options.full:
                raise
            ports.reporter.warn(f"{error.message}; a new disc is begun all the same")


def _sessions_of(staging_dirs: Mapping[Path, str], ports: Ports) -> list[SessionRecord]:
    """The sessions that hold each day, oldest first and once each; staged and stored must be the same."""
    found: dict[tuple[str, int], SessionRecord] = {}
    for directory, day in _by_day(staging_dirs):
        contents = ports.catalog.contents(day)
        there = (SessionStatus.BURNT, SessionStatus.VERIFIED, SessionStatus.CLAIMED)
        usable = [each for each in contents if each[0].status in there]
        if not usable:
            raise MediaError(f"{day} is on no disc that the catalog knows", day=day)
        newest, content = usable[-1]
        if ports.staging.look(directory, day).digest != content.index_digest:
            raise VerifyError(f"{directory} is not what was written to disc as {day}", day=day)
        for session, _ in usable:  # a day may be on several discs
            if session.volume_set == newest.volume_set or session.name in content.rests_on:
                chain = base_chain(ports.catalog.sessions(session.disc_id), session.number)
                holding = [each for each in chain if any(held.day == day for held in each.days)]
                found |= {(each.disc_id, each.number): each for each in holding}
    return [found[key] for key in sorted(found)]


def _by_day(staging_dirs: Mapping[Path, str]) -> list[tuple[Path, str]]:
    return sorted(staging_dirs.items(), key=lambda item: (item[1], item[0]))


def _finish(config: Config, used: Collection[str], ports: Ports) -> None:
    """Eject what was written when that is wished; a tray that stays shut is no failure of the store."""
    for device in sorted(used) if config.require_store().eject else ():
        try:
            writer = create_writer(config, ports=ports, device=device)
            try:
                writer.eject()
            finally:
                writer.close()
        except Interrupted:
            raise
        except CedarchestError as error:
            ports.reporter.warn(f"the disc was not ejected: {error.message}")
