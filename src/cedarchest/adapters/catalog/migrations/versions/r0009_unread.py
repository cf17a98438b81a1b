"""Archives tell what could not be read when they were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; of archives that were entered before nothing is known to have been unread."""
    op.add_column("trees", sa.Column("unread", sa.Text(), nullable=True))
