"""When runs are due, and which of them were missed; times of day are those of the machine's own zone.

A zone comes as a function that gives the instant of a wall time there, `fold` as in PEP 495. A time that the
clocks skip in spring is no time of the schedule on that day, as for systemd ("02:30" seen with
`systemd-analyze calendar` 252); one that comes twice in autumn is due at the first and may be met until the
second of the next. So no change of the clocks makes a run that was missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

Local = Callable[[datetime], datetime]
"""The instant of a wall time without an offset."""

REMEMBERED = timedelta(days=30)
"""How far back missed runs are told."""

LATE = timedelta(hours=1)
"""How long the last run may be on its way: systemd starts some seconds after its time, or once it is on."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the journal has it; one that was killed, or is still at work, has not ended.

    `schedule` are the times of day, `HH:MM`, that were configured when it began.
    """

    action: str
    began: datetime
    schedule: tuple[str, ...] = ()
    ended: datetime | None = None
    outcome: str = ""
    exit_code: int | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class _Due:
    """A time of the schedule as it is told, its first instant, and its last where the clocks went back.

    Times of one zone compare by what the clock shows, so instants are kept and compared in UTC.
    """

    shown: datetime
    first: datetime
    last: datetime


def written(at: Sequence[time]) -> tuple[str, ...]:
    """Times of day as the configuration has them."""
    return tuple(f"{each:%H:%M}" for each in at)


def next_run(at: Sequence[time], now: datetime, local: Local) -> datetime | None:
    """The next time of a schedule after `now`; None where there is no schedule."""
    now = now.astimezone(UTC)
    return next((due.shown for due in _from(at, now, local) if due.first > now), None)


def missed_runs(
    at: Sequence[time], records: Sequence[RunRecord], action: str, now: datetime, local: Local
) -> tuple[datetime, ...]:
    """Times at which no run of an action began before the next of them, or for an hour, oldest first.

    Looked at are the last thirty days, from when the journal first tells of a run under this very schedule.
    """
    now = now.astimezone(UTC)
    since = _under_schedule_since(written(at), records)
    if since is None:
        return ()
    since = max(since, now - REMEMBERED)
    begun = [record.began.astimezone(UTC) for record in records if record.action == action]
    missed: list[datetime] = []
    due: _Due | None = None
    for following in _from(at, since, local):
        if following.first > now:
            break
        if due is not None and not any(due.first <= each < following.last for each in begun):
            missed.append(due.shown)
        due = following if following.first > since else None
    if due is not None and now >= due.last + LATE and not any(due.first <= each for each in begun):
        missed.append(due.shown)
    return tuple(missed)


def _under_schedule_since(schedule: tuple[str, ...], records: Sequence[RunRecord]) -> datetime | None:
    """When the oldest run of those began that know of no other schedule."""
    since: datetime | None = None
    for record in sorted(records, key=lambda each: each.began, reverse=True):
        if record.schedule != schedule:
            break
        since = record.began.astimezone(UTC)
    return since


def _from(at: Sequence[time], start: datetime, local: Local) -> Iterator[_Due]:
    """All times of a schedule from two days before `start` on, without end."""
    day = start.date() - 2 * _DAY
    while at:
        yield from filter(None, (_due(day, each, local) for each in sorted(at)))
        day += _DAY


def _due(day: date, at: time, local: Local) -> _Due | None:
    shown = local(datetime.combine(day, at))
    first, last = (local(datetime.combine(day, at.replace(fold=fold))).astimezone(UTC) for fold in (0, 1))
    # Source: PEP 495: with fold=1 a time that the clocks skip is earlier than with fold=0.
    return None if last < first else _Due(shown, first, last)
