"""Discs and drives, and what the catalog knows of discs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cedarchest.acting import DryRun, load_configuration, run_action


def discs(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LABEL | lost LABEL | move LABEL...]", show_default=False),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="PLACE", help="With move: where the discs are kept now.")
    ] = None,
) -> None:
    """List the discs of the catalog, tell all about one, or say that one is lost or kept elsewhere.

    The days of a lost disc are due again.
    """
    from cedarchest.actions.discs import execute_discs, execute_lost
    from cedarchest.report import discs as text

    if to is not None or (words or [])[:1] == ["move"]:
        _move(context, words or [], to or "")
        return
    match words or []:
        case ["lost"]:
            raise typer.BadParameter("say which disc is lost: discs lost LABEL", param_hint="LABEL")
        case ["lost", lost]:
            run_action(
                context,
                lambda _path, config, ports: text.lost(execute_lost(config, lost, ports=ports)),
            )
            return
        case []:
            label = None
        case [label]:
            pass
        case _:
            raise typer.BadParameter("one label, or the word lost and a label", param_hint="LABEL")
    run_action(
        context,
        lambda _path, config, ports: text.listed(
            execute_discs(config, label, ports=ports), detailed=label is not None
        ),
        read_only=True,
        looks=True,
    )


def _move(context: typer.Context, words: Sequence[str], place: str) -> None:
    """Have discs be kept elsewhere."""
    from cedarchest.actions.discs import execute_move
    from cedarchest.report.discs import moved

    if words[:1] != ["move"] or not words[1:] or not place.strip():
        raise typer.BadParameter("say what is kept where: discs move LABEL --to PLACE", param_hint="--to")
    run_action(
        context,
        lambda _path, config, ports: moved(execute_move(config, words[1:], place.strip(), ports=ports)),
    )


def seal(context: typer.Context, label: Annotated[str, typer.Argument(metavar="LABEL")]) -> None:
    """Close a disc, so that it takes nothing more, and read it once more."""
    from cedarchest.actions.seal import execute_seal
    from cedarchest.report import text

    run_action(context, lambda _path, config, ports: text.sealed(execute_seal(config, label, ports=ports)))


def copy(context: typer.Context, label: Annotated[str, typer.Argument(metavar="LABEL")]) -> None:
    """Make one more copy of a disc, from the disc itself, and read it back."""
    from cedarchest.actions.copy import execute_copy
    from cedarchest.report import text

    run_action(context, lambda _path, config, ports: text.copied(execute_copy(config, label, ports=ports)))


def catalog(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="rebuild", show_default=False)],
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[DEVICE | IMAGE]...", show_default=False)
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Enter what discs say they hold into the catalog: those named, or those in drives and on shelves.

    What is in archives is read from the discs, and so is all that Cedar Backup wrote.
    """
    from cedarchest.actions.catalog_rebuild import execute_catalog_rebuild
    from cedarchest.report import rebuilding

    if what != "rebuild":
        raise typer.BadParameter("rebuild, and then devices or images", param_hint="what")
    paths = [str(Path(each).absolute()) for each in targets or []]
    run_action(
        context,
        lambda _path, config, ports: rebuilding.rebuilt(
            execute_catalog_rebuild(config, paths, ports=ports, dry_run=dry_run), dry_run=dry_run
        ),
        dry_run=dry_run,
    )


def drives(context: typer.Context) -> None:
    """List the burners of this machine, what is in them, and why one cannot be used; a tray is pulled in."""
    from cedarchest.actions.drives import execute_drives
    from cedarchest.config.load import NoConfiguration
    from cedarchest.report.drives import drives as told
    from cedarchest.wiring import without_configuration

    with without_configuration() as nothing:
        try:
            configured = load_configuration(context.obj)
        except NoConfiguration:
            configured = Path(), nothing
        run_action(
            context,
            lambda _path, config, ports: told(execute_drives(config, ports=ports)),
            read_only=True,
            looks=True,
            configured=configured,
        )


def initialize(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without a question.")] = False,
    overwrite_foreign: Annotated[
        str,
        typer.Option(metavar="LABEL-OR-FINGERPRINT", help="The foreign disc that may be erased."),
    ] = "",
    full_blank: Annotated[
        bool,
        typer.Option("--full-blank", help="Erase all of it; takes about as long as writing all of it."),
    ] = False,
) -> None:
    """Make the disc in the drive one that the next store can begin on."""
    from cedarchest.actions.initialize import InitializeOptions, execute_initialize
    from cedarchest.report import text

    def ask(question: str) -> bool:
        return sys.stdin.isatty() and typer.confirm(question, err=True)

    options = InitializeOptions(overwrite_foreign=overwrite_foreign, confirmed=yes, full=full_blank)
    run_action(
        context,
        lambda _path, config, ports: text.initialized(
            execute_initialize(config, options, ports=ports, confirm=ask)
        ),
    )
