"""SIGINT and SIGTERM: asked once, the run ends at the next safe place; a burner is let to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator

from cedarchest.adapters.journald import is_journal, prioritized
from cedarchest.errors import Interrupted

PATIENCE = 2
"""Requests during a burn before it is abandoned: the first asks, the second is told what the third costs."""


def _say(message: str) -> None:
    """Write a line on standard error, past its buffer: a signal may have come while that was in use."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            number = sys.stderr.fileno()
            text = prioritized(logging.WARNING, message) if is_journal(number) else f"WARNING {message}"
            os.write(number, f"{text}\n".encode())


class Signals:
    """Turns signals into `Interrupted` at places where nothing is half done."""

    def __init__(self) -> None:
        self._asked = 0
        self._hung_up = False
        self._shields = 0
        self._counting = threading.Lock()
        self._of_thread = threading.local()
        self._raised_at = 0

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals until the block is left; only a main thread may, elsewhere its owner does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        hangup = signal.signal(signal.SIGHUP, self._hangup)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, hangup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hangup(self, _number: int, _frame: types.FrameType | None) -> None:
        """A lost terminal ends a run before its next session; one that is being written is proven as well."""
        self._hung_up = True

    def _handle(self, _number: int, _frame: types.FrameType | None) -> None:
        self._asked += 1
        if self._raised_at and self._asked - self._raised_at < PATIENCE:
            return  # it is ending, which takes its time; asked often enough, it is said again
        if not self._shields or self._asked > PATIENCE:
            if self._shields:
                _say("the burner is told to stop; it gets up to a minute to end in good order")
            self._raised_at = self._asked
            raise Interrupted("the run was interrupted")
        if self._asked == 1:
            _say("ending after this session is written and recorded; the burner is not stopped")
        else:
            _say(
                "the burner is still writing: ending now spoils this session and, on write-once media,"
                " costs its room on the disc; interrupt once more to do it"
            )

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Within it, in whichever threads, a first interrupt only asks."""
        self._shield(1)
        try:
            yield
        finally:
            self._shield(-1)
        if self._asked:
            raise Interrupted("the run was interrupted")

    def _shield(self, more: int) -> None:
        with self._counting:
            self._shields += more
        self._of_thread.shields = self._shields_here() + more

    def _shields_here(self) -> int:
        return int(getattr(self._of_thread, "shields", 0))

    def pass_on(self) -> None:
        """Raise where a signal did not, since it came to another thread or one that is shielded."""
        if self._asked > PATIENCE or (self._asked and not self._shields_here()):
            raise Interrupted("the run was interrupted")

    def check(self) -> None:
        """Raise when the run was asked to end."""
        if self._asked or self._hung_up:
            raise Interrupted("the run was interrupted")
