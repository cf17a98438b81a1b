"""A journal of runs in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cedarchest.model.schedule import RunRecord


class MemoryRunJournal:
    """What was recorded, the newest `kept` of it."""

    def __init__(self, kept: int = 1000) -> None:
        self._kept = kept
        self._count = 0
        self._runs: dict[str, RunRecord] = {}

    def began(self, action: str, at: datetime, schedule: Sequence[str]) -> str:
        self._count += 1
        run = str(self._count)
        self._runs[run] = RunRecord(action, at, tuple(schedule))
        while len(self._runs) > self._kept:
            del self._runs[next(iter(self._runs))]
        return run

    def ended(self, run: str, at: datetime, outcome: str, exit_code: int, summary: str) -> None:
        if run in self._runs:
            self._runs[run] = replace(
                self._runs[run], ended=at, outcome=outcome, exit_code=exit_code, summary=summary
            )

    def runs(self) -> tuple[RunRecord, ...]:
        return tuple(self._runs.values())
