"""Paths and members in the catalog: how they are found.

A search goes to an index where the pattern tells how what it matches begins; else through all names once, of
which the database leaves out those without the longest literal piece. What comes of it is held against the
pattern itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, or_, select, true

from cedarchest.adapters.catalog import schema
from cedarchest.model.disc import SessionStatus
from cedarchest.model.members import ArchiveRecord, Listing, Member, Sighting, Stand, listing_of
from cedarchest.model.names import from_text, to_text
from cedarchest.model.patterns import PathPattern

_BATCH = 4096
_FOUND_AT_ONCE = 500
_NANO = 1_000_000_000
_LAST = "\U0010ffff" * 64


def find(connection: Connection, pattern: PathPattern) -> Iterator[tuple[bytes, tuple[Sighting, ...]]]:
    """Paths that match, with all that was stored of each."""
    found = _matching(connection, pattern)
    sessions: dict[int, tuple[Any, ...]] = {}
    while batch := dict(islice(found, _FOUND_AT_ONCE)):
        sessions = sessions or _sessions(connection)
        sightings: dict[int, list[Sighting]] = {key: [] for key in batch}
        for query in (_in_archives(batch), _in_days(batch)):
            for row in connection.execute(query):
                path, stand = batch[row.path_id], None
                if row.folder is not None:
                    stand = Stand(from_text(row.folder) + b"/" + path, *sessions[row.session_id])
                member = _member(path, row)
                sightings[row.path_id].append(Sighting(member, row.archive or b"", stand))
        for key, path in batch.items():
            if sightings[key]:
                yield path, tuple(sightings[key])


def _in_archives(keys: Iterable[int]) -> Select[Any]:
    """Members of archives, and files that are stored in parts, by the keys of their paths."""
    members, trees = schema.members, schema.trees
    return (
        select(members, trees.c.sha256.label("archive"), trees.c.session_id, trees.c.folder)
        .join(trees, trees.c.id == members.c.tree_id)
        .where(members.c.path_id.in_(list(keys)))
        .order_by(members.c.tree_id)
    )


def _in_days(keys: Iterable[int]) -> Select[Any]:
    """What stands in days, by the keys of the paths."""
    located, trees, entries = schema.located, schema.trees, schema.entries
    folders, paths = schema.folders, schema.paths
    above = case((folders.c.path == "", ""), else_=folders.c.path + "/")
    full = trees.c.folder + "/" + above + paths.c.name
    return (
        select(located.c.path_id, entries, trees.c.sha256.label("archive"), trees.c.folder)
        .add_columns(true().label("held"))
        .select_from(
            located.join(trees, trees.c.id == located.c.tree_id)
            .join(paths, paths.c.id == located.c.path_id)
            .join(folders, folders.c.id == paths.c.folder_id)
            .join(entries, and_(entries.c.session_id == trees.c.session_id, entries.c.path == full))
        )
        .where(located.c.path_id.in_(list(keys)))
        .order_by(located.c.tree_id)
    )


def _member(path: bytes, row: Any) -> Member:
    mtime_ns = row.mtime_s * _NANO + row.mtime_ns
    return Member(path, row.kind, row.size, mtime_ns, row.sha256, bool(row.held))


def _sessions(connection: Connection) -> dict[int, tuple[Any, ...]]:
    """Of each session, by key, what a stand says of it."""
    sessions, discs = schema.sessions, schema.discs
    query = select(
        sessions.c.id, discs.c.disc_id, discs.c.label, sessions.c.number, sessions.c.status, discs.c.given_up
    ).join(discs, discs.c.disc_id == sessions.c.disc_id)
    return {
        key: (disc_id, label, number, SessionStatus(status), given_up)
        for key, disc_id, label, number, status, given_up in connection.execute(query)
    }


def _matching(connection: Connection, pattern: PathPattern) -> Iterator[tuple[int, bytes]]:
    """Key and path of all that match; none comes twice."""
    paths, folders = schema.paths, schema.folders
    for condition in _conditions(pattern):
        query = (
            select(paths.c.id, folders.c.path, paths.c.name)
            .join(folders, folders.c.id == paths.c.folder_id)
            .where(condition)
        )
        yield from _held_against(pattern, connection, query)


def _held_against(
    pattern: PathPattern, connection: Connection, query: Select[Any]
) -> Iterator[tuple[int, bytes]]:
    rows = connection.execute(query, execution_options={"yield_per": _BATCH})
    by_name = not pattern.of_path
    search = pattern.regex.search
    for key, folder, name in rows:
        if by_name and "\\" not in name:
            if search(name) is None:
                continue
            path = from_text(f"{folder}/{name}" if folder else name)
        else:
            path = from_text(f"{folder}/{name}" if folder else name)
            if not pattern.matches(path):
                continue
        yield key, path


def _conditions(pattern: PathPattern) -> list[ColumnElement[bool]]:
    """What the database can tell of a path that matches, as questions that no path answers twice."""
    folder, name = schema.folders.c.path, schema.paths.c.name
    start, piece = _text(pattern.start), _text(pattern.piece)
    if not pattern.of_path:
        if pattern.exact:
            return [name == start]
        if start:
            return [_begins(name, start)]
        return [name.contains(piece, autoescape=True)]
    above, _, rest = start.rpartition("/")
    if pattern.exact:
        return [and_(folder == above, name == rest)]
    if start:
        at = [folder == above, _begins(name, rest)] if rest else [folder == above]
        return [and_(*at), _begins(folder, start)]
    if piece:
        has = (folder.contains(piece, autoescape=True), name.contains(piece, autoescape=True))
        return [or_(*has)]
    return [schema.paths.c.id.is_not(None)]


def _text(literal: str) -> str:
    return to_text(literal.encode("utf-8", "surrogateescape"))


def _begins(column: ColumnElement[str], start: str) -> ColumnElement[bool]:
    return and_(column >= start, column < start + _LAST)


# -- archives ---------------------------------------------------------------------------------------


def archives(connection: Connection, query: Select[Any]) -> dict[bytes, ArchiveRecord]:
    """The archives whose keys a query gives, with all places they stand at, oldest day first."""
    trees, stands, below = schema.trees, schema.stands, schema.trees.alias()
    rows = connection.execute(
        select(
            trees.c.sha256,
            trees.c.listing,
            trees.c.reason,
            trees.c.unread,
            below.c.sha256,
            stands.c.path,
            stands.c.session_id,
        )
        .join(below, below.c.id == trees.c.rests_on, isouter=True)
        .join(stands, stands.c.tree_id == trees.c.id, isouter=True)
        .where(trees.c.id.in_(query), trees.c.sha256.is_not(None))
    ).all()
    sessions = _sessions(connection) if rows else {}
    found: dict[bytes, ArchiveRecord] = {}
    for sha256, listing, reason, unread, rests_on, path, session in rows:
        record = found.get(sha256) or ArchiveRecord(
            sha256,
            Listing(listing),
            reason or "",
            rests_on or b"",
            unread=frozenset(map(from_text, unread or ())),
        )
        if path is not None:
            stand = Stand(from_text(path), *sessions[session])
            record = record._replace(stands=(*record.stands, stand))
        found[sha256] = record
    ordered = [each._replace(stands=tuple(sorted(each.stands))) for each in found.values()]
    ordered.sort(key=lambda each: (each.stands[:1], each.sha256))
    return {each.sha256: each for each in ordered}


def listing(connection: Connection, sha256: bytes) -> Mapping[bytes, Member]:
    """All that there was when an archive was made."""
    return listing_of(layer for _, layer in layers(connection, sha256))


def layers(connection: Connection, sha256: bytes) -> Iterator[tuple[bytes, Iterator[Member]]]:
    """What is kept of the listing of an archive and, before it, of each that it rests on."""
    trees = schema.trees
    query = select(trees.c.id, trees.c.sha256, trees.c.rests_on)
    row = connection.execute(query.where(trees.c.sha256 == sha256)).first()
    found: dict[int, bytes] = {}
    while row is not None and row.id not in found:
        found[row.id] = row.sha256
        row = connection.execute(query.where(trees.c.id == row.rests_on)).first()
    for key, archive in reversed(found.items()):
        yield archive, _layer(connection, key)


def _layer(connection: Connection, key: int) -> Iterator[Member]:
    members, paths, folders = schema.members, schema.paths, schema.folders
    told = members.c
    query = (
        select(folders.c.path, paths.c.name, told.kind, told.size, told.mtime_s, told.mtime_ns)
        .add_columns(told.sha256, told.held)
        .select_from(members)
        .join(paths, paths.c.id == told.path_id)
        .join(folders, folders.c.id == paths.c.folder_id)
        .where(told.tree_id == key)
    )
    rows = connection.execute(query, execution_options={"yield_per": _BATCH})
    for folder, name, kind, size, seconds, nanoseconds, sha256, held in rows:
        path = from_text(f"{folder}/{name}" if folder else name)
        yield Member(path, kind, size, seconds * _NANO + nanoseconds, sha256, held)
