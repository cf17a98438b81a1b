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


AGAIN_S = 0.02
"""When an interrupt that came too early is looked at once more."""


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
        self._is_put_off = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals until the block is left; only a main thread may, elsewhere its owner does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {
            signal.SIGINT: self._handle,
            signal.SIGTERM: self._handle,
            signal.SIGHUP: self._hangup,
            signal.SIGALRM: self._again,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, earlier in before.items():
                signal.signal(number, earlier)

    def _hangup(self, _number: int, _frame: types.FrameType | None) -> None:
        """A lost terminal ends a run before its next session; one that is being written is proven as well."""
        self._hung_up = True

    def _handle(self, _number: int, frame: types.FrameType | None) -> None:
        self._asked += 1
        self._act(frame)

    def _again(self, _number: int, frame: types.FrameType | None) -> None:
        """The time of what was put off, unless somebody else has heard of it since."""
        if self._is_put_off:
            self._act(frame)

    def _act(self, frame: types.FrameType | None) -> None:
        """Do what was asked, a little later where a thread is just being begun."""
        self._is_put_off = _starts_a_thread(frame)
        if self._is_put_off:
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
            return
        if self._raised_at and self._asked - self._raised_at < PATIENCE:
            return  # it is ending, which takes its time; asked often enough, it is said again
        if not self._shields or self._asked > PATIENCE:
            if self._shields:
                _say("the burner is told to stop; it gets up to a minute to end in good order")
            self._raised_at = self._asked
            raise self._interrupted()
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
            raise self._interrupted()

    def _shield(self, more: int) -> None:
        with self._counting:
            self._shields += more
        self._of_thread.shields = self._shields_here() + more

    def _shields_here(self) -> int:
        return int(getattr(self._of_thread, "shields", 0))

    def pass_on(self) -> None:
        """Raise where a signal did not, since it came to another thread or one that is shielded."""
        if self._asked > PATIENCE or (self._asked and not self._shields_here()):
            raise self._interrupted()

    def _interrupted(self) -> Interrupted:
        self._is_put_off = False
        return Interrupted("the run was interrupted")

    def check(self) -> None:
        """Raise when the run was asked to end."""
        if self._asked or self._hung_up:
            raise self._interrupted()


def _starts_a_thread(frame: types.FrameType | None) -> bool:
    """Whether a thread is being begun; what is raised there `threading` takes for a failure to begin it."""
    while frame is not None:
        if frame.f_code is threading.Thread.start.__code__:
            return True
        frame = frame.f_back
    return False
