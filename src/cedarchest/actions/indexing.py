"""Members of archives come into the catalog once the archives are on disc, as long as they are staged.

Whatever was stored by whichever run, and proven or not yet: what the catalog does not know the members of,
and is still staged as it was stored, is read. Nothing of a store depends on it: what cannot be read is a
warning, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cedarchest.config.model import Config
from cedarchest.errors import CatalogError, CedarchestError, DiskFull, Interrupted, StagingError
from cedarchest.model.index import Entry, Kind
from cedarchest.model.members import ArchiveRecord, Listing, Member, is_archive_name, line_of, told_anew
from cedarchest.model.names import to_text
from cedarchest.model.parts import whole_path
from cedarchest.ports import DayIndex, IndexHead, Ports


def index_archives(config: Config, ports: Ports, written: Iterable[DayIndex] = ()) -> None:
    """Read the members of all archives that are on discs, not known yet, and staged.

    `written` are days that are on a disc, perhaps not proven yet.
    """
    days = {day.day: day for day in written}
    try:
        wanted = {path: each.sha256 for each in _unread(ports) for path in _places(each)}
        for day in sorted({path[:10].decode("ascii", "replace") for path in wanted} - days.keys()):
            if config.stage and (found := _look(config, day, ports)):
                days[day] = found
        for _, each in sorted(days.items()):
            for entry in each.entries:
                if entry.kind is Kind.FILE and is_archive_name(entry.path):
                    _index(each, entry, ports)
    except Interrupted:
        raise
    except CedarchestError as error:
        ports.reporter.warn(f"the members of archives could not be entered in the catalog: {error.message}")


def _unread(ports: Ports) -> list[ArchiveRecord]:
    return [each for each in ports.catalog.unread_archives() if each.listing is Listing.UNREAD]


def _places(archive: ArchiveRecord) -> set[bytes]:
    """Where an archive stands, by its own path where it is in parts."""
    return {whole_path(stand.path) or stand.path for stand in archive.stands}


def _look(config: Config, day: str, ports: Ports) -> DayIndex | None:
    """A day as it is staged, by what its index knows; None where it is not."""
    directory = config.require_stage().dir / day
    if not directory.is_dir():
        return None
    try:
        return ports.staging.look(directory, day)
    except StagingError as error:
        ports.reporter.warn(error.message)
        return None


def _index(day: DayIndex, entry: Entry, ports: Ports) -> None:
    """Enter the members of an archive that are not known: by its index, else by reading it."""
    if not entry.sha256:
        return
    known = ports.catalog.archives([entry.sha256]).get(entry.sha256)
    if known is not None and known.listing is not Listing.UNREAD:
        return
    path = entry.path[len(day.day) + 1 :]
    try:
        if _by_index(day, path, entry.sha256, ports):
            return
    except (CatalogError, DiskFull):
        raise
    except StagingError as error:
        ports.reporter.warn(f"{day.day}: {error.message}; the archive itself is read instead")
    _by_reading(day, path, entry, ports)


def _by_index(day: DayIndex, path: bytes, sha256: bytes, ports: Ports) -> bool:
    """Enter what the index beside an archive lists; False where there is none."""
    head = ports.archives.index_head(day.directory, path, sha256)
    if head is None:
        return False
    listed = ports.archives.listed(day.directory, path)
    by_listing(head, listed, day.day.encode() + b"/" + path, day.day, sha256, ports)
    return True


def by_listing(
    head: IndexHead, listed: Iterable[Member], path: bytes, day: str, sha256: bytes, ports: Ports
) -> None:
    """Enter what the index of an archive at a path of a disc lists: what is new beside the one before."""
    base = b"" if head.is_whole else _newest_listing(line_of(path), day, ports)
    before: Mapping[bytes, Member] = ports.catalog.listing(base) if base else {}
    record = ArchiveRecord(sha256, Listing.INDEX, rests_on=base, unread=head.unread)
    ports.catalog.put_members(record, told_anew(listed, before))


def _newest_listing(line: bytes, day: str, ports: Ports) -> bytes:
    """Of the archives of a line that stand on discs since earlier days the newest whose listing is known."""
    newest = (b"", b"")
    for archive in ports.catalog.line(line):
        if archive.listing is Listing.INDEX:
            days = [stand.day for stand in archive.stands if stand.line == line and stand.day < day]
            newest = max(newest, (max(days, default="").encode(), archive.sha256)) if days else newest
    return newest[1]


def _by_reading(day: DayIndex, path: bytes, entry: Entry, ports: Ports) -> None:
    """Enter what an archive holds; one that cannot be read is known as such from then on."""
    ports.reporter.phase(f"listing {to_text(path)}", entry.size)

    def read(done: int) -> None:
        ports.interrupts.check()
        ports.reporter.advance(min(done, entry.size))

    try:
        found, elsewhere = ports.archives.members(day.directory, path, read)
    except StagingError as error:
        ports.reporter.warn(f"{day.day}: {error.message}; what it holds cannot be found by name")
        ports.catalog.put_members(ArchiveRecord(entry.sha256, Listing.BAD, error.message), ())
        return
    if elsewhere:
        ports.reporter.warn(
            f"{day.day}/{to_text(path)}: {elsewhere} of its members lead out of it, and are not found by name"
        )
    ports.catalog.put_members(ArchiveRecord(entry.sha256, Listing.TAR), found)
