"""What came of making the catalog anew, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from cedarchest.actions.catalog_rebuild import CatalogReport, EnteredDisc
from cedarchest.actions.disc_archives import AbsentArchives
from cedarchest.actions.merging import MissingVolume
from cedarchest.model.names import counted, to_text
from cedarchest.report.outcome import Outcome, Result

SHOWN = 50


def rebuilt(report: CatalogReport, *, dry_run: bool) -> Result:
    """The result of `catalog rebuild`."""
    news = any(disc.entered for disc in report.discs)
    return Result(
        "catalog",
        Outcome.OK if news or report.indexed else Outcome.NOTHING_TO_DO,
        days=sorted({day for disc in report.discs for day in disc.days}),
        discs=list(dict.fromkeys(disc.label for disc in report.discs)),
        left_out=[
            *(line for disc in report.discs for line in disc.wrong),
            *map(str, report.unindexed),
            *map(_missing, report.missing),
        ],
        figures=_figures(report),
        text=_lines(report, dry_run=dry_run),
        problems=report.problems,
    )


def _lines(report: CatalogReport, *, dry_run: bool) -> list[str]:
    lines = [_line(disc, dry_run=dry_run) for disc in report.discs]
    lines += [_without_index(disc) for disc in report.discs if set(disc.entered) & set(disc.without_index)]
    lines += [f"not listed: {each}" for each in _first(list(map(str, report.unindexed)))]
    lines += [f"missing: {each}" for each in _first(list(map(_missing, report.missing)))]
    if report.indexed:
        lines.append(f"listed what is in {counted(report.indexed, 'archive')}")
    lines += [_absent(each) for each in report.absent]
    if not dry_run and any(disc.entered for disc in report.discs):
        lines.append("nothing of this counts as proven before it is read: cedarchest verify")
    return lines


def _figures(report: CatalogReport) -> dict[str, object]:
    return {
        "entered": [
            {
                "disc": disc.label,
                "sessions": list(disc.entered),
                "known": list(disc.known),
                "days": list(disc.days),
                "wrong": list(disc.wrong),
                "without_index": list(disc.without_index),
            }
            for disc in report.discs
        ],
        "missing": [
            {
                "volume": each.volume,
                "volumes": each.volumes,
                "disc": each.label,
                "days": list(each.days),
            }
            for each in report.missing
        ],
        "indexed": report.indexed,
        "unindexed": [
            {"disc": each.label, "path": to_text(each.path), "why": each.why} for each in report.unindexed
        ],
        "absent": [{"disc": each.label, "archives": each.archives} for each in report.absent],
    }


def _first(lines: Sequence[str]) -> list[str]:
    """As many as a person reads, and how many more there are."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _line(disc: EnteredDisc, *, dry_run: bool) -> str:
    sessions = ", ".join(map(str, disc.entered))
    if not disc.entered:
        return f"{disc.label}: nothing new"
    word = "session" if len(disc.entered) == 1 else "sessions"
    done = f"would enter {word}" if dry_run else f"entered {word}"
    days = f" with {', '.join(disc.days)}" if disc.days else ""
    return f"{disc.label}: {done} {sessions}{days}"


def _without_index(disc: EnteredDisc) -> str:
    """How far sessions can be believed that say nothing of themselves."""
    numbers = ", ".join(str(number) for number in disc.entered if number in disc.without_index)
    return (
        f"{disc.label}: Cedar Backup wrote session {numbers}, without an index: it was taken as it is, and"
        " compared with nothing"
    )


def _absent(each: AbsentArchives) -> str:
    """A disc that the catalog knows, and whose archives nobody has looked into."""
    return (
        f"{each.label} was not at hand: what is in {counted(each.archives, 'archive')} on it cannot be found"
        " before it is read: cedarchest catalog rebuild, with the disc in the drive"
    )


def _missing(each: MissingVolume) -> str:
    """A volume that was not seen, and what that means."""
    of_set = f"volume {each.volume}" + (f" of {each.volumes}" if each.volumes > 1 else "")
    disc = f"{each.label} ({of_set})" if each.label else f"a disc whose label is not known ({of_set})"
    days = ", ".join(each.days) or "days that are not known"
    return f"{disc} was not seen: what it holds of {days} cannot be found before it is entered"
