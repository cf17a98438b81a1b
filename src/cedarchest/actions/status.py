"""The status action: which days are staged and stored, on which discs, what is due, what to insert."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from cedarchest.actions.loading import CurrentDisc, find_current
from cedarchest.actions.marks import is_proven
from cedarchest.actions.planning import plan_days
from cedarchest.actions.store import create_writer
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError
from cedarchest.model.disc import SessionStatus
from cedarchest.model.plan import StorePlan, sessions_until_full
from cedarchest.ports import DayIndex, Ports, StagedDay

RECENT_SESSIONS = 7


@dataclass(frozen=True, slots=True)
class DayStatus:
    """A day: whether it is staged and stored, on which discs it is proven, what is open about it."""

    day: str
    staged: bool
    stored: bool
    discs: tuple[str, ...]
    unproven: tuple[str, ...] = ()

    @property
    def due(self) -> bool:
        """Whether the next store takes it."""
        return self.staged and not self.stored


@dataclass(frozen=True, slots=True)
class StatusReport:
    """How things stand; `advice` says which disc to insert, empty when none is needed."""

    days: tuple[DayStatus, ...]
    plan: StorePlan | None
    current: str
    free_blocks: int
    days_until_full: int | None
    advice: str
    problem: CedarchestError | None = None


def execute_status(config: Config, *, ports: Ports) -> StatusReport:
    """How things stand; looks at staging, catalog and drive, and writes nothing.

    Raises:
        StagingError: the staging folder cannot be read.
        CatalogError: the catalog cannot be read.
    """
    staged = ports.staging.days(config.require_stage().dir)
    due = [day for day in staged if day.staged and not _is_stored(config, day, ports)]
    days = _days(staged, {day.day for day in due}, ports)
    plan, current, problem = _drive(config, due, ports)
    return StatusReport(
        days=days,
        plan=plan,
        current=current.disc.label if current else "",
        free_blocks=current.seen.free if current else 0,
        days_until_full=_days_until_full(current),
        advice=problem.advice if problem else "",
        problem=problem,
    )


def _is_stored(config: Config, day: StagedDay, ports: Ports) -> bool:
    """Whether a staged day has its mark or, where staging may not be written, the catalog's proof."""
    proven = any(each.status is SessionStatus.VERIFIED for each, _ in ports.catalog.contents(day.day))
    if day.marked_stored or not proven:
        return day.marked_stored
    try:
        return is_proven(config, ports.staging.look(day.directory, day.day), ports)
    except CedarchestError:
        return False  # the plan says what is wrong with it


def _days(staged: tuple[StagedDay, ...], due: Container[str], ports: Ports) -> tuple[DayStatus, ...]:
    labels = {disc.disc_id: disc.label for disc in ports.catalog.discs()}
    by_day = {day.day: day for day in staged}
    found = []
    for name in sorted({*by_day, *ports.catalog.days()}):
        contents = ports.catalog.contents(name)
        proven = [labels[s.disc_id] for s, _ in contents if s.status is SessionStatus.VERIFIED]
        open_ = [
            labels[s.disc_id]
            for s, _ in contents
            if s.status in (SessionStatus.BURNT, SessionStatus.INTENDED)
        ]
        day = by_day.get(name)
        stored = (day.marked_stored or (day.staged and name not in due)) if day else bool(proven)
        found.append(
            DayStatus(
                name,
                staged=day is not None and day.staged,
                stored=stored,
                discs=tuple(dict.fromkeys(proven)),
                unproven=tuple(dict.fromkeys(open_)),
            )
        )
    return tuple(found)


def _drive(
    config: Config, due: list[StagedDay], ports: Ports
) -> tuple[StorePlan | None, CurrentDisc | None, CedarchestError | None]:
    """The plan for what is due and the disc in use; trouble with the drive is part of the answer."""
    try:
        writer = create_writer(config, ports=ports)
    except CedarchestError as error:
        return None, None, error
    try:
        current = find_current(config, writer, ports)
        looked_at: list[DayIndex] = [ports.staging.look(day.directory, day.day) for day in due]
        return plan_days(config, writer, looked_at, ports, always_new=False), current, None
    except CedarchestError as error:
        return None, None, error
    finally:
        writer.close()


def _days_until_full(current: CurrentDisc | None) -> int | None:
    """How many more days of the recent size the disc in use takes; None when there is no experience."""
    if current is None or not current.sessions:
        return None
    recent = current.sessions[-RECENT_SESSIONS:]
    blocks = max(1, sum(session.blocks for session in recent) // len(recent))
    return sessions_until_full(current.seen.free, blocks, len(current.seen.sessions), current.seen.traits)
