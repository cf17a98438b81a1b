"""Where on discs it stands what is to be restored."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cedarchest.errors import CatalogError
from cedarchest.model.archive_names import INDEX_SUFFIX
from cedarchest.model.index import Entry, Kind
from cedarchest.model.members import ArchiveRecord
from cedarchest.model.parts import whole_path
from cedarchest.model.restoring import Chosen, Held, Piece, Place, Role, Source, Wanted, pieces_of, trust
from cedarchest.ports import Ports

log = logging.getLogger(__name__)

NOWHERE = "no disc that counts holds it"

_Takes = dict[bytes, list[bytes]]


@dataclass(slots=True)
class Sources:
    """What is read, what cannot be had and why, and what is known of attributes already."""

    sources: tuple[Source, ...] = ()
    lost: dict[bytes, str] = field(default_factory=dict)
    attributes: dict[bytes, Entry] = field(default_factory=dict)


def sources_of(chosen: Mapping[bytes, Chosen], heads: Iterable[ArchiveRecord], ports: Ports) -> Sources:
    """The sources of all that is wanted, by its path; `heads` are the archives whose indexes tell of it."""
    found = Sources()
    takes: dict[bytes, _Takes] = {}
    plain: dict[bytes, list[Chosen]] = {}
    homeless: list[Wanted] = []
    for each in chosen.values():
        wanted = each.wanted
        if each.held:
            if wanted.kind == Kind.FILE and wanted.size:
                plain.setdefault(wanted.sha256 or wanted.of, []).append(each)
        elif wanted.kind == Kind.FILE and wanted.size and not each.archive:
            homeless.append(wanted)
        elif each.archive:
            takes.setdefault(each.archive, {}).setdefault(wanted.of, []).append(wanted.target)
    sources = list(_indexes(chosen, heads, ports))
    indexed = {target for source in sources for targets in source.takes.values() for target in targets}
    for archive, members in takes.items():
        needed = [
            target
            for targets in members.values()
            for target in targets
            if _is_read(chosen[target].wanted) or target not in indexed
        ]
        if not needed:
            continue
        if (source := archive_source(archive, members, ports)) is not None:
            sources.append(source)
        else:
            homeless += [chosen[target].wanted for target in needed]
    for several in plain.values():
        targets = tuple(each.wanted.target for each in several)
        source = file_source(
            several[0].wanted, targets, [held for each in several for held in each.held], ports
        )
        if source is not None:
            sources.append(source)
        else:
            homeless += [each.wanted for each in several]
    sources += other_sources(homeless, set(takes), found.lost, ports)
    sources += _told_by_sessions(chosen, found.attributes, ports)
    found.sources = tuple(sources)
    return found


def _is_read(wanted: Wanted) -> bool:
    """Whether it has content that has to be read."""
    return wanted.kind == Kind.FILE and bool(wanted.size or not wanted.sha256)


def archive_source(archive: bytes, takes: Mapping[bytes, Sequence[bytes]], ports: Ports) -> Source | None:
    """An archive from which members are taken; None where no disc that counts has all of it."""
    record = ports.catalog.archives([archive]).get(archive)
    held = list(_held_at(record, ports)) if record else []
    pieces = pieces_of(held, ports.catalog.splits([archive]).get(archive, ()))
    if not pieces or record is None:
        return None
    path = whole_path(held[0].entry.path) or held[0].entry.path
    size = sum(piece.size for piece in pieces)
    return Source(
        Role.ARCHIVE, archive, path, size, pieces, takes={path: tuple(each) for path, each in takes.items()}
    )


def _held_at(record: ArchiveRecord, ports: Ports) -> Iterator[Held]:
    stands = {(stand.disc_id, stand.session, stand.path) for stand in record.stands}
    for path in sorted({stand.path for stand in record.stands}):
        for held in ports.catalog.held_at(path):
            if (held.disc_id, held.session, held.entry.path) in stands:
                yield held


def file_source(
    wanted: Wanted, targets: tuple[bytes, ...], held: Iterable[Held], ports: Ports
) -> Source | None:
    """A file that stands on discs as it is wanted; None where no disc that counts has all of it."""
    several = list(held)
    splits = ports.catalog.splits([wanted.sha256]) if wanted.sha256 else {}
    pieces = pieces_of(several, splits.get(wanted.sha256, ()))
    if not pieces:
        return None
    path = whole_path(several[0].entry.path) or several[0].entry.path
    return Source(Role.FILE, wanted.sha256, path, sum(piece.size for piece in pieces), pieces, targets)


def other_sources(
    wanted: Sequence[Wanted], but: Collection[bytes], lost: dict[bytes, str], ports: Ports
) -> list[Source]:
    """Where the same contents are as well, in no archive or file with a SHA-256 among `but`.

    What is nowhere is `lost`.
    """
    files = {each.target: each for each in wanted if each.kind == Kind.FILE and each.sha256}
    for each in wanted:
        if each.target not in files:
            lost.setdefault(each.target, NOWHERE)
    digests = {each.sha256 for each in files.values()}
    if not digests:
        return []
    of_content: dict[bytes, list[Wanted]] = {}
    for each in files.values():
        of_content.setdefault(each.sha256, []).append(each)
    found: list[Source] = []
    held: dict[bytes, list[Held]] = {}
    for copy in ports.catalog.copies_of(digests - set(but)):
        held.setdefault(copy.entry.sha256, []).append(copy)
    for content, copies in held.items():
        several = of_content.pop(content)
        source = file_source(several[0], tuple(each.target for each in several), copies, ports)
        found += [source] if source else []
    holders: dict[bytes, dict[bytes, bytes]] = {}
    for holder in ports.catalog.holders(set(of_content)):
        if holder.archive not in but:
            holders.setdefault(holder.archive, {}).setdefault(holder.content, holder.path)
    for archive, contents in sorted(holders.items(), key=lambda each: (-len(each[1]), each[0])):
        takes = {
            path: [each.target for each in of_content[content]]
            for content, path in contents.items()
            if content in of_content
        }
        if takes and (source := archive_source(archive, takes, ports)) is not None:
            found.append(source)
            for content in contents:
                of_content.pop(content, None)
    for several in of_content.values():
        for each in several:
            lost.setdefault(each.target, NOWHERE)
    return found


def _indexes(
    chosen: Mapping[bytes, Chosen], heads: Iterable[ArchiveRecord], ports: Ports
) -> Iterator[Source]:
    """The indexes beside archives that tell of what is wanted."""
    takes: dict[bytes, dict[bytes, tuple[bytes, ...]]] = {}
    for target, each in chosen.items():
        if each.head:
            takes.setdefault(each.head, {})[each.wanted.of] = (target,)
    for head in heads:
        if head.sha256 not in takes:
            continue
        held = [
            each
            for path in sorted({(whole_path(stand.path) or stand.path) for stand in head.stands})
            for each in ports.catalog.held_at(path + INDEX_SUFFIX)
        ]
        with_it = {(stand.disc_id, stand.session) for stand in head.stands}
        held.sort(key=lambda each: (each.disc_id, each.session) not in with_it)
        digest = held[0].entry.sha256 if held else b""
        pieces = pieces_of(each for each in held if each.entry.sha256 == digest)
        if pieces:
            size = held[0].entry.size
            asked = takes[head.sha256]
            yield Source(Role.INDEX, digest, held[0].entry.path, size, pieces, takes=asked, head=head.sha256)


def _told_by_sessions(
    chosen: Mapping[bytes, Chosen], attributes: dict[bytes, Entry], ports: Ports
) -> Iterator[Source]:
    """Attributes of what was staged: by indexes of sessions that are kept here, else by those on discs."""
    asked: dict[tuple[tuple[str, int], ...], dict[bytes, list[bytes]]] = {}
    places: dict[tuple[tuple[str, int], ...], tuple[Place, ...]] = {}
    for target, each in chosen.items():
        several = sorted((held.place for held in each.held), key=lambda place: (trust(place), place))
        same = tuple(place for place in several if place.path == several[0].path)
        if same:  # what stands in other sessions besides is told by others besides: it is a source of its own
            sessions = tuple((place.disc_id, place.session) for place in same)
            asked.setdefault(sessions, {}).setdefault(same[0].path, []).append(target)
            places.setdefault(sessions, same)
    for sessions, paths in asked.items():
        try:
            entries = ports.workspace.expected(*sessions[0])
        except CatalogError as error:
            log.info("%s", error.message)
            first = places[sessions][0]
            takes = {path: tuple(targets) for path, targets in paths.items()}
            name = f"the index of session {first.session} of {first.label}".encode()
            yield Source(Role.SESSION, b"", name, 0, (Piece(0, 0, b"", places[sessions]),), takes=takes)
            continue
        for entry in entries:
            for target in paths.get(entry.path, ()):
                attributes[target] = entry
