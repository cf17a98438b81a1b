"""The staging folder: which days there are, what each holds, its index and its indicators.

A day's index is made by reading each file once and stands in the day (`INDEX.jsonl.gz`, with
`SHA256SUMS` beside it), or in `state_dir` where staging may not be written. Inode and change time
of each entry are kept in `state_dir`: as long as they are the same a file is not read again; where they
are not, its digest decides. A file that differs from its index is never taken silently.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import stat
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cedarchest.adapters.digests import Digests, digest_file
from cedarchest.adapters.durable import durable_file, sync_directory
from cedarchest.adapters.folders import finish_taking_out, take_out
from cedarchest.adapters.scan import Found, fingerprints_of, scan, scan_one
from cedarchest.errors import DiskFull, StagingError
from cedarchest.model.days import parse_day
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.index import Entry, Fingerprint, Fingerprints, Index, Kind, read_index, write_index
from cedarchest.model.names import sums_line, to_text
from cedarchest.ports import DayIndex, StagedDay

log = logging.getLogger(__name__)

INDEX_NAME = "INDEX.jsonl.gz"
SUMS_NAME = "SHA256SUMS"
FINGERPRINTS_NAME = "FINGERPRINTS"
STAGED_MARK = "cback.stage"
STORED_MARK = "cback.store"
NOT_INDEXED = (STORED_MARK, INDEX_NAME, SUMS_NAME)
SHOWN = 5

_NUMBERS = {"year": r"\d{4}", "month": r"0[1-9]|1[0-2]", "day": r"0[1-9]|[12]\d|3[01]"}


class StagingFolder:
    """Staged days of this machine; `state_dir` holds what staging cannot."""

    def __init__(self, state_dir: Path, progress: Callable[[str, int, int], None]) -> None:
        self._state = state_dir / "days"
        self._progress = progress
        self._loaded: tuple[object, Index] = (None, Index({}, (), b""))
        self._passed_over: set[Path] = set()

    def days(self, root: Path) -> tuple[StagedDay, ...]:
        """All `YYYY/MM/DD` folders below `root`, oldest first; links are not followed."""
        try:
            found = [
                day
                for year in self._numbered(root, "year")
                for month in self._numbered(year, "month")
                for day in self._numbered(month, "day")
            ]
        except OSError as error:
            raise StagingError(
                f"the staging folder {error.filename or root} cannot be read: {error.strerror}",
                advice="Check that its disk is mounted, that you may read it and that [stage] dir is right.",
                path=str(error.filename or root),
            ) from error
        return tuple(_staged_day(path) for path in found if self._is_date(path))

    def _numbered(self, directory: Path, part: str) -> list[Path]:
        """Folders below that are a year, a month or a day; what only looks like one is named once."""
        names = []
        with os.scandir(directory) as found:
            for item in found:
                numbered = re.fullmatch(_NUMBERS[part], item.name)
                if numbered and item.is_dir(follow_symlinks=False):
                    names.append(item.name)
                elif numbered and item.is_symlink():
                    self._pass_over(directory / item.name, "is a link")
                elif item.name.isdecimal() and item.is_dir(follow_symlinks=False):
                    self._pass_over(directory / item.name, f"is no {part} (YYYY/MM/DD)")
        return [directory / name for name in sorted(names)]

    def _is_date(self, path: Path) -> bool:
        try:
            parse_day("/".join(path.parts[-3:]))
        except ValueError:
            self._pass_over(path, "is no date")
            return False
        return True

    def _pass_over(self, path: Path, why: str) -> None:
        if path not in self._passed_over:
            log.warning("%s %s and is passed over: nothing in it is stored", path, why)
            self._passed_over.add(path)

    def look(self, directory: Path, day: str) -> DayIndex:
        """The day as it stands, with the digests its index knows."""
        present = _own_files(directory)
        if SUMS_NAME in present and INDEX_NAME not in present and not self._wrote_sums(directory, day):
            raise _taken(directory / SUMS_NAME)
        path = self._index_path(directory, day, present)
        if path is None:
            found = scan(directory, prefix=day.encode() + b"/", leave_out=NOT_INDEXED)
            prints = Fingerprints(item.fingerprint for item in found)
            return DayIndex(day, directory, [item.entry for item in found], prints)
        return self._joined(directory, day, self._load(path, day))

    def _index_path(self, directory: Path, day: str, present: Container[str]) -> Path | None:
        if INDEX_NAME in present:
            return directory / INDEX_NAME
        path = self._day_state(directory, day) / INDEX_NAME
        return path if path.is_file() else None

    def _day_state(self, directory: Path, day: str) -> Path:
        place = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:8]
        return self._state / f"{day.replace('/', '-')}-{place}"

    def _load(self, path: Path, day: str) -> Index:
        """An index file; the one read last is kept as long as the file is the same."""
        try:
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                if self._loaded[0] != _key(path, day, status):
                    self._keep(path, day, status, read_index(stream, prefix=day.encode() + b"/"))
                return self._loaded[1]
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise StagingError(
                f"the index {path} cannot be read: {error}",
                advice=f"Move {path} away to have the day indexed again from the files that are there.",
                path=str(path),
            ) from error

    def _keep(self, path: Path, day: str, status: os.stat_result, index: Index) -> None:
        self._loaded = (_key(path, day, status), index)

    def _joined(self, directory: Path, day: str, index: Index) -> DayIndex:
        """The day's entries, each from its index where it is unchanged, else as found."""
        fingerprints = self._load_fingerprints(directory, day, index.digest, len(index.entries))
        if fingerprints and not _any_change(directory, day, index.entries, fingerprints):
            return DayIndex(day, directory, index.entries, fingerprints, index.digest)
        unseen = {entry.path: entry for entry in index.entries}
        remembered = dict(zip(unseen, fingerprints, strict=True)) if fingerprints else {}

        def known(path: bytes, fingerprint: Fingerprint) -> Entry | None:
            return unseen.get(path) if remembered.get(path) == fingerprint else None

        found = scan(directory, prefix=day.encode() + b"/", leave_out=NOT_INDEXED, known=known)
        entries: list[Entry] = []
        differences: list[Finding] = []
        same = len(found) == len(unseen)
        for item in found:
            entry = unseen.pop(item.entry.path, None)
            kept = entry if item.entry is entry else _reconcile(directory, day, item, entry)
            if isinstance(kept, Finding):
                differences.append(kept)
            elif kept is not None:
                entries.append(kept)
                same = same and kept is entry
        differences += [_finding(FindingKind.MISSING, path, "was staged and is gone") for path in unseen]
        if differences:
            raise _changed(directory, differences)
        prints = Fingerprints(item.fingerprint for item in found)
        return DayIndex(day, directory, entries, prints, index.digest if same else b"")

    def index(self, directory: Path, day: str) -> DayIndex:
        """The day with all digests, its index saved."""
        _clear_left_behind(directory)
        seen = self.look(directory, day)
        if seen.digest:
            completed = self._complete_pair(seen)
            if completed or not self._load_fingerprints(directory, day, seen.digest, len(seen.entries)):
                self._save_fingerprints(directory, day, seen.digest, seen.fingerprints)
            return seen
        entries, seen = list(seen.entries), replace(seen, entries=())  # each is let go as it is completed
        self._complete(seen, entries)
        return replace(seen, entries=entries, digest=self._save(seen, entries))

    @staticmethod
    def _complete_pair(seen: DayIndex) -> bool:
        """Write the sums that a run which was killed between index and sums did not come to."""
        folder = seen.directory
        if not _is_regular(folder / INDEX_NAME) or _is_regular(folder / SUMS_NAME):
            return False
        try:
            _write_sums(folder, seen.day, seen.entries)
        except OSError as error:
            if isinstance(error, DiskFull):
                raise
            log.info("%s may not be written: %s", folder, error)
            return False
        return True

    def _complete(self, seen: DayIndex, entries: list[Entry]) -> None:
        """Give each file its digest."""
        missing = [
            number for number, entry in enumerate(entries) if entry.kind is Kind.FILE and not entry.sha256
        ]
        read = [number for number in missing if not entries[number].hardlink]
        total = sum(entries[number].size for number in read)
        top, prefix = os.fsencode(seen.directory) + b"/", len(seen.day) + 1
        files = (
            (top + entries[number].path[prefix:], entries[number], seen.fingerprints[number])
            for number in read
        )
        self._progress("indexing", 0, total)
        with Digests(lambda done: self._progress("indexing", done, total)) as digests:
            for position, digest in digests.of(files):
                entries[read[position]] = entries[read[position]]._replace(sha256=digest)
        links = [number for number in missing if entries[number].hardlink]
        first = {entry.path: entry.sha256 for entry in entries if entry.kind is Kind.FILE} if links else {}
        for number in links:
            entries[number] = entries[number]._replace(sha256=first[entries[number].hardlink])

    def _save(self, seen: DayIndex, entries: Sequence[Entry]) -> bytes:
        folder = seen.directory
        try:
            digest = _write_index_and_sums(folder, seen.day, entries)
        except OSError as error:
            if isinstance(error, DiskFull):
                raise
            folder = self._day_state(seen.directory, seen.day)
            log.info("%s may not be written (%s); its index is kept in %s", seen.directory, error, folder)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            digest = _write_index_and_sums(folder, seen.day, entries)
        self._keep(folder / INDEX_NAME, seen.day, (folder / INDEX_NAME).stat(), Index({}, entries, digest))
        self._save_fingerprints(seen.directory, seen.day, digest, seen.fingerprints)
        return digest

    def _save_fingerprints(
        self, directory: Path, day: str, digest: bytes, fingerprints: Sequence[Fingerprint]
    ) -> None:
        state = self._day_state(directory, day)
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with durable_file(state / FINGERPRINTS_NAME) as stream:
            stream.write(digest.hex().encode() + b" %d %d\n" % _sums_print(directory))
            stream.writelines(b"%d %d\n" % fingerprint for fingerprint in fingerprints)

    def _load_fingerprints(self, directory: Path, day: str, digest: bytes, count: int) -> Fingerprints:
        """The fingerprints that were saved with this index; none when they belong to another."""
        path = self._day_state(directory, day) / FINGERPRINTS_NAME
        try:
            with path.open("rb") as stream:
                if stream.readline().partition(b" ")[0].rstrip() != digest.hex().encode():
                    return Fingerprints()
                found = Fingerprints(Fingerprint._make(map(int, line.split())) for line in stream)
        except (OSError, OverflowError, ValueError, TypeError):
            return Fingerprints()
        return found if len(found) == count else Fingerprints()

    def _wrote_sums(self, directory: Path, day: str) -> bool:
        """Whether the sums in a day, whose index somebody took away, are those that we wrote there."""
        try:
            with (self._day_state(directory, day) / FINGERPRINTS_NAME).open("rb") as stream:
                return stream.readline().partition(b" ")[2].rstrip() == b"%d %d" % _sums_print(directory)
        except OSError:
            return False

    def changes(self, day_index: DayIndex) -> tuple[Finding, ...]:
        """What is no longer as indexed, found by looking at every entry."""
        if not _any_change(day_index.directory, day_index.day, day_index.entries, day_index.fingerprints):
            return ()
        pairs = zip(day_index.entries, day_index.fingerprints, strict=True)
        before = {entry.path: (entry, fingerprint) for entry, fingerprint in pairs}
        findings = []
        prefix = day_index.day.encode() + b"/"
        for path, now in fingerprints_of(day_index.directory, prefix=prefix, leave_out=NOT_INDEXED):
            entry, fingerprint = before.pop(path, (None, None))
            if entry is None:
                findings.append(_finding(FindingKind.UNEXPECTED, path, "came after it was indexed"))
            elif now != fingerprint:
                found = scan_one(bytes(day_index.directory) + b"/" + path[len(prefix) :], path).entry
                findings.append(_finding(FindingKind.DIFFERENT, path, _difference(found, entry)))
        findings += [_finding(FindingKind.MISSING, path, "has vanished") for path in before]
        return tuple(findings)

    def companions(self, day_index: DayIndex) -> tuple[Entry, ...]:
        """The day's folder, and its index and sums where they stand in it."""
        day = day_index.day.encode()
        found = [scan_one(os.fsencode(day_index.directory), day).entry]
        for name in (INDEX_NAME, SUMS_NAME):
            path = os.fsencode(day_index.directory / name)
            if _is_regular(day_index.directory / name):
                item = scan_one(path, day + b"/" + name.encode())
                found.append(item.entry._replace(sha256=digest_file(path, item.entry, item.fingerprint)))
        return tuple(found)

    def mark_stored(self, directory: Path) -> bool:
        """Write `cback.store` durably; False where staging may not be written."""
        mark = directory / STORED_MARK
        try:
            if not _is_regular(mark):
                with durable_file(mark, mode=0o644):
                    pass
            else:
                sync_directory(directory)
        except DiskFull:
            raise
        except OSError as error:
            log.info("%s cannot be written: %s", mark, error)
            return False
        return True

    def unmark_stored(self, directory: Path) -> None:
        """Take `cback.store` away, durably."""
        try:
            (directory / STORED_MARK).unlink()
            sync_directory(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("%s cannot be taken away: %s", directory / STORED_MARK, error)

    def remove(self, day_index: DayIndex) -> None:
        """Take a day out of the staging folder, all of it or, if it is not as it was looked at, nothing."""

        def look_again(place: Path) -> None:
            if findings := self.changes(replace(day_index, directory=place)):
                raise _changed(day_index.directory, findings)

        take_out(day_index.directory.parents[2], day_index.day, look_again)
        shutil.rmtree(self._day_state(day_index.directory, day_index.day), ignore_errors=True)

    def finish_removals(self, root: Path) -> None:
        """See to the end what a removal that was killed had begun: the day is gone, or there again."""
        finish_taking_out(root)


_LEFT_BEHIND = re.compile(r"\.(?:cback\.store|INDEX\.jsonl\.gz|SHA256SUMS)\.[0-9a-f]{8}")


def _clear_left_behind(directory: Path) -> None:
    """Take away our own unfinished files of a run that was killed: they are nothing that was staged."""
    with contextlib.suppress(OSError):  # whatever is wrong with the folder is said when it is looked at
        for path in directory.iterdir():
            if _LEFT_BEHIND.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                path.unlink()


def _staged_day(path: Path) -> StagedDay:
    """A day with its marks; one that may not be looked into counts as staged, so that it is spoken of."""
    try:
        staged, marked = _is_regular(path / STAGED_MARK), _is_regular(path / STORED_MARK)
    except OSError:
        staged, marked = True, False
    return StagedDay("/".join(path.parts[-3:]), path, staged=staged, marked_stored=marked)


def _is_regular(path: Path) -> bool:
    """Whether a file stands there itself; a link is none.

    Raises:
        OSError: its folder may not be looked into.
    """
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _own_files(directory: Path) -> set[str]:
    """Which of our files stand in a day.

    Raises:
        StagingError: something else has one of their names; it is neither replaced nor passed over.
    """
    present = set()
    for name in NOT_INDEXED:
        path = directory / name
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StagingError(
                f"{directory} cannot be looked into: {error.strerror}",
                advice="Run as a user who may read all that is staged.",
                path=str(directory),
            ) from error
        if name == STORED_MARK and stat.S_ISLNK(mode):
            continue  # it marks nothing, and is replaced, not followed, by one that does
        if not stat.S_ISREG(mode):
            raise _taken(path)
        present.add(name)
    return present


def _sums_print(directory: Path) -> Fingerprint:
    """What tells that the sums in a day are still those that we wrote; zeros where there are none."""
    try:
        status = (directory / SUMS_NAME).lstat()
    except OSError:
        return Fingerprint(0, 0)
    return Fingerprint(status.st_ino, status.st_ctime_ns)


def _taken(path: Path) -> StagingError:
    return StagingError(
        f"{path} stands where cedarchest keeps a file of its own, and is not ours",
        advice="It was not touched. Move it into a folder of the day, or away if it is of no use.",
        path=str(path),
    )


def _key(path: Path, day: str, status: os.stat_result) -> tuple[object, ...]:
    """What tells that an index file is still the one that was read."""
    return path, day, status.st_ino, status.st_ctime_ns


def _any_change(
    directory: Path, day: str, entries: Sequence[Entry], fingerprints: Sequence[Fingerprint]
) -> bool:
    """Whether a glance shows anything that is not as it was: the usual answer is no, and quick."""
    positions = {entry.path: position for position, entry in enumerate(entries)}
    take = positions.pop
    for path, now in fingerprints_of(directory, prefix=day.encode() + b"/", leave_out=NOT_INDEXED):
        position = take(path, -1)
        if position < 0 or fingerprints[position] != now:
            return True
    return bool(positions)


def _reconcile(directory: Path, day: str, item: Found, entry: Entry | None) -> Entry | Finding:
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


def _changed(directory: Path, differences: Sequence[Finding]) -> StagingError:
    shown = "; ".join(f"{finding.path} {finding.detail}" for finding in differences[:SHOWN])
    more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    return StagingError(
        f"{directory} is not what was indexed: {shown}{more}",
        advice="Put the files back; or, if the change is wanted,"
        f" remove {directory / INDEX_NAME} and run again.",
        path=str(directory),
        findings=[str(finding) for finding in differences],
    )


def _write_index_and_sums(directory: Path, day: str, entries: Sequence[Entry]) -> bytes:
    with durable_file(directory / INDEX_NAME) as stream:
        digest = write_index(stream, {"day": day}, _relative(entries, len(day) + 1))
    _write_sums(directory, day, entries)
    return digest


def _write_sums(directory: Path, day: str, entries: Sequence[Entry]) -> None:
    prefix = len(day) + 1
    with durable_file(directory / SUMS_NAME) as stream:
        stream.writelines(
            sums_line(entry.sha256, entry.path[prefix:])
            for entry in entries
            if entry.kind is Kind.FILE and not entry.path.rpartition(b"/")[2].startswith(b"cback.")
        )


def _relative(entries: Sequence[Entry], prefix: int) -> Iterator[Entry]:
    for entry in entries:
        yield entry._replace(path=entry.path[prefix:], hardlink=entry.hardlink[prefix:])
