"""What an extension is: an action of another package, run by its name and in a night.

A package brings one by an entry point of the group `cedarchest.actions`: its name is the action's, and what
it leads to is an `Extension`. It is run only where the configuration has a table `[extension.NAME]`, which
holds its own settings. This module is all that an author needs; nothing else of cedarchest is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest.errors import ExtensionFailed

if TYPE_CHECKING:
    from cedarchest.ports import Reporter

GROUP = "cedarchest.actions"
"""The group of entry points."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What came of an action that ran earlier in the same night: exit status, days `YYYY/MM/DD`, labels."""

    exit_code: int
    days: tuple[str, ...] = ()
    discs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One run of an extension.

    `now` has the local offset and heeds `CEDARCHEST_NOW`; `settings` are the values of `[extension.NAME]` as
    TOML has them. With `dry_run` nothing may be written: say in `Done.lines` what would be done. `earlier` is
    empty where the extension is run by itself. Relative paths in settings belong to `config_path.parent`.
    """

    config_path: Path
    now: datetime
    full: bool
    dry_run: bool
    settings: Mapping[str, object]
    state_dir: Path
    working_dir: Path
    collect_dir: Path | None
    staging_dir: Path | None
    reporter: Reporter
    earlier: Mapping[str, Earlier] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """Today, as a day's path in the staging folder."""
        return f"{self.now:%Y/%m/%d}"


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did, in lines for a person; what is `left_out` makes the exit status 11."""

    lines: Iterable[str] = ()
    left_out: Iterable[str] = ()
    nothing_to_do: bool = False

    def __post_init__(self) -> None:
        _refuse_text(lines=self.lines, left_out=self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An action and its place in a night.

    `run` raises `ExtensionFailed` with a sentence where it fails; whatever else it raises is taken for a
    fault of the extension. `before` and `after` name actions of a night (collect, stage, store, purge) or
    other extensions; of those in `needs`, which it comes after too, none may have failed in the night.
    `check` gives a line for each problem of the settings, `KEY: what is wrong; what is allowed`; without it
    there are no settings.
    """

    run: Callable[[Call], Done]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    check: Callable[[Mapping[str, object]], Iterable[str]] | None = None

    def __post_init__(self) -> None:
        _refuse_text(before=self.before, after=self.after, needs=self.needs)


def _refuse_text(**values: object) -> None:
    """A text would pass for several, of a letter each."""
    for name, value in values.items():
        if isinstance(value, str):
            raise TypeError(f"{name} is one text, where a tuple of texts belongs")


__all__ = ["GROUP", "Call", "Done", "Earlier", "Extension", "ExtensionFailed"]
