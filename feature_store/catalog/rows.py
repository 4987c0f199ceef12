"""Rows of the catalog's tables: reading and writing definitions and revisions inside a transaction that others hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import sqlalchemy as sa

from feature_store.catalog.documents import Definition, Kind
from feature_store.catalog.schema import DEFINITIONS, HEAD, REVISIONS
from feature_store.errors import InputError
from feature_store.temporal.instants import from_microseconds, to_microseconds

PRODUCTION: Final = ""


@dataclass(frozen=True)
class Revision:
    """One apply that changed something of one team.

    Attributes:
        number: counts up, in the order of commits, over all teams.
        applied_at: when, UTC.
        applied_by: who.
        team: whose definitions.
    """

    number: int
    applied_at: datetime
    applied_by: str
    team: str


@dataclass(frozen=True)
class Version:
    """One recorded version of a definition.

    Attributes:
        definition: as it was.
        recorded: the revision that recorded it.
        until: that which replaced or removed it; None: it is current.
    """

    definition: Definition
    recorded: Revision
    until: Revision | None


def head(connection: sa.Connection) -> int:
    """Return the number of the newest revision; 0: there is none."""
    query = sa.select(HEAD.c.revision).where(HEAD.c.branch == PRODUCTION)
    return connection.execute(query).scalar_one_or_none() or 0


def lock_head(connection: sa.Connection) -> int:
    """Lock the counter of revisions until the transaction ends, and return it: commits follow its order."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    connection.execute(insert(HEAD).values(branch=PRODUCTION, revision=0).on_conflict_do_nothing())
    query = sa.select(HEAD.c.revision).where(HEAD.c.branch == PRODUCTION).with_for_update()
    return connection.execute(query).scalar_one()


def number_at(connection: sa.Connection, at: int | datetime) -> int:
    """Return the newest revision up to a number or an instant; 0: nothing was applied by then.

    Raises:
        InputError: the instant has no time zone, or there is no revision of that number.
    """
    if isinstance(at, int):
        if not 0 <= at <= head(connection):
            raise InputError(f"the catalog has no revision {at}: the newest is {head(connection)}")
        return at
    before = REVISIONS.c.applied_at <= to_microseconds(at)
    query = sa.select(sa.func.max(REVISIONS.c.revision)).where(REVISIONS.c.branch == PRODUCTION, before)
    return connection.execute(query).scalar_one_or_none() or 0


def definitions_at(connection: sa.Connection, number: int) -> list[Definition]:
    """Return everything that was declared as of a revision, by kind and name."""
    holds = sa.and_(
        DEFINITIONS.c.branch == PRODUCTION,
        DEFINITIONS.c.since <= number,
        sa.or_(DEFINITIONS.c.until.is_(None), DEFINITIONS.c.until > number),
    )
    rows = connection.execute(sa.select(DEFINITIONS).where(holds)).mappings().all()
    # In Python: databases sort text by rules of their own.
    return sorted(map(_definition, rows), key=lambda each: (each.kind, each.name))


def revisions(connection: sa.Connection, team: str | None, since: int = 0) -> list[Revision]:
    """Return the revisions after a number, of one team or of all, the newest first."""
    query = sa.select(REVISIONS).where(REVISIONS.c.branch == PRODUCTION, REVISIONS.c.revision > since)
    if team is not None:
        query = query.where(REVISIONS.c.team == team)
    rows = connection.execute(query.order_by(REVISIONS.c.revision.desc())).mappings()
    return [_revision(row) for row in rows]


def versions(connection: sa.Connection, kind: Kind, name: str) -> list[Version]:
    """Return every version of a definition, the newest first."""
    query = (
        sa.select(DEFINITIONS)
        .where(DEFINITIONS.c.branch == PRODUCTION, DEFINITIONS.c.kind == kind, DEFINITIONS.c.name == name)
        .order_by(DEFINITIONS.c.since.desc())
    )
    rows = connection.execute(query).mappings().all()
    by_number = {each.number: each for each in revisions(connection, None)}
    return [Version(_definition(row), by_number[row["since"]], by_number.get(row["until"])) for row in rows]


def current(connection: sa.Connection, kind: Kind, name: str) -> Definition | None:
    """Return a definition as it is recorded now; None: it is not."""
    wanted = sa.and_(
        DEFINITIONS.c.branch == PRODUCTION,
        DEFINITIONS.c.kind == kind,
        DEFINITIONS.c.name == name,
        DEFINITIONS.c.until.is_(None),
    )
    row = connection.execute(sa.select(DEFINITIONS).where(wanted)).mappings().first()
    return None if row is None else _definition(row)


def ever_declared(connection: sa.Connection) -> list[Definition]:
    """Return the last version of everything that was ever declared, by kind and name."""
    query = sa.select(DEFINITIONS).where(DEFINITIONS.c.branch == PRODUCTION).order_by(DEFINITIONS.c.since)
    last = {(row["kind"], row["name"]): row for row in connection.execute(query).mappings()}
    return [_definition(last[key]) for key in sorted(last)]


def record(
    connection: sa.Connection, revision: Revision, own: Sequence[Definition], declared: Sequence[Definition]
) -> None:
    """Write a revision: what differs of a team's recorded and declared definitions ends and begins with it."""
    connection.execute(
        sa.insert(REVISIONS).values(
            branch=PRODUCTION,
            revision=revision.number,
            applied_at=to_microseconds(revision.applied_at),
            applied_by=revision.applied_by,
            team=revision.team,
        )
    )
    kept = {_identity(each) for each in own} & {_identity(each) for each in declared}
    for each in own:
        if _identity(each) not in kept:
            current = sa.and_(
                DEFINITIONS.c.branch == PRODUCTION,
                DEFINITIONS.c.kind == each.kind,
                DEFINITIONS.c.name == each.name,
                DEFINITIONS.c.until.is_(None),
            )
            connection.execute(sa.update(DEFINITIONS).where(current).values(until=revision.number))
    rows = [
        {
            "branch": PRODUCTION,
            "kind": each.kind,
            "name": each.name,
            "since": revision.number,
            "until": None,
            "owner": each.owner,
            "digest": each.digest,
            "document": each.text,
        }
        for each in declared
        if _identity(each) not in kept
    ]
    if rows:
        connection.execute(sa.insert(DEFINITIONS), rows)
    connection.execute(sa.update(HEAD).where(HEAD.c.branch == PRODUCTION).values(revision=revision.number))


def _identity(each: Definition) -> tuple[str, str, str]:
    return each.kind, each.name, each.digest


def _definition(row: Any) -> Definition:
    return Definition(cast("Kind", row["kind"]), row["name"], row["owner"], json.loads(row["document"]))


def _revision(row: Any) -> Revision:
    return Revision(row["revision"], from_microseconds(row["applied_at"]), row["applied_by"], row["team"])
