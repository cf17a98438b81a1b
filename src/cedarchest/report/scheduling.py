"""Reports of runs and schedules as results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cedarchest.actions.past_runs import RunsReport
from cedarchest.actions.schedule import ScheduleReport, Starter
from cedarchest.model.schedule import RunRecord
from cedarchest.ports import Scope
from cedarchest.report.outcome import Outcome, Result

SHOWN_MISSED = 5


def run_lines(report: RunsReport) -> Iterator[str]:
    """The lines of `status` on runs."""
    if report.last is not None:
        yield f"last run: {_told(report.last)}"
    if report.next is not None:
        yield f"next run: {_minute(report.next)}"
    if report.missed:
        shown = [_minute(each) for each in report.missed[-SHOWN_MISSED:]]
        more = len(report.missed) - len(shown)
        times = ", ".join([*shown, *([f"and {more} earlier"] if more else [])])
        yield f"MISSED in the last 30 days: {times}"
        yield (
            "  Was the machine off? Else see whether anything starts the runs: `cedarchest schedule install`"
            " sets it up again."
        )


def run_figures(report: RunsReport) -> dict[str, object]:
    """The figures of `status` on runs."""
    return {
        "last_run": _figures(report.last) if report.last else None,
        "next_run": report.next.isoformat() if report.next else None,
        "missed_runs": [each.isoformat() for each in report.missed],
    }


def _told(run: RunRecord) -> str:
    began = f"{run.action} at {_minute(run.began)}"
    if run.ended is None:
        return f"{began}, which has not ended: it is at work still, or was killed"
    code = f" ({run.exit_code})" if run.exit_code else ""
    return f"{began}: {run.outcome}{code}" + (f": {run.summary}" if run.summary else "")


def _figures(run: RunRecord) -> dict[str, object]:
    return {
        "action": run.action,
        "began": run.began.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "outcome": run.outcome if run.ended else None,
        "exit_code": run.exit_code,
        "summary": run.summary,
    }


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def scheduled(what: str, report: ScheduleReport) -> Result:
    """The result of `schedule`."""
    lines = [f"wrote {path}" for path in report.written]
    lines += [f"removed {path}" for path in report.removed]
    for name, text in report.texts.items():
        lines += [f"{name}:", "", *(f"    {line}".rstrip() for line in text.splitlines()), ""]
    if report.next_run is not None:
        lines.append(f"next run: {_minute(report.next_run)}")
    if report.written and report.starter is Starter.SYSTEMD and report.scope is Scope.USER:
        lines.append("It runs while you are logged in; `loginctl enable-linger` has it run always.")
    nothing = what == "remove" and not report.removed
    return Result(
        "schedule",
        Outcome.NOTHING_TO_DO if nothing else Outcome.OK,
        figures={
            "what": what,
            "scope": report.scope.value,
            "starter": report.starter.value if report.starter else None,
            "written": list(report.written),
            "removed": list(report.removed),
            "texts": dict(report.texts),
            "next_run": report.next_run.isoformat() if report.next_run else None,
        },
        text=lines or ["there is nothing of ours to remove"],
    )
