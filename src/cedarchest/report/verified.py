"""Discs that were read again as a result; a verify loads no other action's report."""

from __future__ import annotations

from cedarchest.actions.verify import VerifyReport
from cedarchest.model.media import BLOCK
from cedarchest.model.names import counted
from cedarchest.model.size import shown
from cedarchest.report.discs import NOWHERE, failed
from cedarchest.report.outcome import Outcome, Result

SHOWN_FINDINGS = 20


def verified(report: VerifyReport) -> Result:
    """The result of `verify`."""
    lines: list[str] = []
    for verdict in report.verdicts:
        rate = verdict.blocks * BLOCK / verdict.seconds / 1e6 if verdict.seconds else 0.0
        size = f"{counted(verdict.sessions, 'session')}, {shown(verdict.blocks)}"
        if verdict.passed and verdict.replaced:
            lines.append(
                f"{verdict.disc}: no new problems; {verdict.replaced} of its sessions were known to be bad,"
                f" later ones have their days ({size})"
            )
        elif verdict.passed:
            lines.append(f"{verdict.disc}: no problems found ({size}, {rate:.0f} MB/s)")
        else:
            lines.append(f"{verdict.disc}: {failed(verdict.problem, verdict.blocks, size)}")
            lines += [f"  {finding}" for finding in verdict.findings[:SHOWN_FINDINGS]]
        if verdict.lost:
            lines.append(f"  LOST: {', '.join(verdict.lost)}: {NOWHERE}")
    return Result(
        "verify",
        Outcome.OK if report.verdicts else Outcome.NOTHING_TO_DO,
        discs=[verdict.disc for verdict in report.verdicts],
        figures={
            "verdicts": [
                {
                    "disc": verdict.disc,
                    "passed": verdict.passed,
                    "sessions": verdict.sessions,
                    "replaced": verdict.replaced,
                    "blocks": verdict.blocks,
                    "seconds": round(verdict.seconds, 3),
                    "findings": [str(finding) for finding in verdict.findings],
                    "lost": list(verdict.lost),
                }
                for verdict in report.verdicts
            ]
        },
        text=lines or ["there is nothing to verify"],
        problems=report.problems,
    )
