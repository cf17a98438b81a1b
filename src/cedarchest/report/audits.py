"""Audits as results, and what status and discs tell of checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cedarchest.actions.audit import AuditReport
from cedarchest.actions.audit_disc import AuditVerdict
from cedarchest.actions.audits_due import CheckState
from cedarchest.model.disc import Speed
from cedarchest.model.media import BLOCK
from cedarchest.model.names import counted, first_few, label_word
from cedarchest.model.size import shown
from cedarchest.report.discs import NOWHERE, failed, range_figures, speed_figures
from cedarchest.report.outcome import Outcome, Result

SHOWN_FINDINGS = 20


def audited(report: AuditReport) -> Result:
    """The result of `audit`: 11 where something on a disc was never proven, and so not judged."""
    lines = [line for verdict in report.verdicts for line in _verdict_lines(verdict)]
    if report.waiting:
        lines.append(
            f"the time did not suffice for {first_few(report.waiting, ', ')}; the next run begins there"
        )
    if report.elsewhere:
        labels = [state.disc.label for state in report.elsewhere]
        lines.append(f"due for a check, and not here: {first_few(labels, ', ')}")
    result = Result(
        "audit",
        Outcome.OK if any(verdict.blocks for verdict in report.verdicts) else Outcome.NOTHING_TO_DO,
        discs=[verdict.disc for verdict in report.verdicts],
        figures={
            "verdicts": [_verdict_figures(verdict) for verdict in report.verdicts],
            "waiting": list(report.waiting),
            "elsewhere": [due_figures(state) for state in report.elsewhere],
        },
        text=lines or ["there is nothing to audit: no disc that is here is due"],
        problems=report.problems,
    )
    return result.with_left_out([line for verdict in report.verdicts for line in _unproven(verdict)])


def _unproven(verdict: AuditVerdict) -> Iterator[str]:
    if verdict.unproven:
        numbers = ", ".join(map(str, verdict.unproven))
        word = label_word(verdict.disc)
        yield f"{verdict.disc} session {numbers} was never proven: cedarchest verify {word}"


def _verdict_lines(verdict: AuditVerdict) -> Iterator[str]:
    rate = verdict.blocks * BLOCK / verdict.seconds / 1e6 if verdict.seconds else 0.0
    drive = f"{verdict.device} ({verdict.drive_model})" if verdict.drive_model else verdict.device
    size = f"{shown(verdict.blocks)} in {drive}, {rate:.0f} MB/s"
    if not verdict.passed:
        yield f"{verdict.disc}: {failed(verdict.problem, verdict.blocks, size)}"
        yield from (f"  {finding}" for finding in verdict.findings[:SHOWN_FINDINGS])
    elif verdict.whole:
        known = f"; {verdict.replaced} of its sessions were known to be bad" if verdict.replaced else ""
        yield f"{verdict.disc}: no problems found, all of it was read{known} ({size})"
    else:
        yield f"{verdict.disc}: no problems found in what was read ({size})"
    if verdict.left_blocks:
        yield f"  {shown(verdict.left_blocks)} are left to read; the next run goes on there"
    if verdict.retries:
        yield f"  {counted(verdict.retries, 'reading')} in smaller steps, since not all came at once"
    yield from (f"  slow: {_slow(area)}" for area in verdict.slow)
    if verdict.map:
        missing = shown(verdict.missing_blocks) if verdict.missing_blocks else "nothing"
        yield f"  {missing} of it is missing with all that drives read so far; the map: {verdict.map}"
    if verdict.lost:
        yield f"  LOST: {', '.join(verdict.lost)}: {NOWHERE}"
    if verdict.weak:
        yield f"  {verdict.weak}"


def _slow(area: Speed) -> str:
    return f"from block {area.first} on, {area.bytes_a_second / 1e6:.1f} MB/s"


def _verdict_figures(verdict: AuditVerdict) -> dict[str, object]:
    return {
        "disc": verdict.disc,
        "drive": verdict.device,
        "drive_model": verdict.drive_model,
        "passed": verdict.passed,
        "whole": verdict.whole,
        "sessions": verdict.sessions,
        "replaced": verdict.replaced,
        "unproven": list(verdict.unproven),
        "blocks": verdict.blocks,
        "left_blocks": verdict.left_blocks,
        "seconds": round(verdict.seconds, 3),
        "retries": verdict.retries,
        "damaged": range_figures(verdict.damaged),
        "slow": speed_figures(verdict.slow),
        "findings": [str(finding) for finding in verdict.findings],
        "lost": list(verdict.lost),
        "map": str(verdict.map) if verdict.map else "",
        "missing_blocks": verdict.missing_blocks,
        "copy_wanted": bool(verdict.weak),
        "next_check": verdict.next_check.isoformat() if verdict.next_check else None,
    }


def check_lines(states: Sequence[CheckState]) -> Iterator[str]:
    """What `status` says of checks: the discs that should be copied, and those that are due."""
    for state in states:
        if state.weak:
            yield f"{state.disc.label} {state.weak}"
    due = sorted((each.read_since, each.disc.label) for each in states if each.is_due and each.read_since)
    if due:
        labels, since = first_few([label for _, label in due], ", "), f"{due[0][0]:%Y-%m-%d}"
        yield f"due for a check (not read in full since {since}): {labels}; cedarchest audit --due"


def due_figures(state: CheckState) -> dict[str, object]:
    """A disc that is due."""
    return {
        "disc": state.disc.label,
        "last_full_read": state.read_since.isoformat() if state.read_since else None,
        "next_check": state.next_check.isoformat() if state.next_check else None,
    }
