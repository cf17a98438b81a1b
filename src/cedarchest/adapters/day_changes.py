"""What differs between a staged day and its index: a glance first, then a look, then a reading."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cedarchest.adapters.day_files import INDEX_NAME, NOT_INDEXED
from cedarchest.adapters.digests import digest_file
from cedarchest.adapters.scan import Found, fingerprints_of, scan_one
from cedarchest.errors import StagingError
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.index import Entry, Fingerprints, Kind
from cedarchest.model.names import first_few, to_text
from cedarchest.ports import DayIndex


def any_change(directory: Path, day: str, entries: Sequence[Entry], fingerprints: Fingerprints) -> bool:
    """Whether a glance shows anything that is not as it was: the usual answer is no, and quick."""
    positions = {entry.path: position for position, entry in enumerate(entries)}
    take, is_at = positions.pop, fingerprints.is_at
    prefix = day.encode() + b"/"
    for path, inode, ctime_ns in fingerprints_of(directory, prefix=prefix, leave_out=NOT_INDEXED):
        position = take(path, -1)
        if position < 0 or not is_at(position, inode, ctime_ns):
            return True
    return bool(positions)


def reconcile(directory: Path, day: str, item: Found, entry: Entry | None) -> Entry | Finding:
    """The indexed entry when it still holds, the found one when it is new, a finding otherwise."""
    found = item.entry
    if entry is None:
        return found
    if (found.kind, found.size, found.mtime_ns, found.target) != (
        entry.kind,
        entry.size,
        entry.mtime_ns,
        entry.target,
    ):
        if entry.kind is Kind.DIR and found.kind is Kind.DIR:
            return found  # something was added below it
        return _finding(FindingKind.DIFFERENT, entry.path, _difference(found, entry))
    if entry.kind is Kind.FILE:
        relative = entry.path[len(day) + 1 :]
        digest = digest_file(os.fsencode(directory) + b"/" + relative, found, item.fingerprint)
        if digest != entry.sha256:
            return _finding(FindingKind.DIFFERENT, entry.path, "its content is not what was indexed")
    held = found._replace(sha256=entry.sha256)
    return entry if held._replace(user=entry.user, group=entry.group) == entry else held


def _difference(now: Entry, entry: Entry) -> str:
    if now.kind is not entry.kind:
        return f"was a {entry.kind}, is a {now.kind}"
    if now.size != entry.size:
        return f"had {entry.size} bytes, has {now.size}"
    if now.mtime_ns != entry.mtime_ns:
        return "was modified"
    return "was replaced or its attributes were changed"


def _finding(kind: FindingKind, path: bytes, detail: str) -> Finding:
    return Finding(kind, "/" + to_text(path), detail)


def gone(path: bytes) -> Finding:
    """What was indexed is not there any more."""
    return _finding(FindingKind.MISSING, path, "was staged and is gone")


def changes_since(day_index: DayIndex) -> tuple[Finding, ...]:
    """What is no longer as indexed, found by looking at every entry."""
    if not any_change(day_index.directory, day_index.day, day_index.entries, day_index.fingerprints):
        return ()
    pairs = zip(day_index.entries, day_index.fingerprints, strict=True)
    before = {entry.path: (entry, fingerprint) for entry, fingerprint in pairs}
    findings = []
    prefix = day_index.day.encode() + b"/"
    for path, inode, ctime_ns in fingerprints_of(day_index.directory, prefix=prefix, leave_out=NOT_INDEXED):
        entry, fingerprint = before.pop(path, (None, None))
        if entry is None:
            findings.append(_finding(FindingKind.UNEXPECTED, path, "came after it was indexed"))
        elif (inode, ctime_ns) != fingerprint:
            found = scan_one(bytes(day_index.directory) + b"/" + path[len(prefix) :], path).entry
            findings.append(_finding(FindingKind.DIFFERENT, path, _difference(found, entry)))
    findings += [_finding(FindingKind.MISSING, path, "has vanished") for path in before]
    return tuple(findings)


def changed_day(directory: Path, differences: Sequence[Finding]) -> StagingError:
    """The error that names what differs and says what to do."""
    shown = first_few([f"{finding.path} {finding.detail}" for finding in differences])
    return StagingError(
        f"{directory} is not what was indexed: {shown}",
        advice="Put the files back; or, if the change is wanted,"
        f" remove {directory / INDEX_NAME} and run again.",
        path=str(directory),
        findings=[str(finding) for finding in differences],
    )
