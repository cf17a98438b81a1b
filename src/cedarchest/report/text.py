"""Reports of actions as results: their figures for scripts and their lines for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cedarchest.actions.collect import CollectReport
from cedarchest.actions.copy import CopyReport
from cedarchest.actions.extensions import ExtensionReport
from cedarchest.actions.initialize import InitializeReport
from cedarchest.actions.managed import ManagedOutcome, ManagedPeer
from cedarchest.actions.purge import PurgeReport
from cedarchest.actions.seal import SealReport
from cedarchest.actions.status import DayStatus, StatusReport
from cedarchest.actions.validate import CheckedThing
from cedarchest.actions.verify import VerifyReport
from cedarchest.config.choices import ManagedAction
from cedarchest.model.names import counted
from cedarchest.model.size import shown, shown_bytes
from cedarchest.report.audits import check_lines, due_figures
from cedarchest.report.collected import collected
from cedarchest.report.outcome import Outcome, Result, describe
from cedarchest.report.scheduling import run_figures, run_lines
from cedarchest.report.stored import volume_figures, volume_lines
from cedarchest.report.verified import verified

RECENT_DAYS = 31
"""Of days that are on discs and no longer staged, so many of the newest have lines of their own."""

SUMMED_UP = 7
"""Of the others, one line says as much where there are so many of them."""


def purged(report: PurgeReport, *, dry_run: bool) -> Result:
    """The result of `purge`."""
    removed = [thing for thing in report.things if thing.removed]
    kept = [thing for thing in report.things if not thing.removed]
    size = shown_bytes(sum(thing.data_bytes for thing in removed))
    lines = [f"would delete {thing.path}: {thing.why}" for thing in removed] if dry_run else []
    if removed and not dry_run:
        lines.append(f"deleted {len(removed)} of what was old, {size}")
    lines += [f"kept {thing.path}: {thing.why}" for thing in kept]
    return Result(
        "purge",
        Outcome.OK if removed else Outcome.NOTHING_TO_DO,
        figures={
            "dry_run": dry_run,
            "removed": [{"path": thing.path, "why": thing.why} for thing in removed],
            "kept": [{"path": thing.path, "why": thing.why} for thing in kept],
            "bytes": sum(thing.data_bytes for thing in removed),
        },
        text=lines or ["nothing is old enough to be deleted"],
        problems=report.problems,
    )


def nothing_here(action: ManagedAction, *, dry_run: bool) -> Result:
    """The result of an action that is run on peers only."""
    if action is ManagedAction.PURGE:
        result = purged(PurgeReport(()), dry_run=dry_run)
    else:
        result = collected(CollectReport(()), dry_run=dry_run)
    return replace(result, text=())


def with_managed(result: Result, peers: Sequence[ManagedPeer]) -> Result:
    """The same with what it came to on peers: 11 when one that may not fail did, 6 when nothing worked."""
    failures = [peer.problem for peer in peers if peer.problem is not None]
    here = result.outcome is Outcome.OK and not result.problems
    worked = here or any(peer.outcome is not ManagedOutcome.FAILED for peer in peers)
    done = any(peer.outcome in (ManagedOutcome.DONE, ManagedOutcome.PLANNED) for peer in peers)
    left_out = [line for peer in peers for line in peer.left_out]
    missing = [problem.message for problem in failures if worked]
    advice = dict.fromkeys(problem.advice for problem in failures if worked)
    return replace(
        result,
        outcome=Outcome.OK if done and result.outcome is Outcome.NOTHING_TO_DO else result.outcome,
        left_out=[*result.left_out, *left_out, *missing],
        figures={**result.figures, "managed": [_managed_peer(peer) for peer in peers]},
        text=[
            *result.text,
            *(_managed_line(peer) for peer in peers if not peer.problem),
            *(f"left out: {each}" for each in (*left_out, *missing)),
            *advice,
        ],
        problems=[*result.problems, *(() if worked else failures)],
    )


def _managed_peer(peer: ManagedPeer) -> dict[str, object]:
    return {
        "name": peer.name,
        "command": peer.command,
        "outcome": peer.outcome.value,
        "left_out": list(peer.left_out),
        "error": describe(peer.problem) if peer.problem else None,
    }


def _managed_line(peer: ManagedPeer) -> str:
    told = {
        ManagedOutcome.DONE: f"ran `{peer.command}` on {peer.name}",
        ManagedOutcome.PLANNED: f"would run `{peer.command}` on {peer.name}",
    }
    return told.get(peer.outcome, f"{peer.name}: failed, ignored")


def sealed(report: SealReport) -> Result:
    """The result of `seal`."""
    read = verified(VerifyReport((report.verdict,)))
    state = "closed" if report.closed else "not closed, since its kind of medium cannot be"
    by = f" with session {report.session}" if report.session else ""
    said = f"{report.label} takes no more sessions; it is {state}{by}"
    figures = {"closed": report.closed, "session": report.session or None}
    return replace(read, action="seal", figures={**figures, **read.figures}, text=[said, *read.text])


def copied(report: CopyReport) -> Result:
    """The result of `copy`."""
    days = counted(len(report.days), "day")
    return Result(
        "copy",
        days=report.days,
        discs=[report.copy],
        figures={"source": report.label, "copy": report.number},
        text=[
            f"{report.copy} is copy {report.number} of what {report.label} shows ({days})",
            "no problems found: every entry was read back from the disc and matches",
        ],
    )


def _day_line(day: DayStatus) -> str:
    if day.due:
        state = "due" + (f", not proven on {', '.join(day.unproven)}" if day.unproven else "")
    elif day.was_on:
        state = f"LOST: was on {', '.join(day.was_on)}, proven no more"
    elif day.discs:
        state = f"stored on {', '.join(day.discs)}"
    elif day.unproven:
        state = f"not proven on {', '.join(day.unproven)}"
    else:
        state = "marked stored, on no disc of this catalog" if day.stored else "not staged yet"
    gone = not day.staged and (day.stored or day.discs or day.unproven or day.was_on)
    return f"{day.day}  {state}{'  (no longer staged)' if gone else ''}"


def _day_lines(days: Sequence[DayStatus]) -> list[str]:
    """A line for each day, and one for all that went to discs so long ago that there is no more to say."""
    passed = [day for day in days if day.discs and not (day.staged or day.unproven or day.was_on)]
    earlier = passed[:-RECENT_DAYS]
    if len(earlier) < SUMMED_UP:
        return [_day_line(day) for day in days]
    first, last = earlier[0].day, earlier[-1].day
    discs = counted(len({label for day in earlier for label in day.discs}), "disc")
    summed = f"{first} to {last}  {len(earlier)} days stored on {discs}  (no longer staged)"
    left = frozenset(day.day for day in earlier)
    return [summed, *(_day_line(day) for day in days if day.day not in left)]


def status(report: StatusReport) -> Result:
    """The result of `status`; its table has every day, its text names those of long ago together."""
    lines = _day_lines(report.days)
    if report.current:
        more = f", about {report.days_until_full} more days" if report.days_until_full is not None else ""
        lines.append(f"{report.current} has {shown(report.free_blocks)} left{more}")
    if report.plan is not None:
        lines += volume_lines(volume_figures(report.plan))
    for problem in (*report.day_problems, *([report.problem] if report.problem else [])):
        lines += [problem.message, f"  {problem.advice}"]
    lines += report.notices
    lines += check_lines(report.checks)
    lines += run_lines(report.runs)
    due = [day.day for day in report.days if day.due]
    return Result(
        "status",
        days=[day.day for day in report.days],
        discs=sorted({label for day in report.days for label in day.discs}),
        figures={
            "due": due,
            "table": [
                {
                    "day": day.day,
                    "staged": day.staged,
                    "stored": day.stored,
                    "discs": list(day.discs),
                    "proven": bool(day.discs) and not day.was_on,
                    "unproven": list(day.unproven),
                    "was_on": list(day.was_on),
                }
                for day in report.days
            ],
            "volumes": volume_figures(report.plan) if report.plan else [],
            "current": report.current,
            "free_blocks": report.free_blocks,
            "days_until_full": report.days_until_full,
            "drive_problem": report.problem.message if report.problem else "",
            "insert": report.problem.advice if report.problem else "",
            "day_problems": [problem.message for problem in report.day_problems],
            "notices": list(report.notices),
            "checks_due": [due_figures(state) for state in report.checks if state.is_due],
            "copies_wanted": [state.disc.label for state in report.checks if state.weak],
            "lost": [day.day for day in report.days if day.was_on],
            **run_figures(report.runs),
        },
        text=lines or ["nothing is staged and nothing is stored"],
    )


def validated(path: Path, things: Sequence[CheckedThing]) -> Result:
    """The result of `validate`."""
    lines = [f"{'ok' if each.problem is None else 'WRONG':5}  {each.what}: {each.found}" for each in things]
    return Result(
        "validate",
        figures={
            "config": str(path),
            "checked": [
                {"what": each.what, "ok": each.problem is None, "found": each.found} for each in things
            ],
        },
        text=[f"ok     configuration: {path}", *lines],
        problems=tuple(each.problem for each in things if each.problem),
    )


def extended(report: ExtensionReport, *, dry_run: bool) -> Result:
    """The result of an extension."""
    done = report.done
    lines = list(done.lines)
    return Result(
        report.name,
        Outcome.NOTHING_TO_DO if done.nothing_to_do else Outcome.OK,
        figures={"dry_run": dry_run, "package": report.package, "lines": lines},
        text=[f"{report.name}: {line}" for line in lines],
    ).with_left_out(list(done.left_out))


def initialized(report: InitializeReport) -> Result:
    """The result of `initialize`."""
    done = "was erased; the next store begins on it" if report.erased else "nothing needs to be done"
    return Result(
        "initialize",
        Outcome.OK if report.erased else Outcome.NOTHING_TO_DO,
        figures={"found": report.found, "erased": report.erased},
        text=[f"{report.found}: {done}"],
    )
