"""Checks tell speeds, retries and damage; what audits have read of each session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns and the table; of what was recorded before, each check was of all of its session."""
    op.add_column("checks", sa.Column("whole", sa.Boolean(), nullable=True))
    op.add_column("checks", sa.Column("speeds", sa.Text(), nullable=True))
    op.add_column("checks", sa.Column("slow", sa.Text(), nullable=True))
    op.add_column("checks", sa.Column("retries", sa.Integer(), nullable=True))
    op.add_column("checks", sa.Column("damaged", sa.Text(), nullable=True))
    op.create_table(
        "turns",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("last", sa.LargeBinary(), nullable=False),
        sa.Column("times", sa.Text(), nullable=False),
        sa.Column("to_read", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_turns"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_turns_session_id"),
    )
