"""What came of a restore, or would come, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cedarchest.actions.restore import RestoreOptions, RestoreReport
from cedarchest.model.disc_plan import DiscReading
from cedarchest.model.names import counted, to_text
from cedarchest.model.size import shown_bytes
from cedarchest.report.outcome import Outcome, Result

SHOWN_PATHS = 50


def restored(report: RestoreReport, options: RestoreOptions) -> Result:
    """The result of `restore`."""
    plan = [_disc_line(number, each, report.places) for number, each in enumerate(report.plan, start=1)]
    things = counted(report.wanted, "path")
    if options.dry_run:
        lines = [f"would restore {things}, {shown_bytes(report.size)}, to {options.to}, by", *plan]
        if not plan:
            lines[-1:] = [f"would restore {things} to {options.to}; no disc is needed"]
    else:
        lines = [_done_line(report, options)]
    lines += [*report.notes, *report.incomplete]
    lines += [f"not set: {name}, of {counted(count, 'path')}" for name, count in report.left_off.items()]
    left = [f"{to_text(path)}: {why}; it was left" for path, why in report.left.items()]
    lost = [f"{to_text(path)}: {why}" for path, why in report.lost.items()]
    kept = {path: path + b".damaged" for path in report.damaged}
    return Result(
        "restore",
        Outcome.OK if report.restored or options.dry_run else Outcome.NOTHING_TO_DO,
        days=[options.day] if options.day else [],
        discs=list(report.read) or [each.disc.label for each in report.plan],
        left_out=[*lost, *left, *report.incomplete],
        figures={
            "plan": [
                {
                    "disc": each.disc.label,
                    "place": report.places.get(each.disc.label) or None,
                    "at_hand": each.disc.at_hand,
                    "files": len(each.readings),
                    "bytes": each.size,
                }
                for each in report.plan
            ],
            "to": str(options.to),
            "wanted": report.wanted,
            "bytes": report.size,
            "restored": report.restored,
            "already_there": report.before,
            "lost": [{"path": to_text(path), "reason": why} for path, why in report.lost.items()],
            "left": [{"path": to_text(path), "reason": why} for path, why in report.left.items()],
            "damaged": [to_text(path) for path in kept.values()],
            "not_set": dict(report.left_off),
            "notes": [*report.notes, *report.incomplete],
        },
        text=[*lines, *_first("not restored", lost), *_first("left as it is", left), *_kept(kept)],
        problems=report.problems,
    )


def _done_line(report: RestoreReport, options: RestoreOptions) -> str:
    was = "was" if report.before == 1 else "were"
    already = f"; {counted(report.before, 'path')} of it {was} there already" if report.before else ""
    by = f" by {', '.join(report.read)}" if report.read else ""
    size = shown_bytes(report.size)
    return f"restored {counted(report.restored, 'path')}, {size}, to {options.to}{by}{already}"


def _disc_line(number: int, each: DiscReading, places: Mapping[str, str]) -> str:
    where = " (needs no hand)" if each.disc.at_hand else ""
    place = places.get(each.disc.label, "")
    kept = f" ({place})" if place and not each.disc.at_hand else ""
    return (
        f"  {number}. {each.disc.label}{where}{kept}: {counted(len(each.readings), 'file')},"
        f" {shown_bytes(each.size)}"
    )


def _first(word: str, lines: list[str]) -> Iterator[str]:
    yield from (f"{word}: {line}" for line in lines[:SHOWN_PATHS])
    if len(lines) > SHOWN_PATHS:
        yield f"{word}: {len(lines) - SHOWN_PATHS} more, all in the output of --json"


def _kept(kept: Mapping[bytes, bytes]) -> Iterator[str]:
    yield from (f"damaged, kept as {to_text(name)}" for name in kept.values())
