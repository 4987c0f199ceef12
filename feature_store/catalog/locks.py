"""Locks of applies: one per team, and one on the counter of revisions, which is held while rows are written.

Applies of one team follow one another; those of different teams compare at the same time, and wait for one another only
where they record. SQLite has one lock for all writers, which a transaction that writes holds from its start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import sqlalchemy as sa

from feature_store.catalog.database import BUSY_SECONDS
from feature_store.catalog.rows import Layer, insert_new
from feature_store.catalog.schema import HEAD


def lock_teams(connection: sa.Connection, layer: Layer, teams: Iterable[str]) -> None:
    """Lock some teams in a layer until the transaction ends.

    Raises:
        DBAPIError: somebody else has held one for ``BUSY_SECONDS``.
    """
    if connection.dialect.name != "postgresql":
        return
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
    for team in sorted(teams):  # in one order, so that nobody waits in a circle
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_number(layer, team))))


def lock_head(connection: sa.Connection, layer: Layer) -> int:
    """Lock the counter of revisions until the transaction ends, and return it: commits follow its order."""
    insert_new(connection, HEAD, branch=layer.branch, revision=layer.base)
    query = sa.select(HEAD.c.revision).where(HEAD.c.branch == layer.branch).with_for_update()
    return connection.execute(query).scalar_one()


def _number(layer: Layer, team: str) -> int:
    """Return the number of the advisory lock of a team."""
    digest = hashlib.blake2b(f"catalog:{layer.branch}:{team}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
