"""Create the tables of definitions and revisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables as they were first."""
    op.create_table(
        "head",
        sa.Column("branch", sa.String(100), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_table(
        "revisions",
        sa.Column("branch", sa.String(100), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("applied_at", sa.BigInteger, nullable=False),
        sa.Column("applied_by", sa.String(200), nullable=False),
        sa.Column("team", sa.String(100), nullable=False),
    )
    op.create_table(
        "definitions",
        sa.Column("branch", sa.String(100), primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("since", sa.Integer, primary_key=True),
        sa.Column("until", sa.Integer, nullable=True),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("definitions_current", "definitions", ["branch", "until"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("definitions", "revisions", "head"):
        op.drop_table(table)
