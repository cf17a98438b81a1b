"""The find action: which paths were ever stored, and which discs have them.

    pattern → paths of the catalog, with archives' members → histories → those that are asked for

What is burnt and not proven yet is found by what was written of it. Nothing is written, no disc asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cedarchest.errors import CatalogError
from cedarchest.model.disc import SessionRecord, SessionStatus
from cedarchest.model.history import History, Version, histories
from cedarchest.model.index import Entry
from cedarchest.model.members import (
    ArchiveRecord,
    Listing,
    Sighting,
    Stand,
    is_archive_name,
    member_of,
    place_in_day,
)
from cedarchest.model.parts import whole_path
from cedarchest.model.patterns import PathPattern
from cedarchest.ports import Ports

FOUND_AT_MOST = 1000
"""How many paths are told unless more are asked for."""


@dataclass(frozen=True, slots=True)
class FindOptions:
    """What is looked for: paths, of one peer, stored on days `between` (both included), deleted ones only.

    Days are `YYYY/MM/DD`; no more than `limit` paths are told, all with 0.
    """

    pattern: PathPattern
    peer: bytes = b""
    between: tuple[str, str] | None = None
    deleted: bool = False
    limit: int = FOUND_AT_MOST


@dataclass(frozen=True, slots=True)
class FindReport:
    """Paths that were found, by peer and path; `more` when there are others, and what was not searched.

    `unread` are archives whose members are not known, `bad` those that could not be read.
    """

    found: tuple[History, ...]
    more: bool = False
    unread: int = 0
    bad: int = 0


def execute_find(options: FindOptions, *, ports: Ports) -> FindReport:
    """Find paths, with all that became of each."""
    found: list[History] = []
    more = False
    for history in _wanted(options, ports):
        if options.limit and len(found) >= options.limit:
            more = True
            break
        found.append(history)
    found.sort(key=lambda each: (each.peer, each.path))
    unread = [each.listing for each in ports.catalog.unread_archives()]
    return FindReport(
        tuple(found), more, unread.count(Listing.UNREAD), sum(each is Listing.BAD for each in unread)
    )


def _wanted(options: FindOptions, ports: Ports) -> Iterator[History]:
    for history in every_history(options.pattern, ports):
        if options.peer and history.peer != options.peer:
            continue
        if options.deleted and not history.deleted:
            continue
        if options.pattern.folders_only and history.newest.member.kind != "dir":
            continue
        if options.between is None:
            yield history
        elif options.deleted:
            if options.between[0] <= history.deleted <= options.between[1]:
                yield history
        elif versions := tuple(_within(history.versions, *options.between)):
            yield History(history.peer, history.path, versions, history.deleted)


def _within(versions: Iterable[Version], first: str, last: str) -> Iterator[Version]:
    """Versions with the days that lie between two, without those that have none."""
    for version in versions:
        days = tuple(day for day in version.days if first <= day <= last)
        if days:
            yield Version(version.member, days, version.copies)


# -- what became of paths ---------------------------------------------------------------------------

_AT_ONCE = 500


def every_history(pattern: PathPattern, ports: Ports) -> Iterator[History]:
    """What became of every path that matches, on each peer."""
    unproven = Unproven.of(ports)
    waiting = unproven.matching(pattern)
    lines: dict[bytes, tuple[ArchiveRecord, ...]] = {}

    def line(name: bytes) -> tuple[ArchiveRecord, ...]:
        if name not in lines:
            lines[name] = tuple(map(unproven.placed, ports.catalog.line(name)))
        return lines[name]

    batch: list[tuple[bytes, Sequence[Sighting]]] = []
    for path, sightings in ports.catalog.find(pattern):
        batch.append((path, (*sightings, *waiting.pop(path, ()))))
        if len(batch) == _AT_ONCE:
            yield from _histories(batch, unproven, line, ports)
            batch = []
    batch += [(path, sightings) for path, sightings in waiting.items()]
    yield from _histories(batch, unproven, line, ports)


def _histories(
    batch: Iterable[tuple[bytes, Sequence[Sighting]]],
    unproven: Unproven,
    line: Callable[[bytes], tuple[ArchiveRecord, ...]],
    ports: Ports,
) -> Iterator[History]:
    several = list(batch)
    digests = {sighting.archive for _, sightings in several for sighting in sightings if sighting.archive}
    known = ports.catalog.archives(digests)
    archives = {sha256: unproven.placed(archive) for sha256, archive in known.items()}
    for path, sightings in several:
        yield from histories(path, sightings, archives, line)


@dataclass
class Unproven:
    """What stands on discs by what was written, and was not read back yet."""

    entries: list[tuple[Stand, Entry]] = field(default_factory=list)
    archives: dict[bytes, list[Stand]] = field(default_factory=dict)

    @classmethod
    def of(cls, ports: Ports) -> Unproven:
        """All of it; what is not known any more of a session is a warning."""
        found = cls()
        labels = {disc.disc_id: disc.label for disc in ports.catalog.discs()}
        for session in ports.catalog.open_sessions():
            if session.status is SessionStatus.BURNT:
                try:
                    found._add(session, labels[session.disc_id], ports)
                except CatalogError as error:
                    ports.reporter.warn(f"{labels[session.disc_id]} is not proven, and not searched: {error}")
        return found

    def _add(self, session: SessionRecord, label: str, ports: Ports) -> None:
        for entry in ports.workspace.expected(session.disc_id, session.number):
            if place_in_day(entry.path) is None:
                continue
            stand = Stand(entry.path, session.disc_id, label, session.number, session.status)
            self.entries.append((stand, entry))
            if entry.sha256 and is_archive_name(entry.path) and not whole_path(entry.path):
                self.archives.setdefault(entry.sha256, []).append(stand)

    def matching(self, pattern: PathPattern) -> dict[bytes, list[Sighting]]:
        """By path what stands in days itself."""
        found: dict[bytes, list[Sighting]] = {}
        for stand, entry in self.entries:
            place = place_in_day(entry.path)
            if place is not None and pattern.matches(place[1]):
                found.setdefault(place[1], []).append(Sighting(member_of(entry, place[1]), b"", stand))
        return found

    def placed(self, archive: ArchiveRecord) -> ArchiveRecord:
        """An archive with all places it stands at, the unproven ones too."""
        more = self.archives.get(archive.sha256, ())
        return archive._replace(stands=tuple(sorted((*archive.stands, *more)))) if more else archive
