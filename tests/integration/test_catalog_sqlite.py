"""The catalog's file: its schema, modes and locks, and what a person is told when it is not well."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from cedarchest.adapters.catalog import SqlCatalog, open_catalog
from cedarchest.adapters.catalog.database import explain, explain_os
from cedarchest.adapters.catalog.schema import HEAD, REVISIONS, metadata
from cedarchest.adapters.catalog.upgrade import MIGRATIONS, migrate
from cedarchest.errors import CatalogError, CedarchestError, DiskFull
from cedarchest.model.disc import (
    BlockRange,
    CheckKind,
    CheckRecord,
    DayContent,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    Speed,
    StoredEntry,
)
from cedarchest.model.media import Medium
from cedarchest.model.members import ArchiveRecord, Listing
from cedarchest.model.patterns import path_pattern
from cedarchest.model.turns import Turns

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
DISC = DiscRecord("disc-1", "DISC_1", Medium.DVD_PLUS_R, 2_295_104, NOON)
SESSION = SessionRecord("disc-1", 1, 0, 0, 10, "set-1", SessionStatus.VERIFIED, NOON)
CHECK = CheckRecord("disc-1", 1, CheckKind.STORE, NOON, passed=True, drive="d", tool="t", blocks=1, seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalog.db"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def fill(path: Path, *discs: DiscRecord) -> None:
    with open_catalog(url_of(path)) as catalog:
        for disc in discs or (DISC,):
            catalog.put_disc(disc)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All files with what would show that one was touched."""
    return {
        str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.stat().st_mode, file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def ddl(path: Path) -> list[tuple[object, ...]]:
    """Columns, keys and indexes of all tables, however the statements that made them are worded."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        found: list[tuple[object, ...]] = []
        for name, sql in tables:
            found.append((name, "WITHOUT ROWID" in sql))
            for pragma in ("table_xinfo", "foreign_key_list"):
                found += [(name, pragma, *row) for row in connection.execute(f"PRAGMA {pragma}({name})")]
            made = connection.execute(f"PRAGMA index_list({name})")
            found += [(name, "index_list", *row[1:]) for row in made]  # they are made in no certain order
        indexes = connection.execute(
            "SELECT name, tbl_name, ifnull(sql, '') FROM sqlite_master WHERE type = 'index'"
        )
        return sorted([*found, *indexes.fetchall()], key=repr)


def refusal(path: Path, *, read_only: bool = False) -> CedarchestError:
    with pytest.raises(CedarchestError) as caught:
        open_catalog(url_of(path), read_only=read_only)
    assert str(path) in caught.value.message
    assert caught.value.advice
    return caught.value


# The schema.


def test_migrations_from_nothing_and_create_all_give_the_same_schema(tmp_path: Path) -> None:
    open_catalog(url_of(tmp_path / "created.db")).close()
    engine = create_engine(url_of(tmp_path / "migrated.db"))
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    assert ddl(tmp_path / "migrated.db") == ddl(tmp_path / "created.db")


def test_the_models_tables_hold_nothing_that_no_migration_makes(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = create_engine(url_of(tmp_path / "migrated.db"))
    with engine.begin() as connection:
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_known_revisions_are_those_of_the_migrations() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(MIGRATIONS))
    known = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(known)) == REVISIONS
    assert scripts.get_current_head() == HEAD


def test_what_an_earlier_version_recorded_is_kept_and_names_no_drive_model(path: Path) -> None:
    session = replace(SESSION, drive_model="MAKE MODEL 1.0")
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(session, DISC)
        catalog.add_check(replace(CHECK, drive_model="MAKE MODEL 1.0"))
    with closing(sqlite3.connect(path)) as earlier:
        for table in ("sessions", "checks"):
            earlier.execute(f"ALTER TABLE {table} DROP COLUMN drive_model")
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        _take_away_0007(earlier)
        _take_away_0006(earlier)
        _take_away_0005(earlier)
        _take_away_0004(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0002'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.sessions(DISC.disc_id) == (SESSION,)
        assert catalog.checks(DISC.disc_id) == (CHECK,)


def test_what_an_earlier_version_recorded_names_neither_medium_nor_speed(path: Path) -> None:
    session = replace(SESSION, medium_id="MAKER/TYPE", speed_asked="8x", speed_used=10_800)
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(session, DISC)
        assert catalog.sessions(DISC.disc_id) == (session,)
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        _take_away_0007(earlier)
        _take_away_0006(earlier)
        _take_away_0005(earlier)
        _take_away_0004(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0003'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.sessions(DISC.disc_id) == (SESSION,)


def test_what_an_earlier_version_recorded_is_no_volume_of_a_set(path: Path) -> None:
    content = DayContent("2026/11/22", bytes(32), 1, 2)
    part = replace(content, pieces=2, rests_on=("x 1",))
    session = replace(SESSION, volume=2, volumes=3, days=(part,))
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(session, DISC)
        assert catalog.sessions(DISC.disc_id) == (session,)
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        _take_away_0007(earlier)
        _take_away_0006(earlier)
        _take_away_0005(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0004'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.sessions(DISC.disc_id) == (replace(SESSION, days=(content,)),)


def _take_away_0004(earlier: sqlite3.Connection) -> None:
    for column in ("medium_id", "speed_asked", "speed_used"):
        earlier.execute(f"ALTER TABLE sessions DROP COLUMN {column}")


def _take_away_0005(earlier: sqlite3.Connection) -> None:
    earlier.execute("DROP TABLE splits")
    for table, columns in (("sessions", ("volume", "volumes")), ("days", ("pieces", "rests_on"))):
        for column in columns:
            earlier.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _take_away_0006(earlier: sqlite3.Connection) -> None:
    earlier.execute("ALTER TABLE discs DROP COLUMN reason")


def _take_away_0007(earlier: sqlite3.Connection) -> None:
    for table in ("places", "stands", "members", "located", "trees", "paths", "folders"):
        earlier.execute(f"DROP TABLE {table}")


def _take_away_0008(earlier: sqlite3.Connection) -> None:
    earlier.execute("DROP TABLE turns")
    for column in ("whole", "speeds", "slow", "retries", "damaged"):
        earlier.execute(f"ALTER TABLE checks DROP COLUMN {column}")


def _take_away_0009(earlier: sqlite3.Connection) -> None:
    earlier.execute("ALTER TABLE trees DROP COLUMN unread")


def test_of_archives_that_an_earlier_version_recorded_nothing_is_known_to_be_unread(path: Path) -> None:
    record = ArchiveRecord(bytes(32), Listing.INDEX, unread=frozenset({b"d"}))
    with open_catalog(url_of(path)) as catalog:
        catalog.put_members(record, ())
        assert catalog.archives([bytes(32)])[bytes(32)] == record
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0008'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.archives([bytes(32)])[bytes(32)] == record._replace(unread=frozenset())


def test_checks_that_an_earlier_version_recorded_were_of_all_and_no_audit_read_anything(path: Path) -> None:
    told = replace(
        CHECK,
        whole=False,
        speeds=(Speed(0, 9, 8),),
        slow=(Speed(0, 9, 8),),
        retries=3,
        damaged=(BlockRange(1, 2),),
    )
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.add_check(told)
        catalog.put_turns(DISC.disc_id, {1: Turns((1,), (NOON,))})
        assert catalog.checks(DISC.disc_id) == (told,)
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0007'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.checks(DISC.disc_id) == (CHECK,)
        assert catalog.turns(DISC.disc_id) == {}


def test_what_audits_read_of_the_largest_disc_is_kept_in_little_room(path: Path) -> None:
    many = 140_000
    turns = Turns(tuple(n % 12 for n in range(many)), (NOON,) * 11, frozenset(range(0, many, 3)))
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.put_turns(DISC.disc_id, {1: turns})
        assert catalog.turns(DISC.disc_id) == {1: turns}
    assert path.stat().st_size < 1 << 20


@pytest.mark.parametrize(
    "change",
    [
        "last = X'00'",
        "last = X'789C'",
        "last = 'text'",
        "to_read = X''",
        "times = '[]'",
        "times = '[\"noon\"]'",
    ],
)
def test_what_audits_read_that_is_spoilt_in_the_file_is_an_error(path: Path, change: str) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.put_turns(DISC.disc_id, {1: Turns((1,), (NOON,))})
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"UPDATE turns SET {change}")
        file.commit()
    with open_catalog(url_of(path)) as catalog, pytest.raises(CatalogError):
        catalog.turns(DISC.disc_id)


def test_what_an_earlier_version_recorded_is_at_no_place(path: Path) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_disc(DISC)
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        _take_away_0007(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0006'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.discs() == (DISC,)
        assert catalog.places(DISC.disc_id) == ()


def test_the_paths_that_an_earlier_version_recorded_are_found_and_its_archives_are_unread(path: Path) -> None:
    held = [entry(number) for number in range(5000)]
    held.append(held[0]._replace(path=b"2026/07/01/peer/a\nb/etc.tar.gz", sha256=b"e" * 32))
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.record_proof(SESSION, held, CHECK)
        told = [list(catalog.find(path_pattern(text))) for text in ("file-0049*", "a\nb/*", "f*/f*00")]
        unread = catalog.unread_archives()
    assert [len(found) for found in told] == [100, 1, 50]
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        _take_away_0007(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0006'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        again = [list(catalog.find(path_pattern(text))) for text in ("file-0049*", "a\nb/*", "f*/f*00")]
        assert [sorted(found) for found in again] == [sorted(found) for found in told]
        assert catalog.unread_archives() == unread
        assert [each.sha256 for each in unread] == [b"e" * 32]


def test_what_an_earlier_version_recorded_says_not_why_a_disc_takes_no_more(path: Path) -> None:
    disc = replace(DISC, accepts_sessions=False)
    with open_catalog(url_of(path)) as catalog:
        catalog.put_disc(replace(disc, reason="it is sealed"))
    with closing(sqlite3.connect(path)) as earlier:
        _take_away_0009(earlier)
        _take_away_0008(earlier)
        _take_away_0007(earlier)
        _take_away_0006(earlier)
        earlier.execute("UPDATE alembic_version SET version_num = '0005'")
        earlier.commit()
    with open_catalog(url_of(path)) as catalog:
        assert catalog.discs() == (disc,)


def test_the_schema_compiles_for_postgresql() -> None:
    from sqlalchemy import Dialect
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # it has no types of its own
    statements = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    assert any('path TEXT COLLATE "C" NOT NULL' in statement for statement in statements)


def test_opening_a_new_or_current_catalog_does_not_import_alembic(path: Path) -> None:
    code = (
        "import sys; from cedarchest.adapters.catalog import open_catalog\n"
        "open_catalog(sys.argv[1]).close(); open_catalog(sys.argv[1]).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, url_of(path)], check=True, timeout=60)


# The file.


def test_folder_and_file_are_for_us_alone(path: Path) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_disc(DISC)
        assert mode_of(path.parent) == 0o700
        assert {file.name for file in path.parent.iterdir()} >= {"catalog.db", "catalog.db-wal"}
        assert {mode_of(file) for file in path.parent.iterdir()} == {0o600}


def test_every_folder_that_is_made_is_for_us_alone(tmp_path: Path) -> None:
    open_catalog(url_of(tmp_path / "a" / "b" / "catalog.db")).close()
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700


def test_the_mode_of_what_was_there_stays(path: Path) -> None:
    fill(path)
    path.chmod(0o640)
    path.parent.chmod(0o750)
    fill(path)
    assert (mode_of(path), mode_of(path.parent)) == (0o640, 0o750)


def test_an_empty_file_becomes_a_catalog(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    fill(path)
    with open_catalog(url_of(path)) as catalog:
        assert catalog.discs() == (DISC,)


def test_the_writer_uses_wal_and_full_synchronisation(path: Path) -> None:
    with open_catalog(url_of(path)) as catalog, catalog._database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_path_with_characters_that_mean_something_in_a_uri_is_a_path(tmp_path: Path) -> None:
    fill(tmp_path / "50% #1 é" / "catalog.db")
    assert (tmp_path / "50% #1 é" / "catalog.db").is_file()


# Reading only.


def test_reading_only_an_absent_catalog_is_reading_an_empty_one(tmp_path: Path) -> None:
    with open_catalog(url_of(tmp_path / "none" / "catalog.db"), read_only=True) as catalog:
        assert not catalog.discs()
        assert not catalog.days()
    assert list(tmp_path.iterdir()) == []


def test_reading_only_leaves_a_closed_catalog_and_its_folder_as_they_are(path: Path) -> None:
    fill(path)
    before = tree(path.parent)
    with open_catalog(url_of(path), read_only=True) as catalog:
        assert catalog.discs() == (DISC,)
        assert list(catalog.entries("disc-1", 1)) == []
        assert tree(path.parent) == before
    assert tree(path.parent) == before


def test_reading_only_sees_what_a_writer_has_not_yet_folded_into_the_file(path: Path) -> None:
    with open_catalog(url_of(path)) as writer, open_catalog(url_of(path), read_only=True) as reader:
        writer.put_disc(DISC)
        files = tree(path.parent).keys()
        assert reader.discs() == (DISC,)
        assert tree(path.parent).keys() == files


def test_reading_only_sees_what_a_killed_writer_committed(path: Path) -> None:
    fill(path)
    code = (
        "import os, signal, sys; from dataclasses import replace\n"
        "from cedarchest.adapters.catalog import open_catalog\n"
        "catalog = open_catalog(sys.argv[1]); (disc,) = catalog.discs()\n"
        "catalog.put_disc(replace(disc, disc_id='disc-2', label='DISC_2'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, url_of(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    before = tree(path.parent)
    assert "catalog.db-wal" in before
    with open_catalog(url_of(path), read_only=True) as catalog:
        assert [disc.disc_id for disc in catalog.discs()] == ["disc-1", "disc-2"]
    assert tree(path.parent) == before


@pytest.mark.parametrize("index", [None, b"", bytes(32 << 10)])
def test_reading_only_sees_what_is_in_a_wal_whose_index_is_lost_or_half_made(
    path: Path, index: bytes | None
) -> None:
    """A writer that closes removes `-shm` before `-wal`, and may be killed between the two."""
    copied = path.parent.parent / "copied"
    copied.mkdir()
    with open_catalog(url_of(path)) as writer:
        writer.put_disc(DISC)
        for name in ("catalog.db", "catalog.db-wal"):
            shutil.copy(path.with_name(name), copied)
    if index is not None:
        (copied / "catalog.db-shm").write_bytes(index)
        (copied / "catalog.db-shm").chmod(0o600)
    before = tree(copied)
    with open_catalog(url_of(copied / "catalog.db"), read_only=True) as catalog:
        assert catalog.discs() == (DISC,)
        assert tree(copied) == before
    assert tree(copied) == before


def test_reading_only_leaves_a_wal_without_a_commit_as_it_is(path: Path) -> None:
    """Its writer was killed after the header, or in a transaction larger than its memory."""
    fill(path)
    for wal in (b"", bytes(32), bytes(100_000)):
        path.with_name("catalog.db-wal").write_bytes(wal)
        before = tree(path.parent)
        with open_catalog(url_of(path), read_only=True) as catalog:
            assert catalog.discs() == (DISC,)
        assert tree(path.parent) == before


@pytest.mark.slow
def test_a_catalog_can_be_read_and_written_after_a_kill_at_any_moment_of_its_first_use(
    tmp_path: Path,
) -> None:
    """From the making of the file to the fold of its WAL at the close."""
    code = (
        "import sys; from cedarchest.adapters.catalog import open_catalog\n"
        "for line in sys.stdin:\n"
        "    print('ready', flush=True); open_catalog(line.strip()).close()\n"
    )
    for moment in range(10):
        path = tmp_path / str(moment) / "catalog.db"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as writer:
            assert writer.stdin
            assert writer.stdout
            writer.stdin.write(f"{url_of(tmp_path / 'warm.db')}\n{url_of(path)}\n")
            writer.stdout.readline()
            assert writer.stdout.readline() == "ready\n"
            time.sleep(moment * 0.003)
            writer.kill()
        for read_only in (True, False, True):
            with open_catalog(url_of(path), read_only=read_only) as catalog:
                assert catalog.discs() == ()


def test_reading_only_sees_each_state_of_a_catalog_that_others_write(path: Path) -> None:
    def another(number: int) -> DiscRecord:
        return DiscRecord(f"disc-{number}", f"DISC_{number}", Medium.BD_R, 1, NOON)

    with open_catalog(url_of(path), read_only=True) as reader:
        seen = [len(reader.discs())]
        fill(path, DISC)
        seen.append(len(reader.discs()))
        with open_catalog(url_of(path)) as writer:
            for number in (2, 3):
                writer.put_disc(another(number))
                seen.append(len(reader.discs()))
            writer.put_disc(another(4))
        seen.append(len(reader.discs()))
        fill(path, another(5))
        seen.append(len(reader.discs()))
        assert list(path.parent.iterdir()) == [path]
        path.rename(path.with_name("before"))
        fill(path, DISC)
        seen.append(len(reader.discs()))
    assert seen == [0, 1, 2, 3, 4, 5, 1]


def test_reading_only_says_when_the_file_changed_while_it_was_read(path: Path) -> None:
    with open_catalog(url_of(path)) as writer:
        writer.put_session(SESSION, DISC)
        writer.record_proof(SESSION, (entry(number) for number in range(10_000)), CHECK)
    with open_catalog(url_of(path), read_only=True) as reader:
        entries = reader.entries("disc-1", 1)
        next(entries)
        fill(path, DISC, DiscRecord("disc-2", "DISC_2", Medium.BD_R, 1, NOON))
        with pytest.raises(CatalogError, match="changed by another run"):
            list(entries)
        assert len(reader.discs()) == 2


def test_reading_only_refuses_to_write(path: Path) -> None:
    fill(path)
    for place in (path, path.with_name("absent.db")):
        with (
            open_catalog(url_of(place), read_only=True) as catalog,
            pytest.raises(CatalogError, match="reading only"),
        ):
            catalog.put_disc(DISC)


UNPRIVILEGED = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if os.getuid() == 0
    else []
)


@pytest.fixture
def locked_folder(path: Path) -> Iterator[Path]:
    fill(path)
    path.parent.chmod(0o500)
    yield path.parent
    path.parent.chmod(0o700)


def run_without_privilege(code: str, *arguments: str) -> str:
    if UNPRIVILEGED and not shutil.which("setpriv"):
        pytest.skip("setpriv (util-linux) is not installed")
    code = (
        "import sys; from cedarchest.adapters.catalog import open_catalog\n"
        f"from cedarchest.errors import CatalogError\n{code}"
    )
    argv = [*UNPRIVILEGED, sys.executable, "-c", code, *arguments]
    done = subprocess.run(argv, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_reading_only_works_in_a_folder_that_may_not_be_written(locked_folder: Path) -> None:
    code = "print(open_catalog(sys.argv[1], read_only=True).discs()[0].label)"
    assert run_without_privilege(code, url_of(locked_folder / "catalog.db")) == "DISC_1\n"


REFUSED = """
try:
    open_catalog(sys.argv[1], read_only=sys.argv[2] == "read").put_disc(None)
except CatalogError as error:
    print(error.message)
"""


def test_writing_in_a_folder_that_may_not_be_written_is_refused_with_a_sentence(locked_folder: Path) -> None:
    for name in ("catalog.db", "new.db"):
        said = run_without_privilege(REFUSED, url_of(locked_folder / name), "write")
        assert said.startswith(f"The catalog {locked_folder / name} ")


def test_a_file_that_may_not_be_read_is_refused_with_a_sentence(path: Path) -> None:
    fill(path)
    path.chmod(0)
    for how in ("read", "write"):
        said = run_without_privilege(REFUSED, url_of(path), how)
        assert said.startswith(f"The catalog {path} cannot be opened")


# A file that is not well.


def test_a_file_that_is_no_database_is_said_to_be_none(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"Dear diary, " * 1000)
    before = path.read_bytes()
    assert "not a database" in refusal(path).message
    assert "not a database" in refusal(path, read_only=True).message
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    assert "directory" in refusal(path).message
    refusal(path, read_only=True)


def test_a_file_in_place_of_the_folder_is_refused(path: Path) -> None:
    path.parent.write_text("a file")
    refusal(path)
    refusal(path, read_only=True)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_damaged_catalog_is_said_to_be_damaged(path: Path, read_only: bool) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.record_proof(SESSION, (entry(number) for number in range(5000)), CHECK)
    with path.open("r+b") as file:
        file.seek(60 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 60 * 4096))
    with (
        open_catalog(url_of(path), read_only=read_only) as catalog,
        pytest.raises(CatalogError, match="is damaged") as caught,
    ):
        list(catalog.entries("disc-1", 1))
    assert "copy" in caught.value.advice


def test_a_truncated_catalog_is_an_error(path: Path) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.record_proof(SESSION, (entry(number) for number in range(5000)), CHECK)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(CatalogError, match="is damaged"), open_catalog(url_of(path)) as catalog:
        list(catalog.entries("disc-1", 1))


def test_a_value_that_we_do_not_know_is_an_error_and_not_a_guess(path: Path) -> None:
    fill(path)
    execute(path, "UPDATE discs SET medium = 'clay tablet'")
    with open_catalog(url_of(path)) as catalog, pytest.raises(CatalogError, match="clay tablet"):
        catalog.discs()


@pytest.mark.parametrize("read_only", [True, False])
def test_the_database_of_another_program_is_refused_and_kept(path: Path, read_only: bool) -> None:
    path.parent.mkdir()
    execute(path, "CREATE TABLE bookmarks (url TEXT)")
    before = ddl(path)
    assert "not a catalog" in refusal(path, read_only=read_only).message
    assert ddl(path) == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_catalog_of_a_later_version_is_refused_and_kept(path: Path, read_only: bool) -> None:
    fill(path)
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    refused = refusal(path, read_only=read_only)
    assert "later version" in refused.message
    assert refused.fields["revision"] == "9999"


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@host/db", "sqlite://", "sqlite:///:memory:", "nonsense", ""]
)
def test_a_url_that_names_no_sqlite_file_is_refused(url: str) -> None:
    with pytest.raises(CatalogError, match="URL") as caught:
        open_catalog(url)
    assert "secret" not in str(caught.value)


def test_a_catalog_held_by_another_program_is_said_to_be_in_use(path: Path) -> None:
    fill(path)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        open_catalog(url_of(path), busy_timeout_s=0.1) as catalog,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match="in use by another program"):
            catalog.put_disc(DISC)
        assert catalog.discs() == (DISC,)


def test_a_full_file_system_is_said_to_be_full(path: Path) -> None:
    fill(path)
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        limit_pages(catalog, path)
        with pytest.raises(DiskFull, match="full"):
            catalog.record_proof(SESSION, (entry(number) for number in range(5000)), CHECK)
        assert list(catalog.entries("disc-1", 1)) == []
        assert catalog.checks("disc-1") == ()


def limit_pages(catalog: SqlCatalog, path: Path) -> None:
    """SQLite reports a full file system once the file has the pages it has now and a few more."""
    with catalog._database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 40")


def test_the_systems_own_word_for_a_full_file_system_is_understood(path: Path) -> None:
    assert isinstance(explain_os(OSError(28, "No space left on device"), path), DiskFull)


def test_an_error_that_we_have_no_sentence_for_is_still_one_of_ours(path: Path) -> None:
    error = explain(sqlite3.OperationalError("something new"), path)
    assert isinstance(error, CatalogError)
    assert "something new" in error.message


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# Size, and several processes.


def entry(number: int) -> StoredEntry:
    path = b"2026/07/01/peer/folder-%03d/file-%06d" % (number // 1000, number)
    return StoredEntry(path, "file", number, number, number.to_bytes(32, "big"), number)


@pytest.mark.slow
def test_a_hundred_thousand_entries_go_in_and_come_out(path: Path) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.record_proof(SESSION, (entry(number) for number in range(100_000)), CHECK)
        read = sum(1 for stored in catalog.entries("disc-1", 1) if stored == entry(stored.start))
        assert read == 100_000
        assert len(catalog.copies("2026/07/01")) == 100_000


def test_processes_that_write_at_once_all_get_their_record_in(path: Path) -> None:
    code = (
        "import sys; from datetime import datetime, UTC\n"
        "from cedarchest.adapters.catalog import open_catalog\n"
        "from cedarchest.model.disc import DiscRecord; from cedarchest.model.media import Medium\n"
        "name = sys.argv[2]; catalog = open_catalog(sys.argv[1])\n"
        "for n in range(10):\n"
        "    catalog.put_disc(DiscRecord(f'{name}-{n}', f'{name}_{n}', Medium.BD_R, 1, datetime.now(UTC)))\n"
        "catalog.close()"
    )
    argv = [sys.executable, "-c", code, url_of(path)]
    running = [subprocess.Popen([*argv, name]) for name in ("A", "B", "C")]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    with open_catalog(url_of(path)) as catalog:
        assert len(catalog.discs()) == 30


def test_a_writer_killed_in_the_midst_of_a_proof_leaves_what_was_before(path: Path) -> None:
    with open_catalog(url_of(path)) as catalog:
        catalog.put_session(SESSION, DISC)
        catalog.record_proof(SESSION, (entry(1), entry(2)), CHECK)
    code = (
        "import os, signal, sys; from dataclasses import replace\n"
        "from cedarchest.adapters.catalog import open_catalog\n"
        "catalog = open_catalog(sys.argv[1]); (session,) = catalog.sessions('disc-1')\n"
        "(check,) = catalog.checks('disc-1'); first = next(catalog.entries('disc-1', 1))\n"
        "def entries():\n"
        "    for n in range(50_000): yield first._replace(path=b'%d' % n)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "catalog.record_proof(session, entries(), check)"
    )
    killed = subprocess.run([sys.executable, "-c", code, url_of(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with open_catalog(url_of(path)) as catalog:
        assert list(catalog.entries("disc-1", 1)) == [entry(1), entry(2)]
        assert catalog.checks("disc-1") == (CHECK,)
