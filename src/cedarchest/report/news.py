"""What is told of a run to those who did not see it: the worst first, and no more than anybody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cedarchest.ports import News
from cedarchest.report.outcome import Result

SUMMARY = 400
"""Characters of a summary."""

LONGEST = 2000
"""Characters of the news of a run."""


def summary(result: Result) -> str:
    """What was wrong, on one line."""
    told = [problem.message for problem in result.problems] or list(result.left_out)
    return _cut(" ".join("; ".join(told).split()), SUMMARY)


def news(result: Result, host: str, warnings: Sequence[str]) -> News:
    """A run as its news: what is wrong and what to do, what was left out, warnings, and what was done."""
    outcome = result.told_outcome.value
    lines = dict.fromkeys(_lines(result, warnings))
    return News(
        title=f"cedarchest {result.action} on {host}: {outcome}",
        body=_cut("\n".join(lines), LONGEST) or outcome,
        outcome=outcome,
    )


def _lines(result: Result, warnings: Sequence[str]) -> Iterator[str]:
    for problem in result.problems:
        yield problem.message
        if problem.advice:
            yield f"  {problem.advice}"
    yield from (f"left out: {line}" for line in result.left_out)
    yield from (f"warning: {line}" for line in warnings)
    yield from result.text


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
