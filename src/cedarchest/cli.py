"""The command line: parse, load the configuration, wire the adapters, call one action, say what came of it.

Only here an error becomes an exit code. With `--json` there is one object on standard output whatever
happens; everything else goes to standard error. All commands stand in one module, a short function each,
in the order in which `--help` shows them.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cedarchest import __version__, at_once, night, recorded, runs
from cedarchest.config.choices import ManagedAction
from cedarchest.errors import CedarchestError, ConfigError, ExitCode, Interrupted, UnexpectedFailure
from cedarchest.invocation import (
    Invocation,
    conclude,
    could_not_tell,
    in_journal,
    log_to,
    log_to_stderr,
    prepare_streams,
)
from cedarchest.report.outcome import Result, failed
from cedarchest.report.progress import ProgressReporter

if TYPE_CHECKING:
    from cedarchest.config.model import Config

EXIT_STATUS = """
Exit status: 0 done or nothing to do; 2 usage; 3 logging; 4 configuration; 5 interrupted; 6 failed;
7 disc and data differ; 8 medium; 9 tool or drive; 10 locked; 11 done, but something was left out.
"""


class UsageError(CedarchestError):
    """The command line is not one that there is."""

    exit_code = ExitCode.USAGE
    advice = "`cedarchest --help` and `cedarchest ACTION --help` say what there is."


class ActionGroup(TyperGroup):
    """Our actions; where none of them is meant, those of installed packages."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # typer keeps the types of these to itself
        """The action of a name; None when there is none."""
        return super().get_command(ctx, cmd_name) or _extension_command(cmd_name)


app = typer.Typer(
    name="cedarchest",
    cls=ActionGroup,
    help="Backups you can hold: staged days on discs, read back and proven." + EXIT_STATUS,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_HOISTED = {"-c": 1, "--config": 1, "--json": 0, "-v": 0, "--verbose": 0, "-q": 0, "--quiet": 0, "-vv": 0}


def hoist(arguments: Sequence[str]) -> list[str]:
    """The arguments with those that belong to no action in front, wherever they were given."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--":
            rest += [argument, *queue]
            break
        name = argument.partition("=")[0]
        if argument in _HOISTED:
            front += [argument, *queue[: _HOISTED[argument]]]
            del queue[: _HOISTED[argument]]
        elif name == "--config" or (argument.startswith("-c") and not argument.startswith("--")):
            front.append(argument)
        else:
            rest.append(argument)
    if rest[:1] == ["--full"]:  # it belongs to the action, wherever it was given
        rest.append(rest.pop(0))
    return front + rest


@functools.cache
def program() -> Any:  # typer keeps the types of these to itself
    """All actions with their options, put together once."""
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says; returns the exit status."""
    prepare_streams()
    invocation = Invocation()
    hoisted = hoist(arguments)
    invocation.json = "--json" in hoisted
    try:
        status = program()(args=hoisted, standalone_mode=False, obj=invocation, prog_name="cedarchest")
        if invocation.result is None:
            sys.stdout.flush()
            return status or ExitCode.OK
    except typer.TyperException as error:
        invocation.result = failed(invocation.action, UsageError(error.format_message()))
    except typer.Abort:
        invocation.result = failed(invocation.action, Interrupted("the run was interrupted"))
    except CedarchestError as error:
        invocation.result = failed(invocation.action, error)
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.FAILED
    except Exception as error:
        if isinstance(error, OSError) and not invocation.action:  # nothing was done yet but to say something
            return could_not_tell(error)
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        invocation.result = failed(invocation.action, UnexpectedFailure(f"{type(error).__name__}: {error}"))
    return conclude(invocation, invocation.result)


def _say_version(wanted: object) -> None:
    if wanted:
        sys.stdout.write(f"cedarchest {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="The configuration file.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; twice: all.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="Say the version and end."),
    ] = False,
) -> None:
    """Read what holds for every action."""
    invocation: Invocation = context.obj
    invocation.config_path, invocation.json = config, json_output
    invocation.verbosity = -1 if quiet else verbose
    invocation.action = context.invoked_subcommand or ""
    invocation.reporter = ProgressReporter(quiet=quiet or in_journal())
    level = logging.ERROR if quiet else [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    log_to_stderr(level)


def _configured(invocation: Invocation) -> tuple[Path, Config]:
    """The configuration that this run goes by, and its file; the run says which."""
    from cedarchest.config.load import find_config, load

    path = find_config(invocation.config_path, os.environ, cwd=Path.cwd(), uid=os.geteuid())
    loaded = load(path)
    for warning in loaded.warnings:
        invocation.reporter.warn(warning)
    invocation.secrets = loaded.secrets
    return _logged(invocation, path, loaded.config)


def _logged(invocation: Invocation, path: Path, config: Config) -> tuple[Path, Config]:
    """The same, said, and with the log that it names."""
    logging.getLogger(__name__).info("configuration: %s", path)
    options = config.options
    if options.log_file:
        problem = log_to(options.log_file, invocation.action, largest=options.log_size, keep=options.log_keep)
        if problem:
            invocation.reporter.warn(problem)
    return path, config


def _act(
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
    path, config = configured or _configured(invocation)
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


Days = Annotated[
    list[str] | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Only this day; may be repeated.")
]
Managed = Annotated[bool, typer.Option("--managed", help="Run it on managed peers as well.")]
ManagedOnly = Annotated[bool, typer.Option("--managed-only", help="Run it on managed peers, and not here.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]


@app.command("all", epilog=EXIT_STATUS)
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
    _act(context, night.everything(where, full=full, dry_run=dry_run), dry_run=dry_run)


def _where(*, managed: bool, managed_only: bool) -> runs.Where:
    if managed and managed_only:
        raise UsageError("--managed and --managed-only cannot both be given")
    return runs.Where.PEERS if managed_only else runs.Where.BOTH if managed else runs.Where.HERE


@app.command(epilog=EXIT_STATUS)
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
    configured = _logged(invocation, path, config)
    _act(context, at_once.backup(full=full, dry_run=dry_run), dry_run=dry_run, configured=configured)


@app.command(epilog=EXIT_STATUS)
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
    _act(context, act, read_only=True, needs_catalog=False, dry_run=dry_run, hooks=False)


@app.command(epilog=EXIT_STATUS)
def stage(
    context: typer.Context,
    peers: Annotated[list[str] | None, typer.Argument(metavar="[PEER]...", show_default=False)] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Judge failures of peers as on the starting day.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Bring what peers collected into today's staged day: all of them, or those that are named."""
    _act(context, runs.stage(peers or (), full=full, dry_run=dry_run), read_only=True, dry_run=dry_run)


@app.command(epilog=EXIT_STATUS)
def store(
    context: typer.Context,
    day: Days = None,
    full: Annotated[bool, typer.Option("--full", help="Today again, stored or not, on a new disc.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Store staged days on a disc, read them back, mark them stored."""
    days = [_day(each) for each in day or ()]
    _act(context, runs.store(days, full=full, dry_run=dry_run), dry_run=dry_run)


def _day(value: str, option: str = "--day") -> str:
    from cedarchest.model.days import format_day, parse_day

    try:
        return format_day(parse_day(value))
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no day; write it as 2026-11-22", param_hint=option) from None


@app.command(epilog=EXIT_STATUS)
def rebuild(context: typer.Context, dry_run: DryRun = False) -> None:
    """Store the whole week of the newest staged day, stored or not, on a new disc."""
    from cedarchest.actions.rebuild import execute_rebuild
    from cedarchest.actions.store import StoreOptions
    from cedarchest.report import text

    options = StoreOptions(dry_run=dry_run)
    _act(
        context,
        lambda path, config, ports: text.stored(
            "rebuild", execute_rebuild(path, options, config, ports=ports), dry_run=dry_run
        ),
        dry_run=dry_run,
    )


@app.command(epilog=EXIT_STATUS)
def purge(
    context: typer.Context,
    managed: Managed = False,
    managed_only: ManagedOnly = False,
    dry_run: DryRun = False,
) -> None:
    """Delete what is old in the configured folders and proven to be on disc."""
    where = _where(managed=managed, managed_only=managed_only)
    act = runs.reaching(ManagedAction.PURGE, runs.purge(dry_run=dry_run), where, full=False, dry_run=dry_run)
    _act(context, act, read_only=True, dry_run=dry_run, hooks=False)


@app.command(epilog=EXIT_STATUS)
def verify(
    context: typer.Context,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[LABEL | DEVICE | IMAGE]...", show_default=False)
    ] = None,
) -> None:
    """Read discs again and compare them with the catalog, or with what they hold themselves."""
    from cedarchest.actions.verify import execute_verify
    from cedarchest.report import text

    named = [str(Path(each).absolute()) if _is_path(each) else each for each in targets or []]
    if named and all(map(_is_path, named)):
        _verify_paths(context, named)
        return
    _act(context, lambda _path, config, ports: text.verified(execute_verify(config, named, ports=ports)))


def _is_path(target: str) -> bool:
    """Whether a disc is named by where it is; what cannot be a label is a path, there or not."""
    from cedarchest.model.names import is_label

    return "/" in target or not is_label(target) or Path(target).is_file()


def _verify_paths(context: typer.Context, paths: Sequence[str]) -> None:
    """Discs named by path need neither configuration nor catalog."""
    from cedarchest.actions.verify import execute_verify
    from cedarchest.report import text
    from cedarchest.wiring import wired, without_configuration

    invocation: Invocation = context.obj
    with (
        without_configuration() as config,
        wired(config, invocation.reporter, read_only=True) as ports,
    ):
        invocation.result = text.verified(execute_verify(None, paths, ports=ports))


@app.command(epilog=EXIT_STATUS)
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
    _act(context, act)


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


@app.command(epilog=EXIT_STATUS)
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
            _act(
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
    _act(
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
    _act(
        context,
        lambda _path, config, ports: moved(execute_move(config, words[1:], place.strip(), ports=ports)),
    )


@app.command(epilog=EXIT_STATUS)
def seal(context: typer.Context, label: Annotated[str, typer.Argument(metavar="LABEL")]) -> None:
    """Close a disc, so that it takes nothing more, and read it once more."""
    from cedarchest.actions.seal import execute_seal
    from cedarchest.report import text

    _act(context, lambda _path, config, ports: text.sealed(execute_seal(config, label, ports=ports)))


@app.command(epilog=EXIT_STATUS)
def copy(context: typer.Context, label: Annotated[str, typer.Argument(metavar="LABEL")]) -> None:
    """Make one more copy of a disc, from the disc itself, and read it back."""
    from cedarchest.actions.copy import execute_copy
    from cedarchest.report import text

    _act(context, lambda _path, config, ports: text.copied(execute_copy(config, label, ports=ports)))


@app.command(epilog=EXIT_STATUS)
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
    _act(
        context,
        lambda _path, config, ports: rebuilding.rebuilt(
            execute_catalog_rebuild(config, paths, ports=ports, dry_run=dry_run), dry_run=dry_run
        ),
        dry_run=dry_run,
    )


@app.command(epilog=EXIT_STATUS)
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
    days = (_day(between[0], "--between"), _day(between[1], "--between")) if between else None
    _act(
        context,
        runs.find(meant, os.fsencode(peer), days, deleted=deleted, limit=limit),
        read_only=True,
        looks=True,
    )


@app.command(epilog=EXIT_STATUS)
def history(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", show_default=False)],
    peer: Annotated[str, typer.Option(metavar="PEER", help="Only what was stored of this peer.")] = "",
) -> None:
    """Tell each version of a path: when it was stored, which discs hold it, and where they are kept."""
    from cedarchest.actions.history import execute_history
    from cedarchest.report.found import told

    _act(
        context,
        lambda _path, _config, ports: told(
            execute_history(os.fsencode(path), os.fsencode(peer), ports=ports)
        ),
        read_only=True,
        looks=True,
    )


@app.command(epilog=EXIT_STATUS)
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

    if (to is None) == (not in_place):
        raise UsageError("either --to DIR or --in-place has to be given")
    if as_of and day:
        raise UsageError("--as-of and --day cannot both be given")
    if in_place and day:
        raise UsageError("what was staged on a day is restored --to a folder, not --in-place")
    if in_place and not (yes or dry_run):
        raise UsageError("--in-place changes files where they are: say --yes as well, or --dry-run first")
    options = RestoreOptions(
        to=to.absolute() if to else Path("/"),
        peer=os.fsencode(peer),
        paths=tuple(map(os.fsencode, paths or ())),
        as_of=_day(as_of, "--as-of") if as_of else "",
        day=_day(day) if day else "",
        in_place=in_place,
        overwrite=overwrite,
        damaged=damaged,
        dry_run=dry_run,
        rules=RestoreRules(
            privileged, numeric_owner, _renamed(map_user, "--map-user"), _renamed(map_group, "--map-group")
        ),
    )
    _act(
        context,
        lambda _path, config, ports: restored(execute_restore(config, options, ports=ports), options),
        dry_run=dry_run,
    )


def _renamed(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    """Names with others that are to be used for them."""
    named = {}
    for pair in pairs or ():
        old, separator, new = pair.partition("=")
        if not (old and separator and new):
            raise typer.BadParameter(f"{pair!r} is not OLD=NEW", param_hint=option)
        named[old] = new
    return named


@app.command(epilog=EXIT_STATUS)
def drives(context: typer.Context) -> None:
    """List the burners of this machine, what is in them, and why one cannot be used; a tray is pulled in."""
    from cedarchest.actions.drives import execute_drives
    from cedarchest.config.load import NoConfiguration
    from cedarchest.report.drives import drives as told
    from cedarchest.wiring import without_configuration

    with without_configuration() as nothing:
        try:
            configured = _configured(context.obj)
        except NoConfiguration:
            configured = Path(), nothing
        _act(
            context,
            lambda _path, config, ports: told(execute_drives(config, ports=ports)),
            read_only=True,
            looks=True,
            configured=configured,
        )


@app.command(epilog=EXIT_STATUS)
def status(context: typer.Context) -> None:
    """Tell which days are staged and stored, on which discs, what is due and what to insert."""
    from cedarchest.actions.status import execute_status
    from cedarchest.report import text

    _act(
        context,
        lambda _path, config, ports: text.status(execute_status(config, ports=ports)),
        read_only=True,
        looks=True,
    )


@app.command(epilog=EXIT_STATUS)
def validate(context: typer.Context) -> None:
    """Check configuration, tools, folders, drive and disc without writing anything."""
    from cedarchest.actions.validate import execute_validate
    from cedarchest.report import text

    _act(
        context,
        lambda path, config, ports: text.validated(path, execute_validate(config, ports=ports)),
        read_only=True,
        looks=True,
    )


_extensions = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _extension_command(name: str) -> object:
    from cedarchest.adapters.extensions import InstalledExtensions

    return typer.main.get_command(_extensions) if name in InstalledExtensions().installed() else None


@_extensions.command(epilog=EXIT_STATUS)
def _extension(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="As on the starting day.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Run this extension by itself, with the settings of its table in the configuration."""
    action = context.find_root().invoked_subcommand or ""
    _act(context, night.extension(action, full=full, dry_run=dry_run), read_only=True, dry_run=dry_run)


@app.command(epilog=EXIT_STATUS)
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
    _act(
        context,
        lambda _path, config, ports: text.initialized(
            execute_initialize(config, options, ports=ports, confirm=ask)
        ),
    )


@app.command(epilog=EXIT_STATUS)
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
    path, config = _configured(invocation)
    if what == "show":
        invocation.result = runs.planned_schedule(path, config, user=user)
        return
    starter = "cron" if cron else "systemd" if systemd else ""
    work = runs.schedule(path, config, user=user, starter=starter)
    invocation.result = recorded.journalled(invocation.action, config, invocation.reporter, work)


@app.command(epilog=EXIT_STATUS)
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


@app.command(epilog=EXIT_STATUS)
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
