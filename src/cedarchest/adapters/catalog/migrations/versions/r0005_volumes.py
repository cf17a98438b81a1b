"""Days over several volumes, and files in parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what says which volume of a set a session is, and how files were cut; before, nothing was."""
    for column in ("volume", "volumes"):
        op.add_column("sessions", sa.Column(column, sa.Integer(), nullable=True))
    op.add_column("days", sa.Column("pieces", sa.Integer(), nullable=True))
    op.add_column("days", sa.Column("rests_on", sa.Text(), nullable=True))
    op.create_table(
        "splits",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part_sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "part_bytes", "position", name="pk_splits"),
    )
    op.create_index("ix_splits_part_sha256", "splits", ["part_sha256"])
