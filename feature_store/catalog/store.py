"""The catalog store: every version of every definition, applied team by team in one order of revisions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from feature_store.catalog import rows
from feature_store.catalog.changes import Change, Refusal, compare, refusals
from feature_store.catalog.database import open_engine, reading, writing
from feature_store.catalog.documents import Definition, Kind
from feature_store.catalog.rows import Revision, Version
from feature_store.errors import FeatureStoreError, InputError, OwnershipError

Declared = Mapping[str, Sequence[Definition]]
"""By team, everything that its code location declares."""


class RefusedError(FeatureStoreError):
    """Declarations cannot be applied; nothing was recorded."""

    def __init__(self, refused: Sequence[Refusal]) -> None:
        super().__init__("\n".join(map(str, refused)))
        self.refused = tuple(refused)


class ConflictError(FeatureStoreError):
    """Somebody else applied changes of the same team meanwhile; nothing was recorded."""


@dataclass(frozen=True)
class Proposal:
    """What an apply would do, or did.

    Attributes:
        revision: the newest one that it was compared with.
        changes: what differs.
        refused: why it cannot be applied; empty: it can.
        undeclared: services that are recorded and declared no more: they stay until they are retired by name, since a
            model may still read them.
        before: everything that was recorded, of all teams.
        after: everything that is recorded once it is applied.
    """

    revision: int
    changes: tuple[Change, ...]
    refused: tuple[Refusal, ...]
    undeclared: tuple[str, ...]
    before: Sequence[Definition]
    after: Sequence[Definition]


@dataclass(frozen=True)
class Applied:
    """The outcome of an apply: the newest revision, and what changed with it (nothing: there is no new revision)."""

    revision: int
    changes: tuple[Change, ...]
    undeclared: tuple[str, ...] = ()


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
            return rows.head(connection)

    def revisions(self, team: str | None = None) -> list[Revision]:
        """Return the revisions, of one team or of all, the newest first."""
        with reading(self._engine) as connection:
            return rows.revisions(connection, team)

    def definitions(self, at: int | datetime | None = None) -> list[Definition]:
        """Return everything that was declared, by kind and name.

        Args:
            at: as of a revision or an instant; None: now.

        Raises:
            InputError: the instant has no time zone, or there is no such revision.
        """
        with reading(self._engine) as connection:
            number = rows.head(connection) if at is None else rows.number_at(connection, at)
            return rows.definitions_at(connection, number)

    def snapshot(self) -> tuple[int, list[Definition]]:
        """Return the newest revision, and everything that is declared as of it, of one and the same moment."""
        with reading(self._engine) as connection:
            number = rows.head(connection)
            return number, rows.definitions_at(connection, number)

    def history(self, kind: Kind, name: str) -> list[Version]:
        """Return every version of a definition, the newest first."""
        with reading(self._engine) as connection:
            return rows.versions(connection, kind, name)

    def current(self, kind: Kind, name: str) -> Definition | None:
        """Return a definition as it is recorded now; None: it is not."""
        with reading(self._engine) as connection:
            return rows.current(connection, kind, name)

    def ever_declared(self) -> list[Definition]:
        """Return the last version of everything that was ever declared, by kind and name."""
        with reading(self._engine) as connection:
            return rows.ever_declared(connection)

    def plan(self, declared: Declared, *, retire: Collection[str] = ()) -> Proposal:
        """Return what applying would do; nothing is recorded.

        Args:
            declared: see ``apply``.
            retire: see ``apply``.

        Raises:
            OwnershipError, InputError: as ``apply`` raises them.
        """
        revision, recorded = self.snapshot()
        return _propose(revision, recorded, declared, retire)

    def apply(
        self,
        declared: Declared,
        *,
        by: str,
        now: datetime,
        planned_at: int | None = None,
        allow_redefined: bool = False,
        retire: Collection[str] = (),
    ) -> Applied:
        """Record all that some teams declare, in one transaction, with a revision for each team that changed.

        What a team declares no more is removed, but its services stay until they are retired.

        Args:
            declared: by team; only these teams are compared and changed.
            by: who applies.
            now: UTC.
            planned_at: the revision that a plan was made against; an apply of one of the teams since is a conflict.
            allow_redefined: record features and services that mean something else under the same version.
            retire: services, ``name/vN``, to remove, which are declared no more.

        Raises:
            OwnershipError: a definition belongs to another team.
            RefusedError: a change is refused.
            ConflictError: somebody else applied for one of the teams since the plan was made.
            InputError: a service to retire is still declared, or of none of the teams.
        """
        with writing(self._engine) as connection:
            head = rows.lock_head(connection)
            _check_conflicts(connection, declared, planned_at, head)
            proposal = _propose(head, rows.definitions_at(connection, head), declared, retire)
            refused = [each for each in proposal.refused if not (allow_redefined and each.redefines)]
            if refused:
                raise RefusedError(refused)
            number = head
            for team in declared:
                before = [each for each in proposal.before if each.owner == team]
                after = [each for each in proposal.after if each.owner == team]
                if {each.text for each in before} != {each.text for each in after}:
                    number += 1
                    rows.record(connection, Revision(number, now, by, team), before, after)
        return Applied(number, proposal.changes, proposal.undeclared)


def _propose(revision: int, recorded: Sequence[Definition], declared: Declared, retire: Collection[str]) -> Proposal:
    for team, definitions in declared.items():
        _check_owners(team, recorded, definitions)
    wanted = {(each.kind, each.name) for definitions in declared.values() for each in definitions}
    left = [e for e in recorded if e.owner in declared and e.kind == "service" and (e.kind, e.name) not in wanted]
    _check_retired(retire, left, wanted)
    kept = [each for each in left if each.name not in retire]
    own = [each for each in recorded if each.owner in declared]
    others = [each for each in recorded if each.owner not in declared]
    after = [*kept, *(each for definitions in declared.values() for each in definitions)]
    changes = compare(own, after)
    everything = [*others, *after]
    refused = refusals(changes, everything)
    undeclared = tuple(each.name for each in kept)
    return Proposal(revision, tuple(changes), tuple(refused), undeclared, recorded, everything)


def _check_owners(team: str, recorded: Sequence[Definition], declared: Sequence[Definition]) -> None:
    owners = {(each.kind, each.name): each.owner for each in recorded}
    for each in declared:
        for owner in (each.owner, owners.get((each.kind, each.name), team)):
            if owner != team:
                raise OwnershipError(
                    f"{each.kind} {each.name} belongs to team {owner}; team {team} cannot change it: ask its owner"
                )


def _check_retired(retire: Collection[str], left: Sequence[Definition], wanted: Collection[tuple[str, str]]) -> None:
    names = sorted(each.name for each in left)
    for name in retire:
        if ("service", name) in wanted:
            raise InputError(f"service {name} is declared: remove it from the code, then retire it")
        if name not in names:
            known = f"there are {', '.join(names)}" if names else "there is none"
            raise InputError(f"no service {name!r} is recorded and declared no more, as one to retire is: {known}")


def _check_conflicts(connection: sa.Connection, teams: Declared, planned_at: int | None, head: int) -> None:
    if planned_at is None or planned_at == head:
        return
    planned = rows.number_at(connection, planned_at)
    newer = [each for each in rows.revisions(connection, None, planned) if each.team in teams]
    if not newer:
        return
    last = newer[0]
    before = [each for each in rows.definitions_at(connection, planned) if each.owner in teams]
    after = [each for each in rows.definitions_at(connection, head) if each.owner in teams]
    theirs = ", ".join(f"{change.action} {change.kind} {change.name}" for change in compare(before, after))
    raise ConflictError(
        f"team {last.team}: {last.applied_by} applied revision {last.number} at {last.applied_at.isoformat()}, after "
        f"this plan was made: {theirs or 'nothing that is left'}. Update the code, run `features plan` and apply again"
    )
