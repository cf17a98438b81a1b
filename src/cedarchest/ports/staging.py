"""The staging folder, other folders, and what arrives in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cedarchest.model.findings import Finding
    from cedarchest.model.index import Entry, Fingerprint, Fingerprints, Kind, Known


@dataclass(frozen=True, slots=True)
class StagedDay:
    """A day folder below staging."""

    day: str  # YYYY/MM/DD
    directory: Path
    staged: bool  # cback.stage is there
    marked_stored: bool  # cback.store is there


@dataclass(frozen=True, slots=True)
class DayIndex:
    """A staged day's entries, paths from the disc's root, with the fingerprint of each.

    Files whose digest is not known yet have an empty `sha256`; `digest` is that of the saved index and
    empty until all are known and it is saved.
    """

    day: str
    directory: Path
    entries: Sequence[Entry]
    fingerprints: Fingerprints
    digest: bytes = b""

    @property
    def data_bytes(self) -> int:
        """Bytes of all files, each hard link group counted once."""
        return sum(entry.size for entry in self.entries if not entry.hardlink)


class Staging(Protocol):
    """The staging folder: days, their indexes and indicators."""

    def days(self, root: Path) -> tuple[StagedDay, ...]:
        """All day folders below `root`, oldest first.

        Raises:
            StagingError: `root` is not there or cannot be read.
        """
        ...

    def look(self, directory: Path, day: str) -> DayIndex:
        """The day as it stands, with the digests its index knows. Writes nothing.

        Reads file content only where the index is older than a file's fingerprint.

        Raises:
            StagingError: staged entries differ from the index; names them.
        """
        ...

    def index(self, directory: Path, day: str, known: Known | None = None) -> DayIndex:
        """The day with all digests, its index saved durably; reads what has no digest yet.

        `known` are entries that were digested as they came, by path from the disc's root: a file that still
        has the inode of its fingerprint is not read again.

        Raises:
            StagingError: as `look`, and where an entry cannot be read or changes while it is.
        """
        ...

    def forget(self, day_index: DayIndex, paths: Collection[bytes]) -> None:
        """Take paths, and all below them, out of a day's saved index: others are about to replace them."""
        ...

    def changes(self, day_index: DayIndex) -> tuple[Finding, ...]:
        """What is no longer as indexed (kind, size, times, inode), by looking, not reading."""
        ...

    def part_digests(self, day_index: DayIndex, entry: Entry, part_bytes: int) -> tuple[bytes, ...]:
        """The SHA-256 of each part of so many bytes of a file, all read at once, which is still as indexed.

        Raises:
            StagingError: it cannot be read, or is not what its digest in the index says.
        """
        ...

    def top(self, directory: Path) -> tuple[bytes, ...]:
        """The names of what stands at the top of a day, in byte order, but for what `companions` gives.

        Raises:
            StagingError: it cannot be looked into.
        """
        ...

    def companions(self, day_index: DayIndex) -> tuple[Entry, ...]:
        """What belongs to the day but is not in its index: its folder, its index and sums files."""
        ...

    def mark_staged(self, directory: Path) -> None:
        """Write `cback.stage` durably. Idempotent.

        Raises:
            StagingError: it cannot be written.
        """
        ...

    def mark_stored(self, directory: Path) -> bool:
        """Write `cback.store` durably; False where staging may not be written. Idempotent."""
        ...

    def unmark_stored(self, directory: Path) -> bool:
        """Take `cback.store` away, durably, where it is; False, with a warning, when that cannot be done."""
        ...

    def remove(self, day_index: DayIndex) -> None:
        """Take a day out of the staging folder, all of it or, if it is not as it was looked at, nothing.

        Raises:
            StagingError: it changed since it was looked at, or may not be removed.
        """
        ...

    def finish_removals(self, root: Path) -> None:
        """See to the end what a removal that was killed had begun: the day is gone, or there again."""
        ...


class Arriving(Protocol):
    """Files on their way, digested while others still come."""

    def came(self, path: bytes) -> None:
        """A file is there, or is about to be; any thread may say so."""
        ...

    def entries(self) -> tuple[tuple[Entry, Fingerprint], ...]:
        """All that arrived, in order of path from the peer's collect dir, files with their digests.

        All of it is on stable storage then.

        Raises:
            StagingError: something cannot be read or written out, or changes while it is read.
        """
        ...


class Arrivals(Protocol):
    """What is on its way from peers into a day: it waits beside the days until it is whole."""

    def prepare(self, root: Path, peers: Collection[str]) -> None:
        """Make the staging folder where it is absent; what arrived of peers that there are no more goes.

        Raises:
            StagingError: it cannot be made or written.
        """
        ...

    def free_bytes(self, root: Path) -> int:
        """Space that is left for everybody on the file system of the staging folder."""
        ...

    def held_bytes(self, root: Path, peer: str) -> int:
        """What of a peer is there already, from a run that did not come to its end."""
        ...

    def folder(self, root: Path, peer: str, mode: int) -> Path:
        """Where a peer's things arrive, with the mode that its folder in a day is to have.

        It holds what an earlier run could not bring to its end.

        Raises:
            StagingError: it cannot be made.
        """
        ...

    def arriving(self, root: Path, peer: str) -> AbstractContextManager[Arriving]:
        """What arrives of a peer from now on; with its end nothing of it is read any more."""
        ...

    def drop(self, root: Path, peer: str) -> None:
        """Throw away all that arrived of a peer, so that the next run begins anew."""
        ...

    def discard(self, root: Path, peer: str, path: bytes) -> None:
        """Take away a file that arrived but is not what it should be.

        Raises:
            StagingError: it cannot be taken away.
        """
        ...

    def move(self, root: Path, peer: str, day: str, entries: Sequence[Entry]) -> None:
        """Bring these entries into the peer's folder of a day, in the place of what has their names.

        No link is followed on the way. What else arrived is thrown away. The day is unfinished from here
        on, so that a run which is killed leaves word of it.

        Raises:
            StagingError: it cannot be done; what is there already stays, and a further call goes on.
        """
        ...

    def unfinished(self, root: Path) -> tuple[str, ...]:
        """Days that something was moved into and that nobody finished."""
        ...

    def finish(self, root: Path, day: str) -> None:
        """A day that things were moved into is complete."""
        ...


@dataclass(frozen=True, slots=True)
class FolderItem:
    """Something in a folder that is purged: `path` is raw bytes from the folder, times are nanoseconds."""

    path: bytes
    kind: Kind
    size: int
    changed_ns: int  # the later of the times of content and attributes
    fingerprint: Fingerprint


class Folders(Protocol):
    """Folders that are kept small; reached by handle, no link in them is followed."""

    def look(self, root: Path) -> tuple[FolderItem, ...]:
        """All below a folder on its file system, what a folder holds before the folder itself.

        Raises:
            StagingError: it cannot be looked at.
        """
        ...

    def digest(self, root: Path, item: FolderItem) -> bytes:
        """The SHA-256 of a file.

        Raises:
            StagingError: it cannot be read, or is another one than it was.
        """
        ...

    def read(self, root: Path, item: FolderItem) -> bytes:
        """The content of a small file.

        Raises:
            StagingError: it cannot be read, is no file, or not a small one.
        """
        ...

    def remove(self, root: Path, item: FolderItem) -> bool:
        """Remove a file that is as it was, or a folder that is empty; False when it is not so.

        Raises:
            StagingError: it may not be removed.
        """
        ...
