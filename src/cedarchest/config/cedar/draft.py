"""What a translation writes: our TOML, line by line, and the report beside it.

Whatever comes from the XML is data: values are written as TOML texts, and in comments and lines of the report
they stand in the readable form, so that no name can end a line or begin another.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cedarchest.config.cedar.left_behind import Left
from cedarchest.config.template import quoted

WIDTH = 108

Folders = Callable[[str], Sequence[str] | None]
"""Gives the names of the folders in a folder, without links; None where that cannot be looked at."""

Value = str | bool | int | float | Sequence[str]


@dataclass(frozen=True, slots=True)
class Secret:
    """A file that only its owner may read, and that the configuration names; never shown."""

    path: Path
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a translation, a line for each thing."""

    taken: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """What means something else now, and why."""
    ignored: tuple[str, ...] = ()
    """What Cedar Backup ignored without a word."""
    untaken: tuple[str, ...] = ()
    """What cannot be taken over."""
    missing: tuple[str, ...] = ()
    """What Cedar Backup wants and the file does not have."""
    left: tuple[str, ...] = ()
    """What becomes of what its last runs left in its working folder."""


@dataclass(slots=True)
class Draft:
    """A translation at work."""

    secrets_dir: Path
    folders: Folders
    lines: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    changed: dict[str, None] = field(default_factory=dict)
    untaken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    dumped: dict[str, list[str]] = field(default_factory=dict)
    """By extension of Cedar Backup's what `collect` does for it."""
    left: list[Left] = field(default_factory=list)

    def dumps(self, extension: str, what: str) -> None:
        """Keep that a source or command is there for an extension."""
        self.dumped.setdefault(extension, []).append(what)

    def table(self, name: str, *comments: str, several: bool = False) -> None:
        """Begin a table."""
        self.lines.append("")
        self.say(*comments)
        self.lines.append(f"[[{name}]]" if several else f"[{name}]")

    def put(self, key: str, value: Value | None, *comments: str) -> None:
        """Set a key of the table that is open; None sets nothing."""
        if value is None:
            return
        self.say(*comments)
        self.lines.append(f"{key} = {toml(value)}")

    def say(self, *comments: str) -> None:
        """Add comments, each on lines of its own."""
        for comment in comments:
            self.lines += textwrap.wrap(
                comment,
                WIDTH,
                initial_indent="# ",
                subsequent_indent="# ",
                break_long_words=False,
                break_on_hyphens=False,
            )

    def differs(self, line: str) -> None:
        """Report once that something means something else now."""
        self.changed[line] = None

    def report(self, ignored: Iterable[str]) -> Report:
        """The report as it stands."""
        return Report(
            tuple(self.taken), tuple(self.changed), tuple(ignored), tuple(self.untaken), tuple(self.missing)
        )


def toml(value: Value) -> str:
    """A value as TOML; lists over several lines where they are long."""
    match value:
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            items = [quoted(each) for each in value]
            line = f"[{', '.join(items)}]"
            return (
                line if len(line) <= WIDTH - 16 else "[\n" + "".join(f"    {each},\n" for each in items) + "]"
            )
