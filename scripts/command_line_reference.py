"""The reference page of the command line, made from the program's own parser.

`python -m scripts.command_line_reference > docs/reference/command-line.md` writes it anew; a test tells
when that was forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from cedarchest import acting, cli, errors
from cedarchest.errors import CedarchestError, ExitCode

_HEAD = """\
# Command line

    cedarchest [-c FILE] [--json] [-v|-q] ACTION [OPTIONS]

`-c`, `--json`, `-v` and `-q` are taken before and after the action. Results go to standard output; logs,
progress, warnings and errors to standard error. With `--json` standard output is one object whatever
happens, described in [json.schema.json](json.schema.json); `--help` and `--version` are no actions and
stay text. Which file is the configuration, and what stands in it: [Configuration](configuration.md).

An installed [extension](../how-to/write-an-extension.md) that has its table in the configuration is an
action of its name, with `--full` and `--dry-run`.

`CEDARCHEST_NOW` (as in `2026-11-22T02:00:00+01:00`) takes the place of the clock for one run.
"""

_MEANINGS = {
    ExitCode.OK: "done, or nothing to do",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.LOGGING: "the log file cannot be written",
    ExitCode.CONFIG: "the configuration is absent or wrong",
    ExitCode.INTERRUPTED: "interrupted; run it again and it goes on",
    ExitCode.FAILED: "any other failure: staging, peer, catalog, a full file system",
    ExitCode.DIFFERENT: "disc and data differ",
    ExitCode.MEDIUM: "medium: none, foreign, the wrong one, full, not appendable, damaged",
    ExitCode.TOOL: "tool or drive: missing, too old, failing, timed out, unknown output",
    ExitCode.LOCKED: "another run is at work",
    ExitCode.PARTIAL: "done, but something was left out",
}


def reference() -> str:
    """The page as Markdown: options for all, every action with what it takes, exit statuses, errors."""
    return "\n".join([_HEAD, *_options_for_all(), *_actions(), *_statuses()]).rstrip("\n") + "\n"


def actions() -> dict[str, TyperCommand]:
    """Every action by its name, as the program takes them."""
    group = typer.main.get_command(cli.app)
    assert isinstance(group, TyperGroup)
    return {name: each for name, each in group.commands.items() if isinstance(each, TyperCommand)}


def _options_for_all() -> Iterator[str]:
    group = typer.main.get_command(cli.app)
    yield "## Options for every action\n"
    yield from _table(_rows([each for each in group.params if isinstance(each, TyperOption)]))


def _actions() -> Iterator[str]:
    for name, command in actions().items():
        arguments = [each for each in command.params if isinstance(each, TyperArgument)]
        options = [each for each in command.params if isinstance(each, TyperOption)]
        words = ["cedarchest", name, *(["[OPTIONS]"] if options else []), *map(_argument, arguments)]
        yield f"## `{name}`\n\n    {' '.join(words)}\n\n{command.help}\n"
        if options:
            yield from _table(_rows(options))


def _argument(argument: TyperArgument) -> str:
    return argument.metavar or f"[{(argument.name or '').upper()}]"


def _rows(options: list[TyperOption]) -> Iterator[str]:
    for option in options:
        flag = option.is_flag or option.count
        value = "" if flag else f" {option.metavar or (option.name or '').upper()}"
        names = ", ".join(f"`{name}{value}`" for name in option.opts)
        default = "off" if flag else f"`{option.default}`" if option.default else "none"
        yield f"| {names} | {default} | {option.help} |"


def _table(rows: Iterator[str]) -> list[str]:
    return ["\n".join(["| option | default | meaning |", "|---|---|---|", *rows, ""])]


def _statuses() -> Iterator[str]:
    worst = ", ".join(str(code) for code in ExitCode.WORST_FIRST)
    kinds: dict[int, list[str]] = {}
    for kind in _kinds(CedarchestError):
        if kind.__module__ in (errors.__name__, acting.__name__):
            kinds.setdefault(kind.exit_code, []).append(f"`{kind.__name__}`")
    rows = [
        f"| {code} | {meaning} | {', '.join(kinds.get(code, []))} |" for code, meaning in _MEANINGS.items()
    ]
    yield f"## Exit status\n\nWhen several apply, the worst counts: {worst}.\n"
    yield "\n".join(["| status | meaning | `kind` of the error in JSON |", "|---|---|---|", *rows])


def _kinds(root: type[CedarchestError]) -> Iterator[type[CedarchestError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)


if __name__ == "__main__":
    sys.stdout.write(reference())
