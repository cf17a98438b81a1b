"""A catalog in memory that keeps the promises of the one in a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cedarchest.errors import CatalogError
from cedarchest.model.disc import (
    CheckRecord,
    DayContent,
    DiscPlace,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    StoredEntry,
)
from cedarchest.model.members import (
    ArchiveRecord,
    Holder,
    Listing,
    Member,
    Sighting,
    Stand,
    is_archive_name,
    listing_of,
    peer_of,
    place_in_day,
)
from cedarchest.model.parts import Split, held_in_parts, whole_path
from cedarchest.model.patterns import PathPattern
from cedarchest.model.restoring import Held
from cedarchest.model.turns import Turns

_OPEN = (SessionStatus.INTENDED, SessionStatus.BURNT)


class MemoryCatalog:
    """All records in dictionaries, in the order in which they first came."""

    def __init__(self) -> None:
        self._discs: dict[str, DiscRecord] = {}
        self._sessions: dict[tuple[str, int], SessionRecord] = {}
        self._entries: dict[tuple[str, int], dict[bytes, StoredEntry]] = {}
        self._checks: list[CheckRecord] = []
        self._turns: dict[tuple[str, int], Turns] = {}
        self._places: dict[str, list[DiscPlace]] = {}
        self._archives: dict[bytes, ArchiveRecord] = {}
        self._members: dict[bytes, tuple[Member, ...]] = {}
        self._splits: dict[bytes, dict[int, Split]] = {}

    def discs(self) -> tuple[DiscRecord, ...]:
        return tuple(sorted(self._discs.values(), key=lambda disc: disc.created_at))

    def put_disc(self, disc: DiscRecord) -> None:
        disc = self._accepted_disc(disc)
        self._discs[disc.disc_id] = disc

    def sessions(self, disc_id: str) -> tuple[SessionRecord, ...]:
        found = [session for session in self._sessions.values() if session.disc_id == disc_id]
        return tuple(sorted(found, key=lambda session: session.number))

    def open_sessions(self) -> tuple[SessionRecord, ...]:
        return tuple(
            session
            for session in self._oldest_first()
            if session.status in _OPEN and not self._discs[session.disc_id].given_up
        )

    def put_session(self, session: SessionRecord, disc: DiscRecord | None = None) -> None:
        accepted = None if disc is None else self._accepted_disc(disc)
        session = self._accepted_session(session, accepted)
        if accepted is not None:
            self._discs[accepted.disc_id] = accepted
        self._sessions[session.disc_id, session.number] = session

    def enter(self, session: SessionRecord, entries: Iterable[StoredEntry], disc: DiscRecord) -> None:
        accepted = self._accepted_disc(disc)
        session = self._accepted_session(session, accepted)
        held = _by_path(entries)
        self._discs[accepted.disc_id] = accepted
        self._sessions[session.disc_id, session.number] = session
        self._entries[session.disc_id, session.number] = held

    def record_proof(
        self, session: SessionRecord, entries: Iterable[StoredEntry], check: CheckRecord
    ) -> None:
        session = self._accepted_session(session, None)
        key = (session.disc_id, session.number)
        held = _by_path(entries)
        accepted = self._accepted_check(check, {*self._sessions, key})
        self._sessions[key] = session
        self._entries[key] = held
        self._checks.append(accepted)

    def add_check(self, check: CheckRecord) -> None:
        self._checks.append(self._accepted_check(check, self._sessions))

    def checks(self, disc_id: str) -> tuple[CheckRecord, ...]:
        found = [check for check in self._checks if check.disc_id == disc_id]
        return tuple(sorted(found, key=lambda check: check.at))

    def turns(self, disc_id: str) -> Mapping[int, Turns]:
        found = {number: each for (disc, number), each in self._turns.items() if disc == disc_id}
        return dict(sorted(found.items()))

    def put_turns(self, disc_id: str, turns: Mapping[int, Turns]) -> None:
        for number in turns:
            if (disc_id, number) not in self._sessions:
                raise CatalogError(f"Session {number} of disc {disc_id} is not in the catalog.")
        for number, each in turns.items():
            self._turns[disc_id, number] = replace(each, times=tuple(map(_utc, each.times)))

    def places(self, disc_id: str) -> tuple[DiscPlace, ...]:
        return tuple(sorted(self._places.get(disc_id, ()), key=lambda place: place.since))

    def add_place(self, disc_id: str, place: DiscPlace) -> None:
        if disc_id not in self._discs:
            raise CatalogError(f"The disc {disc_id} is not in the catalog.")
        self._places.setdefault(disc_id, []).append(replace(place, since=_utc(place.since)))

    def entries(self, disc_id: str, session: int) -> Iterator[StoredEntry]:
        held = self._entries.get((disc_id, session), {})
        yield from sorted(held.values(), key=lambda entry: entry.path)

    def contents(self, day: str, *, everywhere: bool = False) -> tuple[tuple[SessionRecord, DayContent], ...]:
        return tuple(
            (session, content)
            for session in self._oldest_first()
            if everywhere or not self._discs[session.disc_id].given_up
            for content in session.days
            if content.day == day
        )

    def proven(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        holders: dict[bytes, set[str]] = {}
        for (disc_id, number), held in self._entries.items():
            verified = self._sessions[disc_id, number].status is SessionStatus.VERIFIED
            if not verified or self._discs[disc_id].given_up:
                continue
            for entry in held.values():
                if entry.kind == "file":
                    holders.setdefault(entry.sha256, set()).add(disc_id)
        counts = {digest: len(found) for digest, found in holders.items()}
        return held_in_parts(counts, digests, self.splits(digests))

    def splits(self, digests: Collection[bytes] | None = None) -> Mapping[bytes, tuple[Split, ...]]:
        return {
            sha256: tuple(found[size] for size in sorted(found))
            for sha256, found in self._splits.items()
            if digests is None or sha256 in digests
        }

    def put_split(self, sha256: bytes, split: Split) -> None:
        self._splits.setdefault(sha256, {})[split.part_bytes] = split

    def copies(self, day: str, *, of_copy: int = 0) -> Mapping[StoredEntry, int]:
        root = day.encode()
        shown: dict[tuple[str, bytes], set[StoredEntry]] = {}
        for (disc_id, number), held in sorted(self._entries.items()):
            session = self._sessions[disc_id, number]
            disc = self._discs[disc_id]
            if session.status is not SessionStatus.VERIFIED or disc.given_up:
                continue
            if of_copy not in (0, disc.copy):
                continue
            replaces = any(content.day == day for content in session.days)
            for path, entry in held.items():
                if path == root or path.startswith(root + b"/"):
                    before = set() if replaces else shown.get((disc_id, path), set())
                    shown[disc_id, path] = before | {entry._replace(start=-1)}
        return dict(Counter(entry for several in shown.values() for entry in several))

    def days(self) -> tuple[str, ...]:
        return tuple(sorted({content.day for session in self._sessions.values() for content in session.days}))

    def proofs(self) -> Mapping[str, tuple[tuple[str, int], ...]]:
        verified = (each for each in self._oldest_first() if each.status is SessionStatus.VERIFIED)
        counting = [each for each in verified if not self._discs[each.disc_id].given_up]
        found: dict[str, tuple[tuple[str, int], ...]] = {}
        for session in counting:
            for content in session.days:
                proof = (self._discs[session.disc_id].label, session.number)
                found[content.day] = (*found.get(content.day, ()), proof)
        return found

    def find(self, pattern: PathPattern) -> Iterator[tuple[bytes, tuple[Sighting, ...]]]:
        found: dict[bytes, list[Sighting]] = {}
        for sha256, members in self._members.items():
            for member in members:
                found.setdefault(member.path, []).append(Sighting(member, sha256))
        for key, held in self._entries.items():
            whole: dict[bytes, Sighting] = {}
            for entry in held.values():
                cut = self._cut(entry)
                for full, size, sha256 in [*([cut] if cut else []), (entry.path, entry.size, entry.sha256)]:
                    if (place := place_in_day(full)) is None:
                        continue
                    inner = place[1]
                    member = Member(inner, entry.kind, size, entry.mtime_ns, sha256)
                    whole[inner] = Sighting(member, b"", self._stand(key, full))
            for inner, sighting in whole.items():
                found.setdefault(inner, []).append(sighting)
        for path, sightings in found.items():
            if pattern.matches(path):
                yield path, tuple(sightings)

    def archives(self, digests: Collection[bytes]) -> Mapping[bytes, ArchiveRecord]:
        return {each.sha256: each for each in self._all_archives() if each.sha256 in set(digests)}

    def line(self, line: bytes) -> tuple[ArchiveRecord, ...]:
        return tuple(
            each for each in self._all_archives() if any(stand.line == line for stand in each.stands)
        )

    def unread_archives(self) -> tuple[ArchiveRecord, ...]:
        unread = (Listing.UNREAD, Listing.BAD)
        return tuple(each for each in self._all_archives() if each.stands and each.listing in unread)

    def put_members(self, archive: ArchiveRecord, found: Iterable[Member]) -> None:
        if archive.rests_on and archive.rests_on not in {each.sha256 for each in self._all_archives()}:
            raise CatalogError("What it rests on is not in the catalog.")
        members: dict[bytes, Member] = {}
        for member in found:
            members.setdefault(member.path, member)
        self._archives[archive.sha256] = archive._replace(stands=())
        self._members[archive.sha256] = tuple(members.values())

    def listing(self, sha256: bytes) -> Mapping[bytes, Member]:
        return listing_of(layer for _, layer in self.layers(sha256))

    def layers(self, sha256: bytes) -> Sequence[tuple[bytes, Sequence[Member]]]:
        found: dict[bytes, Sequence[Member]] = {}
        known = {each.sha256 for each in self._all_archives()}
        while sha256 in known and sha256 not in found:
            found[sha256] = self._members.get(sha256, ())
            sha256 = self._archives[sha256].rests_on if sha256 in self._archives else b""
        return list(reversed(found.items()))

    def archives_of(self, peer: bytes) -> tuple[ArchiveRecord, ...]:
        return tuple(
            each for each in self._all_archives() if any(stand.peer == peer for stand in each.stands)
        )

    def peers(self) -> tuple[bytes, ...]:
        return tuple(
            sorted({peer_of(path) for held in self._entries.values() for path in held if peer_of(path)})
        )

    def held_at(self, path: bytes) -> Iterator[Held]:
        for held in self._held():
            if held.entry.path == path or held.entry.path.startswith(path + b"/"):
                yield held

    def held_of(self, peer: bytes, until: str) -> Iterator[Held]:
        found = [
            held
            for held in self._held()
            if peer_of(held.entry.path) == peer and held.entry.path[:10].decode() <= until
        ]
        yield from sorted(found, key=lambda held: held.entry.path[:10])

    def copies_of(self, digests: Collection[bytes]) -> Iterator[Held]:
        for held in self._held():
            if held.entry.kind == "file" and held.entry.sha256 in digests:
                yield held

    def holders(self, digests: Collection[bytes]) -> Iterator[Holder]:
        for archive, members in self._members.items():
            for member in members:
                if member.held and member.sha256 in digests:
                    yield Holder(member.sha256, archive, member.path)

    def _held(self) -> Iterator[Held]:
        there = (SessionStatus.VERIFIED, SessionStatus.BURNT, SessionStatus.CLAIMED, SessionStatus.BAD)
        for session in self._oldest_first():
            disc = self._discs[session.disc_id]
            if session.status in there and not disc.given_up:
                for entry in self._entries.get((session.disc_id, session.number), {}).values():
                    yield Held(entry, session.disc_id, disc.label, session.number, session.status)

    def _all_archives(self) -> list[ArchiveRecord]:
        stands: dict[bytes, list[Stand]] = {sha256: [] for sha256 in self._archives}
        for key, held in self._entries.items():
            for entry in held.values():
                if entry.kind == "file" and place_in_day(entry.path) and is_archive_name(entry.path):
                    cut = self._cut(entry)
                    sha256 = cut[2] if cut else entry.sha256
                    if not sha256:
                        continue
                    stands.setdefault(sha256, []).append(self._stand(key, entry.path))
        found = [
            self._archives.get(sha256, ArchiveRecord(sha256))._replace(stands=tuple(sorted(where)))
            for sha256, where in stands.items()
        ]
        return sorted(found, key=lambda each: (each.stands[:1], each.sha256))

    def _stand(self, key: tuple[str, int], path: bytes) -> Stand:
        session, disc = self._sessions[key], self._discs[key[0]]
        return Stand(path, disc.disc_id, disc.label, session.number, session.status, disc.given_up)

    def _cut(self, entry: StoredEntry) -> tuple[bytes, int, bytes] | None:
        """Path, size up to the end of this part, and digest of the file that an entry is a part of."""
        whole = whole_path(entry.path)
        for sha256, of_size in self._splits.items():
            for split in of_size.values():
                if whole and entry.sha256 in split.digests:
                    before = split.digests.index(entry.sha256) * split.part_bytes
                    return whole, before + entry.size, sha256
        return None

    def close(self) -> None:
        pass

    def _oldest_first(self) -> list[SessionRecord]:
        return sorted(self._sessions.values(), key=lambda session: session.created_at)

    def _accepted_disc(self, disc: DiscRecord) -> DiscRecord:
        for other in self._discs.values():
            if other.label == disc.label and other.disc_id != disc.disc_id:
                raise CatalogError(f"The label {disc.label} belongs to another disc.")
        return replace(disc, created_at=_utc(disc.created_at))

    def _accepted_session(self, session: SessionRecord, disc: DiscRecord | None) -> SessionRecord:
        if session.disc_id not in self._discs and (disc is None or disc.disc_id != session.disc_id):
            raise CatalogError(f"The disc {session.disc_id} is not in the catalog.")
        return replace(session, created_at=_utc(session.created_at))

    def _accepted_check(self, check: CheckRecord, sessions: Iterable[tuple[str, int]]) -> CheckRecord:
        if (check.disc_id, check.session) not in sessions:
            raise CatalogError(f"Session {check.session} of disc {check.disc_id} is not in the catalog.")
        return replace(check, at=_utc(check.at))


def _by_path(entries: Iterable[StoredEntry]) -> dict[bytes, StoredEntry]:
    held: dict[bytes, StoredEntry] = {}
    for entry in entries:
        if entry.path in held:
            raise CatalogError(f"{entry.path!r} comes twice.")
        held[entry.path] = entry
    return held


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise CatalogError(f"{time} has no offset from UTC.")
    return time.astimezone(UTC)
