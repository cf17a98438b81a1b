"""How far a run is: a moving bar on a terminal, a plain line a minute without one. Never raises.

Each thread has a phase of its own: where two drives write there are two bars, and lines of both.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import TaskID

log = logging.getLogger(__name__)

LINE_EVERY_S = 60.0


class _Shown(Protocol):
    """What a way of showing progress does."""

    def begin(self, name: str, total: int, unit: str) -> None: ...
    def show(self, done: int) -> None: ...
    def go(self) -> None: ...
    def hide(self) -> None: ...
    def end(self) -> None: ...


class ProgressReporter:
    """The Reporter of a run; keeps warnings for the end and for the JSON output."""

    def __init__(
        self, stream: TextIO | None = None, *, quiet: bool = False, line_every_s: float = LINE_EVERY_S
    ) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._line_every_s = line_every_s
        self._shown: _Shown | None = None
        self._turn = threading.Lock()
        self._is_still = False
        self.warnings: list[str] = []

    def phase(self, name: str, total: int, unit: str = "B") -> None:
        """A phase begins."""
        log.info("%s", name)
        if self._quiet:
            return
        with self._turn:
            if self._shown is None:
                self._shown = (
                    _Bar(self._stream) if self._stream.isatty() else _Lines(self._stream, self._line_every_s)
                )
            self._shown.begin(name, total, unit)
            if not self._is_still:
                self._shown.go()

    def advance(self, done: int) -> None:
        """So much of the phase is done."""
        if (shown := self._shown) is not None:
            shown.show(done)

    def warn(self, message: str) -> None:
        """Something to know, said at once and at the end."""
        log.warning("%s", message)
        with self._turn:
            if message not in self.warnings:
                self.warnings.append(message)

    def note(self, message: str) -> None:
        """A fact worth a line."""
        log.info("%s", message)

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Have nothing move on the terminal, where something is asked meanwhile; the work goes on."""
        with self._turn:
            self._is_still = True
            if self._shown is not None:
                self._shown.hide()
        try:
            yield
        finally:
            with self._turn:
                self._is_still = False
                if self._shown is not None:
                    self._shown.go()

    def finish(self) -> None:
        """Take what moves off the terminal."""
        if self._shown is not None:
            self._shown.end()
            self._shown = None


class _Bar:
    """rich's progress display: phase, bar, rate, time left; a bar for each thread."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
        )
        self._tasks: dict[int, TaskID] = {}

    def begin(self, name: str, total: int, unit: str) -> None:
        del unit
        here = threading.get_ident()
        ended = {task.id for task in self._progress.tasks if task.finished}
        for thread in [each for each, task in self._tasks.items() if each == here or task in ended]:
            self._progress.remove_task(self._tasks.pop(thread))
        self._tasks[here] = self._progress.add_task(name, total=total or None)

    def show(self, done: int) -> None:
        if (task := self._tasks.get(threading.get_ident())) is not None:
            self._progress.update(task, completed=done)

    def go(self) -> None:
        self._progress.start()

    def hide(self) -> None:
        live = self._progress.live
        live.transient = True
        self._progress.stop()
        live.transient = False

    def end(self) -> None:
        self._progress.stop()


@dataclass
class _Phase:
    """A phase that is under way in a thread."""

    name: str
    total: int
    unit: str
    began: float
    last: float


class _Lines:
    """A line when a phase has gone on for a minute, and every minute after."""

    def __init__(self, stream: TextIO, every_s: float) -> None:
        self._stream = stream
        self._every_s = every_s
        self._phases: dict[int, _Phase] = {}

    def begin(self, name: str, total: int, unit: str) -> None:
        now = time.monotonic()
        self._phases[threading.get_ident()] = _Phase(name, total, unit, now, now)

    def show(self, done: int) -> None:
        phase = self._phases.get(threading.get_ident())
        now = time.monotonic()
        if phase is None or now - phase.last < self._every_s:
            return
        phase.last = now
        rate = done / (now - phase.began)
        left = max(phase.total - done, 0) / rate / 60 if rate > 0 else 0.0  # what is read may have grown
        share = f"{min(100 * done / phase.total, 100):.0f} %" if phase.total else f"{done} {phase.unit}"
        self._stream.write(f"{phase.name}: {share}, {rate / 1e6:.1f} MB/s, {left:.0f} min left\n")
        self._stream.flush()

    def go(self) -> None:
        """Nothing moves here."""

    hide = end = go
