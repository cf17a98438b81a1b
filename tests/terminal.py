"""A terminal at which somebody sits while the program runs."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.burner.burner import Burner
from tests.cedar_runs import CedarPool
from tests.conftest import Project


class Terminal:
    """A run of an action, a store unless it is said, with somebody at its terminal."""

    def __init__(
        self, project: Project | CedarPool, drive: Burner, *arguments: str, command: Sequence[str] = ()
    ) -> None:
        ours = [sys.executable, "-m", "cedarchest"]
        self._terminal, inner = pty.openpty()
        self._text = ""
        self._process = subprocess.Popen(
            [*(command or ours), "-c", str(project.config), *(arguments or ("store",))],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**os.environ, **project.environ, **drive.env(), "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(inner)

    def until(self, words: str) -> str:
        """All that was said, up to these words."""
        end = time.monotonic() + 60
        while words not in self._text and time.monotonic() < end:
            ready, _, _ = select.select([self._terminal], [], [], 1)
            try:
                self._text += os.read(self._terminal, 4096).decode() if ready else ""
            except OSError:
                break
        assert words in self._text, self._text
        return self._text

    def answer(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def status(self) -> int:
        try:
            return self._process.wait(60)
        finally:
            os.close(self._terminal)
