"""Discs and their sessions: what a drive reports, and what the catalog remembers."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK, TRAITS, Medium, MediumTraits
from cedarchest.model.names import is_cedar_label


class DiscState(StrEnum):
    """What can be written to a disc, as the drive says."""

    NONE = "none"
    BLANK = "blank"
    APPENDABLE = "appendable"
    CLOSED = "closed"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class TocEntry:
    """A session as the drive's table of contents shows it; addresses and sizes in blocks."""

    number: int
    start: int
    blocks: int
    volume_id: str

    @property
    def end(self) -> int:
        """The block behind the last one."""
        return self.start + self.blocks


@dataclass(frozen=True, slots=True)
class DiscIdentity:
    """What `/CEDARCHEST/disc.json` says: fixed by the disc's first session."""

    disc_id: str  # a UUID
    label: str
    copy: int = 1


@dataclass(frozen=True, slots=True)
class Observation:
    """The disc in a drive as it is now; reading it changed nothing.

    `capacity` and `free` are blocks; `next_address` is where the next session would start.
    `identity` is there only for a disc of ours. A `single` disc takes one session and is closed with it.
    """

    device: str
    state: DiscState
    medium: Medium
    capacity: int = 0
    free: int = 0
    next_address: int = 0
    sessions: tuple[TocEntry, ...] = ()
    identity: DiscIdentity | None = None
    drive_model: str = ""
    drive_firmware: str = ""
    single: bool = False
    medium_id: str = ""  # manufacturer and type, as the disc itself says; empty where it does not

    @property
    def traits(self) -> MediumTraits:
        """What this kind of medium can do."""
        return TRAITS[self.medium]

    @property
    def label(self) -> str:
        """The volume id of the newest session that has one, empty on a blank disc."""
        return next((session.volume_id for session in reversed(self.sessions) if session.volume_id), "")

    def is_of(self, label: str) -> bool:
        """Whether it is the disc of a label; Cedar Backup gives a disc another one with each session."""
        return self.label == label or (is_cedar_label(label) and self.is_cedars)

    @property
    def is_cedars(self) -> bool:
        """Whether Cedar Backup began it."""
        return self.identity is not None and is_cedar_label(self.identity.label)

    @property
    def drive_name(self) -> str:
        """Model and firmware: what a session is written, or read back, with."""
        return f"{self.drive_model} {self.drive_firmware}".strip()


class SessionStatus(StrEnum):
    """How far a session has come; only our own reading makes it `verified`."""

    INTENDED = "intended"  # the burn was about to begin
    BURNT = "burnt"  # written, not yet read back
    VERIFIED = "verified"
    BAD = "bad"  # read back and not what it should be
    ABANDONED = "abandoned"  # never came to be on the disc
    CLAIMED = "claimed"  # a disc or an imported catalog says so


@dataclass(frozen=True, slots=True)
class DiscRecord:
    """A disc as the catalog knows it."""

    disc_id: str
    label: str
    medium: Medium
    capacity: int
    created_at: datetime
    copy: int = 1
    accepts_sessions: bool = True  # false once a session on it went bad, or it was closed or given up
    given_up: bool = False  # blanked or overwritten: nothing on it counts any more
    reason: str = ""  # why it takes no more sessions; empty in what an earlier version recorded


@dataclass(frozen=True, slots=True)
class DiscPlace:
    """Where a disc is kept from a moment on, in the words of whoever put it there."""

    place: str
    since: datetime


CEDAR_BACKUP = "Cedar Backup"
"""The tool of sessions that it wrote."""

BAD_SESSION = "a session on it is bad"
SEALED = "it is sealed"
CLOSED = "it is closed"
CLOSED_BADLY = "closing a session on it failed"
REFUSED = "its drive refused to write on it"
FOUND_AGAIN = "it was lost, and found"
"""Reasons of discs that take no more sessions."""


def as_closed(disc: DiscRecord, seen: Observation) -> DiscRecord:
    """A disc as it is to be recorded after a write: one that the drive closed takes no more sessions."""
    if seen.state is not DiscState.CLOSED or not disc.accepts_sessions:
        return disc
    return replace(disc, accepts_sessions=False, reason=CLOSED)


@dataclass(frozen=True, slots=True)
class DayContent:
    """What of a day a session holds: the digest of the day's whole index, and whether it is all of it.

    `pieces` is how many volumes of the session's set hold the day together with it. `rests_on` are the
    sessions of other discs that had the rest of the day then, as `SessionRecord.name`.
    """

    day: str  # YYYY/MM/DD
    index_digest: bytes
    entries: int
    data_bytes: int
    partial: bool = False
    pieces: int = 1
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as the catalog knows it; the intent is the same record before the burn.

    `number` counts from 1 on its disc. `base` is the session whose tree it goes on top of (0: none).
    `start` and `blocks` are expected values in an intent and the disc's own afterwards.
    `index_sha256` is the digest of the session's `INDEX.jsonl.gz` file, `sums_sha256` that of its
    `SHA256SUMS` file. `block_map` is the concatenated SHA-256 of each MiB, empty until proven.
    """

    disc_id: str
    number: int
    base: int
    start: int
    blocks: int
    volume_set: str
    status: SessionStatus
    created_at: datetime
    days: tuple[DayContent, ...] = ()
    index_sha256: bytes = b""
    sums_sha256: bytes = b""
    tool: str = ""
    drive: str = ""
    reason: str = ""  # why it is bad or abandoned
    block_map: bytes = b""
    drive_model: str = ""  # and firmware; empty in what an earlier version recorded
    volume: int = 1  # of how many in its set
    volumes: int = 1
    medium_id: str = ""  # manufacturer and type, as the disc itself says; empty where that is not known
    speed_asked: str = ""  # "8x", or "best"; empty on a shelf and where that is not known
    speed_used: int = 0  # kB/s, as measured while it was written; 0 where that is not known

    @property
    def name(self) -> str:
        """What it is a volume of, and which: a volume that is written again, or copied, has the same name."""
        return f"{self.volume_set} {self.volume}"

    @property
    def has_no_index(self) -> bool:
        """Whether Cedar Backup wrote it: the disc has no index of it, the catalog alone what it holds."""
        return self.tool == CEDAR_BACKUP and not self.index_sha256


UNREADABLE = "unreadable in "
"""How the reason of a session begins that one drive could not read in full; the drive's name follows."""

SAID = "its disc says: "
"""How the reason of a session begins that is bad or abandoned as its disc says, not by our own reading."""

INPUT_CHANGED = "what is staged changed while it was written"
"""The reason of a burnt session whose difference would say nothing against its disc."""


class StoredEntry(NamedTuple):
    """An entry as it stands on a disc; `path` is raw bytes from the disc's root."""

    path: bytes
    kind: str
    size: int
    mtime_ns: int
    sha256: bytes
    start: int  # block address of the data, -1 where there are none
    traits: bytes = b""  # see `traits_of`; empty in what an earlier version recorded


def stored_as(entry: Entry, start: int = -1) -> StoredEntry:
    """An entry as it is recorded, its data at an address."""
    path, kind, size, _, _, _, mtime_ns, _, _, sha256, _, _, _, _ = entry
    return _NEW(StoredEntry, (path, _KIND_NAMES[kind], size, mtime_ns, sha256, start, traits_of(entry)))


_KIND_NAMES = {kind: kind.value for kind in Kind}
_NEW = tuple.__new__  # as in `model.index`


def traits_of(entry: Entry) -> bytes:
    """Eight bytes that tell entries of one path apart which differ in neither size, time nor content.

    Of kind, mode, owners, link target, attributes and device; not of hard links, since a supplement on a
    disc holds data of its own where the day has a link to a file that stands there already.
    """
    _, kind, _, mode, uid, gid, _, _, _, _, target, _, xattrs, rdev = entry
    return _traits(kind, mode, uid, gid, target, xattrs, rdev)


@functools.lru_cache(maxsize=1024)
def _traits(*values: object) -> bytes:
    return hashlib.sha256(repr(values).encode()).digest()[:8]


E = TypeVar("E", Entry, StoredEntry)


def still_shown(earlier: Mapping[bytes, E], new: Iterable[tuple[bytes, str]]) -> Mapping[bytes, E]:
    """What of an earlier tree is left when entries (path and kind) come on top of it.

    Something else in the place of a directory takes away all that was below it.
    """
    gone = tuple(
        path + b"/"
        for path, kind in new
        if kind != Kind.DIR and (before := earlier.get(path)) and before.kind == Kind.DIR
    )
    return {path: entry for path, entry in earlier.items() if not path.startswith(gone)} if gone else earlier


class CheckKind(StrEnum):
    """Why a disc was read."""

    STORE = "store"
    SETTLE = "settle"
    VERIFY = "verify"
    AUDIT = "audit"


class Speed(NamedTuple):
    """How long the reading of some blocks of an area took, which begins at a block."""

    first: int
    blocks: int
    milliseconds: int

    @property
    def bytes_a_second(self) -> int:
        """The mean; 0 where it was too little to measure."""
        return self.blocks * BLOCK * 1000 // self.milliseconds if self.milliseconds else 0


class BlockRange(NamedTuple):
    """Blocks in a row, the last one inclusive."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """A reading of a session compared with its index, as an event.

    An audit that read less than `whole` of the session says nothing of the rest; it is whole when it ends
    what earlier ones began. `blocks` are those that were read. `retries` are readings in smaller steps of
    what did not come at once.
    """

    disc_id: str
    session: int
    kind: CheckKind
    at: datetime
    passed: bool
    drive: str
    tool: str
    blocks: int
    seconds: float
    findings: tuple[str, ...] = ()
    drive_model: str = ""  # and firmware; empty in what an earlier version recorded
    whole: bool = True
    speeds: tuple[Speed, ...] = ()  # by position; empty in what an earlier version recorded
    slow: tuple[Speed, ...] = ()  # areas that took much longer than most
    retries: int = 0
    damaged: tuple[BlockRange, ...] = ()  # what could not be read, or is not what it was
