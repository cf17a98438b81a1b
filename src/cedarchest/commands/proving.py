"""Discs that are read again: verify, and audit over the years."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from cedarchest import runs
from cedarchest.acting import run_action
from cedarchest.invocation import Invocation


def verify(
    context: typer.Context,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[LABEL | DEVICE | IMAGE]...", show_default=False)
    ] = None,
) -> None:
    """Read discs again and compare them with the catalog, or with what they hold themselves."""
    from cedarchest.actions.verify import execute_verify
    from cedarchest.report.verified import verified

    named = [str(Path(each).absolute()) if _is_path(each) else each for each in targets or []]
    if named and all(map(_is_path, named)):
        _verify_paths(context, named)
        return
    run_action(context, lambda _path, config, ports: verified(execute_verify(config, named, ports=ports)))


def _is_path(target: str) -> bool:
    """Whether a disc is named by where it is; what cannot be a label is a path, there or not."""
    from cedarchest.model.names import is_label

    return "/" in target or not is_label(target) or Path(target).is_file()


def _verify_paths(context: typer.Context, paths: Sequence[str]) -> None:
    """Discs named by path need neither configuration nor catalog."""
    from cedarchest.actions.verify import execute_verify
    from cedarchest.report.verified import verified
    from cedarchest.wiring import wired, without_configuration

    invocation: Invocation = context.obj
    with (
        without_configuration() as config,
        wired(config, invocation.reporter, read_only=True) as ports,
    ):
        invocation.result = verified(execute_verify(None, paths, ports=ports))


def audit(
    context: typer.Context,
    labels: Annotated[list[str] | None, typer.Argument(metavar="[LABEL]...", show_default=False)] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Only discs that were not read in full for as long as [audit] says.")
    ] = False,
    sample: Annotated[
        str,
        typer.Option(
            metavar="PERCENT", help="Read so much of each disc, as in 10%: what was read longest ago."
        ),
    ] = "",
    time_limit: Annotated[
        str,
        typer.Option(metavar="TIME", help="End after so long, as in 30m or 2h; the next run goes on there."),
    ] = "",
) -> None:
    """Read discs again years later, against what was proven: those named, or those in drives and on shelves.

    What is damaged is read round in smaller steps; a map says what is missing.
    """
    act = runs.audit(labels or (), due=due, sample=_share(sample), limit=_limit(time_limit))
    run_action(context, act)


def _share(value: str) -> Decimal | None:
    from cedarchest.config.units import parse_percent

    if not value:
        return None
    try:
        percent = parse_percent(value if value.strip().endswith("%") else f"{value}%")
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as 10%", param_hint="--sample") from None
    if not percent:
        raise typer.BadParameter(f"{value!r} is nothing; write it as 10%", param_hint="--sample")
    return percent


def _limit(value: str) -> timedelta | None:
    from cedarchest.config.units import parse_duration

    if not value:
        return None
    try:
        limit = parse_duration(re.sub(r"(?<=[0-9])\s*m$", " min", value.strip()))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as 30m or 2h", param_hint="--time-limit") from None
    if not limit:
        raise typer.BadParameter(f"{value!r} is too short; write it as 30m or 2h", param_hint="--time-limit")
    return limit
