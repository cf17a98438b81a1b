"""The store action: staged days go to a disc as `/YYYY/MM/DD`, are read back, and only then marked.

    choose days → writer → plan → (dry run stops here) → image → consistency check → indicator

`rebuild` does the same for all days of a week, on a new disc.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cedarchest.actions.burn import VolumePlace, burn_session
from cedarchest.actions.copies import copies_in_order, is_due_as
from cedarchest.actions.facts import base_chain
from cedarchest.actions.loading import CurrentDisc, find_current, with_right_disc
from cedarchest.actions.marks import awaits_check, follow_proof, is_proven, warn_of_unproven_marks
from cedarchest.actions.planning import Planned, indexes_of, plan_days, whole_days
from cedarchest.actions.prove import prove_again, prove_session
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.reuse import begin_disc
from cedarchest.actions.selection import DayShare
from cedarchest.actions.settle import settle
from cedarchest.actions.volumes import VolumeSet, with_part_digests
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
    """What the caller asks: certain days, today again on a new disc, or only the plan."""

    days: tuple[str, ...] = ()
    full: bool = False
    dry_run: bool = False


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
    if options.dry_run:
        return plan_only(config, choose_days(config, options, ports), ports, always_new=options.full)
    with ports.locks.hold(config.options.state_dir):
        settle_earlier(config, options, ports)
        days = choose_days(config, options, ports)
        report = store_days(config, days, ports=ports, always_new=options.full)
        leave_receipts(config, ports=ports)
        return report


def plan_only(config: Config, days: Sequence[StagedDay], ports: Ports, *, always_new: bool) -> StoreReport:
    """What a store of these days would do. Writes nothing."""
    seen, problems = indexes_of(days, ports.staging.look)
    pending = [
        day for day in seen if always_new or not (is_proven(config, day, ports) or awaits_check(day, ports))
    ]
    for session in ports.catalog.open_sessions():
        days_of = ", ".join(content.day for content in session.days) or "a repair"
        ports.reporter.warn(f"an earlier run left {days_of} unproven; a store looks at that disc first")
    volumes: list[Volume] = []
    writer = create_writer(config, ports=ports)
    try:
        for copy in copies_in_order(config, writer, ports):
            due = _due_for(copy, config, pending, ports, always_new=always_new)
            planned = plan_days(config, writer, due, ports, always_new=always_new, copy=copy)
            volumes += planned.plan.volumes
            problems += planned.plan.refused
    finally:
        writer.close()
    return StoreReport(StorePlan(tuple(volumes)), problems=tuple(problems))


def store_days(config: Config, days: Sequence[StagedDay], *, ports: Ports, always_new: bool) -> StoreReport:
    """Write, check and mark the days, volume by volume; each volume stands when the next one fails."""
    indexed, problems = indexes_of(days, ports.staging.index)
    proven = [day for day in indexed if not always_new and is_proven(config, day, ports)]
    marked = [day.day for day in proven if ports.staging.mark_stored(day.directory)]
    pending = [day for day in indexed if day not in proven]
    deferred = config.require_store().check is CheckTime.DEFERRED
    work = _Work(config, ports, always_new=always_new, deferred=deferred, problems=problems)
    for copy in _with_writer(config, ports, lambda writer: copies_in_order(config, writer, ports)):
        if due := _due_for(copy, config, pending, ports, always_new=always_new):
            work.store_copy(copy, due)
    if len(problems) == 1 and not (work.discs or marked):
        raise problems[0]
    _finish(config, work.done, ports)
    return StoreReport(
        StorePlan(tuple(work.volumes)),
        days=tuple(sorted((*work.done, *marked))),
        discs=tuple(dict.fromkeys(work.discs)),
        left_out=_left_out(indexed),
        deferred=deferred,
        marked=tuple(marked),
        problems=tuple(problems),
    )


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
    always_new: bool
    deferred: bool
    problems: list[CedarchestError]
    volumes: list[Volume] = field(default_factory=list)
    discs: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def store_copy(self, copy: int, due: Sequence[DayIndex]) -> None:
        """Store days on discs of a copy. What goes wrong is a problem of the run, and ends this copy."""
        try:
            planned = self._planned(copy, due)
            volumes = VolumeSet.of(planned, self.ports)
            for position, volume in enumerate(planned.plan.volumes):
                self.ports.interrupts.check()
                log.info("%s: %s", ", ".join(volume.days), volume.why)
                self._store_volume(volumes, position, volume)
        except Interrupted:
            raise
        except CedarchestError as error:
            self.problems.append(error)

    def _planned(self, copy: int, due: Sequence[DayIndex]) -> Planned:
        planned = _with_writer(
            self.config,
            self.ports,
            lambda writer: plan_days(
                self.config, writer, due, self.ports, always_new=self.always_new, copy=copy
            ),
        )
        self.volumes += planned.plan.volumes
        self.problems += planned.plan.refused
        return with_part_digests(planned, self.ports)

    def _store_volume(self, volumes: VolumeSet, position: int, volume: Volume) -> None:
        """Write a volume and prove it; days of which nothing is missing any more are marked."""
        shares, place = volumes.shares(position), volumes.place(position)
        session = _write_volume(
            self.config, shares, self.ports, new_disc=volume.new_disc, copy=volume.copy, place=place
        )
        if not self.deferred:
            _check_sessions(self.config, [session], self.ports)
        for disc in self.ports.catalog.discs():
            if disc.disc_id == session.disc_id:
                self.discs.append(disc.label)
                volumes.has_label(position, disc)
        days = [share.index for share in shares]
        stored = [day for day in days if not self.deferred and is_proven(self.config, day, self.ports)]
        write_store_indicator(self.config, {day.directory: day.day for day in stored}, ports=self.ports)
        self.done += [day.day for day in stored]


def _with_writer(config: Config, ports: Ports, ask: Callable[[Writer], T]) -> T:
    """Something that only looks, done with a writer; where the wrong disc is in, a person may change it."""
    writer = create_writer(config, ports=ports)
    try:
        return with_right_disc(writer, ports, lambda: ask(writer))
    finally:
        writer.close()


def _left_out(days: Sequence[DayIndex]) -> tuple[str, ...]:
    lost = ((entry, unholdable(entry)) for day in days for entry in day.entries)
    return tuple(f"/{to_text(entry.path)}: {why}" for entry, why in lost if why)


def create_writer(config: Config, *, ports: Ports) -> Writer:
    """A writer for the configured drive; all writers have the same interface.

    A mounted device is refused before anything else: experience shows trouble with the backup if it is.

    Raises:
        ConfigError: the device type is not known.
        DeviceMounted, DriveMissing, DriveForbidden: the device is mounted, not there, not ours to use.
    """
    store = config.require_store()
    if len(store.device) > 1:
        ports.reporter.warn(f"several drives are configured; {store.device[0]} is used")
    return ports.drives.open(store.device[0], str(store.device_type))


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
    planned = _with_writer(config, ports, lambda writer: whole_days(config, writer, days, ports))
    shares = [due.share(due.all) for due in with_part_digests(planned, ports).days.values()]
    return _write_volume(config, shares, ports, new_disc=new_disc)


def _write_volume(
    config: Config,
    shares: Sequence[DayShare],
    ports: Ports,
    *,
    new_disc: bool,
    copy: int = 1,
    place: VolumePlace | None = None,
) -> SessionRecord:
    writer = create_writer(config, ports=ports)

    def load() -> tuple[DiscRecord, CurrentDisc | None]:
        current = None if new_disc else find_current(config, writer, ports, copy=copy)
        return current.disc if current else begin_disc(config, writer, ports, copy=copy), current

    try:
        disc, current = with_right_disc(writer, ports, load)
        close = config.require_store().close
        return burn_session(config, writer, disc, current, shares, ports, place=place, close=close)
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
    writer = create_writer(config, ports=ports)
    try:
        for session in sessions:
            disc = next(each for each in ports.catalog.discs() if each.disc_id == session.disc_id)
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
    writer = create_writer(config, ports=ports)
    try:
        settle(config, writer, ports)
    except MediaError as error:
        if not options.full:
            raise
        ports.reporter.warn(f"{error.message}; a new disc is begun all the same")
    finally:
        writer.close()


def _sessions_of(staging_dirs: Mapping[Path, str], ports: Ports) -> list[SessionRecord]:
    """The sessions that hold each day, oldest first and once each; staged and stored must be the same."""
    found: dict[tuple[str, int], SessionRecord] = {}
    for directory, day in _by_day(staging_dirs):
        contents = ports.catalog.contents(day)
        usable = [
            each for each in contents if each[0].status in (SessionStatus.BURNT, SessionStatus.VERIFIED)
        ]
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


def _finish(config: Config, done: Sequence[str], ports: Ports) -> None:
    """Eject when that is wished; a tray that stays shut is no failure of the store."""
    if not config.require_store().eject or not done:
        return
    writer = create_writer(config, ports=ports)
    try:
        writer.eject()
    except CedarchestError as error:
        ports.reporter.warn(f"the disc was not ejected: {error.message}")
    finally:
        writer.close()
