"""The actions of a night as the command line runs them: each by itself, with its hooks and in the journal."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest.config.choices import ManagedAction
from cedarchest.errors import CedarchestError, Interrupted, unexpected
from cedarchest.report.outcome import Result, failed

if TYPE_CHECKING:
    from cedarchest.config.model import Config
    from cedarchest.model.patterns import PathPattern
    from cedarchest.ports import Ports, Scope

Run = Callable[[Path, "Config", "Ports"], Result]
"""What an action does with a configuration, its file, and the ports."""


def collect(
    *,
    full: bool,
    dry_run: bool,
    by_path: bool = False,
    only: frozenset[str] | None = None,
    part: bool = False,
) -> Run:
    """Archive what this machine has, as `CollectOptions` say."""
    from cedarchest.actions.collect import CollectOptions, execute_collect
    from cedarchest.report.collected import collected

    options = CollectOptions(full=full, dry_run=dry_run, by_path=by_path, only=only, part=part)
    return lambda _path, config, ports: collected(
        execute_collect(config, options, ports=ports), dry_run=dry_run
    )


def stage(
    peers: Sequence[str] = (), *, full: bool, dry_run: bool, day: str = "", after_collect: bool = False
) -> Run:
    """Bring what peers collected into a day, by default today's."""
    from cedarchest.actions.stage import StageOptions, execute_stage
    from cedarchest.report.staged import staged

    options = StageOptions(tuple(peers), full, dry_run, day, after_collect)
    return lambda _path, config, ports: staged(execute_stage(config, options, ports=ports), dry_run=dry_run)


def store(days: Sequence[str] = (), *, full: bool, dry_run: bool, after_stage: bool = False) -> Run:
    """Store staged days on a disc."""
    from cedarchest.actions.store import StoreOptions, execute_store
    from cedarchest.report.stored import stored

    options = StoreOptions(tuple(days), full, dry_run, after_stage)
    return lambda path, config, ports: stored(
        "store", execute_store(path, options, config, ports=ports), dry_run=dry_run
    )


def audit(labels: Sequence[str], *, due: bool, sample: Decimal | None, limit: timedelta | None) -> Run:
    """Read discs again."""
    from cedarchest.actions.audit import AuditOptions, execute_audit
    from cedarchest.report.audits import audited

    options = AuditOptions(tuple(labels), due=due, sample=sample, time_limit=limit)
    return lambda _path, config, ports: audited(execute_audit(config, options, ports=ports))


def find(
    pattern: PathPattern, peer: bytes, between: tuple[str, str] | None, *, deleted: bool, limit: int
) -> Run:
    """Find paths that were stored."""
    from cedarchest.actions.find import FindOptions, execute_find
    from cedarchest.report.found import found

    options = FindOptions(pattern, peer, between, deleted=deleted, limit=limit)
    return lambda _path, _config, ports: found(execute_find(options, ports=ports))


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
        here = hooked(action, run, dry_run=dry_run)
        if where is Where.HERE:
            return here(path, config, ports)
        from cedarchest.actions.managed import execute_managed, require_managed
        from cedarchest.report import text

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
        return failed(action, unexpected(error, f"{action}: "))
