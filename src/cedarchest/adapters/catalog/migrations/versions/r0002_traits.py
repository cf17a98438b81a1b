"""Entries tell mode, owners, link target and attributes apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what was recorded before has none, and is held as different from anything staged."""
    op.add_column("entries", sa.Column("traits", sa.LargeBinary(), nullable=True))
