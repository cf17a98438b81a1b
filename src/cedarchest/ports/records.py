"""What is kept of discs: the catalog, and the files of each session."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cedarchest.ports.drive import Graft

if TYPE_CHECKING:
    from cedarchest.model.disc import (
        CheckRecord,
        DayContent,
        DiscPlace,
        DiscRecord,
        SessionRecord,
        StoredEntry,
    )
    from cedarchest.model.index import Entry
    from cedarchest.model.members import ArchiveRecord, Holder, Member, Sighting
    from cedarchest.model.parts import Split
    from cedarchest.model.patterns import PathPattern
    from cedarchest.model.restoring import Held
    from cedarchest.model.turns import Turns


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

    def keep_image(self, name: str, size: int, pieces: Iterable[tuple[int, bytes]]) -> Path:
        """Keep what was read of a disc, given by byte offsets, as an image file until it is dropped.

        `size` is the bytes of all pieces.

        Raises:
            DiskFull: there is no room for it; nothing is kept.
        """
        ...

    def kept_image(self, name: str) -> Path | None:
        """The whole image that was kept by this name."""
        ...

    def drop_images(self, but: str = "") -> None:
        """Remove all images that are kept, but one."""
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

    def enter(self, session: SessionRecord, entries: Iterable[StoredEntry], disc: DiscRecord) -> None:
        """A session with what a disc says that it holds (replacing any), and its disc, all or nothing.

        Raises:
            CatalogError: another disc has this label.
        """
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

    def turns(self, disc_id: str) -> Mapping[int, Turns]:
        """What audits have read of a disc's sessions, by their numbers; nothing of those that none read."""
        ...

    def put_turns(self, disc_id: str, turns: Mapping[int, Turns]) -> None:
        """What audits have read of some sessions of a disc, in place of what was; all or nothing.

        Raises:
            CatalogError: a session is not in the catalog.
        """
        ...

    def places(self, disc_id: str) -> tuple[DiscPlace, ...]:
        """Where a disc was and is kept, the last place last."""
        ...

    def add_place(self, disc_id: str, place: DiscPlace) -> None:
        """A disc is kept somewhere else from now on.

        Raises:
            CatalogError: the disc is not in the catalog.
        """
        ...

    def entries(self, disc_id: str, session: int) -> Iterator[StoredEntry]:
        """What a session holds, in order of path."""
        ...

    def contents(self, day: str, *, everywhere: bool = False) -> tuple[tuple[SessionRecord, DayContent], ...]:
        """Where content of a day stands, oldest session first, any status.

        Discs that were given up count only when it is asked `everywhere`.
        """
        ...

    def copies(self, day: str, *, of_copy: int = 0) -> Mapping[StoredEntry, int]:
        """On how many discs each entry of a day is verified, whatever its address (-1).

        What a later verified session of the same disc replaced is no copy: the disc shows it no more.
        With `of_copy` only the discs of that number count.
        """
        ...

    def days(self) -> tuple[str, ...]:
        """Days that any session holds, oldest first."""
        ...

    def proofs(self) -> Mapping[str, tuple[tuple[str, int], ...]]:
        """By day the verified sessions with content of it, oldest first: label of the disc, and number.

        Discs that were given up do not count.
        """
        ...

    def proven(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        """Of SHA-256 digests those that verified discs hold as a file, with the number of discs.

        A file in parts is held as often as the part of it that is held the least.
        """
        ...

    def splits(self, digests: Collection[bytes] | None = None) -> Mapping[bytes, tuple[Split, ...]]:
        """How files of these SHA-256 digests, or all, were cut in parts, as far as any was."""
        ...

    def put_split(self, sha256: bytes, split: Split) -> None:
        """How a file of a SHA-256 digest is cut, with the digests of all parts."""
        ...

    def find(self, pattern: PathPattern) -> Iterator[tuple[bytes, tuple[Sighting, ...]]]:
        """Paths that match, in no order, each once, with all that was stored of it.

        Of what stands in days that is what proofs recorded, of archives all whose members are known.
        """
        ...

    def archives(self, digests: Collection[bytes]) -> Mapping[bytes, ArchiveRecord]:
        """Of SHA-256 digests those of archives, with all places that proofs recorded, oldest day first."""
        ...

    def line(self, line: bytes) -> tuple[ArchiveRecord, ...]:
        """The archives that stand anywhere under a name (see `Stand.line`), oldest day first."""
        ...

    def unread_archives(self) -> tuple[ArchiveRecord, ...]:
        """Archives that stand somewhere and whose members are not known, the bad ones included."""
        ...

    def put_members(self, archive: ArchiveRecord, found: Iterable[Member]) -> None:
        """How members of an archive are known, and which, in place of what was; all or nothing.

        What `found` raises comes through. Where the archive stands is left to proofs.

        Raises:
            CatalogError: what it rests on is not in the catalog.
        """
        ...

    def layers(self, sha256: bytes) -> Sequence[tuple[bytes, Sequence[Member]]]:
        """What is kept of the listing of an archive and, before it, of each that it rests on, by SHA-256."""
        ...

    def archives_of(self, peer: bytes) -> tuple[ArchiveRecord, ...]:
        """The archives of a peer that stand anywhere, oldest day first."""
        ...

    def peers(self) -> tuple[bytes, ...]:
        """All peers that anything was stored of."""
        ...

    def held_at(self, path: bytes) -> Iterator[Held]:
        """What discs that count hold at a path from their root or below it, the newest last.

        The path begins with a day. Of sessions that are there, whatever is known of them.
        """
        ...

    def held_of(self, peer: bytes, until: str) -> Iterator[Held]:
        """What discs that count hold of a peer, of days up to one, in order of the days."""
        ...

    def copies_of(self, digests: Collection[bytes]) -> Iterator[Held]:
        """Where files with these SHA-256 stand on discs that count. Goes through all that is stored."""
        ...

    def holders(self, digests: Collection[bytes]) -> Iterator[Holder]:
        """The archives with members that have these SHA-256. Goes through all members."""
        ...

    def listing(self, sha256: bytes) -> Mapping[bytes, Member]:
        """All that there was when an archive was made, by path, from its members and what they rest on."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...
