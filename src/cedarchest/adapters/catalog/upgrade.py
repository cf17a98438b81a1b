"""Which revision of the schema a database has, and how it comes to be the one we know.

The revision is read with a plain query; alembic, which is slow to import, is only imported when a
database of an earlier revision has to be migrated. A new database gets the tables as they are now
and the stamp of the head; a test proves that the migrations from nothing give the same.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select

from cedarchest.adapters.catalog.schema import HEAD, REVISIONS, alembic_version, metadata
from cedarchest.errors import CatalogError

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaState(Enum):
    """What a database needs before it can be used."""

    EMPTY = "no tables yet"
    EARLIER = "migrations are due"
    CURRENT = "nothing"


def schema_state(connection: Connection, path: Path) -> SchemaState:
    """What the database needs; `path` is for messages.

    Raises:
        CatalogError: it is somebody else's, or was made by a later version of this program.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return SchemaState.EMPTY
    if not {"alembic_version", "discs", "sessions"} <= tables:
        raise _foreign(path)
    revision = connection.scalar(select(alembic_version.c.version_num))
    if revision is None:
        raise _foreign(path)
    if revision not in REVISIONS:
        raise CatalogError(
            f"The catalog {path} was made by a later version of this program (its schema is {revision}, "
            f"this program knows up to {HEAD}).",
            advice="Install that version of cedarchest, or one after it.",
            path=str(path),
            revision=revision,
        )
    return SchemaState.CURRENT if revision == HEAD else SchemaState.EARLIER


def _foreign(path: Path) -> CatalogError:
    return CatalogError(
        f"{path} is a database, but not a catalog of this program.",
        advice="Correct `url` in the table [catalog] of the configuration.",
        path=str(path),
    )


def create_schema(connection: Connection) -> None:
    """Make all tables in an empty database and stamp it with the head revision."""
    metadata.create_all(connection, checkfirst=False)
    alembic_version.create(connection, checkfirst=False)
    connection.execute(insert(alembic_version).values(version_num=HEAD))


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to a revision, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    # The value passes through configparser, to which a percent sign means interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
