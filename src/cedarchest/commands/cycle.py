"""From files to discs: what a night runs, all of it or a step by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cedarchest import at_once, night, runs
from cedarchest.acting import Days, DryRun, Managed, ManagedOnly, UsageError, day_of, run_action, with_log
from cedarchest.config.choices import ManagedAction
from cedarchest.invocation import Invocation


def run_all(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="As on the starting day, and today on a new disc.")
    ] = False,
    managed: Managed = False,
    managed_only: ManagedOnly = False,
    dry_run: DryRun = False,
) -> None:
    """Collect, stage, store, purge, as configured, and extensions; a failure stops only what needs it."""
    where = _where(managed=managed, managed_only=managed_only)
    run_action(context, night.everything(where, full=full, dry_run=dry_run), dry_run=dry_run)


def _where(*, managed: bool, managed_only: bool) -> runs.Where:
    if managed and managed_only:
        raise UsageError("--managed and --managed-only cannot both be given")
    return runs.Where.PEERS if managed_only else runs.Where.BOTH if managed else runs.Where.HERE


def backup(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", show_default=False)],
    device: Annotated[
        str,
        typer.Option(metavar="DEVICE", help="The drive, or shelf:DIR for disc images in a folder; else the"
                     " configured one, or the only one of this machine."),
    ] = "",
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Left out, as in .gitignore; may be repeated."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Today again, on a new disc.")] = False,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Bring folders of this machine to a proven disc at once; needs no pool and no configuration."""
    invocation: Invocation = context.obj
    sources = [folder.absolute() for folder in folders]
    path, config = at_once.find_backup_config(
        invocation.config_path, sources, device, exclude or (), dry_run=dry_run, warn=invocation.reporter.warn
    )
    configured = with_log(invocation, path, config)
    run_action(context, at_once.backup(full=full, dry_run=dry_run), dry_run=dry_run, configured=configured)


def collect(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="Everything whole, whatever the day, as on the starting day.")
    ] = False,
    managed: Managed = False,
    managed_only: ManagedOnly = False,
    dry_run: DryRun = False,
) -> None:
    """Archive what this machine has into its collect dir, for the master to stage."""
    where = _where(managed=managed, managed_only=managed_only)
    run = runs.collect(full=full, dry_run=dry_run)
    act = runs.reaching(ManagedAction.COLLECT, run, where, full=full, dry_run=dry_run)
    run_action(context, act, read_only=True, needs_catalog=False, dry_run=dry_run, hooks=False)


def stage(
    context: typer.Context,
    peers: Annotated[list[str] | None, typer.Argument(metavar="[PEER]...", show_default=False)] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Judge failures of peers as on the starting day.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Bring what peers collected into today's staged day: all of them, or those that are named."""
    run_action(context, runs.stage(peers or (), full=full, dry_run=dry_run), read_only=True, dry_run=dry_run)


def store(
    context: typer.Context,
    day: Days = None,
    full: Annotated[bool, typer.Option("--full", help="Today again, stored or not, on a new disc.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Store staged days on a disc, read them back, mark them stored."""
    days = [day_of(each) for each in day or ()]
    run_action(context, runs.store(days, full=full, dry_run=dry_run), dry_run=dry_run)


def rebuild(context: typer.Context, dry_run: DryRun = False) -> None:
    """Store the whole week of the newest staged day, stored or not, on a new disc."""
    from cedarchest.actions.rebuild import execute_rebuild
    from cedarchest.actions.store import StoreOptions
    from cedarchest.report.stored import stored

    options = StoreOptions(dry_run=dry_run)
    run_action(
        context,
        lambda path, config, ports: stored(
            "rebuild", execute_rebuild(path, options, config, ports=ports), dry_run=dry_run
        ),
        dry_run=dry_run,
    )


def purge(
    context: typer.Context,
    managed: Managed = False,
    managed_only: ManagedOnly = False,
    dry_run: DryRun = False,
) -> None:
    """Delete what is old in the configured folders and proven to be on disc."""
    where = _where(managed=managed, managed_only=managed_only)
    act = runs.reaching(ManagedAction.PURGE, runs.purge(dry_run=dry_run), where, full=False, dry_run=dry_run)
    run_action(context, act, read_only=True, dry_run=dry_run, hooks=False)


def status(context: typer.Context) -> None:
    """Tell which days are staged and stored, on which discs, what is due and what to insert.

    Days that went to discs long ago have one line together; with --json each has its own entry.
    """
    from cedarchest.actions.status import execute_status
    from cedarchest.report import text

    run_action(
        context,
        lambda _path, config, ports: text.status(execute_status(config, ports=ports)),
        read_only=True,
        looks=True,
    )


def extension(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="As on the starting day.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Run this extension by itself, with the settings of its table in the configuration."""
    action = context.find_root().invoked_subcommand or ""
    run_action(context, night.extension(action, full=full, dry_run=dry_run), read_only=True, dry_run=dry_run)
