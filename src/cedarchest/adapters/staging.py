"""The staging folder: which days there are, what each holds, its index and its indicators.

A day's index is made by reading each file once and stands in the day (`INDEX.jsonl.gz`, with
`SHA256SUMS` beside it), or in `state_dir` where staging may not be written. Inode and change time
of each entry are kept in `state_dir`: as long as they are the same a file is not read again; where they
are not, its digest decides. A file that differs from its index is never taken silently.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import zlib
from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import replace
from pathlib import Path

from cedarchest.adapters.day_changes import any_change, changed_day, changes_since, gone, reconcile
from cedarchest.adapters.day_files import (
    INDEX_NAME,
    NOT_INDEXED,
    OURS,
    STAGED_MARK,
    STORED_MARK,
    SUMS_NAME,
    in_the_way,
    is_regular,
    own_files,
    shut,
    sums_print,
    write_index_and_sums,
    write_sums,
)
from cedarchest.adapters.digests import Digests, PartDigests, digest_file
from cedarchest.adapters.durable import clear_unfinished, durable_file, sync_directory
from cedarchest.adapters.folders import finish_taking_out, take_out
from cedarchest.adapters.scan import scan, scan_one
from cedarchest.errors import DiskFull, StagingError
from cedarchest.model.days import parse_day
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.index import (
    Entry,
    Fingerprint,
    Fingerprints,
    Index,
    Kind,
    Known,
    read_index,
    with_content,
)
from cedarchest.model.names import to_text
from cedarchest.ports import DayIndex, StagedDay

log = logging.getLogger(__name__)

FINGERPRINTS_NAME = "FINGERPRINTS"

_NUMBERS = {"year": r"\d{4}", "month": r"0[1-9]|1[0-2]", "day": r"0[1-9]|[12]\d|3[01]"}


class StagingFolder:
    """Staged days of this machine; `state_dir` holds what staging cannot."""

    def __init__(self, state_dir: Path, progress: Callable[[str, int, int], None]) -> None:
        self._state = state_dir / "days"
        self._progress = progress
        self._loaded: tuple[object, Index] = (None, Index({}, (), b""))
        self._remembered: tuple[Path, bytes, Fingerprints] = (Path(), b"", Fingerprints())
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
        return self._look(directory, day, {})

    def _look(self, directory: Path, day: str, came: Known) -> DayIndex:
        present = own_files(directory)
        if SUMS_NAME in present and INDEX_NAME not in present and not self._wrote_sums(directory, day):
            raise in_the_way(directory / SUMS_NAME)
        path = self._index_path(directory, day, present)
        if path is None:
            found = scan(directory, prefix=day.encode() + b"/", leave_out=NOT_INDEXED, known=_unchanged(came))
            prints = Fingerprints(item.fingerprint for item in found)
            return DayIndex(day, directory, [item.entry for item in found], prints)
        return self._joined(directory, day, self._load(path, day), came)

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
        except PermissionError as error:
            raise StagingError(
                f"the index {path} cannot be read: {error.strerror}",
                advice="Run this as the user who stores, or give this one the right to read it.",
                path=str(path),
            ) from error
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise StagingError(
                f"the index {path} cannot be read: {error}",
                advice=f"Move {path} away to have the day indexed again from the files that are there.",
                path=str(path),
            ) from error

    def _keep(self, path: Path, day: str, status: os.stat_result, index: Index) -> None:
        self._loaded = (_key(path, day, status), index)

    def _joined(self, directory: Path, day: str, index: Index, came: Known) -> DayIndex:
        """The day's entries, each from its index where it is unchanged, else as found."""
        fingerprints = self._load_fingerprints(directory, day, index.digest, len(index.entries))
        if fingerprints and not any_change(directory, day, index.entries, fingerprints):
            return DayIndex(day, directory, index.entries, fingerprints, index.digest)
        unseen = {entry.path: entry for entry in index.entries}
        pairs = zip(index.entries, fingerprints, strict=True) if fingerprints else ()
        known = {**{pair[0].path: pair for pair in pairs}, **came}
        found = scan(directory, prefix=day.encode() + b"/", leave_out=NOT_INDEXED, known=_unchanged(known))
        entries: list[Entry] = []
        differences: list[Finding] = []
        same = len(found) == len(unseen)
        for item in found:
            entry = unseen.pop(item.entry.path, None)
            kept = entry if item.entry is entry else reconcile(directory, day, item, entry)
            if isinstance(kept, Finding):
                differences.append(kept)
            elif kept is not None:
                entries.append(kept)
                same = same and kept is entry
        differences += map(gone, unseen)
        if differences:
            raise changed_day(directory, differences)
        prints = Fingerprints(item.fingerprint for item in found)
        return DayIndex(day, directory, entries, prints, index.digest if same else b"")

    def index(self, directory: Path, day: str, known: Known | None = None) -> DayIndex:
        """The day with all digests, its index saved."""
        clear_unfinished(directory, OURS)
        seen = self._look(directory, day, known or {})
        if seen.digest:
            completed = self._complete_pair(seen)
            if completed or not self._load_fingerprints(directory, day, seen.digest, len(seen.entries)):
                self._save_fingerprints(directory, day, seen.digest, seen.fingerprints)
            return seen
        entries, seen = list(seen.entries), replace(seen, entries=())  # each is let go as it is completed
        self._fill_in(seen, entries, known or {})
        self._complete(seen, entries)
        return replace(seen, entries=entries, digest=self._save(seen, entries))

    @staticmethod
    def _complete_pair(seen: DayIndex) -> bool:
        """Write the sums that a run which was killed between index and sums did not come to."""
        folder = seen.directory
        if not is_regular(folder / INDEX_NAME) or is_regular(folder / SUMS_NAME):
            return False
        try:
            write_sums(folder, seen.day, seen.entries)
        except OSError as error:
            if isinstance(error, DiskFull):
                raise
            log.info("%s may not be written: %s", folder, error)
            return False
        return True

    @staticmethod
    def _fill_in(seen: DayIndex, entries: list[Entry], known: Known) -> None:
        """Give files the digests that are known of them; one that was renamed has changed but its times."""
        for number, entry in enumerate(entries) if known else ():
            if entry.sha256 or entry.path not in known:
                continue
            before, fingerprint = known[entry.path]
            if fingerprint.inode == seen.fingerprints[number].inode:
                entries[number] = with_content(entry, entry.size, before.sha256)

    def forget(self, day_index: DayIndex, paths: Collection[bytes]) -> None:
        """Take paths, and all below them, out of a day's saved index."""
        left_out, above = set(paths), tuple(path + b"/" for path in paths)

        def stays(entry: Entry) -> bool:
            named = (entry.path, entry.hardlink)
            return bool(entry.sha256 or entry.kind is not Kind.FILE) and not any(
                name in left_out or name.startswith(above) for name in named
            )

        pairs = zip(day_index.entries, day_index.fingerprints, strict=True)
        kept = [pair for pair in pairs if stays(pair[0])]
        if len(kept) < len(day_index.entries):
            prints = Fingerprints(fingerprint for _, fingerprint in kept)
            self._save(replace(day_index, fingerprints=prints), [entry for entry, _ in kept])

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
                number = read[position]
                entries[number] = with_content(entries[number], entries[number].size, digest)
        links = [number for number in missing if entries[number].hardlink]
        first = {entry.path: entry.sha256 for entry in entries if entry.kind is Kind.FILE} if links else {}
        for number in links:
            entries[number] = entries[number]._replace(sha256=first[entries[number].hardlink])

    def _save(self, seen: DayIndex, entries: Sequence[Entry]) -> bytes:
        folder = seen.directory
        try:
            digest = write_index_and_sums(folder, seen.day, entries)
        except OSError as error:
            if isinstance(error, DiskFull):
                raise
            folder = self._day_state(seen.directory, seen.day)
            log.info("%s may not be written (%s); its index is kept in %s", seen.directory, error, folder)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            digest = write_index_and_sums(folder, seen.day, entries)
        self._keep(folder / INDEX_NAME, seen.day, (folder / INDEX_NAME).stat(), Index({}, entries, digest))
        self._save_fingerprints(seen.directory, seen.day, digest, seen.fingerprints)
        return digest

    def _save_fingerprints(
        self, directory: Path, day: str, digest: bytes, fingerprints: Fingerprints
    ) -> None:
        state = self._day_state(directory, day)
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = state / FINGERPRINTS_NAME
        with durable_file(path) as stream:
            stream.write(digest.hex().encode() + b" %d %d\n" % sums_print(directory))
            stream.writelines(b"%d %d\n" % fingerprint for fingerprint in fingerprints)
        self._remembered = (path, digest, fingerprints)

    def _load_fingerprints(self, directory: Path, day: str, digest: bytes, count: int) -> Fingerprints:
        """The fingerprints that were saved with this index; none when they belong to another."""
        path = self._day_state(directory, day) / FINGERPRINTS_NAME
        if self._remembered[:2] == (path, digest):
            return self._remembered[2]
        try:
            with path.open("rb") as stream:
                if stream.readline().partition(b" ")[0].rstrip() != digest.hex().encode():
                    return Fingerprints()
                found = Fingerprints(Fingerprint._make(map(int, line.split())) for line in stream)
        except (OSError, OverflowError, ValueError, TypeError):
            return Fingerprints()
        if len(found) != count:
            return Fingerprints()
        self._remembered = (path, digest, found)
        return found

    def _wrote_sums(self, directory: Path, day: str) -> bool:
        """Whether the sums in a day, whose index somebody took away, are those that we wrote there."""
        try:
            with (self._day_state(directory, day) / FINGERPRINTS_NAME).open("rb") as stream:
                return stream.readline().partition(b" ")[2].rstrip() == b"%d %d" % sums_print(directory)
        except OSError:
            return False

    def changes(self, day_index: DayIndex) -> tuple[Finding, ...]:
        """What is no longer as indexed, found by looking at every entry."""
        return changes_since(day_index)

    def part_digests(self, day_index: DayIndex, entry: Entry, part_bytes: int) -> tuple[bytes, ...]:
        """The SHA-256 of each part of a file that is still as indexed."""
        path = os.fsencode(day_index.directory) + entry.path[len(day_index.day) :]
        fingerprint = next(
            known
            for each, known in zip(day_index.entries, day_index.fingerprints, strict=True)
            if each.path == entry.path
        )
        parts = PartDigests(part_bytes)
        self._progress("cutting in parts", 0, entry.size)
        done = 0

        def read(piece: bytes) -> None:
            nonlocal done
            parts.add(piece)
            done += len(piece)
            self._progress("cutting in parts", done, entry.size)

        if digest_file(path, entry, fingerprint, read) != entry.sha256:
            finding = Finding(FindingKind.DIFFERENT, to_text(entry.path), "its content is another one")
            raise changed_day(day_index.directory, [finding])
        return parts.all()

    def top(self, directory: Path) -> tuple[bytes, ...]:
        """The names of what stands at the top of a day, in byte order, but for what is only beside it."""
        try:
            names = [path.name for path in directory.iterdir()]
        except OSError as error:
            raise shut(directory, error) from error
        return tuple(sorted(os.fsencode(name) for name in names if name not in NOT_INDEXED))

    def companions(self, day_index: DayIndex) -> tuple[Entry, ...]:
        """The day's folder, and its index and sums where they stand in it."""
        day = day_index.day.encode()
        found = [scan_one(os.fsencode(day_index.directory), day).entry]
        for name in (INDEX_NAME, SUMS_NAME):
            path = os.fsencode(day_index.directory / name)
            if is_regular(day_index.directory / name):
                item = scan_one(path, day + b"/" + name.encode())
                found.append(item.entry._replace(sha256=digest_file(path, item.entry, item.fingerprint)))
        return tuple(found)

    def mark_staged(self, directory: Path) -> None:
        """Write `cback.stage` durably."""
        try:
            if not is_regular(directory / STAGED_MARK):
                with durable_file(directory / STAGED_MARK, mode=0o644):
                    pass
        except DiskFull:
            raise
        except OSError as error:
            raise StagingError(
                f"{directory / STAGED_MARK} cannot be written: {error.strerror}",
                advice="See what stands there, and whether you may write in that folder.",
                path=str(directory),
            ) from error

    def mark_stored(self, directory: Path) -> bool:
        """Write `cback.store` durably; False where staging may not be written."""
        mark = directory / STORED_MARK
        try:
            if not is_regular(mark):
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

    def unmark_stored(self, directory: Path) -> bool:
        """Take `cback.store` away, durably; False, with a warning, when that cannot be done."""
        try:
            (directory / STORED_MARK).unlink()
            sync_directory(directory)
        except FileNotFoundError:
            return True
        except OSError as error:
            log.warning("%s cannot be taken away: %s", directory / STORED_MARK, error)
            return False
        return True

    def remove(self, day_index: DayIndex) -> None:
        """Take a day out of the staging folder, all of it or, if it is not as it was looked at, nothing."""

        def look_again(place: Path) -> None:
            if findings := self.changes(replace(day_index, directory=place)):
                raise changed_day(day_index.directory, findings)

        take_out(day_index.directory.parents[2], day_index.day, look_again)
        shutil.rmtree(self._day_state(day_index.directory, day_index.day), ignore_errors=True)

    def finish_removals(self, root: Path) -> None:
        """See to the end what a removal that was killed had begun: the day is gone, or there again."""
        finish_taking_out(root)


def _staged_day(path: Path) -> StagedDay:
    """A day with its marks; one that may not be looked into counts as staged, so that it is spoken of."""
    try:
        staged, marked = is_regular(path / STAGED_MARK), is_regular(path / STORED_MARK)
    except OSError:
        staged, marked = True, False
    return StagedDay("/".join(path.parts[-3:]), path, staged=staged, marked_stored=marked)


def _unchanged(known: Known) -> Callable[[bytes, Fingerprint], Entry | None] | None:
    """Gives of what is known that which has the fingerprint that it had."""

    def same(path: bytes, fingerprint: Fingerprint) -> Entry | None:
        entry, before = known.get(path, (None, None))
        return entry if before == fingerprint else None

    return same if known else None


def _key(path: Path, day: str, status: os.stat_result) -> tuple[object, ...]:
    """What tells that an index file is still the one that was read."""
    return path, day, status.st_ino, status.st_ctime_ns
