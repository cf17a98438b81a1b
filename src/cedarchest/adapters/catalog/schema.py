"""The tables of the catalog, and how values that no database has a type for are kept in them.

Nothing here is beyond PostgreSQL. Times are ISO 8601 text in UTC with microseconds, so that they
sort as text and come back as the same instant. Text that tools, drives and file names bring along
is in the form of `model.names`, so that it is valid UTF-8 without NUL whatever it was. An mtime is
kept as seconds and nanoseconds: a file may claim a year past 2262, which nanoseconds in 64 bits
cannot hold. Entries are keyed, and on SQLite clustered, by session and path: the range of a day
in one session is one stretch of the file.

A path is found through `folders` and `paths`, where each stands once, apart from day and peer, whatever was
stored of it and how often. `trees` are what has paths: an archive, known by its SHA-256 and standing in
sessions (`stands`), or a peer's folder of a day in one session. `members` are the paths of an archive;
`located` those of a folder of a day, which `entries` tells all about: a row that has no entry any more counts
for nothing. That the keys of these fit together is seen to by whoever enters them: a look for each key of a
million rows takes longer than to enter them.
"""

from __future__ import annotations

import json
import struct
import zlib
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from cedarchest.model.names import from_text, to_text

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""The schema's revisions, oldest first; the last one is what the tables below are."""

HEAD = REVISIONS[-1]


class FreeText(TypeDecorator[str]):
    """Text of any origin, as `surrogateescape` decodes it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (theirs)
        """The form in the database."""
        return None if value is None else to_text(value.encode("utf-8", "surrogateescape"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (theirs)
        """The text it was."""
        return None if value is None else from_text(value).decode("utf-8", "surrogateescape")


class Instant(TypeDecorator[datetime]):
    """A time with an offset; it comes back as the same instant in UTC."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (theirs)
        """The form in the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no offset from UTC")
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (theirs)
        """The time it was."""
        return None if value is None else datetime.fromisoformat(value)


class TextList(TypeDecorator[tuple[str, ...]]):
    """Several texts, as JSON in ASCII."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (theirs)
        """The form in the database."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002 (theirs)
        """The texts they were."""
        return None if value is None else tuple(str(item) for item in json.loads(value))


class NumberRows(TypeDecorator[tuple[tuple[int, ...], ...]]):
    """Rows of whole numbers, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[tuple[int, ...], ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (theirs)
        """The form in the database."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002 (theirs)
    ) -> tuple[tuple[int, ...], ...] | None:
        """The rows they were."""
        return None if value is None else tuple(tuple(map(int, row)) for row in json.loads(value))


class Numbers(TypeDecorator[tuple[int, ...]]):
    """Very many whole numbers from 0 up to 32 bits, packed."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 (theirs)
        """The form in the database."""
        return None if value is None else zlib.compress(struct.pack(f">{len(value)}I", *value), 1)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[int, ...] | None:  # noqa: ARG002 (theirs)
        """The numbers they were."""
        if value is None:
            return None
        try:
            packed = zlib.decompressobj()
            raw = packed.decompress(value, LARGEST_NUMBERS)
            if not packed.eof:
                raise ValueError("numbers that do not come to their end")
            return struct.unpack(f">{len(raw) // 4}I", raw)
        except (TypeError, zlib.error, struct.error) as error:
            raise ValueError(f"numbers that cannot be unpacked ({error})") from None


LARGEST_NUMBERS = 4 << 20
"""Bytes of numbers that are unpacked: a number for each MiB of a disc eight times as large as any."""

PATH = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte: a range of paths must not depend on a locale."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

discs = Table(
    "discs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("disc_id", FreeText, nullable=False, unique=True),
    Column("label", FreeText, nullable=False, unique=True),
    Column("medium", Text, nullable=False),
    Column("capacity", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("copy", Integer, nullable=False),
    Column("accepts_sessions", Boolean, nullable=False),
    Column("given_up", Boolean, nullable=False),
    Column("reason", FreeText),  # null before revision 0006
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("disc_id", FreeText, ForeignKey("discs.disc_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("base", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("blocks", BigInteger, nullable=False),
    Column("volume_set", FreeText, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("index_sha256", LargeBinary, nullable=False),
    Column("sums_sha256", LargeBinary, nullable=False),
    Column("tool", FreeText, nullable=False),
    Column("drive", FreeText, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("block_map", LargeBinary, nullable=False),
    Column("drive_model", FreeText),  # null before revision 0003
    Column("medium_id", FreeText),  # this and the next two: null before revision 0004
    Column("speed_asked", Text),
    Column("speed_used", Integer),
    Column("volume", Integer),  # this and the next: null before revision 0005
    Column("volumes", Integer),
    UniqueConstraint("disc_id", "number"),
)

days = Table(
    "days",
    metadata,
    Column("session_id", Integer, ForeignKey("sessions.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("day", Text, nullable=False, index=True),
    Column("index_digest", LargeBinary, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("data_bytes", BigInteger, nullable=False),
    Column("partial", Boolean, nullable=False),
    Column("pieces", Integer),  # this and the next: null before revision 0005
    Column("rests_on", TextList),
    PrimaryKeyConstraint("session_id", "position"),
)

entries = Table(
    "entries",
    metadata,
    Column("session_id", Integer, ForeignKey("sessions.id"), nullable=False),
    Column("path", PATH, nullable=False),
    Column("kind", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_s", BigInteger, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("traits", LargeBinary),  # null in what revision 0001 recorded
    PrimaryKeyConstraint("session_id", "path"),
    sqlite_with_rowid=False,
)

splits = Table(
    "splits",
    metadata,
    Column("sha256", LargeBinary, nullable=False),
    Column("part_bytes", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("part_sha256", LargeBinary, nullable=False, index=True),
    PrimaryKeyConstraint("sha256", "part_bytes", "position"),
)

checks = Table(
    "checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", Integer, ForeignKey("sessions.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("drive", FreeText, nullable=False),
    Column("tool", FreeText, nullable=False),
    Column("blocks", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("findings", TextList, nullable=False),
    Column("drive_model", FreeText),  # null before revision 0003
    Column("whole", Boolean),  # this and the next ones: null before revision 0008
    Column("speeds", NumberRows),
    Column("slow", NumberRows),
    Column("retries", Integer),
    Column("damaged", NumberRows),
)

turns = Table(
    "turns",
    metadata,
    Column("session_id", Integer, ForeignKey("sessions.id"), primary_key=True),
    Column("last", Numbers, nullable=False),
    Column("times", TextList, nullable=False),
    Column("to_read", Numbers, nullable=False),
)

places = Table(
    "places",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("disc_id", FreeText, ForeignKey("discs.disc_id"), nullable=False, index=True),
    Column("place", FreeText, nullable=False),
    Column("since", Instant, nullable=False),
)

folders = Table(
    "folders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path", PATH, nullable=False, unique=True),
)

paths = Table(
    "paths",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("folder_id", Integer, nullable=False),
    Column("name", PATH, nullable=False, index=True),
    UniqueConstraint("folder_id", "name"),
)

trees = Table(
    "trees",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", LargeBinary, unique=True),  # of an archive
    Column("listing", Text),
    Column("reason", FreeText),
    Column("rests_on", Integer, ForeignKey("trees.id")),
    Column("session_id", Integer, ForeignKey("sessions.id"), index=True),  # of a folder of a day
    Column("folder", PATH),
    Column("unread", TextList),  # paths that could not be read when an archive was made
)

stands = Table(
    "stands",
    metadata,
    Column("session_id", Integer, ForeignKey("sessions.id"), nullable=False),
    Column("path", PATH, nullable=False),
    Column("tree_id", Integer, ForeignKey("trees.id"), nullable=False, index=True),
    Column("line", PATH, nullable=False, index=True),
    PrimaryKeyConstraint("session_id", "path"),
)

located = Table(
    "located",
    metadata,
    Column("path_id", Integer, nullable=False),
    Column("tree_id", Integer, nullable=False),
    PrimaryKeyConstraint("path_id", "tree_id"),
    sqlite_with_rowid=False,
)

members = Table(
    "members",
    metadata,
    Column("tree_id", Integer, nullable=False),
    Column("path_id", Integer, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_s", BigInteger, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("held", Boolean, nullable=False),
    PrimaryKeyConstraint("tree_id", "path_id"),
    sqlite_with_rowid=False,
)

# Alembic's own table as alembic makes it: a new catalog is stamped without importing alembic.
alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
