"""Tables of the catalog, the same in SQLite and PostgreSQL; ``migrations/`` brings a database to them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

HEAD: Final = sa.Table(
    "head",
    METADATA,
    sa.Column("branch", sa.String(100), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)
"""The newest revision of production (branch ``""``) and of each branch; every apply locks its row first."""

REVISIONS: Final = sa.Table(
    "revisions",
    METADATA,
    sa.Column("branch", sa.String(100), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("applied_at", sa.BigInteger, nullable=False),
    sa.Column("applied_by", sa.String(200), nullable=False),
    sa.Column("team", sa.String(100), nullable=False),
)
"""Each apply that changed something: when (microseconds UTC), by whom, for which team."""

DEFINITIONS: Final = sa.Table(
    "definitions",
    METADATA,
    sa.Column("branch", sa.String(100), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("name", sa.String(300), primary_key=True),
    sa.Column("since", sa.Integer, primary_key=True),
    sa.Column("until", sa.Integer, nullable=True),
    sa.Column("owner", sa.String(100), nullable=False),
    sa.Column("digest", sa.String(32), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("definitions_current", "branch", "until"),
)
"""Every version of every document: it holds from revision ``since`` until just before ``until`` (null: still)."""

BRANCHES: Final = sa.Table(
    "branches",
    METADATA,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("began_at", sa.BigInteger, nullable=False),
    sa.Column("began_by", sa.String(200), nullable=False),
    sa.Column("base", sa.Integer, nullable=False),
    sa.Column("is_going", sa.Boolean, nullable=False),
)
"""The branches: since when (microseconds UTC), by whom, from which revision of production, and whether it is being
dropped."""
