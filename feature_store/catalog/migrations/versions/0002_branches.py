"""Create the table of branches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table as it was first."""
    op.create_table(
        "branches",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("began_by", sa.String(200), nullable=False),
        sa.Column("base", sa.Integer, nullable=False),
        sa.Column("is_going", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("branches")
