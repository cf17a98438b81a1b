"""Paths that were found, and what became of one, as results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cedarchest.actions.find import FindReport
from cedarchest.actions.history import HistoryReport, KeptDisc
from cedarchest.model.history import Copy, History, Version
from cedarchest.model.names import counted, first_few, readable, to_text
from cedarchest.model.size import shown_bytes
from cedarchest.report.outcome import Outcome, Result

_NANO = 1_000_000_000


def found(report: FindReport) -> Result:
    """The result of `find`."""
    lines = [_columns(("PEER", "STORED", "SIZE", "VERSIONS", "DISCS", "PATH"))] if report.found else []
    lines += [_columns(_row(each)) for each in report.found]
    if not report.found:
        lines.append("nothing that was stored matches")
    if report.more:
        lines.append(f"there are more than these {len(report.found)}: narrow it down, or see --limit")
    lines += _not_searched(report.unread, report.bad)
    newest = [each.newest for each in report.found]
    return Result(
        "find",
        Outcome.OK if report.found else Outcome.NOTHING_TO_DO,
        days=sorted({version.days[-1] for version in newest}),
        discs=sorted({label for version in newest for label in version.discs}),
        figures={
            "found": [_found_figures(each) for each in report.found],
            "more": report.more,
            "unread_archives": report.unread + report.bad,
        },
        text=lines,
    )


def _columns(cells: Sequence[str]) -> str:
    peer, stored, size, versions, discs, path = cells
    return f"{peer:10}  {stored:24}  {size:>9}  {versions:>8}  {discs:33}  {path}"


def _row(each: History) -> tuple[str, ...]:
    last = each.newest
    stored = last.days[-1] + (f" gone {each.deleted}" if each.deleted else "")
    size = shown_bytes(last.member.size) if last.member.kind == "file" else last.member.kind
    discs = first_few(last.discs, ", ") + ("" if last.proven else " (not proven)") if last.discs else "none"
    return (to_text(each.peer), stored, size, str(len(each.versions)), discs, to_text(each.path))


def _not_searched(unread: int, bad: int) -> Iterator[str]:
    if unread:
        yield (
            f"{counted(unread, 'archive')} on disc not searched inside: the discs tell what is in them by"
            " cedarchest catalog rebuild"
        )
    if bad:
        yield f"{counted(bad, 'archive')} on disc not searched inside: not readable when stored"


def _found_figures(each: History) -> dict[str, object]:
    last = each.newest
    return {
        "peer": to_text(each.peer),
        "path": to_text(each.path),
        "versions": len(each.versions),
        "first_day": each.versions[0].days[0],
        "last_day": last.days[-1],
        "deleted": each.deleted or None,
        **_member_figures(last),
        "discs": list(last.discs),
        "proven": last.proven,
    }


def _member_figures(version: Version) -> dict[str, object]:
    member = version.member
    return {
        "kind": member.kind,
        "size": member.size,
        "mtime_ns": member.mtime_ns,
        "sha256": member.sha256.hex(),
    }


def told(report: HistoryReport) -> Result:
    """The result of `history`."""
    versions = [version for each in report.histories for version in each.versions]
    lines = [line for each in report.histories for line in _history_lines(each, report)]
    if not lines:
        lines = [f"nothing was stored as {to_text(report.path)}; `cedarchest find` looks for parts of names"]
    lines += _not_searched(report.unread, 0) if not versions else []
    return Result(
        "history",
        Outcome.OK if versions else Outcome.NOTHING_TO_DO,
        days=sorted({day for version in versions for day in version.days}),
        discs=sorted({label for version in versions for label in version.discs}),
        figures={
            "path": to_text(report.path),
            "histories": [
                {
                    "peer": to_text(each.peer),
                    "deleted": each.deleted or None,
                    "versions": [_version_figures(version, report) for version in each.versions],
                }
                for each in report.histories
            ],
            "unread_archives": report.unread,
        },
        text=lines,
    )


def _history_lines(each: History, report: HistoryReport) -> Iterator[str]:
    yield f"{to_text(each.peer)}: {to_text(each.path)}, {counted(len(each.versions), 'version')}" + (
        f", there no more since {each.deleted}" if each.deleted else ""
    )
    for version in each.versions:
        member = version.member
        what = shown_bytes(member.size) if member.kind == "file" else member.kind
        days = version.days[0] + (f" to {version.days[-1]}" if version.days[1:] else "")
        digest = f", SHA-256 {member.sha256.hex()}" if member.sha256 else ""
        parts = ", in parts" if member.sha256 in report.split else ""
        yield f"  {days}: {what}, of {_time(member.mtime_ns)}{digest}{parts}"
        for copy in version.copies:
            yield f"    {_copy_line(copy, report)}"
        if not version.copies:
            yield "    on no disc that the catalog knows"


def _copy_line(copy: Copy, report: HistoryReport) -> str:
    stand, kept = copy.stand, report.discs[copy.stand.disc_id]
    check = kept.last_check(stand.session)
    state = "given up" if stand.given_up else stand.status.value
    read = f", last read {check.at:%Y-%m-%d}" if check else ""
    place = f", at {readable(kept.place.place)}" if kept.place else ""
    parts = " (in parts)" if copy.archive in report.split else ""
    return f"{stand.label} session {stand.session}: {state}{read}{place}, in /{to_text(stand.path)}{parts}"


def _version_figures(version: Version, report: HistoryReport) -> dict[str, object]:
    return {
        "days": list(version.days),
        **_member_figures(version),
        "in_parts": version.member.sha256 in report.split,
        "proven": version.proven,
        "copies": [_copy_figures(copy, report.discs[copy.stand.disc_id], report) for copy in version.copies],
    }


def _copy_figures(copy: Copy, kept: KeptDisc, report: HistoryReport) -> dict[str, object]:
    stand = copy.stand
    check = kept.last_check(stand.session)
    return {
        "disc": stand.label,
        "disc_id": stand.disc_id,
        "session": stand.session,
        "status": stand.status.value,
        "given_up": stand.given_up,
        "day": stand.day,
        "path": f"/{to_text(stand.path)}",
        "archive": copy.archive.hex(),
        "in_parts": copy.archive in report.split,
        "last_check": check.at.isoformat() if check else None,
        "passed": check.passed if check else None,
        "place": kept.place.place if kept.place else "",
    }


def _time(mtime_ns: int) -> str:
    """A time of a file for a person; in seconds where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(mtime_ns // _NANO, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{mtime_ns // _NANO} s"
