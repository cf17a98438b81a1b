"""What actions need from the world outside, as protocols; adapters provide them, tests provide fakes.

Each protocol has one contract suite in `tests/contract` that every provider passes. `Ports` is the
bundle that the composition root wires and every action gets. It is one module, however long: whoever
wants to know all that we need from outside reads one page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from cedarchest.model.disc import (
    CheckRecord,
    DayContent,
    DiscRecord,
    Observation,
    SessionRecord,
    StoredEntry,
)
from cedarchest.model.findings import Finding
from cedarchest.model.index import Entry, Fingerprint, Kind


class Clock(Protocol):
    """The one source of the wall clock."""

    def now(self) -> datetime:
        """The time now, with the local offset."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, for rates and limits."""
        ...


class Reporter(Protocol):
    """Tells a person how far a run is; never raises."""

    def phase(self, name: str, total: int, unit: str = "B") -> None:
        """A phase begins; `total` units of work are ahead, 0 when that is unknown."""
        ...

    def advance(self, done: int) -> None:
        """So many units of the phase are done, counted from its beginning."""
        ...

    def warn(self, message: str) -> None:
        """Something that needs no hand now, said once at the end as well."""
        ...

    def note(self, message: str) -> None:
        """A fact worth a line."""
        ...


@dataclass(frozen=True, slots=True)
class Graft:
    """A staged path and the absolute path it takes on the disc, both raw bytes.

    A directory brings all below it, unless `single`: then only itself.
    """

    source: bytes
    target: bytes
    single: bool = False


@dataclass(frozen=True, slots=True)
class SessionSource:
    """What a session is made of.

    `base` is the number of the session whose tree the new one goes on top of; 0 begins an empty tree.
    `made_dirs` are absolute disc paths that we make (0755, root, time `made_at`), parents first.
    `removed` are disc paths taken out of that tree with all below them, before anything comes into it.
    `grafts` is iterated once: what comes late in it may be prepared while the tool looks at what came
    first. `excluded` are source paths below grafted directories that never come into it.
    """

    volume_id: str
    base: int
    made_dirs: tuple[bytes, ...]
    grafts: Iterable[Graft]
    removed: tuple[bytes, ...]
    made_at: int
    excluded: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Burnt:
    """What the tool said after a write: whether it met input that changed."""

    input_changed: bool


class Writer(Protocol):
    """A drive: a burner, or a shelf that loads its own discs. Nothing is ever guessed.

    Reading works on blocks of 2048 bytes of the loaded disc, at rising addresses, from the device
    and not from a cache once `reload` was called.
    """

    @property
    def device(self) -> str:
        """The device as configured."""
        ...

    @property
    def loads_itself(self) -> bool:
        """Whether `load` needs no hand (a shelf)."""
        ...

    def labels(self) -> tuple[str, ...]:
        """Labels of the discs of ours that can be loaded without a hand, in order of name."""
        ...

    def observe(self) -> Observation:
        """The disc that is loaded now. Writes nothing; a blank disc stays blank.

        Raises:
            MediaError: the disc is damaged in a way that leaves its state unknown.
            ToolError: the drive or the tool did not answer in a way we understand.
        """
        ...

    def load(self, label: str) -> Observation:
        """Have the disc of this label in the drive.

        Raises:
            NoMedium, WrongDisc: another one or none is there, and no hand of ours can change that.
        """
        ...

    def load_blank(self, label: str) -> Observation:
        """Have a disc in the drive on which a first session labelled `label` can be written.

        Raises:
            NoMedium, NotAppendable, ForeignDisc: the disc that is there cannot become it.
        """
        ...

    def write(self, source: SessionSource, confirm: Callable[[int], None]) -> Burnt:
        """Write a session to the loaded disc.

        `confirm` gets the session's size in blocks as the tool computed it, before a block is
        written; when it raises, nothing is written and the exception comes through.

        Raises:
            MediumFull: the tool refused for want of space; nothing is written.
            ToolError, MediaError, DiskFull: the write failed; what is on the disc is unknown.
        """
        ...

    def blank(self) -> None:
        """Erase the loaded rewritable disc.

        Raises:
            NotAppendable: it is write-once.
        """
        ...

    def close_damaged(self) -> None:
        """Close what a torn write left open on sequential media; what came of it shows in `observe`.

        Raises:
            MediaError: it cannot be closed.
        """
        ...

    def reload(self) -> None:
        """Make the next read come from the disc itself."""
        ...

    def read(self, start: int, count: int) -> bytes:
        """`count` blocks from block `start`; fewer only at the end of the disc.

        Raises:
            DamagedDisc: the drive could not read them.
        """
        ...

    def eject(self) -> None:
        """Open the tray; a shelf has none. Failing is the caller's warning, never harm."""
        ...

    def close(self) -> None:
        """Give back what was opened; the writer is not used any more."""
        ...


class Drives(Protocol):
    """Opens drives by configured device and type."""

    def open(self, device: str, device_type: str) -> Writer:
        """A writer for the device; refuses a mounted device before anything else.

        Raises:
            ConfigError: no such device type.
            DeviceMounted, DriveMissing, DriveForbidden: each what it says.
        """
        ...

    def open_path(self, path: Path) -> Writer:
        """The disc in a device, or an image file wherever it lies, for reading.

        Raises:
            DeviceMounted, DriveMissing, DriveForbidden: each what it says.
        """
        ...


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
    fingerprints: Sequence[Fingerprint]
    digest: bytes = b""

    @property
    def data_bytes(self) -> int:
        """Bytes of all files, each hard link group counted once."""
        return sum(entry.size for entry in self.entries if not entry.hardlink)


class Digest(NamedTuple):
    """The SHA-256 of a file, and the inode that it was taken of."""

    inode: int
    sha256: bytes


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

    def index(self, directory: Path, day: str, known: Mapping[bytes, Digest] | None = None) -> DayIndex:
        """The day with all digests, its index saved durably; reads what has no digest yet.

        `known` has those of files that were digested as they came, by path from the disc's root.

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


@dataclass(frozen=True, slots=True)
class Handover:
    """That a peer's collect has ended: when its `cback.collect` was written, and the list beside it.

    The list is the content of `cback.collect.jsonl`, empty where the peer makes none.
    """

    at: datetime
    listed: bytes


@dataclass(frozen=True, slots=True)
class PeerItem:
    """Something in a peer's collect dir: `path` is raw bytes from there, `target` where a link leads.

    `mode` has the permission bits (0777); `mtime` is whole seconds, None for a time that cannot be told.
    """

    path: bytes
    kind: Kind
    size: int
    mode: int
    mtime: int | None
    target: bytes = b""


@dataclass(frozen=True, slots=True)
class PeerLook:
    """A collect dir as it was found: its own mode, all in it, a line for each thing not to be looked at."""

    mode: int
    items: tuple[PeerItem, ...]
    problems: tuple[str, ...]


class PeerFolder(Protocol):
    """A peer's collect dir, on this machine or on another; nothing in it is trusted.

    Every method may raise PeerError (the peer cannot be reached, or does not let us) and ToolMissing.
    """

    def handover(self) -> Handover | None:
        """Whether the peer's collect has ended; None when it has not, or not ever."""
        ...

    def look(self) -> PeerLook:
        """All that is in it. Follows no link."""
        ...

    def fetch(self, paths: Iterable[bytes], into: Path, arrived: Callable[[int], None]) -> tuple[str, ...]:
        """Copy these paths below `into`; gives a line for each that could not be had in full.

        A folder brings all that is in it now, `.` the whole collect dir.

        A file has its name there only when it is whole; what a broken line left of one is gone on with.
        `arrived` gets the size of each thing once it is there. Nobody gets a right by a copied mode
        (setuid) and nothing but files, folders and links is made.

        Raises:
            DiskFull: there is no room for them.
        """
        ...

    def put(self, folder: Path) -> None:
        """Copy all below a folder of ours into the collect dir, in the place of what has their names."""
        ...


class Receipts(Protocol):
    """What peers were told, and are to be told, of their files on disc; kept in `state_dir`."""

    def proof(self, day: str) -> Sequence[str]:
        """What the receipts of a day go by; nothing when there are none."""
        ...

    def write(self, day: str, proof: Sequence[str], receipts: Mapping[str, bytes]) -> None:
        """Keep the receipts of a day, by peer, to be brought to them.

        Raises:
            StagingError: they cannot be written.
        """
        ...

    def has(self, peer: str, day: str) -> bool:
        """Whether a peer has, or is to get, a receipt of a day."""
        ...

    def held(self, peer: str) -> Iterator[bytes]:
        """All receipts of a peer, whether it has them yet or not."""
        ...

    def due(self, peer: str) -> Path | None:
        """A folder of what is to be brought to a peer, as it is to stand there; None when nothing is."""
        ...

    def delivered(self, peer: str) -> None:
        """What was due has been brought."""
        ...


class Peers(Protocol):
    """The machines that are backed up."""

    def named(self, name: str) -> PeerFolder:
        """The collect dir of a configured peer."""
        ...

    def stop(self) -> None:
        """End what is on its way; those who wait for it get a PeerError. Any thread may call it."""
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

    def entries(self, root: Path, peer: str) -> tuple[tuple[Entry, Fingerprint], ...]:
        """All that arrived, in order of path from the peer's collect dir, files with their digests.

        Raises:
            StagingError: something cannot be read; all that arrived is thrown away.
        """
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


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session's own files as kept in `state_dir`, ready to be put on the disc."""

    grafts: tuple[Graft, ...]
    index_sha256: bytes
    sums_sha256: bytes


class Workspace(Protocol):
    """Our own files in `state_dir`: what of us goes on the disc with each session, kept afterwards."""

    def save(
        self,
        disc_id: str,
        session: int,
        files: Mapping[str, bytes],
        *,
        header: dict[str, object],
        entries: Iterable[Entry],
        made_at: int,
    ) -> SavedSession:
        """Write a session's files durably, with an index and sums of `entries` and `files`.

        `files` are small ones by path from the disc's root; a session saved before is replaced. Folders
        of ours get the time `made_at` (seconds).

        Raises:
            DiskFull: there is no room for them.
        """
        ...

    def expected(self, disc_id: str, session: int) -> Sequence[Entry]:
        """All that the session put on the disc, its index and sums files included.

        Raises:
            CatalogError: the files of the session are gone or damaged.
        """
        ...


class Catalog(Protocol):
    """The database of discs, sessions, days, entries and checks. Each call is one transaction."""

    def discs(self) -> tuple[DiscRecord, ...]:
        """All discs, oldest first."""
        ...

    def put_disc(self, disc: DiscRecord) -> None:
        """Insert or update by disc id.

        Raises:
            CatalogError: another disc has this label.
        """
        ...

    def sessions(self, disc_id: str) -> tuple[SessionRecord, ...]:
        """The sessions of a disc by number."""
        ...

    def open_sessions(self) -> tuple[SessionRecord, ...]:
        """Sessions that are intended or burnt, of all discs not given up, oldest first."""
        ...

    def put_session(self, session: SessionRecord, disc: DiscRecord | None = None) -> None:
        """Insert or update a session by disc and number, with its disc in the same transaction."""
        ...

    def record_proof(
        self, session: SessionRecord, entries: Iterable[StoredEntry], check: CheckRecord
    ) -> None:
        """A session's outcome, the entries it holds (replacing any) and the check, all or nothing."""
        ...

    def add_check(self, check: CheckRecord) -> None:
        """A later check of a session that is recorded already."""
        ...

    def checks(self, disc_id: str) -> tuple[CheckRecord, ...]:
        """The checks of a disc, oldest first."""
        ...

    def entries(self, disc_id: str, session: int) -> Iterator[StoredEntry]:
        """What a session holds, in order of path."""
        ...

    def contents(self, day: str, *, everywhere: bool = False) -> tuple[tuple[SessionRecord, DayContent], ...]:
        """Where content of a day stands, oldest session first, any status.

        Discs that were given up count only when it is asked `everywhere`.
        """
        ...

    def copies(self, day: str) -> Mapping[StoredEntry, int]:
        """On how many discs each entry of a day is verified, whatever its address (-1)."""
        ...

    def days(self) -> tuple[str, ...]:
        """Days that any session holds, oldest first."""
        ...

    def proven(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        """Of SHA-256 digests those that verified discs hold as a file, with the number of discs."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


class Locks(Protocol):
    """One run at a time for a state folder and for a device."""

    def hold(self, state_dir: Path) -> AbstractContextManager[None]:
        """Hold the lock of a state folder; a writer we started that outlived us is waited for.

        Raises:
            LockedError: another run holds it; says which.
        """
        ...


class Interrupts(Protocol):
    """Whether the operator asked the run to end."""

    def shielded(self) -> AbstractContextManager[None]:
        """Within it a first interrupt only asks: the burner ends cleanly."""
        ...

    def check(self) -> None:
        """Raise when the run was asked to end.

        Raises:
            Interrupted: it was.
        """
        ...


class Tools(Protocol):
    """The programs we need."""

    def xorriso_version(self) -> str:
        """Its version, after it was found to be there and new enough.

        Raises:
            ToolMissing, ToolTooOld, UnexpectedOutput: each what it says.
        """
        ...


class Hooks(Protocol):
    """Programs of the administrator."""

    def run(self, argv: Sequence[str], variables: Mapping[str, str]) -> None:
        """Run one to its end, with these environment variables besides our own.

        Raises:
            HookFailed: it cannot be run, or ended with another status than 0.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The bundle that the composition root wires."""

    catalog: Catalog
    drives: Drives
    staging: Staging
    workspace: Workspace
    folders: Folders
    peers: Peers
    arrivals: Arrivals
    receipts: Receipts
    locks: Locks
    interrupts: Interrupts
    clock: Clock
    reporter: Reporter
    tools: Tools
    hooks: Hooks


__all__ = [
    "Arrivals",
    "Burnt",
    "Catalog",
    "Clock",
    "DayIndex",
    "Digest",
    "Drives",
    "Entry",
    "Graft",
    "Handover",
    "Hooks",
    "Interrupts",
    "Locks",
    "PeerFolder",
    "PeerItem",
    "PeerLook",
    "Peers",
    "Ports",
    "Receipts",
    "Reporter",
    "SavedSession",
    "SessionSource",
    "StagedDay",
    "Staging",
    "Tools",
    "Workspace",
    "Writer",
]
