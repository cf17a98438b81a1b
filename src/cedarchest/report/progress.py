"""How far a run is: a moving bar on a terminal, a plain line a minute without one. Never raises."""

from __future__ import annotations

import logging
import sys
import time
from typing import Protocol, TextIO

log = logging.getLogger(__name__)

LINE_EVERY_S = 60.0


class _Shown(Protocol):
    """What a way of showing progress does."""

    def begin(self, name: str, total: int, unit: str) -> None: ...
    def show(self, done: int) -> None: ...
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
        self.warnings: list[str] = []

    def phase(self, name: str, total: int, unit: str = "B") -> None:
        """A phase begins."""
        log.info("%s", name)
        if self._quiet:
            return
        if self._shown is None:
            self._shown = (
                _Bar(self._stream) if self._stream.isatty() else _Lines(self._stream, self._line_every_s)
            )
        self._shown.begin(name, total, unit)

    def advance(self, done: int) -> None:
        """So much of the phase is done."""
        if self._shown is not None:
            self._shown.show(done)

    def warn(self, message: str) -> None:
        """Something to know, said at once and at the end."""
        log.warning("%s", message)
        if message not in self.warnings:
            self.warnings.append(message)

    def note(self, message: str) -> None:
        """A fact worth a line."""
        log.info("%s", message)

    def finish(self) -> None:
        """Take what moves off the terminal."""
        if self._shown is not None:
            self._shown.end()
            self._shown = None


class _Bar:
    """rich's progress display: phase, bar, rate, time left."""

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
        self._progress.start()
        self._task = self._progress.add_task("", total=None)

    def begin(self, name: str, total: int, unit: str) -> None:
        del unit
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total or None)

    def show(self, done: int) -> None:
        self._progress.update(self._task, completed=done)

    def end(self) -> None:
        self._progress.stop()


class _Lines:
    """A line when a phase has gone on for a minute, and every minute after."""

    def __init__(self, stream: TextIO, every_s: float) -> None:
        self._stream = stream
        self._every_s = every_s
        self._name = self._unit = ""
        self._total = 0
        self._began = self._last = 0.0

    def begin(self, name: str, total: int, unit: str) -> None:
        self._name, self._total, self._unit = name, total, unit
        self._began = self._last = time.monotonic()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last < self._every_s:
            return
        self._last = now
        rate = done / (now - self._began)
        left = (self._total - done) / rate / 60 if rate > 0 and self._total else 0.0
        share = f"{100 * done / self._total:.0f} %" if self._total else f"{done} {self._unit}"
        self._stream.write(f"{self._name}: {share}, {rate / 1e6:.1f} MB/s, {left:.0f} min left\n")
        self._stream.flush()

    def end(self) -> None:
        """Nothing moves here."""
