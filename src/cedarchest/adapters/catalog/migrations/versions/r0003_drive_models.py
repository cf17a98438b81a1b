"""Sessions and checks name the model and firmware of their drive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; of what was recorded before nobody knows."""
    for table in ("sessions", "checks"):
        op.add_column(table, sa.Column("drive_model", sa.Text(), nullable=True))
