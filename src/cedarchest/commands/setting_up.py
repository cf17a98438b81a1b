"""What is done before the first night: a configuration, its check, and the times of runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cedarchest import recorded, runs
from cedarchest.acting import load_configuration, run_action
from cedarchest.errors import ConfigError
from cedarchest.invocation import Invocation
from cedarchest.report.outcome import Result


def validate(context: typer.Context) -> None:
    """Check configuration, tools, folders, drive and disc without writing anything."""
    from cedarchest.actions.validate import execute_validate
    from cedarchest.report import text

    run_action(
        context,
        lambda path, config, ports: text.validated(path, execute_validate(config, ports=ports)),
        read_only=True,
        looks=True,
    )


def schedule(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="[show | install | remove]", show_default=False)] = "show",
    user: Annotated[bool, typer.Option("--user", help="Runs of this user.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Runs of the whole machine, as root.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="Started by cron, though systemd is there.")] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Started by systemd, though it does not seem to run.")
    ] = False,
) -> None:
    """Have systemd or cron run `all` at the times of [schedule]; show what that would write, or undo it."""
    if what not in {"show", "install", "remove"}:
        raise typer.BadParameter("show, install or remove", param_hint="what")
    if (user and system) or (what != "show" and not user and not system):
        raise typer.BadParameter("say for whom: --user or --system, one of them", param_hint="--user")
    if (cron and systemd) or ((cron or systemd) and what != "install"):
        raise typer.BadParameter("one of --cron and --systemd, with `schedule install`", param_hint="--cron")
    invocation: Invocation = context.obj
    if what == "remove":
        invocation.result = runs.unschedule(user=user)
        return
    path, config = load_configuration(invocation)
    if what == "show":
        invocation.result = runs.planned_schedule(path, config, user=user)
        return
    starter = "cron" if cron else "systemd" if systemd else ""
    work = runs.schedule(path, config, user=user, starter=starter)
    invocation.result = recorded.journalled(invocation.action, config, invocation.reporter, work)


def migrate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to this file, which must not be there yet;"
                     " else to standard output."),
    ] = None,
) -> None:  # fmt: skip
    """Make a configuration of one of Cedar Backup 2 or 3, and tell what means something else now."""
    from cedarchest.migrating import migrate
    from cedarchest.report.migrating import asides

    invocation: Invocation = context.obj
    invocation.result, report, needed = migrate(source, output)
    if output is None and not invocation.json:
        if invocation.verbosity < 0:  # then no text of a result is said, but this is what was asked for
            typer.echo("\n".join(invocation.result.text))
            return
        for line in asides(report, needed):
            typer.echo(line, err=True)


def init(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", show_default=False)] = Path(),
) -> None:
    """Write a commented configuration and its folders, ready to use with a shelf."""
    invocation: Invocation = context.obj
    target = (directory / "cedarchest.toml").absolute()
    from cedarchest.config.template import template

    try:
        for folder in (target.parent, *(target.parent / name for name in ("staging", "shelf", "state"))):
            folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(template())
    except FileExistsError:
        raise ConfigError(
            f"{target} is there already", advice="Choose another folder, or edit that file.", path=str(target)
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}", advice="Choose another folder."
        ) from error
    invocation.result = Result(
        "init",
        figures={"config": str(target)},
        text=(
            f"wrote {target}",
            f"next: put a day into {target.parent}/staging and run cedarchest -c {target} store",
        ),
    )
