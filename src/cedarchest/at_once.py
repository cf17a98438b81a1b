"""What `backup` does: folders of this machine are collected, staged and stored at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest import runs
from cedarchest.errors import DiskFull
from cedarchest.model.days import format_day
from cedarchest.report.outcome import Outcome, Result, combined

if TYPE_CHECKING:
    from cedarchest.config.model import Config
    from cedarchest.ports import Ports


def find_backup_config(
    explicit: Path | None,
    sources: Sequence[Path],
    device: str,
    exclude: Sequence[str],
    *,
    dry_run: bool,
    warn: Callable[[str], None],
) -> tuple[Path, Config]:
    """The configuration of one backup, and the file that it rests on.

    Where there is no file one is left in the state folder, so that all other actions find what it stored.

    Raises:
        ConfigError: what the file says, or what is asked for, is wrong; or the file cannot be written.
        DriveMissing: no device is named anywhere and there is none, or more than one.
    """
    from cedarchest.actions.backup import BackupOptions, backup_config, own_staging
    from cedarchest.config.load import NAME, NoConfiguration, find_config, load, state_folder
    from cedarchest.config.model import Config
    from cedarchest.wiring import host_name, leave_config, only_burner

    own = state_folder(os.environ, os.geteuid()) / NAME
    try:
        path = find_config(explicit, os.environ, cwd=Path.cwd(), uid=os.geteuid())
        loaded = load(path)
        config = loaded.config
        for warning in loaded.warnings:
            warn(warning)
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


def backup(*, full: bool, dry_run: bool) -> runs.Run:
    """Collect, stage and store folders of this machine, each only when the one before it worked."""
    from cedarchest.actions import backup as own
    from cedarchest.wiring import apart

    def run(path: Path, config: Config, ports: Ports) -> Result:
        ports = apart(ports, config.options.state_dir / own.HOME)
        day = format_day(ports.clock.now().date())  # also of what is staged and stored after midnight
        if dry_run:
            collect = runs.collect(full=full, dry_run=True, by_path=True)
            result = runs.attempt("collect", collect, path, config, ports)
            lines = [f"would store it on {own.look_ahead(config, always_new=full, ports=ports)}"]
            lines += [f"would store {day}, which an earlier run left" for day in own.waiting(config, ports)]
            return _backed_up([result], lines, dry_run=True)
        with ports.locks.hold(config.options.state_dir):
            own.look_ahead(config, always_new=full, ports=ports)
            own.begin(config, ports)
            results = _until_one_fails(path, config, day, ports, full=full)
            own.clear(config, day, ports)
        for problem in (problem for result in results for problem in result.problems):
            if isinstance(problem, DiskFull):
                own.say_room(problem, config, ports)
        return _backed_up(results, (), dry_run=False)

    return run


def _until_one_fails(path: Path, config: Config, day: str, ports: Ports, *, full: bool) -> list[Result]:
    from cedarchest.actions.backup import clear, days_to_store, discs_with

    def store_what_came(path: Path, config: Config, ports: Ports) -> Result:
        if not full:
            clear(config, day, ports)  # what is the same as it was is not stored again
        days = days_to_store(config, day, ports)
        if days is None:
            figures = {"dry_run": False, "deferred": False, "volumes": []}
            discs = discs_with(day, ports)
            told = (
                f"nothing to store: all of it is on {' and '.join(discs)} already; --full begins another disc"
            )
            return Result("store", Outcome.NOTHING_TO_DO, discs=discs, figures=figures, text=(told,))
        return runs.store(days, full=full, dry_run=False)(path, config, ports)

    steps: dict[str, runs.Run] = {
        "collect": runs.collect(full=full, dry_run=False, by_path=True),
        "stage": runs.stage([config.peer[-1].name], full=full, dry_run=False, day=day),
        "store": store_what_came,
    }
    results: list[Result] = []
    while steps and not (results and results[-1].problems):
        action = next(iter(steps))
        results.append(
            runs.attempt(action, runs.hooked(action, steps.pop(action), dry_run=False), path, config, ports)
        )
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
