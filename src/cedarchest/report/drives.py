"""What `drives` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cedarchest.actions.drives import DriveSummary
from cedarchest.model.disc import DiscState, Observation
from cedarchest.model.names import first_few
from cedarchest.model.size import shown
from cedarchest.report.outcome import Outcome, Result, describe

_NONE = "this machine has no optical drive, and none is configured; discs can be images on a shelf, too"


def drives(summaries: Sequence[DriveSummary]) -> Result:
    """The result of `drives`; a drive that cannot be used is news, not a failure."""
    return Result(
        "drives",
        Outcome.OK if summaries else Outcome.NOTHING_TO_DO,
        discs=[label for each in summaries for label in each.labels],
        figures={"drives": [_figures(each) for each in summaries]},
        text=[line for each in summaries for line in _lines(each)] or [_NONE],
    )


def _lines(each: DriveSummary) -> Iterator[str]:
    drive, seen = each.drive, each.seen
    more = [drive.device] if drive.stable != drive.device else []
    more += ["configured"] if drive.configured else []
    yield drive.stable + (f"  ({', '.join(more)})" if more else "")
    if each.problem is not None:
        yield f"  cannot be used: {each.problem.message}"
        if each.problem.advice:
            yield f"    {each.problem.advice}"
    elif seen is None:
        yield f"  a shelf with {first_few(each.labels, ', ') or 'no disc yet'}"
    else:
        yield f"  {seen.drive_model}, firmware {seen.drive_firmware}"
        yield f"  {_disc_line(seen)}"
        if seen.medium_id:
            yield f"  the disc is a {seen.medium_id}"


def _disc_line(seen: Observation) -> str:
    if seen.state is DiscState.NONE:
        return "no disc"
    whose = "our disc" if seen.identity else "not ours:"
    name = f", {whose} {seen.label or 'a disc without a label'}" if seen.sessions else ""
    sessions = f", {len(seen.sessions)} sessions" if len(seen.sessions) > 1 else ""
    return f"{seen.medium}, {seen.state}{name}{sessions}, {shown(seen.free)} of {shown(seen.capacity)} free"


def _figures(each: DriveSummary) -> dict[str, object]:
    seen = each.seen
    return {
        "device": each.drive.device,
        "path": each.drive.stable,
        "configured": each.drive.configured,
        "labels": list(each.labels),
        "model": seen.drive_model if seen else "",
        "firmware": seen.drive_firmware if seen else "",
        "disc": _disc_figures(seen) if seen and seen.state is not DiscState.NONE else None,
        "error": describe(each.problem) if each.problem else None,
    }


def _disc_figures(seen: Observation) -> dict[str, object]:
    return {
        "state": seen.state.value,
        "medium": seen.medium.value,
        "medium_id": seen.medium_id,
        "label": seen.label,
        "ours": seen.identity is not None,
        "sessions": len(seen.sessions),
        "capacity_blocks": seen.capacity,
        "free_blocks": seen.free,
    }
