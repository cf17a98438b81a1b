"""Sessions name manufacturer and type of their disc, and the speed they were written at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; of what was recorded before nobody knows."""
    op.add_column("sessions", sa.Column("medium_id", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("speed_asked", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("speed_used", sa.Integer(), nullable=True))
