"""Whoever sits at the terminal: asked on standard error, answers on standard input."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
from collections.abc import Callable

from cedarchest.model.names import readable

POLL_S = 0.2


class TerminalPerson:
    """A person, where both standard input and standard error are a terminal; asked one thing at a time.

    `waiting` is called while an answer is waited for, and may raise; `still` is entered for as long.
    """

    def __init__(
        self,
        waiting: Callable[[], None] = lambda: None,
        still: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._waiting = waiting
        self._still = still
        self._turn = threading.Lock()

    def is_there(self) -> bool:
        """Whether there is somebody to ask."""
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))

    def changes_disc(self, problem: str, advice: str) -> bool:
        """Say which disc is wanted, and wait for Enter; an answer of any kind ends the waiting."""
        with self._turn, self._still():
            self._waiting()
            sys.stderr.write(
                f"\n{readable(problem)}\n{readable(advice)}\n"
                "Press Enter when it is in the drive, or type q and Enter to end: "
            )
            sys.stderr.flush()
            while not select.select([sys.stdin], [], [], POLL_S)[0]:
                self._waiting()
            return sys.stdin.readline() == "\n"
