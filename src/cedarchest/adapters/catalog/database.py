"""One SQLite file: how it is opened, its transactions, and its errors as sentences.

A writer uses WAL with full synchronisation; other connections read what was committed meanwhile.
A reader in `read_only` mode must leave no trace, yet SQLite makes `-wal` and `-shm` beside a
database even for reading. So where the last writer closed cleanly (no WAL with content) the file
is opened as immutable. A WAL with content belongs to a writer at work, whose `-shm` is used as it
is, or to one that died: then the `-shm` may be missing or half made, and a copy is read, since
SQLite would tidy up behind the dead one. Where no lock protects a read, whether the files stayed as
they were is looked at after it. An absent or empty file is an empty catalog in memory.

While this process may hold locks on the main file, it is opened by no other means than SQLite:
closing such a descriptor would drop them.
Source: sqlite.org, "How To Corrupt An SQLite Database File" 2.2; "Write-Ahead Logging",
"Read-Only Databases".
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.pool import QueuePool, StaticPool

from cedarchest.adapters.catalog.upgrade import SchemaState, create_schema, migrate, schema_state
from cedarchest.errors import CatalogError, CedarchestError, DiskFull

_CACHE_KIB = 64 << 10
_WRITING = "cedarchest_writing"
_WAL_HEADER = 32  # bytes; sqlite.org, "Database File Format" 4.1

Stamp = tuple[tuple[int, int] | None, ...]
"""Sizes and times of the main file and of its WAL, None where there is none."""


class _Unguarded(sqlite3.Connection):
    """A connection whose reads no lock protects from a writer."""


class Database:
    """The file with its connections; made by `open_database`."""

    def __init__(self, path: Path, *, read_only: bool, busy_timeout_s: float) -> None:
        self.path = path
        self._read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._engine = self._make_engine()
        self._known: Stamp | None = None  # what the read-only connections that are kept are to

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the catalog; nobody waits for it.

        Raises:
            CatalogError: the catalog cannot be read, or holds what we do not understand.
        """
        before = self._stamp() if self._read_only else ()
        is_other = self._read_only and before != self._known
        if is_other:
            self._engine.dispose()
        unguarded = False
        try:
            with self._engine.connect() as connection, connection.begin():
                unguarded = isinstance(connection.connection.dbapi_connection, _Unguarded)
                if self._read_only and not unguarded:
                    connection.detach()  # while it is open no writer can fold the WAL
                if is_other and schema_state(connection, self.path) is not SchemaState.CURRENT:
                    raise self._earlier()
                if is_other:
                    self._known = before
                yield connection
        except (SQLAlchemyError, sqlite3.Error, ValueError) as error:
            if unguarded and self._has_changed_since(before):
                raise self._changed_meanwhile() from error
            raise explain(error, self.path) from error
        if unguarded and self._has_changed_since(before):
            raise self._changed_meanwhile()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that alone may write; undone when the block raises.

        What the block raises of its own comes through as it is.

        Raises:
            CatalogError, DiskFull: the catalog cannot be written; it is as it was.
        """
        if self._read_only:
            raise CatalogError(f"The catalog {self.path} was opened for reading only.", path=str(self.path))
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(**{_WRITING: True})  # noqa: PLW2901 (the same one)
                with connection.begin():
                    yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise explain(error, self.path) from error

    def prepare(self) -> None:
        """Bring the schema to the head revision; does nothing but look when it is there."""
        with self.reading() as connection:
            if schema_state(connection, self.path) is SchemaState.CURRENT:
                return
        with self.writing() as connection:
            state = schema_state(connection, self.path)  # another process may have been faster
            if state is SchemaState.EMPTY:
                create_schema(connection)
            elif state is SchemaState.EARLIER:
                migrate(connection)

    def close(self) -> None:
        """Close the connections; the last one to close folds the WAL into the file."""
        self._engine.dispose()

    def _make_engine(self) -> Engine:
        creator = self._connect_to_read if self._read_only else self._connect_to_write
        engine = create_engine("sqlite://", creator=creator, poolclass=QueuePool)
        # The driver begins transactions by itself, before some statements only; so it is told not to.
        event.listen(engine, "begin", _begin)
        return engine

    def _connect(
        self, how: str, kind: type[sqlite3.Connection] = sqlite3.Connection, file: Path | None = None
    ) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(bytes(file or self.path))}?{how}",
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            factory=kind,
        )

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._connect("mode=rw")
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{_CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        """A connection that makes no file beside the catalog."""
        main, wal = self._stamp()
        if not main:
            return _empty_catalog()
        connection = self._connect_to_wal() if wal else self._connect("mode=ro&immutable=1", _Unguarded)
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            connection.close()
            return _empty_catalog()
        return connection

    def _connect_to_wal(self) -> sqlite3.Connection:
        if self._beside("-shm").exists():
            connection = self._connect("mode=ro&readonly_shm=1")
            try:
                connection.execute("SELECT count(*) FROM sqlite_master")
            except sqlite3.OperationalError:
                connection.close()  # what a writer that was killed left of it
            else:
                return connection
        return self._connect_to_copy()

    def _connect_to_copy(self) -> sqlite3.Connection:
        """A connection to a copy, whose names are gone when this returns."""
        with tempfile.TemporaryDirectory(prefix="cedarchest-") as folder:
            copy = Path(folder, "catalog")
            try:
                for suffix in ("", "-wal"):
                    shutil.copyfile(self._beside(suffix), f"{copy}{suffix}")
            except OSError as error:
                raise explain_os(error, self.path) from error
            connection = self._connect("mode=rw", _Unguarded, copy)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # no third file: the index is in memory
            connection.execute("SELECT count(*) FROM sqlite_master")
        return connection

    def _stamp(self) -> Stamp:
        """What of the main file and of a WAL with content changes when they are written."""
        return self._stamp_of(self.path, 0), self._stamp_of(self._beside("-wal"), _WAL_HEADER)

    def _stamp_of(self, file: Path, least: int) -> tuple[int, int] | None:
        try:
            status = file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain_os(error, self.path) from error
        return (status.st_size, status.st_mtime_ns) if status.st_size > least else None

    def _has_changed_since(self, before: Stamp) -> bool:
        """Whether a file that was read is another one now; a WAL that was not there was not read."""
        return any(was and was != now for was, now in zip(before, self._stamp(), strict=True))

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _earlier(self) -> CatalogError:
        return CatalogError(
            f"The catalog {self.path} was made by an earlier version of this program and has to be "
            "converted, which a command that only reads does not do.",
            advice="Run any command that writes to the catalog first, `cedarchest store` for example.",
            path=str(self.path),
        )

    def _changed_meanwhile(self) -> CatalogError:
        return CatalogError(
            f"The catalog {self.path} was changed by another run while it was read.",
            advice="Run the same command again.",
            path=str(self.path),
        )


def open_database(path: Path, *, read_only: bool, busy_timeout_s: float) -> Database:
    """The database of a file with the schema of now; file and folder are made unless `read_only`.

    Raises:
        CatalogError, DiskFull: it cannot be had.
    """
    if not read_only:
        try:
            _make_folder(path.parent)
            _make_file(path)
        except OSError as error:
            raise explain_os(error, path) from error
    database = Database(path, read_only=read_only, busy_timeout_s=busy_timeout_s)
    try:
        if read_only:
            with database.reading():
                pass
        else:
            database.prepare()
    except BaseException:
        database.close()
        raise
    return database


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are absent, each for us alone, durably."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_file(path: Path) -> None:
    """Make an empty file for us alone (SQLite takes its mode over for those beside it)."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None


def _empty_catalog() -> sqlite3.Connection:
    raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
    with engine.connect() as connection:
        create_schema(connection)
        connection.commit()
    return raw


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


# SQLite's primary result codes, each with what it means for this file and what to do.
_SENTENCES = {
    sqlite3.SQLITE_BUSY: (
        "The catalog {path} is in use by another program that does not let go of it.",
        "Wait for the other run to end, or close the program that has the file open, and try again.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "The catalog {path} is damaged.",
        "Restore the file from a copy, or move it away: `cedarchest catalog rebuild` makes it from discs.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "{path} is not a database.",
        "Correct `url` in the table [catalog] of the configuration, or restore the file from a copy.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "The catalog {path} cannot be opened.",
        "See that the user who runs this may read and write the file and its folder.",
    ),
    sqlite3.SQLITE_READONLY: (
        "The catalog {path} may not be written.",
        "See that the user who runs this may write the file and its folder, and that they are still there.",
    ),
    sqlite3.SQLITE_IOERR: (
        "The system reports an error while reading or writing the catalog {path}.",
        "Look at the system's log and the health of the file system, then run the command again.",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "The catalog {path} does not take a record: it names an unknown disc or the same path twice.",
        "Run the command again; if this comes again it is a fault of this program.",
    ),
}
_SENTENCES[sqlite3.SQLITE_LOCKED] = _SENTENCES[sqlite3.SQLITE_BUSY]
_SENTENCES[sqlite3.SQLITE_PERM] = _SENTENCES[sqlite3.SQLITE_CANTOPEN]


def explain(error: Exception, path: Path) -> CedarchestError:
    """An error of SQLite, its driver or SQLAlchemy as one of ours."""
    cause = error.orig if isinstance(error, DBAPIError | StatementError) and error.orig else error
    code = getattr(cause, "sqlite_errorcode", 0)
    # A memory-mapped file that cannot grow: seen on full file systems.
    if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _full(path)
    if (sentence := _SENTENCES.get(code & 0xFF)) is not None:
        message, advice = sentence
        return CatalogError(message.format(path=path), advice=advice, path=str(path), cause=str(cause))
    if isinstance(cause, ValueError | KeyError | TypeError | OverflowError):
        return CatalogError(
            f"The catalog {path} holds, or was given, a value that is not understood: {cause}.",
            advice="If the file was edited by hand, restore it from a copy.",
            path=str(path),
        )
    return CatalogError(
        f"The catalog {path} cannot be used: {cause}.",
        advice="If the file was edited by hand or is damaged, restore it from a copy.",
        path=str(path),
    )


def explain_os(error: OSError, path: Path) -> CedarchestError:
    """An error of the system on the way to the file as one of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path)
    return CatalogError(
        f"The catalog {path} cannot be opened: {error.strerror or error}.",
        advice="See that the folder exists and that the user who runs this may read and write it.",
        path=str(path),
    )


def _full(path: Path) -> DiskFull:
    return DiskFull(
        f"The file system of the catalog {path} is full; the catalog is as it was before.", path=str(path)
    )
