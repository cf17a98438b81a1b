"""Members of archives from the discs they stand on, when nothing of them is staged any more.

By the index beside an archive where there is one, which has to be the file that its session lists; else by
reading the archive through, and only if it is the one that was entered. What a disc cannot give is said and
stays unread: another copy may have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cedarchest.actions.disc_data import OtherContent, blocks_of, data_of
from cedarchest.actions.disc_joins import Joins, record_join, take_parts
from cedarchest.actions.indexing import by_listing
from cedarchest.errors import CedarchestError, DamagedDisc, StagingError, ToolMissing
from cedarchest.model.archive_names import INDEX_SUFFIX
from cedarchest.model.disc import DiscRecord, StoredEntry
from cedarchest.model.members import ArchiveRecord, Listing, Member
from cedarchest.model.names import to_text
from cedarchest.model.parts import part_place, whole_path
from cedarchest.ports import Ports, Writer

LARGEST_INDEX = 256 << 20
"""Bytes of an index that are read into memory; packed, it has some thirty for each entry."""


@dataclass(frozen=True, slots=True)
class Unindexed:
    """An archive on a disc whose members are not known, and why not."""

    label: str
    path: bytes
    why: str
    sha256: bytes = b""  # empty of one in parts that are not all known

    def __str__(self) -> str:
        return f"{self.label} /{to_text(self.path)}: {self.why}; what it holds cannot be found by name"


class AbsentArchives(NamedTuple):
    """How many archives stand on a disc that was not at hand, whose members no disc told yet."""

    label: str
    archives: int


class Indexed(NamedTuple):
    """How many archives of a disc were listed, and those that could not be."""

    archives: int
    left: tuple[Unindexed, ...]


def index_from_disc(
    writer: Writer, disc: DiscRecord, joins: Joins, ports: Ports, *, again: bool = False
) -> Indexed:
    """Enter the members of all archives on the loaded disc that are not known yet.

    Those in parts are `joins`. A disc that is looked at `again` is so for their sake only.

    Raises:
        ToolError: the drive went away.
        DiskFull, CatalogError: they cannot be recorded.
    """
    reading = _Reading(writer, disc, joins, ports)
    if wanted := sorted(_wanted(disc, ports)):
        reading.look(wanted)
        reading.by_indexes()
        reading.by_reading(only_parts=again)
    return Indexed(reading.done, tuple(reading.left))


def still_unindexed(left: Sequence[Unindexed], joins: Joins, ports: Ports) -> tuple[Unindexed, ...]:
    """Those that no other disc told meanwhile, and those in parts that are not whole."""
    in_parts = [Unindexed(join.label, join.path, join.reason) for join in joins.unfinished()]
    in_parts += [
        Unindexed(
            join.label, join.path, "its parts are on several discs, none of which has its index", join.sha256
        )
        for join in joins.whole()
        if join.sha256 not in {each.sha256 for each in left}
    ]
    kept = (*left, *in_parts)
    known = ports.catalog.archives({each.sha256 for each in kept if each.sha256})
    told = {sha256 for sha256, each in known.items() if each.listing in (Listing.INDEX, Listing.TAR)}
    return tuple(each for each in kept if each.sha256 not in told)


def absent_archives(at_hand: Iterable[str], ports: Ports) -> tuple[AbsentArchives, ...]:
    """The discs with unread archives, of which none was at hand, by label."""
    here = set(at_hand)
    counts: dict[str, int] = {}
    for archive in ports.catalog.unread_archives():
        stands = [stand for stand in archive.stands if not stand.given_up]
        if archive.listing is Listing.UNREAD and stands and not here & {stand.disc_id for stand in stands}:
            counts[stands[0].label] = counts.get(stands[0].label, 0) + 1
    return tuple(AbsentArchives(label, count) for label, count in sorted(counts.items()))


def _wanted(disc: DiscRecord, ports: Ports) -> Iterator[tuple[bytes, bytes]]:
    """Path and digest of each archive that is not read and stands on the disc, or whose index might."""
    for archive in ports.catalog.unread_archives():
        if archive.listing is Listing.UNREAD:
            here = [each.path for each in archive.stands if each.disc_id == disc.disc_id]
            paths = here or [each.path for each in archive.stands if whole_path(each.path)]
            if paths:
                yield paths[0], archive.sha256


@dataclass(frozen=True, slots=True)
class _Archive:
    """An archive on the disc: where it stands as a whole, its digest, and the files that it is."""

    path: bytes
    sha256: bytes
    files: tuple[StoredEntry, ...]

    @property
    def size(self) -> int:
        """Its bytes, as it is packed."""
        return sum(each.size for each in self.files)


class _Reading:
    """The archives of a disc, those by index first, which cost little; then the others as they stand."""

    def __init__(self, writer: Writer, disc: DiscRecord, joins: Joins, ports: Ports) -> None:
        self._writer = writer
        self._joins = joins
        self._disc = disc
        self._ports = ports
        self._archives: list[_Archive] = []
        self._indexes: dict[bytes, StoredEntry] = {}
        sessions = ports.catalog.sessions(disc.disc_id)
        self._room = 2 * sum(session.blocks for session in sessions)  # archives are joined, and read through
        self.done = 0
        self.left: list[Unindexed] = []

    def look(self, wanted: Sequence[tuple[bytes, bytes]]) -> None:
        """See where the archives and their indexes stand; parts are joined."""
        wholes = {whole_path(path) or path for path, _ in wanted}
        files: dict[bytes, StoredEntry] = {}
        for session in self._ports.catalog.sessions(self._disc.disc_id):
            for entry in self._ports.catalog.entries(self._disc.disc_id, session.number):
                whole = whole_path(entry.path) or entry.path
                if whole in wholes or whole.removesuffix(INDEX_SUFFIX) in wholes:
                    files[entry.path] = entry
        self._indexes = {path: entry for path, entry in files.items() if path.endswith(INDEX_SUFFIX)}
        in_parts: dict[tuple[bytes, int], dict[int, StoredEntry]] = {}
        for path, entry in files.items():
            number, count = part_place(path)
            if number:
                in_parts.setdefault((whole_path(path), count), {})[number] = entry
        known = self._ports.catalog.splits({sha256 for _, sha256 in wanted})
        joined = set[bytes]()
        for path, sha256 in wanted:
            if whole := whole_path(path):
                if sha256 in known:  # a disc before had all of its parts, this one may have its index
                    self._archives.append(_Archive(whole, sha256, ()))
                    joined.add(whole)
            elif path in files:
                self._archives.append(_Archive(path, sha256, (files[path],)))
        for (whole, count), parts in sorted(in_parts.items()):
            if whole not in joined:
                self._join(whole, count, parts)

    def _join(self, whole: bytes, count: int, parts: Mapping[int, StoredEntry]) -> None:
        """Go on with an archive in parts; once it is whole it is known as such."""
        join = self._joins.of(whole, count, self._disc.label)
        if not join.is_whole and take_parts(join, parts, self._chunks, self._disc.disc_id, self._ports):
            record_join(join, self._ports)
            files = tuple(each for _, each in sorted(parts.items())) if len(parts) == count else ()
            self._archives.append(_Archive(whole, join.sha256, files))

    def by_indexes(self) -> None:
        """Enter what has an index, day by day: a later one rests on an earlier one."""
        without = []
        for archive in sorted(self._archives, key=lambda each: each.path):
            self._ports.interrupts.check()
            index = self._indexes.get(archive.path + INDEX_SUFFIX)
            if index is None or not self._by_index(archive, index):
                without.append(archive)
        self._archives = without

    def _by_index(self, archive: _Archive, index: StoredEntry) -> bool:
        """Enter what the index beside an archive lists; False, with a warning, where it will not do."""
        try:
            return self._listed(archive.path, archive.sha256, self._content(index))
        except (StagingError, DamagedDisc) as error:
            return self._refused(error)

    def _content(self, index: StoredEntry) -> bytes:
        """An index as it stands.

        Raises:
            StagingError, DamagedDisc: it is not the one that was entered, or cannot be read.
        """
        if index.size > LARGEST_INDEX:
            raise StagingError(f"/{to_text(index.path)} is too large to be believed")
        return b"".join(self._chunks([index]))

    def _listed(self, path: bytes, sha256: bytes, content: bytes) -> bool:
        """Enter what an index lists; False, with a warning, where it will not do."""
        day = path[:10].decode("ascii", "replace")
        try:
            head = self._ports.archives.head_in(content, path, sha256)
            by_listing(head, self._ports.archives.listed_in(content, path), path, day, sha256, self._ports)
        except StagingError as error:
            return self._refused(error)
        self.done += 1
        return True

    def _refused(self, error: CedarchestError) -> bool:
        label = self._disc.label
        self._ports.reporter.warn(f"{label}: {error.message}; the archive itself is read instead")
        return False

    def by_reading(self, *, only_parts: bool) -> None:
        """Enter what the other archives hold, in the order in which they stand; of parts all are here."""
        least = 2 if only_parts else 1
        there = [each for each in self._archives if len(each.files) >= least]
        for archive in sorted(there, key=lambda each: each.files[0].start):
            self._ports.interrupts.check()
            self._by_reading(archive)

    def _by_reading(self, archive: _Archive) -> None:
        ports = self._ports
        ports.reporter.phase(f"listing {self._disc.label} /{to_text(archive.path)}", archive.size)

        def read(done: int) -> None:
            ports.interrupts.check()
            ports.reporter.advance(min(done, archive.size))

        chunks = self._chunks(archive.files)
        found: Sequence[Member] = ()
        elsewhere, bad = 0, ""
        try:
            try:
                with ports.unpacking.opened(archive.path, chunks) as data:
                    found, elsewhere = ports.archives.members_in(data, archive.size, archive.path, read)
            except OtherContent:
                raise
            except StagingError as error:
                bad = error.message
            for _ in chunks:  # what the tools left, so that it is known to be all that it should be
                ports.interrupts.check()
        except (DamagedDisc, OtherContent, ToolMissing) as error:
            self._leave(archive.path, error.message, archive.sha256)
            return
        if bad:
            ports.catalog.put_members(ArchiveRecord(archive.sha256, Listing.BAD, bad), ())
            self._leave(archive.path, bad, archive.sha256)
            return
        if elsewhere:
            ports.reporter.warn(
                f"{self._disc.label} /{to_text(archive.path)}: {elsewhere} of its members lead out of it, and"
                " are not found by name"
            )
        ports.catalog.put_members(ArchiveRecord(archive.sha256, Listing.TAR), found)
        self.done += 1

    def _chunks(self, files: Sequence[StoredEntry]) -> Iterator[bytes]:
        """The data of files one behind another.

        Raises:
            DamagedDisc: they cannot be read.
            OtherContent: they are others than those that were entered, or more than the disc can hold.
        """
        self._room -= sum(map(blocks_of, files))
        if self._room < 0:
            raise OtherContent("the files on the disc are larger than the disc")
        yield from data_of(self._writer, files)

    def _leave(self, path: bytes, why: str, sha256: bytes = b"") -> None:
        self.left.append(Unindexed(self._disc.label, path, why, sha256))
