"""What all commands share: the configuration, the log, and how an action is run."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cedarchest import recorded, runs
from cedarchest.errors import CedarchestError, ExitCode
from cedarchest.invocation import Invocation, log_to
from cedarchest.report.outcome import Result

if TYPE_CHECKING:
    from cedarchest.config.model import Config

Days = Annotated[
    list[str] | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Only this day; may be repeated.")
]
Managed = Annotated[bool, typer.Option("--managed", help="Run it on managed peers as well.")]
ManagedOnly = Annotated[bool, typer.Option("--managed-only", help="Run it on managed peers, and not here.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]


class UsageError(CedarchestError):
    """The command line is not one that there is."""

    exit_code = ExitCode.USAGE
    advice = "`cedarchest --help` and `cedarchest ACTION --help` say what there is."


def load_configuration(invocation: Invocation) -> tuple[Path, Config]:
    """The configuration that this run goes by, and its file; the run says which."""
    from cedarchest.config.load import find_config, load

    path = find_config(invocation.config_path, os.environ, cwd=Path.cwd(), uid=os.geteuid())
    loaded = load(path)
    for warning in loaded.warnings:
        invocation.reporter.warn(warning)
    invocation.secrets = loaded.secrets
    return with_log(invocation, path, loaded.config)


def with_log(invocation: Invocation, path: Path, config: Config) -> tuple[Path, Config]:
    """The same, said, and with the log that it names."""
    logging.getLogger(__name__).info("configuration: %s", path)
    options = config.options
    if options.log_file:
        warn = invocation.reporter.warn
        problem = log_to(
            options.log_file, invocation.action, warn, largest=options.log_size, keep=options.log_keep
        )
        if problem:
            warn(problem)
    return path, config


def run_action(
    context: typer.Context,
    act: runs.Run,
    *,
    read_only: bool = False,
    dry_run: bool = False,
    looks: bool = False,
    needs_catalog: bool = True,
    hooks: bool = True,
    configured: tuple[Path, Config] | None = None,
) -> None:
    """Run an action with a configuration and its ports; keep the result for the end.

    Its hooks are run with it, unless it sees to them itself. It is recorded in the journal of runs, unless it
    only says what it would do, or `looks` only.
    """
    from cedarchest.wiring import keep_secrets, wired

    invocation: Invocation = context.obj
    path, config = configured or load_configuration(invocation)
    complete = runs.hooked(invocation.action, act, dry_run=dry_run) if hooks else act

    def work() -> Result:
        only_reads = read_only or dry_run
        with wired(config, invocation.reporter, read_only=only_reads, needs_catalog=needs_catalog) as ports:
            return complete(path, config, ports)

    if looks or dry_run:
        invocation.result = work()
    else:
        keep_secrets(invocation.secrets)
        invocation.result = recorded.journalled(invocation.action, config, invocation.reporter, work)


def day_of(value: str, option: str = "--day") -> str:
    """The day that an option names."""
    from cedarchest.model.days import format_day, parse_day

    try:
        return format_day(parse_day(value))
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no day; write it as 2026-11-22", param_hint=option) from None
