"""The actions of a night as the command line runs them: each by itself, with its hooks and in the journal."""

from __future__ import annotations

import contextlib
import enum
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest.config.choices import ManagedAction
from cedarchest.errors import (
    CedarchestError,
    ConfigError,
    DiskFull,
    Interrupted,
    NewsFailed,
    UnexpectedFailure,
)
from cedarchest.report.outcome import Outcome, Result, combined, failed

if TYPE_CHECKING:
    from cedarchest.config.model import Config, Ping
    from cedarchest.ports import Ports, Reporter, Scope
    from cedarchest.report.progress import ProgressReporter

Run = Callable[[Path, "Config", "Ports"], Result]
"""What an action does with a configuration, its file, and the ports."""


def collect(*, full: bool, dry_run: bool) -> Run:
    """Archive what this machine has."""
    from cedarchest.actions.collect import CollectOptions, execute_collect
    from cedarchest.report import text

    options = CollectOptions(full=full, dry_run=dry_run)
    return lambda _path, config, ports: text.collected(
        execute_collect(config, options, ports=ports), dry_run=dry_run
    )


def stage(peers: Sequence[str] = (), *, full: bool, dry_run: bool) -> Run:
    """Bring what peers collected into today's day."""
    from cedarchest.actions.stage import StageOptions, execute_stage
    from cedarchest.report import text

    options = StageOptions(tuple(peers), full=full, dry_run=dry_run)
    return lambda _path, config, ports: text.staged(
        execute_stage(config, options, ports=ports), dry_run=dry_run
    )


def store(days: Sequence[str] = (), *, full: bool, dry_run: bool) -> Run:
    """Store staged days on a disc."""
    from cedarchest.actions.store import StoreOptions, execute_store
    from cedarchest.report import text

    options = StoreOptions(days=tuple(days), full=full, dry_run=dry_run)
    return lambda path, config, ports: text.stored(
        "store", execute_store(path, options, config, ports=ports), dry_run=dry_run
    )


def purge(*, dry_run: bool) -> Run:
    """Delete what is old and proven."""
    from cedarchest.actions.purge import execute_purge
    from cedarchest.report import text

    return lambda _path, config, ports: text.purged(
        execute_purge(config, dry_run=dry_run, ports=ports), dry_run=dry_run
    )


class Where(enum.Enum):
    """On which machines an action is run."""

    HERE = enum.auto()
    BOTH = enum.auto()
    PEERS = enum.auto()


def reaching(action: ManagedAction, run: Run, where: Where, *, full: bool, dry_run: bool) -> Run:
    """An action with its hooks here, on the peers that are managed for it, or on both.

    What fails here holds up no peer, and the other way round.
    """

    def reach(path: Path, config: Config, ports: Ports) -> Result:
        from cedarchest.actions.managed import execute_managed, require_managed
        from cedarchest.report import text

        here = hooked(action, run, dry_run=dry_run)
        if where is Where.HERE:
            return here(path, config, ports)
        require_managed(config, [action])
        if where is Where.PEERS:
            result = text.nothing_here(action, dry_run=dry_run)
        elif is_interrupted(result := attempt(action, here, path, config, ports)):
            return result
        peers = execute_managed(config, action, full=full, dry_run=dry_run, ports=ports)
        return text.with_managed(result, peers)

    return reach


def hooked(action: str, run: Run, *, dry_run: bool) -> Run:
    """An action between its hooks: one before that fails stops it, one after is something left out.

    What only says what it would do has none.
    """

    def between(path: Path, config: Config, ports: Ports) -> Result:
        from cedarchest.actions.hooks import run_after, run_before

        run_before(config, action, ports=ports)
        try:
            result = run(path, config, ports)
        except CedarchestError as error:
            result = failed(action, error)
        return result.with_left_out(run_after(config, action, result.exit_code, ports=ports))

    return run if dry_run else between


def planned_schedule(path: Path, config: Config, *, user: bool) -> Result:
    """What an install of the schedule would write."""
    from cedarchest.actions.schedule import show_schedule
    from cedarchest.report.scheduling import scheduled
    from cedarchest.wiring import scheduler

    starts, clock = scheduler()
    return scheduled("show", show_schedule(path, config, _scope(user=user), scheduler=starts, clock=clock))


def schedule(path: Path, config: Config, *, user: bool, starter: str) -> Callable[[], Result]:
    """Have the schedule's runs started."""
    from cedarchest.actions.schedule import Starter, install_schedule
    from cedarchest.report.scheduling import scheduled
    from cedarchest.wiring import scheduler

    starts, clock = scheduler()
    chosen = Starter(starter) if starter else None
    scope = _scope(user=user)
    return lambda: scheduled(
        "install", install_schedule(path, config, scope, chosen, scheduler=starts, clock=clock)
    )


def unschedule(*, user: bool) -> Result:
    """No longer have the schedule's runs started; that needs no configuration."""
    from cedarchest.actions.schedule import remove_schedule
    from cedarchest.report.scheduling import scheduled
    from cedarchest.wiring import scheduler

    starts, _clock = scheduler()
    return scheduled("remove", remove_schedule(_scope(user=user), scheduler=starts))


def _scope(*, user: bool) -> Scope:
    from cedarchest.ports import Scope

    return Scope.USER if user else Scope.SYSTEM


def journalled(action: str, config: Config, reporter: ProgressReporter, work: Callable[[], Result]) -> Result:
    """A run with its lines in the journal, told to whom the configuration names.

    A journal that cannot be written is a warning, and so is whoever could not be told.

    Raises:
        CedarchestError: what `work` raises; it is recorded as the end of the run.
    """
    from cedarchest.model.schedule import written
    from cedarchest.report.news import summary
    from cedarchest.wiring import journal_of

    journal, clock = journal_of(config)
    run = ""
    try:
        run = journal.began(action, clock.now(), written(config.schedule.at) if config.schedule else ())
    except CedarchestError as error:
        reporter.warn(f"this run is not recorded: {error.message}")
    result = failed(action, Interrupted("the run was interrupted"))
    try:
        _ping_start(action, config, reporter)
        result = work()
    except CedarchestError as error:
        result = failed(action, error)
        raise
    except Exception as error:
        result = failed(action, UnexpectedFailure(f"{type(error).__name__}: {error}"))
        raise
    finally:
        if run:
            try:
                journal.ended(run, clock.now(), result.told_outcome, result.exit_code, summary(result))
            except CedarchestError as error:
                reporter.warn(f"the end of this run is not recorded: {error.message}")
        _tell(action, result, config, reporter)
    return result


def _ping_start(action: str, config: Config, reporter: Reporter) -> None:
    """Have those who watch for a run know that it begins.

    Raises:
        Interrupted: the run is not to begin.
    """
    from cedarchest.wiring import messenger

    watching = {place: each for place, each in _watching(action, config).items() if each.start}
    if not watching:
        return
    with messenger() as sender:
        for place, each in watching.items():
            with _warned(place, reporter):
                sender.ping(each.address, each.start, "", each.timeout.total_seconds())


def _tell(action: str, result: Result, config: Config, reporter: ProgressReporter) -> None:
    """Tell those who are to hear of it what came of a run; nothing of that changes what came of it."""
    from cedarchest.report.news import news, summary
    from cedarchest.wiring import messenger

    outcome = result.told_outcome.value
    hearing = {
        f"notify[{number}]": each
        for number, each in enumerate(config.notify)
        if each.hears_of(action) and outcome in each.on
    }
    watching = {
        place: each
        for place, each in _watching(action, config).items()
        if each.failure or not result.exit_code
    }
    if not hearing and not watching:
        return
    told = news(result, os.uname().nodename, reporter.warnings)
    try:
        with messenger() as sender:
            for place, ping in watching.items():
                part, body = (ping.failure, summary(result) or outcome) if result.exit_code else ("", "")
                with _warned(place, reporter):
                    sender.ping(ping.address, part, body, ping.timeout.total_seconds())
            for place, notify in hearing.items():
                with _warned(place, reporter):
                    sender.notify(notify.address, told, notify.timeout.total_seconds())
    except Interrupted:
        reporter.warn("this was interrupted while it told what came of the run: not all were told")


def _watching(action: str, config: Config) -> dict[str, Ping]:
    """The pings for an action by their places in the configuration."""
    return {f"ping[{number}]": each for number, each in enumerate(config.ping) if action in each.action}


@contextlib.contextmanager
def _warned(place: str, reporter: Reporter) -> Iterator[None]:
    """Let somebody who could not be told be no more than a warning."""
    try:
        yield
    except (ConfigError, NewsFailed) as error:
        reporter.warn(f"{place} was not told: {error.message}")


def is_interrupted(result: Result) -> bool:
    """Whether the operator asked a run to end."""
    return any(isinstance(problem, Interrupted) for problem in result.problems)


def attempt(action: str, run: Run, path: Path, config: Config, ports: Ports) -> Result:
    """What comes of a run that is one of several: a failure is a result, too."""
    try:
        return run(path, config, ports)
    except CedarchestError as error:
        return failed(action, error)
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        return failed(action, UnexpectedFailure(f"{action}: {type(error).__name__}: {error}"))


def find_backup_config(
    explicit: Path | None, sources: Sequence[Path], device: str, exclude: Sequence[str], *, dry_run: bool
) -> tuple[Path, Config]:
    """The configuration of one backup, and the file that it rests on.

    Where there is no file one is left in the state folder, so that all other actions find what it stored.

    Raises:
        ConfigError: what the file says, or what is asked for, is wrong; or the file cannot be written.
        DriveMissing: no device is named anywhere and there is none, or more than one.
    """
    from cedarchest.actions.backup import BackupOptions, backup_config, own_staging
    from cedarchest.config.load import NAME, NoConfiguration, find_config, load_config, state_folder
    from cedarchest.config.model import Config
    from cedarchest.wiring import host_name, leave_config, only_burner

    own = state_folder(os.environ, os.geteuid()) / NAME
    try:
        path = find_config(explicit, os.environ, cwd=Path.cwd(), uid=os.geteuid())
        config = load_config(path)
    except NoConfiguration:
        path = own
        config = Config.from_mapping({"options": {"state_dir": str(own.parent)}}, own.parent)
    if config.store is None and not device:
        device = str(only_burner())
    options = BackupOptions(tuple(sources), device, tuple(exclude), host_name())
    made = backup_config(config, options, Path.cwd())
    if path == own and made.store != config.store and not dry_run:
        leave_config(path, own_staging(made), made.require_store().device[0])
    return path, made


def backup(*, full: bool, dry_run: bool) -> Run:
    """Collect, stage and store folders of this machine, each only when the one before it worked."""
    from cedarchest.actions import backup as own
    from cedarchest.wiring import apart

    def run(path: Path, config: Config, ports: Ports) -> Result:
        ports = apart(ports, config.options.state_dir / own.HOME)
        if dry_run:
            result = attempt("collect", collect(full=full, dry_run=True), path, config, ports)
            lines = [f"would store it on {own.look_ahead(config, always_new=full, ports=ports)}"]
            lines += [f"would store {day}, which an earlier run left" for day in own.waiting(config, ports)]
            return _backed_up([result], lines, dry_run=True)
        with ports.locks.hold(config.options.state_dir):
            own.look_ahead(config, always_new=full, ports=ports)
            own.begin(config, ports)
            results = _until_one_fails(path, config, ports, full=full)
            own.clear(config, ports)
        for problem in (problem for result in results for problem in result.problems):
            if isinstance(problem, DiskFull):
                own.say_room(problem, config, ports)
        return _backed_up(results, (), dry_run=False)

    return run


def _until_one_fails(path: Path, config: Config, ports: Ports, *, full: bool) -> list[Result]:
    from cedarchest.actions.backup import clear, days_to_store

    def store_what_came(path: Path, config: Config, ports: Ports) -> Result:
        if not full:
            clear(config, ports)  # what is the same as it was is not stored again
        days = days_to_store(config, ports)
        if days is None:
            figures = {"dry_run": False, "deferred": False, "volumes": []}
            told = "nothing to store: all of it is on disc already"
            return Result("store", Outcome.NOTHING_TO_DO, figures=figures, text=(told,))
        return store(days, full=full, dry_run=False)(path, config, ports)

    steps: dict[str, Run] = {
        "collect": collect(full=full, dry_run=False),
        "stage": stage([config.peer[-1].name], full=full, dry_run=False),
        "store": store_what_came,
    }
    results: list[Result] = []
    while steps and not (results and results[-1].problems):
        action = next(iter(steps))
        results.append(attempt(action, hooked(action, steps.pop(action), dry_run=False), path, config, ports))
    if steps:
        reason = f"not done, since {results[-1].action} failed"
        results[-1] = results[-1].with_left_out([f"{action}: {reason}" for action in steps])
    return results


def _backed_up(results: Sequence[Result], lines: Sequence[str], *, dry_run: bool) -> Result:
    """The result of `backup`; the days are those that are stored."""
    whole = combined("backup", results)
    days = [day for result in results if result.action == "store" for day in result.days]
    figures = {"dry_run": dry_run, **whole.figures}
    return replace(whole, days=days, figures=figures, text=[*whole.text, *lines])
