"""Where in the catalog it stands what discs hold of days and peers, and which archives hold a content."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from cedarchest.adapters.catalog import schema
from cedarchest.adapters.catalog.rows import entry_of
from cedarchest.model.disc import SessionStatus
from cedarchest.model.members import Holder
from cedarchest.model.names import from_text, to_text
from cedarchest.model.restoring import Held

_BATCH = 4096
_THERE = (SessionStatus.VERIFIED, SessionStatus.BURNT, SessionStatus.CLAIMED, SessionStatus.BAD)


def at(connection: Connection, path: bytes) -> Iterator[Held]:
    """What is held at a path from a disc's root or below it, sessions that were written last coming last."""
    text = to_text(path)
    days, entries = schema.days, schema.entries
    of_day = select(days.c.session_id).where(days.c.day == text[:10])
    query = _held().where(
        entries.c.session_id.in_(of_day), or_(entries.c.path == text, _below(entries.c.path, text))
    )
    return _rows(connection, query)


def of_peer(connection: Connection, peer: bytes, until: str) -> Iterator[Held]:
    """What is held of a peer, of days up to one."""
    trees, entries = schema.trees, schema.entries
    name = to_text(peer)
    folders = connection.execute(
        select(trees.c.session_id, trees.c.folder).where(
            trees.c.folder.endswith(f"/{name}", autoescape=True), trees.c.folder < f"{until}0"
        )
    ).all()
    for session, folder in sorted(folders, key=lambda row: (row.folder, row.session_id)):
        if folder[11:] == name:
            query = _held().where(entries.c.session_id == session, _below(entries.c.path, folder))
            yield from _rows(connection, query)


def peers(connection: Connection) -> tuple[bytes, ...]:
    """All peers that anything was stored of."""
    trees = schema.trees
    folders = connection.scalars(select(trees.c.folder).where(trees.c.folder.is_not(None)).distinct())
    return tuple(sorted({from_text(folder[11:]) for folder in folders}))


def holders(connection: Connection, digests: Collection[bytes]) -> Iterator[Holder]:
    """The archives that hold contents, and as which member; all members are gone through once."""
    members, trees, paths, folders = schema.members, schema.trees, schema.paths, schema.folders
    query = (
        select(members.c.sha256, trees.c.sha256, folders.c.path, paths.c.name)
        .join(trees, trees.c.id == members.c.tree_id)
        .join(paths, paths.c.id == members.c.path_id)
        .join(folders, folders.c.id == paths.c.folder_id)
        .where(members.c.held.is_(True), members.c.sha256 != b"", trees.c.sha256.is_not(None))
    )
    for content, archive, folder, name in connection.execute(query, execution_options={"yield_per": _BATCH}):
        if content in digests:
            yield Holder(content, archive, from_text(f"{folder}/{name}" if folder else name))


def copies_of(connection: Connection, digests: Collection[bytes]) -> Iterator[Held]:
    """Where files of these SHA-256 stand on discs, in no order."""
    entries = schema.entries
    query = _held().where(entries.c.kind == "file", entries.c.sha256 != b"")
    for held in _rows(connection, query):
        if held.entry.sha256 in digests:
            yield held


def _held() -> Select[Any]:
    entries, sessions, discs = schema.entries, schema.sessions, schema.discs
    return (
        select(entries, sessions.c.disc_id, discs.c.label, sessions.c.number, sessions.c.status)
        .join(sessions, sessions.c.id == entries.c.session_id)
        .join(discs, discs.c.disc_id == sessions.c.disc_id)
        .where(discs.c.given_up.is_(False), sessions.c.status.in_([each.value for each in _THERE]))
        .order_by(sessions.c.created_at, sessions.c.id, entries.c.path)
    )


def _below(column: ColumnElement[str], folder: str) -> ColumnElement[bool]:
    # "0" is the character after "/".
    return and_(column >= f"{folder}/", column < f"{folder}0")


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Held]:
    for row in connection.execute(query, execution_options={"yield_per": _BATCH}):
        yield _row(tuple(row))


def _row(row: Sequence[Any]) -> Held:
    *entry, disc_id, label, number, status = row
    return Held(entry_of(entry), disc_id, label, number, SessionStatus(status))
