"""Discs say why they take no more sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; of what was recorded before nobody knows."""
    op.add_column("discs", sa.Column("reason", sa.Text(), nullable=True))
