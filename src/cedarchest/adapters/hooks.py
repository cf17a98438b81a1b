"""Runs programs of the administrator, with the environment that we were started in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from cedarchest.adapters.process import run
from cedarchest.errors import HookFailed, ToolError
from cedarchest.model.names import readable

_SILENT_S = 86_400.0


class HookPrograms:
    """Programs by argument list; no shell is involved."""

    def run(self, argv: Sequence[str], variables: Mapping[str, str]) -> None:
        """Run a program to its end; its words go to the log, at DEBUG."""
        shown = readable(" ".join(argv))
        try:
            done = run(argv, timeout_s=_SILENT_S, variables={**os.environ, **variables})
        except ToolError as error:
            raise HookFailed(f"the hook `{shown}` cannot be run: {error.message}") from error
        if done.returncode:
            said = next((line for line in reversed(done.lines) if line.strip()), "it said nothing")
            raise HookFailed(f"the hook `{shown}` ended with {done.returncode}: {said}", transcript=done.tail)
