"""The schedule action: have systemd or cron run `all` at the times of `[schedule]`, or no longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from cedarchest.config.model import Config
from cedarchest.errors import ScheduleError
from cedarchest.model.schedule import next_run
from cedarchest.model.scheduled_files import (
    CRON_FILE,
    SERVICE,
    TIMER,
    CannotBeNamed,
    Invoked,
    cron_file,
    crontab_lines,
    units,
)
from cedarchest.ports import Clock, Scheduler, Scope


class Starter(StrEnum):
    """What starts the runs."""

    SYSTEMD = "systemd"
    CRON = "cron"


CRONTAB = "the user's crontab"
"""Stands for a path where the program `crontab` alone knows it."""


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """What was done: who starts the runs, and of what they are started by the places and texts."""

    scope: Scope
    starter: Starter | None = None
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    next_run: datetime | None = None


def show_schedule(
    path: Path, config: Config, scope: Scope, *, scheduler: Scheduler, clock: Clock
) -> ScheduleReport:
    """What an install would write, for systemd and for cron; nothing is written."""
    invoked = _invoked(path, config, scheduler)
    texts = {**_units(invoked, scope), **_cron(invoked, scope)}
    return ScheduleReport(scope, texts=texts, next_run=_next(config, clock))


def install_schedule(
    path: Path, config: Config, scope: Scope, starter: Starter | None, *, scheduler: Scheduler, clock: Clock
) -> ScheduleReport:
    """Have the runs started, by systemd where it runs; what an earlier install wrote elsewhere goes.

    Raises:
        ConfigError: there is no schedule.
        ScheduleError: it may not be done, or a file that is not ours is in the way.
        ToolError: systemctl or crontab failed.
    """
    scheduler.allow(scope)
    invoked = _invoked(path, config, scheduler)
    chosen = starter or (Starter.SYSTEMD if scheduler.has_systemd() else Starter.CRON)
    if chosen is Starter.SYSTEMD:
        written = scheduler.put_units(scope, _units(invoked, scope), TIMER)
        removed = _drop_cron(scope, scheduler)
    else:
        written = _put_cron(invoked, scope, scheduler)
        removed = scheduler.drop_units(scope, (SERVICE, TIMER), TIMER)
    return ScheduleReport(scope, chosen, written, removed, next_run=_next(config, clock))


def remove_schedule(scope: Scope, *, scheduler: Scheduler) -> ScheduleReport:
    """Take away what an install wrote, whichever way.

    Raises:
        ScheduleError: it may not be done, or a file is not ours.
        ToolError: systemctl or crontab failed.
    """
    scheduler.allow(scope)
    removed = scheduler.drop_units(scope, (SERVICE, TIMER), TIMER)
    return ScheduleReport(scope, removed=(*removed, *_drop_cron(scope, scheduler)))


def _invoked(path: Path, config: Config, scheduler: Scheduler) -> Invoked:
    return Invoked(scheduler.program(), path.absolute(), config.require_schedule().at)


def _next(config: Config, clock: Clock) -> datetime | None:
    return next_run(config.require_schedule().at, clock.now(), clock.local)


def _units(invoked: Invoked, scope: Scope) -> Mapping[str, str]:
    try:
        return units(invoked, whole_machine=scope is Scope.SYSTEM)
    except CannotBeNamed as error:
        raise _refused(error) from error


def _cron(invoked: Invoked, scope: Scope) -> Mapping[str, str]:
    try:
        if scope is Scope.SYSTEM:
            return {f"/etc/cron.d/{CRON_FILE}": cron_file(invoked)}
        return {CRONTAB: "".join(f"{line}\n" for line in crontab_lines(invoked))}
    except CannotBeNamed as error:
        raise _refused(error) from error


def _refused(error: CannotBeNamed) -> ScheduleError:
    return ScheduleError(str(error), advice="Move the program or the configuration to a plainer path.")


def _put_cron(invoked: Invoked, scope: Scope, scheduler: Scheduler) -> tuple[str, ...]:
    (text,) = _cron(invoked, scope).values()
    if scope is Scope.SYSTEM:
        return (scheduler.put_cron(CRON_FILE, text),)
    scheduler.put_crontab(text.splitlines())
    return (CRONTAB,)


def _drop_cron(scope: Scope, scheduler: Scheduler) -> tuple[str, ...]:
    if scope is Scope.SYSTEM:
        path = scheduler.drop_cron(CRON_FILE)
        return (path,) if path else ()
    return (CRONTAB,) if scheduler.drop_crontab() else ()
