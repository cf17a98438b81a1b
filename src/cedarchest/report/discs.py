"""Discs as results: what the catalog knows of each, where it is kept, and what came of a loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from cedarchest.errors import CedarchestError, NoMedium, WrongDisc
from cedarchest.model.disc import BlockRange, CheckRecord, SessionRecord, Speed
from cedarchest.model.names import counted, label_word, readable
from cedarchest.model.size import shown
from cedarchest.report.outcome import Outcome, Result

if TYPE_CHECKING:
    from cedarchest.actions.discs import DiscSummary, LossReport

NOWHERE = (
    "proven on no other disc and no longer staged, so not due either; keep what there is of the disc,"
    " try another drive, or stage them again from where they came"
)


def listed(summaries: Sequence[DiscSummary], *, detailed: bool) -> Result:
    """The result of `discs`."""
    lines: list[str] = []
    for each in summaries:
        state = "appendable" if each.disc.accepts_sessions else "no more writes"
        state = "given up" if each.disc.given_up else state
        last = f", last read {each.last_check:%Y-%m-%d}" if each.last_check else ""
        last += _next(each)
        age = f", {_age(each.days_old)} old"
        lines.append(
            f"{each.disc.label:16}  {each.disc.medium:8} {counted(len(each.sessions), 'session'):>12}"
            f"  {shown(each.used_blocks):>9} of {shown(each.disc.capacity):>9}"
            f"  {counted(len(each.days), 'day'):>8}  {state}{age}{last}"
        )
        if each.place:
            lines.append(f"  kept at {readable(each.place.place)} since {each.place.since:%Y-%m-%d}")
        if each.state.weak:
            lines.append(f"  {each.state.weak}")
        if each.disc.reason and not each.disc.given_up:
            lines.append(f"  takes no more sessions: {each.disc.reason}")
        if detailed:
            lines += _details(each)
    return Result(
        "discs",
        Outcome.OK if summaries else Outcome.NOTHING_TO_DO,
        days=sorted({day for each in summaries for day in each.days}),
        discs=[each.disc.label for each in summaries],
        figures={"details": [_disc_figures(each) for each in summaries]},
        text=lines or ["the catalog knows no disc yet"],
    )


def _next(each: DiscSummary) -> str:
    if each.state.next_check is None:
        return ""
    return ", due for a check" if each.state.is_due else f", next check {each.state.next_check:%Y-%m-%d}"


def _details(each: DiscSummary) -> list[str]:
    lines = [f"  id {each.disc.disc_id}, begun {each.disc.created_at:%Y-%m-%d %H:%M}"]
    for session in each.sessions:
        without_days = "repair" if session.base < session.number - 1 else "seal"
        days = ", ".join(content.day for content in session.days) or without_days
        days += f" (volume {session.volume} of {session.volumes})" if session.volumes > 1 else ""
        reason = f": {session.reason}" if session.reason else ""
        lines.append(
            f"  session {session.number:3}  blocks {session.start} to {session.start + session.blocks - 1}"
            f"  {session.status:9} {days}{_by(session.drive_model)}{_on(session)}{reason}"
        )
    lines.append(f"  {shown(each.free_blocks)} free")
    lines += [f"  {moved.since:%Y-%m-%d %H:%M}  put to {readable(moved.place)}" for moved in each.places]
    if each.state.read_since:
        lines.append(f"  all of it was read and found good since {each.state.read_since:%Y-%m-%d %H:%M}")
    return lines + [line for check in each.checks for line in _check_lines(check)]


def _check_lines(check: CheckRecord) -> Iterator[str]:
    part = "" if check.whole else f" of {shown(check.blocks)}"
    yield (
        f"  {check.at:%Y-%m-%d %H:%M}  session {check.session} {check.kind}{part}"
        f" {'passed' if check.passed else 'FAILED'} in {check.drive}{_by(check.drive_model)}"
    )
    if check.retries:
        yield f"    {counted(check.retries, 'reading')} in smaller steps"
    for each in check.damaged:
        yield f"    damaged: blocks {each.first} to {each.last}"
    for area in check.slow:
        yield f"    slow: from block {area.first} on, {area.bytes_a_second / 1e6:.1f} MB/s"


def _age(days: int) -> str:
    """An age for a person."""
    if days < DAYS_SHOWN:
        return counted(days, "day")
    return f"{days / 365.25:.1f} years" if days >= YEAR else counted(days * 12 // 365, "month")


DAYS_SHOWN, YEAR = 60, 730
"""Days up to which an age is told in days, and from which in years."""


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _by(drive_model: str) -> str:
    return f" ({drive_model})" if drive_model else ""


def _on(session: SessionRecord) -> str:
    """Which make of disc it is on, and how fast it was written, as far as that is known."""
    used = f", written at {session.speed_used} kB/s" if session.speed_used else ""
    asked = f", speed asked for: {session.speed_asked}" if session.speed_asked else ""
    return (f" on {session.medium_id}" if session.medium_id else "") + used + asked


def _disc_figures(each: DiscSummary) -> dict[str, object]:
    return {
        "disc_id": each.disc.disc_id,
        "label": each.disc.label,
        "medium": each.disc.medium.value,
        "copy": each.disc.copy,
        "capacity_blocks": each.disc.capacity,
        "used_blocks": each.used_blocks,
        "free_blocks": each.free_blocks,
        "created_at": each.disc.created_at.isoformat(),
        "age_days": each.days_old,
        "last_check": _time(each.last_check),
        "last_full_read": _time(each.state.read_since),
        "next_check": _time(each.state.next_check),
        "check_due": each.state.is_due,
        "copy_wanted": bool(each.state.weak),
        "place": each.place.place if each.place else "",
        "places": [{"place": moved.place, "since": moved.since.isoformat()} for moved in each.places],
        "accepts_sessions": each.disc.accepts_sessions,
        "given_up": each.disc.given_up,
        "reason": each.disc.reason,
        "days": list(each.days),
        "sessions": [_session_figures(session) for session in each.sessions],
        "checks": [_check_figures(check) for check in each.checks],
    }


def _session_figures(session: SessionRecord) -> dict[str, object]:
    return {
        "number": session.number,
        "status": session.status.value,
        "start": session.start,
        "blocks": session.blocks,
        "days": [content.day for content in session.days],
        "volume": session.volume,
        "volumes": session.volumes,
        "reason": session.reason,
        "drive": session.drive,
        "drive_model": session.drive_model,
        "medium_id": session.medium_id,
        "speed_asked": session.speed_asked,
        "speed_used": session.speed_used,
    }


def _check_figures(check: CheckRecord) -> dict[str, object]:
    return {
        "at": check.at.isoformat(),
        "session": check.session,
        "kind": check.kind.value,
        "passed": check.passed,
        "drive": check.drive,
        "drive_model": check.drive_model,
        "findings": list(check.findings),
        "whole": check.whole,
        "blocks": check.blocks,
        "seconds": round(check.seconds, 3),
        "speeds": speed_figures(check.speeds),
        "slow": speed_figures(check.slow),
        "retries": check.retries,
        "damaged": range_figures(check.damaged),
    }


def range_figures(ranges: Iterable[BlockRange]) -> list[dict[str, int]]:
    """Ranges of blocks."""
    return [{"first_block": each.first, "last_block": each.last} for each in ranges]


def speed_figures(speeds: Iterable[Speed]) -> list[dict[str, int]]:
    """How fast areas were read."""
    return [
        {"first_block": each.first, "blocks": each.blocks, "bytes_a_second": each.bytes_a_second}
        for each in speeds
    ]


def lost(report: LossReport) -> Result:
    """The result of `discs lost`."""
    label = report.summary.disc.label
    said = [f"{label} is given up as lost; if it is found: cedarchest verify {label_word(label)}"]
    days = report.days
    if days.kept:
        said.append(f"  on other discs too: {', '.join(days.kept)}")
    if days.due:
        said.append(f"  due again: {', '.join(days.due)}")
    if days.lost:
        said.append(f"  LOST: {', '.join(days.lost)}: {NOWHERE}")
    result = listed([report.summary], detailed=False)
    figures = {"kept": list(days.kept), "due": list(days.due), "lost": list(days.lost)}
    all_days = sorted((*days.kept, *days.due, *days.lost))
    return replace(result, days=all_days, figures={**result.figures, **figures}, text=said)


def moved(summaries: Sequence[DiscSummary]) -> Result:
    """The result of `discs move`."""
    lines = [f"{each.disc.label} is kept at {readable(each.place.place)}" for each in summaries if each.place]
    return replace(listed(summaries, detailed=False), text=lines)


def failed(problem: CedarchestError | None, blocks: int, size: str) -> str:
    """How a check of a disc that was not passed ended, with what was read of it."""
    is_absent = isinstance(problem, NoMedium | WrongDisc) and not blocks
    return "NOT READ" if is_absent else f"FAILED ({size})"
