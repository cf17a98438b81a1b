"""What was stored: found, told and brought back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cedarchest import runs
from cedarchest.acting import DryRun, UsageError, day_of, run_action


def find(
    context: typer.Context,
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", show_default=False)],
    peer: Annotated[str, typer.Option(metavar="PEER", help="Only what was stored of this peer.")] = "",
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="YYYY-MM-DD YYYY-MM-DD", help="Only what was stored on or between two days."),
    ] = None,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Only what the peer has no more; with --between, went then.")
    ] = False,
    substring: Annotated[
        bool, typer.Option("--substring", help="PATTERN is a piece of a name, or with a slash of a path.")
    ] = False,
    regex: Annotated[bool, typer.Option("--regex", help="PATTERN is a regular expression.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Tell at most so many paths; 0 for all.")
    ] = 1000,
) -> None:
    """Find paths that were ever stored, in archives too, and the discs they are on.

    PATTERN is a glob: `*` and `?` stop at a slash, `**` does not. Without a slash it is held against names,
    otherwise against whole paths.
    """
    from cedarchest.model.patterns import PatternKind, path_pattern

    if substring and regex:
        raise UsageError("--substring and --regex cannot both be given")
    kind = PatternKind.SUBSTRING if substring else PatternKind.REGEX if regex else PatternKind.GLOB
    try:
        meant = path_pattern(pattern, kind)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="PATTERN") from None
    days = (day_of(between[0], "--between"), day_of(between[1], "--between")) if between else None
    run_action(
        context,
        runs.find(meant, os.fsencode(peer), days, deleted=deleted, limit=limit),
        read_only=True,
        looks=True,
    )


def history(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", show_default=False)],
    peer: Annotated[str, typer.Option(metavar="PEER", help="Only what was stored of this peer.")] = "",
) -> None:
    """Tell each version of a path: when it was stored, which discs hold it, and where they are kept."""
    from cedarchest.actions.history import execute_history
    from cedarchest.report.found import told

    run_action(
        context,
        lambda _path, _config, ports: told(
            execute_history(os.fsencode(path), os.fsencode(peer), ports=ports)
        ),
        read_only=True,
        looks=True,
    )


def restore(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", show_default=False)] = None,
    peer: Annotated[
        str, typer.Option(metavar="PEER", help="Of which peer; may be left out where there is only one.")
    ] = "",
    as_of: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="As it was on this day; today where nothing is said.")
    ] = "",
    day: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="What was staged on this day, archives as archives.")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Restore to DIR/PEER/PATH; made where it is absent.")
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Restore to where it was, in place of what is older.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, in place.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also in place of what is newer, or something else in DIR.")
    ] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Keep what is damaged everywhere as NAME.damaged.")
    ] = False,
    privileged: Annotated[
        bool,
        typer.Option(
            "--privileged", help="Also setuid and setgid, device nodes, attributes security.* and trusted.*."
        ),
    ] = False,
    numeric_owner: Annotated[
        bool, typer.Option("--numeric-owner", help="Owners by number, not by name.")
    ] = False,
    map_user: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="Give what was OLD's to NEW; may be repeated.")
    ] = None,
    map_group: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="The same for groups.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Bring files back as they were on a day, checked while they are written, with the fewest discs.

    A PATH is a file, or a folder with all in it; without one it is all of the peer. What is there already as
    it should be is not read again: the same command goes on where one was stopped.
    """
    from cedarchest.actions.restore import RestoreOptions, execute_restore
    from cedarchest.ports.restoring import RestoreRules
    from cedarchest.report.restoring import restored

    _refuse_unclear(to, as_of, day, in_place=in_place, confirmed=yes or dry_run)
    options = RestoreOptions(
        to=to.absolute() if to else Path("/"),
        peer=os.fsencode(peer),
        paths=tuple(map(os.fsencode, paths or ())),
        as_of=day_of(as_of, "--as-of") if as_of else "",
        day=day_of(day) if day else "",
        in_place=in_place,
        overwrite=overwrite,
        damaged=damaged,
        dry_run=dry_run,
        rules=RestoreRules(
            privileged, numeric_owner, _renamed(map_user, "--map-user"), _renamed(map_group, "--map-group")
        ),
    )
    run_action(
        context,
        lambda _path, config, ports: restored(execute_restore(config, options, ports=ports), options),
        dry_run=dry_run,
    )


def _refuse_unclear(to: Path | None, as_of: str, day: str, *, in_place: bool, confirmed: bool) -> None:
    """Raise when the options of a restore leave open what is to come where.

    Raises:
        UsageError: says which to give.
    """
    if (to is None) == (not in_place):
        raise UsageError("either --to DIR or --in-place has to be given")
    if as_of and day:
        raise UsageError("--as-of and --day cannot both be given")
    if in_place and day:
        raise UsageError("what was staged on a day is restored --to a folder, not --in-place")
    if in_place and not confirmed:
        raise UsageError("--in-place changes files where they are: say --yes as well, or --dry-run first")


def _renamed(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    """Names with others that are to be used for them."""
    named = {}
    for pair in pairs or ():
        old, separator, new = pair.partition("=")
        if not (old and separator and new):
            raise typer.BadParameter(f"{pair!r} is not OLD=NEW", param_hint=option)
        named[old] = new
    return named
