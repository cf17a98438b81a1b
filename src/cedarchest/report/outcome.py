"""What a run amounts to: one value for the exit code, the JSON output and the last lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cedarchest.errors import CedarchestError, ExitCode, VerifyError, worst


class Outcome(StrEnum):
    """How a run ended."""

    OK = "ok"
    NOTHING_TO_DO = "nothing-to-do"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """An action's outcome; `figures` are its own fields, `text` its lines for a person."""

    action: str
    outcome: Outcome = Outcome.OK
    days: Sequence[str] = ()
    discs: Sequence[str] = ()
    left_out: Sequence[str] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    text: Sequence[str] = ()
    problems: Sequence[CedarchestError] = ()

    @property
    def exit_code(self) -> int:
        """The worst of what happened; something left out is 11, all else well 0."""
        codes = [problem.exit_code for problem in self.problems]
        if self.left_out or self.outcome is Outcome.PARTIAL:
            codes.append(ExitCode.PARTIAL)
        return worst(codes)

    @property
    def told_outcome(self) -> Outcome:
        """How it ended, with its problems and what was left out."""
        if self.problems:
            return Outcome.PARTIAL if self.days else Outcome.FAILED
        return Outcome.PARTIAL if self.left_out else self.outcome

    def with_left_out(self, lines: Sequence[str]) -> Result:
        """The same with further things that should have been done and were not."""
        if not lines:
            return self
        text = (*self.text, *(f"left out: {line}" for line in lines))
        return replace(self, left_out=(*self.left_out, *lines), text=text)

    def as_json(self, warnings: Sequence[str]) -> dict[str, object]:
        """The one object on standard output; described in `docs/reference/json.schema.json`."""
        problem = _worst_problem(self.problems)
        return {
            "action": self.action,
            "outcome": self.told_outcome.value,
            "days": list(self.days),
            "discs": list(self.discs),
            "left_out": list(self.left_out),
            "warnings": list(warnings),
            "error": describe(problem) if problem else None,
            **self.figures,
        }


def _worst_problem(problems: Sequence[CedarchestError]) -> CedarchestError | None:
    code = worst(problem.exit_code for problem in problems)
    return next((problem for problem in problems if problem.exit_code == code), None)


def failed(action: str, error: CedarchestError) -> Result:
    """The result of an action that ended with an error."""
    return Result(action, Outcome.FAILED, problems=(error,))


def combined(action: str, results: Sequence[Result]) -> Result:
    """The result of an action that ran others; what kept several of them from working is told once."""
    problems = [problem for result in results for problem in result.problems]
    once = {(problem.kind, problem.message): problem for problem in problems}
    did = any(result.outcome not in (Outcome.NOTHING_TO_DO, Outcome.FAILED) for result in results)
    return Result(
        action,
        Outcome.OK if did else Outcome.NOTHING_TO_DO,
        days=sorted({day for result in results for day in result.days}),
        discs=sorted({label for result in results for label in result.discs}),
        left_out=[line for result in results for line in result.left_out],
        figures={"actions": [result.as_json(()) for result in results]},
        text=[line for result in results for line in result.text],
        problems=list(once.values()),
    )


def describe(error: CedarchestError) -> dict[str, object]:
    """An error for the JSON output: code, kind, message, advice and its fields."""
    described: dict[str, object] = {
        "code": error.exit_code,
        "kind": error.kind,
        "message": error.message,
        "advice": error.advice,
        **{name: _plain(value) for name, value in error.fields.items()},
    }
    if isinstance(error, VerifyError):
        described["findings"] = [
            {
                "kind": finding.kind.value,
                "path": finding.path,
                "detail": finding.detail,
                "first_block": finding.first_block,
                "last_block": finding.last_block,
            }
            for finding in error.findings
        ]
    return described


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)
