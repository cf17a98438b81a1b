"""The catalog port over SQLAlchemy Core; each call is one transaction.

All of the port stands in this one class, a few lines a call; what rows mean, searches and what is held where
have modules of their own.

Rows are known by what the records carry (disc id, session number); integer keys stay inside and
say in which order records came where their times are equal.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from cedarchest.adapters.catalog import holding, members, schema, searching
from cedarchest.adapters.catalog.database import Database, open_database
from cedarchest.adapters.catalog.rows import (
    INSERT_ENTRIES,
    check_of,
    check_values,
    day_values,
    disc_of,
    disc_values,
    entry_of,
    entry_values,
    session_of,
    session_values,
    turns_of,
    turns_values,
)
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
from cedarchest.model.members import ArchiveRecord, Holder, Listing, Member, Sighting
from cedarchest.model.names import to_text
from cedarchest.model.parts import Split, held_in_parts
from cedarchest.model.patterns import PathPattern
from cedarchest.model.restoring import Held
from cedarchest.model.turns import Turns

BUSY_TIMEOUT_S = 30.0
"""How long another writer is waited for: recording a million entries takes some ten seconds."""

_BATCH = 4096


def open_catalog(url: str, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> SqlCatalog:
    """The catalog at `sqlite:///PATH`.

    The file (0600) and its folder (0700) are made when absent, and an earlier schema is migrated.
    With `read_only` no file is made or changed: an absent one is an empty catalog, and what would
    write raises `CatalogError`.

    Raises:
        CatalogError: the URL is of no use, or the file cannot be used; says why.
        DiskFull: there is no room for it.
    """
    return SqlCatalog(
        open_database(_path_of(url), read_only=read_only, busy_timeout_s=busy_timeout_s),
    )


def _path_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or parsed.query:
        raise CatalogError(
            "The URL of the catalog is not one of a SQLite file.",
            advice='Write `url = "sqlite:////absolute/path"` in the table [catalog] of the configuration.',
        )
    if parsed.database in (None, "", ":memory:"):
        raise CatalogError(
            f"The URL of the catalog, {url}, names no file.",
            advice='Write `url = "sqlite:////absolute/path"` in the table [catalog] of the configuration.',
        )
    return Path(str(parsed.database))


class SqlCatalog:
    """A catalog in a database; made by `open_catalog`, usable as a context manager."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def discs(self) -> tuple[DiscRecord, ...]:
        """All discs, oldest first."""
        query = select(schema.discs).order_by(schema.discs.c.created_at, schema.discs.c.id)
        with self._database.reading() as connection:
            return tuple(disc_of(row) for row in connection.execute(query))

    def put_disc(self, disc: DiscRecord) -> None:
        """Insert or update by disc id.

        Raises:
            CatalogError: another disc has this label.
        """
        with self._database.writing() as connection:
            self._put_disc(connection, disc)

    def sessions(self, disc_id: str) -> tuple[SessionRecord, ...]:
        """The sessions of a disc by number."""
        table = schema.sessions
        query = select(table).where(table.c.disc_id == disc_id).order_by(table.c.number)
        with self._database.reading() as connection:
            return _sessions(connection, query)

    def open_sessions(self) -> tuple[SessionRecord, ...]:
        """Sessions that are intended or burnt, of all discs not given up, oldest first."""
        table, discs = schema.sessions, schema.discs
        unsettled = (SessionStatus.INTENDED.value, SessionStatus.BURNT.value)
        query = (
            select(table)
            .join(discs, discs.c.disc_id == table.c.disc_id)
            .where(table.c.status.in_(unsettled), discs.c.given_up.is_(False))
            .order_by(table.c.created_at, table.c.id)
        )
        with self._database.reading() as connection:
            return _sessions(connection, query)

    def put_session(self, session: SessionRecord, disc: DiscRecord | None = None) -> None:
        """Insert or update a session by disc and number, with its disc in the same transaction.

        Raises:
            CatalogError: the disc is not in the catalog, or another one has its label.
        """
        with self._database.writing() as connection:
            if disc is not None:
                self._put_disc(connection, disc)
            _put_session(connection, session)

    def enter(self, session: SessionRecord, entries: Iterable[StoredEntry], disc: DiscRecord) -> None:
        """A session with what a disc says that it holds (replacing any), and its disc, all or nothing.

        What `entries` raises comes through, and nothing is changed.

        Raises:
            CatalogError: another disc has this label.
        """
        with self._database.writing() as connection:
            self._put_disc(connection, disc)
            _put_entries(connection, _put_session(connection, session), entries)

    def record_proof(
        self, session: SessionRecord, entries: Iterable[StoredEntry], check: CheckRecord
    ) -> None:
        """A session's outcome, the entries it holds (replacing any) and the check, all or nothing.

        What `entries` raises comes through, and nothing is changed.
        """
        with self._database.writing() as connection:
            _put_entries(connection, _put_session(connection, session), entries)
            self._add_check(connection, check)

    def add_check(self, check: CheckRecord) -> None:
        """A later check of a session that is recorded already.

        Raises:
            CatalogError: the session is not in the catalog.
        """
        with self._database.writing() as connection:
            self._add_check(connection, check)

    def checks(self, disc_id: str) -> tuple[CheckRecord, ...]:
        """The checks of a disc, oldest first."""
        checks, sessions = schema.checks, schema.sessions
        query = (
            select(sessions.c.disc_id, sessions.c.number, checks)
            .join(sessions, checks.c.session_id == sessions.c.id)
            .where(sessions.c.disc_id == disc_id)
            .order_by(checks.c.at, checks.c.id)
        )
        with self._database.reading() as connection:
            return tuple(check_of(row) for row in connection.execute(query))

    def turns(self, disc_id: str) -> Mapping[int, Turns]:
        """What audits have read of a disc's sessions, by their numbers; nothing of those that none read."""
        table, sessions = schema.turns, schema.sessions
        query = (
            select(sessions.c.number, table)
            .join(sessions, table.c.session_id == sessions.c.id)
            .where(sessions.c.disc_id == disc_id)
            .order_by(sessions.c.number)
        )
        with self._database.reading() as connection:
            return {row.number: turns_of(row) for row in connection.execute(query)}

    def put_turns(self, disc_id: str, turns: Mapping[int, Turns]) -> None:
        """What audits have read of some sessions of a disc, in place of what was; all or nothing.

        Raises:
            CatalogError: a session is not in the catalog.
        """
        with self._database.writing() as connection:
            for number, each in turns.items():
                key = self._known_session(connection, disc_id, number, "what was read of it")
                connection.execute(delete(schema.turns).where(schema.turns.c.session_id == key))
                connection.execute(insert(schema.turns).values(session_id=key, **turns_values(each)))

    def places(self, disc_id: str) -> tuple[DiscPlace, ...]:
        """Where a disc was and is kept, the last place last."""
        table = schema.places
        query = select(table).where(table.c.disc_id == disc_id).order_by(table.c.since, table.c.id)
        with self._database.reading() as connection:
            return tuple(DiscPlace(row.place, row.since) for row in connection.execute(query))

    def add_place(self, disc_id: str, place: DiscPlace) -> None:
        """A disc is kept somewhere else from now on.

        Raises:
            CatalogError: the disc is not in the catalog.
        """
        table = schema.places
        with self._database.writing() as connection:
            connection.execute(insert(table).values(disc_id=disc_id, place=place.place, since=place.since))

    def entries(self, disc_id: str, session: int) -> Iterator[StoredEntry]:
        """What a session holds, in byte order of the raw paths.

        The iterator holds a read transaction from its first item to its last.
        """
        with self._database.reading() as connection:
            key = _session_key(connection, disc_id, session)
            if key is not None:
                yield from _entries(connection, key)

    def contents(self, day: str, *, everywhere: bool = False) -> tuple[tuple[SessionRecord, DayContent], ...]:
        """Where content of a day stands, oldest session first, any status.

        Discs that were given up count only when it is asked `everywhere`.
        """
        sessions, days, discs = schema.sessions, schema.days, schema.discs
        query = (
            select(sessions)
            .join(discs, discs.c.disc_id == sessions.c.disc_id)
            .where(
                or_(discs.c.given_up.is_(False), literal(everywhere)),
                sessions.c.id.in_(select(days.c.session_id).where(days.c.day == day)),
            )
            .order_by(sessions.c.created_at, sessions.c.id)
        )
        with self._database.reading() as connection:
            found = _sessions(connection, query)
        return tuple(
            (session, content) for session in found for content in session.days if content.day == day
        )

    def copies(self, day: str, *, of_copy: int = 0) -> Mapping[StoredEntry, int]:
        """On how many discs each entry of a day is verified, whatever its address (-1)."""
        query = _copies_query(day)
        if of_copy:
            query = query.where(schema.discs.c.copy == of_copy)
        with self._database.reading() as connection:
            return {entry_of((0, *row[:-1])): row[-1] for row in connection.execute(query)}

    def days(self) -> tuple[str, ...]:
        """Days that any session holds, oldest first."""
        query = select(schema.days.c.day).distinct().order_by(schema.days.c.day)
        with self._database.reading() as connection:
            return tuple(connection.scalars(query))

    def proofs(self) -> Mapping[str, tuple[tuple[str, int], ...]]:
        """By day the verified sessions with content of it, oldest first: label of the disc, and number."""
        sessions, days, discs = schema.sessions, schema.days, schema.discs
        query = (
            select(days.c.day, discs.c.label, sessions.c.number)
            .join(sessions, days.c.session_id == sessions.c.id)
            .join(discs, discs.c.disc_id == sessions.c.disc_id)
            .where(sessions.c.status == SessionStatus.VERIFIED.value, discs.c.given_up.is_(False))
            .order_by(sessions.c.created_at, sessions.c.id)
        )
        found: dict[str, tuple[tuple[str, int], ...]] = {}
        with self._database.reading() as connection:
            for day, label, number in connection.execute(query):
                found[day] = (*found.get(day, ()), (label, number))
        return found

    def proven(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        """Of SHA-256 digests those that verified discs hold as a file, with the number of discs."""
        entries, sessions, discs = schema.entries, schema.sessions, schema.discs
        query = (
            select(entries.c.sha256, sessions.c.disc_id)
            .join(sessions, entries.c.session_id == sessions.c.id)
            .join(discs, discs.c.disc_id == sessions.c.disc_id)
            .where(
                sessions.c.status == SessionStatus.VERIFIED.value,
                discs.c.given_up.is_(False),
                entries.c.kind == "file",
            )
        )
        holders: dict[bytes, set[str]] = {}
        if not digests:
            return {}
        splits = self.splits(digests)
        parts = {part for found in splits.values() for split in found for part in split.digests}
        with self._database.reading() as connection:
            rows = connection.execute(query, execution_options={"yield_per": _BATCH})
            for sha256, disc_id in rows:  # once through all is quicker than a question for each
                if sha256 in digests or sha256 in parts:
                    holders.setdefault(sha256, set()).add(disc_id)
        held = {digest: len(found) for digest, found in holders.items()}
        return held_in_parts(held, digests, splits)

    def splits(self, digests: Collection[bytes] | None = None) -> Mapping[bytes, tuple[Split, ...]]:
        """How files of these SHA-256 digests, or all, were cut in parts, as far as any was."""
        table = schema.splits
        query = select(table).order_by(table.c.sha256, table.c.part_bytes, table.c.position)
        found: dict[bytes, dict[int, list[bytes]]] = {}
        with self._database.reading() as connection:
            for sha256, part_bytes, _, part in connection.execute(query):  # few files are ever cut
                if digests is None or sha256 in digests:
                    found.setdefault(sha256, {}).setdefault(part_bytes, []).append(part)
        return {
            sha256: tuple(Split(size, tuple(parts)) for size, parts in of_size.items())
            for sha256, of_size in found.items()
        }

    def put_split(self, sha256: bytes, split: Split) -> None:
        """How a file of a SHA-256 digest is cut, with the digests of all parts."""
        table = schema.splits
        rows = [
            {"sha256": sha256, "part_bytes": split.part_bytes, "position": position, "part_sha256": part}
            for position, part in enumerate(split.digests)
        ]
        with self._database.writing() as connection:
            connection.execute(
                delete(table).where(table.c.sha256 == sha256, table.c.part_bytes == split.part_bytes)
            )
            connection.execute(insert(table), rows)

    def find(self, pattern: PathPattern) -> Iterator[tuple[bytes, tuple[Sighting, ...]]]:
        """Paths that match, in no order, each once, with all that was stored of it.

        The iterator holds a read transaction from its first item to its last.
        """
        with self._database.reading() as connection:
            yield from searching.find(connection, pattern)

    def archives(self, digests: Collection[bytes]) -> Mapping[bytes, ArchiveRecord]:
        """Of SHA-256 digests those of archives, with all places that proofs recorded, oldest day first."""
        table, found, left = schema.trees, dict[bytes, ArchiveRecord](), iter(digests)
        with self._database.reading() as connection:
            while batch := list(islice(left, _BATCH)):
                query = select(table.c.id).where(table.c.sha256.in_(batch))
                found |= searching.archives(connection, query)
        return found

    def line(self, line: bytes) -> tuple[ArchiveRecord, ...]:
        """The archives that stand anywhere under a name, oldest day first."""
        query = select(schema.stands.c.tree_id).where(schema.stands.c.line == to_text(line))
        with self._database.reading() as connection:
            return tuple(searching.archives(connection, query).values())

    def unread_archives(self) -> tuple[ArchiveRecord, ...]:
        """Archives that stand somewhere and whose members are not known, the bad ones included."""
        trees, stands = schema.trees, schema.stands
        unread = (Listing.UNREAD.value, Listing.BAD.value)
        query = select(trees.c.id).join(stands, stands.c.tree_id == trees.c.id)
        with self._database.reading() as connection:
            return tuple(searching.archives(connection, query.where(trees.c.listing.in_(unread))).values())

    def put_members(self, archive: ArchiveRecord, found: Iterable[Member]) -> None:
        """How members of an archive are known, and which, in place of what was; all or nothing.

        Raises:
            CatalogError: what it rests on is not in the catalog.
        """
        with self._database.writing() as connection:
            members.put_members(connection, archive, found)

    def layers(self, sha256: bytes) -> Sequence[tuple[bytes, Sequence[Member]]]:
        """What is kept of the listing of an archive and, before it, of each that it rests on, by SHA-256."""
        with self._database.reading() as connection:
            return [(archive, tuple(layer)) for archive, layer in searching.layers(connection, sha256)]

    def archives_of(self, peer: bytes) -> tuple[ArchiveRecord, ...]:
        """The archives of a peer that stand anywhere, oldest day first."""
        table, name = schema.stands, to_text(peer)
        query = select(table.c.tree_id).where(table.c.line >= f"{name}/", table.c.line < f"{name}0")
        with self._database.reading() as connection:
            return tuple(searching.archives(connection, query).values())

    def peers(self) -> tuple[bytes, ...]:
        """All peers that anything was stored of."""
        with self._database.reading() as connection:
            return holding.peers(connection)

    def held_at(self, path: bytes) -> Iterator[Held]:
        """What discs that count hold at a path from their root or below it, the newest last."""
        with self._database.reading() as connection:
            yield from holding.at(connection, path)

    def held_of(self, peer: bytes, until: str) -> Iterator[Held]:
        """What discs that count hold of a peer, of days up to one, in order of the days."""
        with self._database.reading() as connection:
            yield from holding.of_peer(connection, peer, until)

    def copies_of(self, digests: Collection[bytes]) -> Iterator[Held]:
        """Where files with these SHA-256 stand on discs that count."""
        with self._database.reading() as connection:
            yield from holding.copies_of(connection, digests)

    def holders(self, digests: Collection[bytes]) -> Iterator[Holder]:
        """The archives with members that have these SHA-256."""
        with self._database.reading() as connection:
            yield from holding.holders(connection, digests)

    def listing(self, sha256: bytes) -> Mapping[bytes, Member]:
        """All that there was when an archive was made, by path, from its members and what they rest on."""
        with self._database.reading() as connection:
            return searching.listing(connection, sha256)

    def close(self) -> None:
        """Give back what was opened; once more does nothing."""
        self._database.close()

    def _put_disc(self, connection: Connection, disc: DiscRecord) -> None:
        table = schema.discs
        holder = connection.scalar(
            select(table.c.disc_id).where(table.c.label == disc.label, table.c.disc_id != disc.disc_id)
        )
        if holder is not None:
            raise CatalogError(
                f"The label {disc.label} belongs to another disc in the catalog {self._database.path}.",
                advice="Give the new disc another label.",
                label=disc.label,
                disc_id=holder,
            )
        values = disc_values(disc)
        changed = connection.execute(update(table).where(table.c.disc_id == disc.disc_id).values(values))
        if changed.rowcount == 0:
            connection.execute(insert(table).values(disc_id=disc.disc_id, **values))

    def _add_check(self, connection: Connection, check: CheckRecord) -> None:
        key = self._known_session(connection, check.disc_id, check.session, "its check")
        connection.execute(insert(schema.checks).values(session_id=key, **check_values(check)))

    def _known_session(self, connection: Connection, disc_id: str, number: int, what: str) -> int:
        key = _session_key(connection, disc_id, number)
        if key is None:
            raise CatalogError(
                f"Session {number} of disc {disc_id} is not in the catalog {self._database.path};"
                f" {what} cannot be recorded.",
                disc_id=disc_id,
                session=number,
            )
        return key


def _put_session(connection: Connection, session: SessionRecord) -> int:
    """Insert or update a session with its days; returns its key."""
    table = schema.sessions
    values = session_values(session)
    key = _session_key(connection, session.disc_id, session.number)
    if key is None:
        query = insert(table).values(disc_id=session.disc_id, number=session.number, **values)
        key = int(connection.execute(query.returning(table.c.id)).scalar_one())
    else:
        connection.execute(update(table).where(table.c.id == key).values(values))
        connection.execute(delete(schema.days).where(schema.days.c.session_id == key))
    if session.days:
        connection.execute(insert(schema.days), [day_values(key, *item) for item in enumerate(session.days)])
    return key


def _put_entries(connection: Connection, key: int, entries: Iterable[StoredEntry]) -> None:
    """Have a session hold these entries, and no others."""
    connection.execute(delete(schema.entries).where(schema.entries.c.session_id == key))
    members.forget_session(connection, key)
    held = members.SessionPaths(connection, key)
    rows = (entry_values(key, entry) for entry in entries)
    while batch := list(islice(rows, _BATCH)):
        INSERT_ENTRIES.run(connection, batch)
        held.write(batch)
    held.finish()


def _session_key(connection: Connection, disc_id: str, number: int) -> int | None:
    table = schema.sessions
    return connection.scalar(select(table.c.id).where(table.c.disc_id == disc_id, table.c.number == number))


def _entries(connection: Connection, key: int) -> Iterator[StoredEntry]:
    """A session's entries in byte order of the raw paths.

    In text form paths sort as the raw ones do unless there is an escape in them; those that have
    one are few, so they are sorted here and merged.
    """
    table = schema.entries
    query = select(table).where(table.c.session_id == key)
    escaped = table.c.path.contains("\\", autoescape=True)
    special = [entry_of(row) for row in connection.execute(query.where(escaped))]
    special.sort(key=_raw_path)
    plain = connection.execute(
        query.where(~escaped).order_by(table.c.path), execution_options={"yield_per": _BATCH}
    )
    return heapq.merge((entry_of(row) for row in plain), special, key=_raw_path)


def _raw_path(entry: StoredEntry) -> bytes:
    return entry.path


def _copies_query(day: str) -> Select[*tuple[Any, ...]]:
    entries, sessions, discs = schema.entries, schema.sessions, schema.discs
    # "0" is the character after "/": from "DAY/" up to "DAY0" is all that lies below the day.
    below = and_(entries.c.path >= f"{day}/", entries.c.path < f"{day}0")
    later, later_entries = sessions.alias(), entries.alias()
    replaced = (
        select(literal(1))
        .select_from(
            later.join(schema.days, schema.days.c.session_id == later.c.id).join(
                later_entries, later_entries.c.session_id == later.c.id
            )
        )
        .where(
            later.c.disc_id == sessions.c.disc_id,
            later.c.number > sessions.c.number,
            later.c.status == SessionStatus.VERIFIED.value,
            schema.days.c.day == day,
            later_entries.c.path == entries.c.path,
        )
        .exists()
    )
    what = entries.c
    same = (what.path, what.kind, what.size, what.mtime_s, what.mtime_ns, what.sha256)
    return (
        select(*same, literal(-1), what.traits, func.count(sessions.c.disc_id.distinct()))
        .join(sessions, entries.c.session_id == sessions.c.id)
        .join(discs, discs.c.disc_id == sessions.c.disc_id)
        .where(
            sessions.c.status == SessionStatus.VERIFIED.value,
            discs.c.given_up.is_(False),
            or_(entries.c.path == day, below),
            ~replaced,
        )
        .group_by(*same, what.traits)
    )


def _sessions(connection: Connection, query: Select[*tuple[Any, ...]]) -> tuple[SessionRecord, ...]:
    days = schema.days
    keys = query.with_only_columns(schema.sessions.c.id).order_by(None)
    held: dict[int, list[Row[*tuple[Any, ...]]]] = {}
    for day in connection.execute(select(days).where(days.c.session_id.in_(keys)).order_by(days.c.position)):
        held.setdefault(day.session_id, []).append(day)
    return tuple(session_of(row, held.get(row.id, ())) for row in connection.execute(query))
