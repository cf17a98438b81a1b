"""Places of discs, and paths: of what stands in days, and of members of archives."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cedarchest.adapters.catalog.members import record_earlier

revision = "0007"
down_revision = "0006"

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables; the paths of what was recorded before are entered, its archives are unread yet."""
    _make_places()
    _make_paths()
    _make_trees()
    _make_members()
    record_earlier(op.get_bind())


def _make_places() -> None:
    op.create_table(
        "places",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("disc_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_places"),
        sa.ForeignKeyConstraint(["disc_id"], ["discs.disc_id"], name="fk_places_disc_id"),
    )
    op.create_index("ix_places_disc_id", "places", ["disc_id"])


def _make_paths() -> None:
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_folders"),
        sa.UniqueConstraint("path", name="uq_folders_path"),
    )
    op.create_table(
        "paths",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("name", PATH, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_paths"),
        sa.UniqueConstraint("folder_id", "name", name="uq_paths_folder_id_name"),
    )
    op.create_index("ix_paths_name", "paths", ["name"])


def _make_trees() -> None:
    op.create_table(
        "trees",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("listing", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rests_on", sa.Integer(), nullable=True),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("folder", PATH, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_trees"),
        sa.UniqueConstraint("sha256", name="uq_trees_sha256"),
        sa.ForeignKeyConstraint(["rests_on"], ["trees.id"], name="fk_trees_rests_on"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_trees_session_id"),
    )
    op.create_index("ix_trees_session_id", "trees", ["session_id"])
    op.create_table(
        "stands",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("tree_id", sa.Integer(), nullable=False),
        sa.Column("line", PATH, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "path", name="pk_stands"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_stands_session_id"),
        sa.ForeignKeyConstraint(["tree_id"], ["trees.id"], name="fk_stands_tree_id"),
    )
    op.create_index("ix_stands_tree_id", "stands", ["tree_id"])
    op.create_index("ix_stands_line", "stands", ["line"])


def _make_members() -> None:
    op.create_table(
        "located",
        sa.Column("path_id", sa.Integer(), nullable=False),
        sa.Column("tree_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("path_id", "tree_id", name="pk_located"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "members",
        sa.Column("tree_id", sa.Integer(), nullable=False),
        sa.Column("path_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_s", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tree_id", "path_id", name="pk_members"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_members_path_id", "members", ["path_id"])
