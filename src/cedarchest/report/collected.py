"""What a collect did as a result; it loads no other action's report."""

from __future__ import annotations

from cedarchest.actions.archiving import CollectedArchive, CollectOutcome
from cedarchest.actions.collect import CollectReport
from cedarchest.model.names import counted
from cedarchest.model.size import shown_bytes
from cedarchest.report.outcome import Outcome, Result, describe


def collected(report: CollectReport, *, dry_run: bool) -> Result:
    """The result of `collect`: 11 when something of it failed, 6 or what is worse when nothing worked."""
    made = [
        each for each in report.archives if each.outcome in (CollectOutcome.WHOLE, CollectOutcome.CHANGES)
    ]
    failures = [each.problem for each in report.archives if each.problem is not None]
    worked = report.worked
    left_out = [line for each in report.archives for line in each.left_out]
    missing = [problem.message for problem in failures if worked]
    advice = dict.fromkeys(problem.advice for problem in failures if worked and problem.advice)
    lines = [_collected_line(each, dry_run=dry_run) for each in report.archives if not each.problem]
    return Result(
        "collect",
        Outcome.OK if made else Outcome.NOTHING_TO_DO,
        left_out=[*left_out, *missing],
        figures={
            "dry_run": dry_run,
            "archives": [
                {
                    "source": each.source,
                    "outcome": each.outcome.value,
                    "archive": each.archive,
                    "files": each.files,
                    "bytes": each.data_bytes,
                    "archive_bytes": each.archive_bytes,
                    "left_out": list(each.left_out),
                    "error": describe(each.problem) if each.problem else None,
                }
                for each in report.archives
            ],
        },
        text=[*lines, *(f"left out: {each}" for each in (*left_out, *missing)), *advice],
        problems=() if worked else failures,
    )


def _collected_line(each: CollectedArchive, *, dry_run: bool) -> str:
    if each.outcome is CollectOutcome.NOT_DUE:
        return f"{each.source}: not due today"
    if each.outcome is CollectOutcome.NOTHING_NEW:
        return f"{each.source}: nothing new"
    amount = f"{counted(each.files, 'file')}, {shown_bytes(each.data_bytes)}" if each.data_bytes else ""
    what = "what changed" if each.outcome is CollectOutcome.CHANGES else "whole"
    packed = f"{shown_bytes(each.archive_bytes)} packed" if not dry_run else ""
    told = "; ".join(part for part in (amount, packed) if part)
    return f"{'would collect' if dry_run else 'collected'} {each.source} in {each.archive}, {what}" + (
        f": {told}" if told else ""
    )
