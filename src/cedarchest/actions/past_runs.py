"""Which runs there were, when the next is due, and which were missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError
from cedarchest.model.schedule import RunRecord, missed_runs, next_run
from cedarchest.ports import Ports

SCHEDULED = "all"
"""The action that a schedule runs."""

INSTALLING = "schedule"
"""An action of the journal that is no run of a backup."""


@dataclass(frozen=True, slots=True)
class RunsReport:
    """The last run, the next one where there is a schedule, and those of the last thirty days not begun."""

    last: RunRecord | None = None
    next: datetime | None = None
    missed: tuple[datetime, ...] = ()


def look_at_runs(config: Config, *, ports: Ports) -> RunsReport:
    """How the runs stand; a journal that cannot be read is a warning."""
    try:
        records = ports.journal.runs()
    except CedarchestError as error:
        ports.reporter.warn(f"nothing is known of earlier runs: {error.message}")
        records = ()
    last = next((each for each in reversed(records) if each.action != INSTALLING), None)
    if config.schedule is None:
        return RunsReport(last)
    at, now, local = config.schedule.at, ports.clock.now(), ports.clock.local
    return RunsReport(last, next_run(at, now, local), missed_runs(at, records, SCHEDULED, now, local))
