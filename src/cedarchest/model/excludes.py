"""What a source leaves out: patterns as in `.gitignore`, and regular expressions for whole paths."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True)
class Excludes:
    """The patterns of `[collect]`, which begin at `/`, and those of a source, which begin at its path.

    A pattern of the source that begins with the source's own path is absolute as well. Something is left
    out when any of the lists says so.
    """

    top: bytes  # the source's absolute path
    everywhere: Sequence[str] = ()
    of_source: Sequence[str] = ()
    regexes: Sequence[str] = ()
    _from_root: GitIgnoreSpec | None = field(init=False)
    _from_top: GitIgnoreSpec | None = field(init=False)
    _regexes: tuple[re.Pattern[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        own = os.fsdecode(self.top).rstrip("/") + "/"
        absolute = [each for each in self.of_source if own != "/" and each.removeprefix("!").startswith(own)]
        relative = [each for each in self.of_source if each not in absolute]
        object.__setattr__(self, "_from_root", _spec([*self.everywhere, *absolute]))
        object.__setattr__(self, "_from_top", _spec(relative))
        object.__setattr__(self, "_regexes", tuple(re.compile(each, re.DOTALL) for each in self.regexes))

    @property
    def leave_nothing_out(self) -> bool:
        """Whether there is no pattern at all."""
        return not (self._from_root or self._from_top or self._regexes)

    def leave_out(self, path: bytes, *, is_dir: bool) -> bool:
        """Whether an absolute path is left out; of a folder, with all below it."""
        text = os.fsdecode(path)
        if any(regex.fullmatch(text) for regex in self._regexes):
            return True
        end = "/" if is_dir else ""
        if self._from_root and self._from_root.match_file(text.lstrip("/") + end):
            return True
        top = self.top.rstrip(b"/") + b"/"
        if not self._from_top or not path.startswith(top):
            return False
        return self._from_top.match_file(os.fsdecode(path[len(top) :]) + end)


def _spec(lines: Sequence[str]) -> GitIgnoreSpec | None:
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # only a collect with patterns needs it

    return GitIgnoreSpec.from_lines(lines)
