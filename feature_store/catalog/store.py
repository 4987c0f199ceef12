"""The catalog store: every version of every definition, applied team by team in one order of revisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import sqlalchemy as sa

from feature_store.catalog.changes import Change, Refusal, compare, refusals
from feature_store.catalog.database import open_engine, reading, writing
from feature_store.catalog.documents import Definition, Kind
from feature_store.catalog.schema import DEFINITIONS, HEAD, REVISIONS
from feature_store.errors import FeatureStoreError, InputError, OwnershipError
from feature_store.temporal.instants import from_microseconds, to_microseconds

PRODUCTION: Final = ""


class RefusedError(FeatureStoreError):
    """Declarations cannot be applied; nothing was recorded."""

    def __init__(self, refused: Sequence[Refusal]) -> None:
        super().__init__("\n".join(map(str, refused)))
        self.refused = tuple(refused)


class ConflictError(FeatureStoreError):
    """Somebody else applied changes of the same team meanwhile; nothing was recorded."""


@dataclass(frozen=True)
class Revision:
    """One apply that changed something.

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
    """One recorded version of a definition, and the revision that recorded it; ``until`` is that of its successor."""

    definition: Definition
    recorded: Revision
    until: int | None


@dataclass(frozen=True)
class Applied:
    """The outcome of an apply: the newest revision, and what changed with it (nothing: there is no new revision)."""

    revision: int
    changes: tuple[Change, ...]


class Catalog:
    """The catalog in one database.

    Args:
        url: see ``database.open_engine``.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def revision(self) -> int:
        """Return the number of the newest revision; 0: nothing was applied yet."""
        with reading(self._engine) as connection:
            return _head(connection)

    def revisions(self, team: str | None = None) -> list[Revision]:
        """Return the revisions, of one team or of all, the newest first."""
        query = sa.select(REVISIONS).where(REVISIONS.c.branch == PRODUCTION)
        if team is not None:
            query = query.where(REVISIONS.c.team == team)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(REVISIONS.c.revision.desc())).mappings().all()
        return [_revision(row) for row in rows]

    def definitions(self, at: int | datetime | None = None) -> list[Definition]:
        """Return everything that was declared, by kind and name.

        Args:
            at: as of a revision or an instant; None: now.

        Raises:
            InputError: the instant has no time zone, or there is no such revision.
        """
        with reading(self._engine) as connection:
            number = _head(connection) if at is None else _number_at(connection, at)
            return _definitions(connection, number)

    def history(self, kind: Kind, name: str) -> list[Version]:
        """Return every version of a definition, the newest first."""
        joined = sa.join(
            DEFINITIONS,
            REVISIONS,
            sa.and_(DEFINITIONS.c.branch == REVISIONS.c.branch, DEFINITIONS.c.since == REVISIONS.c.revision),
        )
        query = (
            sa.select(
                DEFINITIONS, REVISIONS.c.revision, REVISIONS.c.applied_at, REVISIONS.c.applied_by, REVISIONS.c.team
            )
            .select_from(joined)
            .where(DEFINITIONS.c.branch == PRODUCTION, DEFINITIONS.c.kind == kind, DEFINITIONS.c.name == name)
            .order_by(DEFINITIONS.c.since.desc())
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [Version(_definition(row), _revision(row), row["until"]) for row in rows]

    def apply(
        self,
        team: str,
        declared: Sequence[Definition],
        *,
        by: str,
        now: datetime,
        planned_at: int | None = None,
        allow_redefined: bool = False,
    ) -> Applied:
        """Record all that a team declares, in one transaction; what it declares no more is removed.

        Args:
            team: whose definitions; only these are compared and changed.
            declared: everything that the team's code location declares.
            by: who applies.
            now: UTC.
            planned_at: the revision that a plan was made against; an apply of the same team since is a conflict.
            allow_redefined: record features that mean other values under the same version.

        Raises:
            OwnershipError: a definition belongs to another team.
            RefusedError: a change is refused.
            ConflictError: somebody else applied for this team since the plan was made.
        """
        with writing(self._engine) as connection:
            head = _lock_head(connection)
            recorded = _definitions(connection, head)
            _check_owners(team, recorded, declared)
            _check_conflict(connection, team, planned_at, head)
            own = [each for each in recorded if each.owner == team]
            changes = compare(own, declared)
            others = [*(each for each in recorded if each.owner != team), *declared]
            judged = [change for change in changes if not (allow_redefined and change.changes_values)]
            refused = refusals(judged, others)
            if refused:
                raise RefusedError(refused)
            if not changes:
                return Applied(head, ())
            _record(connection, Revision(head + 1, now, by, team), own, declared)
        return Applied(head + 1, tuple(changes))


def _head(connection: sa.Connection) -> int:
    query = sa.select(HEAD.c.revision).where(HEAD.c.branch == PRODUCTION)
    return connection.execute(query).scalar_one_or_none() or 0


def _lock_head(connection: sa.Connection) -> int:
    """Lock the counter of revisions until the transaction ends, and return it: commits follow its order."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    connection.execute(insert(HEAD).values(branch=PRODUCTION, revision=0).on_conflict_do_nothing())
    query = sa.select(HEAD.c.revision).where(HEAD.c.branch == PRODUCTION).with_for_update()
    return connection.execute(query).scalar_one()


def _definitions(connection: sa.Connection, number: int) -> list[Definition]:
    holds = sa.and_(
        DEFINITIONS.c.branch == PRODUCTION,
        DEFINITIONS.c.since <= number,
        sa.or_(DEFINITIONS.c.until.is_(None), DEFINITIONS.c.until > number),
    )
    rows = connection.execute(sa.select(DEFINITIONS).where(holds).order_by(DEFINITIONS.c.kind, DEFINITIONS.c.name))
    return [_definition(row) for row in rows.mappings()]


def _number_at(connection: sa.Connection, at: int | datetime) -> int:
    if isinstance(at, int):
        if not 0 <= at <= _head(connection):
            raise InputError(f"the catalog has no revision {at}: the newest is {_head(connection)}")
        return at
    before = REVISIONS.c.applied_at <= to_microseconds(at)
    query = sa.select(sa.func.max(REVISIONS.c.revision)).where(REVISIONS.c.branch == PRODUCTION, before)
    return connection.execute(query).scalar_one_or_none() or 0


def _check_owners(team: str, recorded: Sequence[Definition], declared: Sequence[Definition]) -> None:
    owners = {(each.kind, each.name): each.owner for each in recorded}
    for each in declared:
        for owner in (each.owner, owners.get((each.kind, each.name), team)):
            if owner != team:
                raise OwnershipError(
                    f"{each.kind} {each.name} belongs to team {owner}; team {team} cannot change it: ask its owner"
                )


def _check_conflict(connection: sa.Connection, team: str, planned_at: int | None, head: int) -> None:
    if planned_at is None or planned_at == head:
        return
    since = sa.select(REVISIONS).where(
        REVISIONS.c.branch == PRODUCTION, REVISIONS.c.team == team, REVISIONS.c.revision > planned_at
    )
    newer = [_revision(row) for row in connection.execute(since.order_by(REVISIONS.c.revision)).mappings()]
    if not newer:
        return
    before = [each for each in _definitions(connection, planned_at) if each.owner == team]
    after = [each for each in _definitions(connection, head) if each.owner == team]
    theirs = ", ".join(f"{change.action} {change.kind} {change.name}" for change in compare(before, after))
    last = newer[-1]
    raise ConflictError(
        f"team {team}: {last.applied_by} applied revision {last.number} at {last.applied_at.isoformat()}, after this "
        f"plan was made: {theirs or 'nothing that is left'}. Update the code, run `features plan` and apply again"
    )


def _record(
    connection: sa.Connection, revision: Revision, own: Sequence[Definition], declared: Sequence[Definition]
) -> None:
    connection.execute(
        sa.insert(REVISIONS).values(
            branch=PRODUCTION,
            revision=revision.number,
            applied_at=to_microseconds(revision.applied_at),
            applied_by=revision.applied_by,
            team=revision.team,
        )
    )
    kept = {(each.kind, each.name, each.digest) for each in own} & {(e.kind, e.name, e.digest) for e in declared}
    for each in own:
        if (each.kind, each.name, each.digest) not in kept:
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
        if (each.kind, each.name, each.digest) not in kept
    ]
    if rows:
        connection.execute(sa.insert(DEFINITIONS), rows)
    head = sa.update(HEAD).where(HEAD.c.branch == PRODUCTION).values(revision=revision.number)
    connection.execute(head)


def _definition(row: Any) -> Definition:
    return Definition(cast("Kind", row["kind"]), row["name"], row["owner"], json.loads(row["document"]))


def _revision(row: Any) -> Revision:
    return Revision(row["revision"], from_microseconds(row["applied_at"]), row["applied_by"], row["team"])
