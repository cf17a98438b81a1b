"""What came of a configuration of Cedar Backup, for a person, for JSON, and as warnings of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cedarchest.config.cedar.draft import Report
from cedarchest.model.names import readable
from cedarchest.report.outcome import Result

TITLES: Mapping[str, str] = {
    "taken": "taken over",
    "changed": "means something else now",
    "ignored": "Cedar Backup ignored without a word",
    "untaken": "cannot be taken over",
    "missing": "is not there",
    "left": "left by the last runs of Cedar Backup",
}


def report_lines(report: Report) -> Iterator[str]:
    """The report for a person."""
    for name, title in TITLES.items():
        lines: Sequence[str] = getattr(report, name)
        if lines:
            yield f"{title}:"
            yield from (f"  {line}" for line in lines)


def migrated(
    source: Path,
    output: Path | None,
    toml: str,
    report: Report,
    *,
    written: Sequence[Path],
    unwritten: Sequence[Path],
) -> Result:
    """The result of `migrate`; `unwritten` are files of secrets that somebody has to see to."""
    figures = {
        "source": readable(source),
        "config": readable(output) if output else None,
        "toml": toml,
        "report": {name: list(getattr(report, name)) for name in TITLES},
        "secrets_written": [readable(path) for path in written],
        "secrets_needed": [readable(path) for path in unwritten],
    }
    if output is None:
        return Result("migrate", figures=figures, text=toml.removesuffix("\n").split("\n"))
    text = [*report_lines(report), *(f"wrote {readable(path)}" for path in (*written, output))]
    text += [f"next: cedarchest -c {readable(output)} validate"]
    return Result("migrate", figures=figures, text=text)


def asides(report: Report, unwritten: Sequence[Path]) -> Iterator[str]:
    """What is said besides, where the configuration itself is on standard output."""
    yield from report_lines(report)
    yield from map(needed, unwritten)


def needed(path: Path) -> str:
    """What to say of a file of a password that was not written."""
    return (
        f"make {readable(path)}, which only its owner may read, with [client], user and password in it:"
        " `migrate -o FILE` writes it beside FILE"
    )
