"""Rows of the catalog's tables: reading and writing definitions and revisions inside a transaction that others hold.

A branch is a layer over production as it was when the branch began: it numbers its revisions on from there, and its
rows of a definition take the place of production's. One that it removed has a row that holds for no revision.
"""

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


@dataclass(frozen=True)
class Layer:
    """The part of the catalog that is read and written.

    Attributes:
        branch: its name; empty: production.
        base: of a branch, the newest revision of production when it began; of production 0.
    """

    branch: str = ""
    base: int = 0


PRODUCTION: Final = Layer()


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


def head(connection: sa.Connection, layer: Layer) -> int:
    """Return the number of the newest revision; 0: there is none."""
    query = sa.select(HEAD.c.revision).where(HEAD.c.branch == layer.branch)
    return connection.execute(query).scalar_one_or_none() or layer.base


def insert_new(connection: sa.Connection, table: sa.Table, **values: object) -> None:
    """Insert a row, unless there is one of its key."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    connection.execute(insert(table).values(**values).on_conflict_do_nothing())


def number_at(connection: sa.Connection, layer: Layer, at: int | datetime) -> int:
    """Return the newest revision up to a number or an instant; 0: nothing was applied by then.

    Raises:
        InputError: the instant has no time zone, or there is no revision of that number.
    """
    if isinstance(at, int):
        newest = head(connection, layer)
        if not 0 <= at <= newest:
            raise InputError(f"the catalog has no revision {at}: the newest is {newest}")
        return at
    before = REVISIONS.c.applied_at <= to_microseconds(at)
    query = sa.select(sa.func.max(REVISIONS.c.revision)).where(_of(REVISIONS, layer, REVISIONS.c.revision), before)
    return connection.execute(query).scalar_one_or_none() or 0


def definitions_at(connection: sa.Connection, layer: Layer, number: int) -> list[Definition]:
    """Return everything that was declared as of a revision, by kind and name."""
    query = sa.select(DEFINITIONS).where(_of(DEFINITIONS, layer, DEFINITIONS.c.since), DEFINITIONS.c.since <= number)
    if layer == PRODUCTION:
        query = query.where(_holds(number))
    held = _visible(connection.execute(query).mappings().all(), layer, number)
    # In Python: databases sort text by rules of their own.
    return sorted(map(_definition, held), key=lambda each: (each.kind, each.name))


def revisions(connection: sa.Connection, layer: Layer, team: str | None = None, since: int = 0) -> list[Revision]:
    """Return the revisions after a number, of one team or of all, the newest first."""
    query = sa.select(REVISIONS).where(_of(REVISIONS, layer, REVISIONS.c.revision), REVISIONS.c.revision > since)
    if team is not None:
        query = query.where(REVISIONS.c.team == team)
    rows = connection.execute(query.order_by(REVISIONS.c.revision.desc())).mappings()
    return [_revision(row) for row in rows]


def versions(connection: sa.Connection, layer: Layer, kind: Kind, name: str) -> list[Version]:
    """Return every version of a definition, the newest first."""
    rows = _rows_of(connection, layer, kind, name)
    own = [row["since"] for row in rows if row["branch"] == layer.branch]
    replaced = min(own, default=None) if layer != PRODUCTION else None
    by_number = {each.number: each for each in revisions(connection, layer)}
    found: list[Version] = []
    for row in rows:
        until: int | None = row["until"]
        if row["branch"] != layer.branch:
            until = until if until is not None and until <= layer.base else replaced
        if row["since"] != row["until"]:
            found.append(
                Version(_definition(row), by_number[row["since"]], None if until is None else by_number[until])
            )
    return found


def current(connection: sa.Connection, layer: Layer, kind: Kind, name: str) -> Definition | None:
    """Return a definition as it is recorded now; None: it is not."""
    held = _visible(_rows_of(connection, layer, kind, name), layer, head(connection, layer))
    return _definition(held[0]) if held else None


def ever_declared(connection: sa.Connection, layer: Layer) -> list[Definition]:
    """Return the last version of everything that was ever declared, by kind and name."""
    query = sa.select(DEFINITIONS).where(_of(DEFINITIONS, layer, DEFINITIONS.c.since)).order_by(DEFINITIONS.c.since)
    last = {(row["kind"], row["name"]): row for row in connection.execute(query).mappings()}
    return [_definition(last[key]) for key in sorted(last)]


def record(
    connection: sa.Connection,
    layer: Layer,
    revision: Revision,
    own: Sequence[Definition],
    declared: Sequence[Definition],
) -> None:
    """Write a revision: what differs of a team's recorded and declared definitions ends and begins with it."""
    connection.execute(
        sa.insert(REVISIONS).values(
            branch=layer.branch,
            revision=revision.number,
            applied_at=to_microseconds(revision.applied_at),
            applied_by=revision.applied_by,
            team=revision.team,
        )
    )
    kept = {_identity(each) for each in own} & {_identity(each) for each in declared}
    names = {(each.kind, each.name) for each in declared}
    rows = [_row(layer, each, revision.number, None) for each in declared if _identity(each) not in kept]
    for each in own:
        if _identity(each) not in kept:
            current = sa.and_(
                DEFINITIONS.c.branch == layer.branch,
                DEFINITIONS.c.kind == each.kind,
                DEFINITIONS.c.name == each.name,
                DEFINITIONS.c.until.is_(None),
            )
            ended = connection.execute(sa.update(DEFINITIONS).where(current).values(until=revision.number))
            if not ended.rowcount and (each.kind, each.name) not in names:
                rows.append(_row(layer, each, revision.number, revision.number))
    if rows:
        connection.execute(sa.insert(DEFINITIONS), rows)
    connection.execute(sa.update(HEAD).where(HEAD.c.branch == layer.branch).values(revision=revision.number))


def _of(table: sa.Table, layer: Layer, since: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Select the rows of a layer, and of a branch those of production that it began with."""
    own = table.c.branch == layer.branch
    return (
        own if layer == PRODUCTION else sa.or_(own, sa.and_(table.c.branch == PRODUCTION.branch, since <= layer.base))
    )


def _holds(number: int) -> sa.ColumnElement[bool]:
    return sa.or_(DEFINITIONS.c.until.is_(None), DEFINITIONS.c.until > number)


def _rows_of(connection: sa.Connection, layer: Layer, kind: Kind, name: str) -> Sequence[Any]:
    """Return all rows of a definition, the newest first."""
    wanted = sa.and_(DEFINITIONS.c.kind == kind, DEFINITIONS.c.name == name)
    query = sa.select(DEFINITIONS).where(_of(DEFINITIONS, layer, DEFINITIONS.c.since), wanted)
    return connection.execute(query.order_by(DEFINITIONS.c.since.desc())).mappings().all()


def _visible(rows: Sequence[Any], layer: Layer, number: int) -> list[Any]:
    """Return those of the rows that hold as of a revision: a branch's own take the place of production's."""
    past = [row for row in rows if row["since"] <= number]
    own = {(row["kind"], row["name"]) for row in past if row["branch"] == layer.branch}

    def holds(row: Any) -> bool:
        is_own = row["branch"] == layer.branch
        at = number if is_own else min(number, layer.base)
        return (is_own or (row["kind"], row["name"]) not in own) and (row["until"] is None or row["until"] > at)

    return [row for row in past if holds(row)]


def _identity(each: Definition) -> tuple[str, str, str]:
    return each.kind, each.name, each.digest


def _row(layer: Layer, each: Definition, since: int, until: int | None) -> dict[str, Any]:
    return {
        "branch": layer.branch,
        "kind": each.kind,
        "name": each.name,
        "since": since,
        "until": until,
        "owner": each.owner,
        "digest": each.digest,
        "document": each.text,
    }


def _definition(row: Any) -> Definition:
    return Definition(cast("Kind", row["kind"]), row["name"], row["owner"], json.loads(row["document"]))


def _revision(row: Any) -> Revision:
    return Revision(row["revision"], from_microseconds(row["applied_at"]), row["applied_by"], row["team"])
