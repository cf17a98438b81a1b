"""The command line: parse, run one command, say what came of it.

Only here an error becomes an exit code. With `--json` there is one object on standard output whatever
happens; everything else goes to standard error.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cedarchest import __version__
from cedarchest.acting import UsageError
from cedarchest.commands import cycle, discs, finding, proving, setting_up
from cedarchest.errors import CedarchestError, ExitCode, Interrupted, unexpected
from cedarchest.invocation import (
    Invocation,
    conclude,
    could_not_tell,
    in_journal,
    log_to_stderr,
    prepare_streams,
)
from cedarchest.report.outcome import failed
from cedarchest.report.progress import ProgressReporter

EXIT_STATUS = """
Exit status: 0 done or nothing to do; 2 usage; 3 logging; 4 configuration; 5 interrupted; 6 failed;
7 disc and data differ; 8 medium; 9 tool or drive; 10 locked; 11 done, but something was left out.
"""


class ActionGroup(TyperGroup):
    """Our actions; where none of them is meant, those of installed packages."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.commands = _Actions()  # type: ignore[assignment]  # no one adds to it

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # typer keeps the types of these to itself
        """The action of a name; None when there is none."""
        return super().get_command(ctx, cmd_name) or _extension_command(cmd_name)


class _Actions(Mapping[str, Any]):
    """Our actions by name, of which each is put together when it is asked for: all of them take a while."""

    def __getitem__(self, name: str) -> Any:
        return _put_together(name, _COMMANDS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


@functools.cache
def _put_together(name: str, command: Callable[..., None]) -> Any:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, epilog=EXIT_STATUS)(command)
    return typer.main.get_command(alone)


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
    """All actions, put together once."""
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
        invocation.result = failed(invocation.action, unexpected(error))
    return conclude(invocation, invocation.result)


def _say_version(wanted: object) -> None:
    if wanted:
        sys.stdout.write(f"cedarchest {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", readable=False, help="The configuration file.")
    ] = None,
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


_COMMANDS: dict[str, Callable[..., None]] = {
    "all": cycle.run_all,
    "backup": cycle.backup,
    "collect": cycle.collect,
    "stage": cycle.stage,
    "store": cycle.store,
    "rebuild": cycle.rebuild,
    "purge": cycle.purge,
    "verify": proving.verify,
    "audit": proving.audit,
    "discs": discs.discs,
    "seal": discs.seal,
    "copy": discs.copy,
    "catalog": discs.catalog,
    "find": finding.find,
    "history": finding.history,
    "restore": finding.restore,
    "drives": discs.drives,
    "status": cycle.status,
    "validate": setting_up.validate,
    "initialize": discs.initialize,
    "schedule": setting_up.schedule,
    "migrate": setting_up.migrate,
    "init": setting_up.init,
}
"""All commands, as `--help` shows them."""


def _extension_command(name: str) -> object:
    from cedarchest.adapters.extensions import InstalledExtensions

    return _put_together(name, cycle.extension) if name in InstalledExtensions().installed() else None
