"""Paths and members in the catalog: how they are recorded.

It goes through the driver in batches, since a session may have a million entries; `searching` finds them
again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import (
    Connection,
    delete,
    func,
    insert,
    select,
    update,
)

from cedarchest.adapters.catalog import schema
from cedarchest.adapters.catalog.rows import Insertion
from cedarchest.errors import CatalogError
from cedarchest.model.members import (
    ArchiveRecord,
    Listing,
    Member,
    is_archive_name,
    line_of,
    place_in_day,
)
from cedarchest.model.names import from_text, to_text
from cedarchest.model.parts import whole_path

_BATCH = 4096
_KEPT_FOLDERS = 20_000
_NANO = 1_000_000_000

_UNLESS_THERE = "ON CONFLICT DO NOTHING"
_INSERT_FOLDERS = Insertion("folders", "id", "path")
_INSERT_PATHS = Insertion("paths", "id", "folder_id", "name")
_INSERT_MEMBERS = Insertion(
    "members",
    "path_id", "tree_id", "kind", "size", "mtime_s", "mtime_ns", "sha256", "held",
    otherwise=_UNLESS_THERE,
)  # fmt: skip
_INSERT_LOCATED = Insertion("located", "path_id", "tree_id", otherwise=_UNLESS_THERE)
_ASKED_AT_ONCE = 256
_KNOWN_FOLDERS = "SELECT path, id FROM folders WHERE path IN (?" + ", ?" * (_ASKED_AT_ONCE - 1) + ")"
_KNOWN_PATHS = (
    "WITH wanted (folder_id, name) AS (VALUES (?, ?)"
    + ", (?, ?)" * (_ASKED_AT_ONCE - 1)
    + ") SELECT paths.folder_id, paths.name, paths.id FROM wanted JOIN paths "
    "ON paths.folder_id = wanted.folder_id AND paths.name = wanted.name"
)


class PathKeys:
    """Keys of paths, in one transaction that alone writes: so new ones are counted here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._folders: dict[str, int] = {}
        self._new: set[int] = set()
        self._next_folder = (connection.scalar(select(func.max(schema.folders.c.id))) or 0) + 1
        self._next_path = (connection.scalar(select(func.max(schema.paths.c.id))) or 0) + 1

    def of_folders(self, folders: set[str]) -> dict[str, int]:
        """The keys of some folders, and of others; those that are new are entered."""
        self._new.clear()
        if len(self._folders) > _KEPT_FOLDERS:
            self._folders.clear()
        missing = sorted(folders - self._folders.keys())
        for few in _few(missing):
            asked = (*few, *([None] * (_ASKED_AT_ONCE - len(few))))
            for folder, key in self._connection.exec_driver_sql(_KNOWN_FOLDERS, asked):
                self._folders[folder] = key
        new = [folder for folder in missing if folder not in self._folders]
        keys = range(self._next_folder, self._next_folder + len(new))
        self._next_folder += len(new)
        self._folders.update(zip(new, keys, strict=True))
        self._new.update(keys)
        _INSERT_FOLDERS.run(self._connection, list(zip(keys, new, strict=True)))
        return self._folders

    def of_paths(self, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """The keys of paths, given by the key of their folder and their name; new ones are entered.

        Their folders are among those that were asked for last.
        """
        known = self._known([place for place in places if place[0] not in self._new])
        added = [place for place in dict.fromkeys(places) if place not in known]
        keys = range(self._next_path, self._next_path + len(added))
        self._next_path += len(added)
        known.update(zip(added, keys, strict=True))
        rows = [(key, folder, name) for key, (folder, name) in zip(keys, added, strict=True)]
        _INSERT_PATHS.run(self._connection, rows)
        return known

    def _known(self, places: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
        known: dict[tuple[int, str], int] = {}
        for few in _few(places):
            asked: list[int | str | None] = [value for place in few for value in place]
            asked += [None, None] * (_ASKED_AT_ONCE - len(few))
            for folder, name, key in self._connection.exec_driver_sql(_KNOWN_PATHS, tuple(asked)):
                known[folder, name] = key
        return known


def write_members(connection: Connection, keys: PathKeys, tree: int, members: Iterable[Member]) -> None:
    """Enter members of a tree; a path that it has already is passed over."""
    coming = iter(members)
    while batch := list(islice(coming, _BATCH)):
        parts = [to_text(member.path).rpartition("/") for member in batch]
        folders = keys.of_folders({folder for folder, _, _ in parts})
        places = [(folders[folder], name) for folder, _, name in parts]
        known = keys.of_paths(places)
        rows = [
            (known[place], tree, str(kind), size, mtime_ns // _NANO, mtime_ns % _NANO, sha256, held)
            for place, (_, kind, size, mtime_ns, sha256, held) in zip(places, batch, strict=True)
        ]
        _INSERT_MEMBERS.run(connection, rows)


T = TypeVar("T")


def _few(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), _ASKED_AT_ONCE):
        yield things[start : start + _ASKED_AT_ONCE]


EntryRow = tuple[int, str, str, int, int, int, bytes, int, bytes]
"""A row of `entries`."""

_FOLDER_IN_DAY = re.compile(r"(\d{4}/\d{2}/\d{2}/[^/]+)(?:/(.*))?", re.DOTALL)


class SessionPaths:
    """Enters the paths of what a session holds, in batches of its rows, and the archives that stand in it.

    What entries are stays in their own table. Only of files of which the session has parts the whole is
    entered as a member.
    """

    def __init__(self, connection: Connection, session: int) -> None:
        self._connection = connection
        self._session = session
        self._keys = PathKeys(connection)
        self._trees = _trees_of(connection, session)
        self._places: dict[str, tuple[int, str] | None] = {}
        self._cut: dict[str, tuple[int, Member]] = {}

    def write(self, rows: Sequence[EntryRow]) -> None:
        """Enter some of its entries; what stands in no peer's folder of a day is no path that was stored."""
        parts = [row[1].rpartition("/") for row in rows]
        self._know({above for above, _, _ in parts})
        inside = [(place, name) for above, _, name in parts if (place := self._places[above])]
        self._files([row for row in rows if row[2] == "file" and (".t" in row[1] or ".part-" in row[1])])
        folders = self._keys.of_folders({folder for (_, folder), _ in inside})
        found = [(tree, (folders[folder], name)) for (tree, folder), name in inside]
        known = self._keys.of_paths([place for _, place in found])
        _INSERT_LOCATED.run(self._connection, [(known[place], tree) for tree, place in found])

    def finish(self) -> None:
        """Enter the files of which it has parts, as the wholes that they are."""
        for tree, member in self._cut.values():
            write_members(self._connection, self._keys, tree, [member])
        self._cut.clear()

    def _know(self, folders: set[str]) -> None:
        """See to it that the tree that each folder of the disc is in is known, and where in it."""
        if len(self._places) > _KEPT_FOLDERS:
            self._places.clear()
        for folder in folders - self._places.keys():
            match = _FOLDER_IN_DAY.fullmatch(folder)
            self._places[folder] = (self._tree(match[1]), match[2] or "") if match else None

    def _tree(self, folder: str) -> int:
        key = self._trees.get(folder)
        if key is None:
            query = insert(schema.trees).values(session_id=self._session, folder=folder)
            key = int(self._connection.execute(query.returning(schema.trees.c.id)).scalar_one())
            self._trees[folder] = key
        return key

    def _files(self, rows: Iterable[EntryRow]) -> None:
        """See which of some files are archives, or parts of a file that was cut."""
        for row in rows:
            path, sha256 = from_text(row[1]), row[6]
            if place_in_day(path) is None:
                continue
            whole = whole_path(path)
            sha256 = (whole and self._part(row, whole)) or sha256
            if sha256 and is_archive_name(path):
                tree = archive_key(self._connection, sha256)
                values = {"session_id": self._session, "tree_id": tree, "path": row[1]}
                line = to_text(line_of(path))
                self._connection.execute(insert(schema.stands).values(line=line, **values))

    def _part(self, row: EntryRow, whole: bytes) -> bytes:
        """The digest of the file that an entry is a part of; empty where it is none."""
        table = schema.splits
        query = select(table.c.sha256, table.c.position, table.c.part_bytes)
        cut = self._connection.execute(query.where(table.c.part_sha256 == row[6])).first()
        place = place_in_day(whole)
        if cut is None or place is None:
            return b""
        tree = self._tree(to_text(place[0]))
        size, mtime_ns = cut.position * cut.part_bytes + row[3], row[4] * _NANO + row[5]
        self._cut[row[1].rpartition(".part-")[0]] = tree, Member(place[1], row[2], size, mtime_ns, cut.sha256)
        return bytes(cut.sha256)


def _trees_of(connection: Connection, session: int) -> dict[str, int]:
    table = schema.trees
    query = select(table.c.folder, table.c.id).where(table.c.session_id == session)
    return {row.folder: row.id for row in connection.execute(query)}


def archive_key(connection: Connection, sha256: bytes) -> int:
    """The key of an archive, which is made where there is none."""
    table = schema.trees
    key = connection.scalar(select(table.c.id).where(table.c.sha256 == sha256))
    if key is None:
        query = insert(table).values(sha256=sha256, listing=Listing.UNREAD.value).returning(table.c.id)
        key = int(connection.execute(query).scalar_one())
    return key


def forget_session(connection: Connection, session: int) -> None:
    """Take away what a session held; archives stay known, since they may stand elsewhere.

    What says where paths are located stays: entries that are not there any more are not found by it.
    """
    trees, members, stands = schema.trees, schema.members, schema.stands
    own = select(trees.c.id).where(trees.c.session_id == session)
    connection.execute(delete(members).where(members.c.tree_id.in_(own)))
    connection.execute(delete(stands).where(stands.c.session_id == session))


def record_earlier(connection: Connection) -> None:
    """Enter the paths of all sessions that an earlier version recorded."""
    entries = schema.entries
    for session in connection.scalars(select(schema.sessions.c.id)).all():
        held = SessionPaths(connection, session)
        rows = connection.execute(select(entries).where(entries.c.session_id == session))
        while batch := rows.fetchmany(_BATCH):
            held.write([tuple(row) for row in batch])
        held.finish()


def put_members(connection: Connection, archive: ArchiveRecord, members: Iterable[Member]) -> None:
    """Enter how members of an archive are known, and which."""
    rests_on = None
    if archive.rests_on:
        table = schema.trees
        rests_on = connection.scalar(select(table.c.id).where(table.c.sha256 == archive.rests_on))
        if rests_on is None:
            raise CatalogError(
                f"The members of an archive rest on another one, {archive.rests_on.hex()}, which is not"
                " in the catalog."
            )
    key = archive_key(connection, archive.sha256)
    known = {"listing": archive.listing.value, "reason": archive.reason, "rests_on": rests_on}
    known["unread"] = tuple(map(to_text, sorted(archive.unread))) or None
    connection.execute(update(schema.trees).where(schema.trees.c.id == key).values(**known))
    connection.execute(delete(schema.members).where(schema.members.c.tree_id == key))
    write_members(connection, PathKeys(connection), key, members)
