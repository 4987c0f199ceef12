"""The catalog store: every version of every definition, applied team by team in one order of revisions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from feature_store.catalog import branches, rows
from feature_store.catalog.apply import Applied, Apply, apply
from feature_store.catalog.branches import Branch
from feature_store.catalog.database import open_engine, reading, writing
from feature_store.catalog.documents import Definition, Kind
from feature_store.catalog.locks import lock_head
from feature_store.catalog.proposals import Declared, Proposal, propose
from feature_store.catalog.rows import PRODUCTION, Layer, Revision, Version


class Catalog:
    """The catalog in one database.

    Args:
        url: see ``database.open_engine``.
        branch: whose layer is read and written; until it begins that is production's, for reading. None: production.
    """

    def __init__(self, url: str, branch: str | None = None) -> None:
        self._engine = open_engine(url)
        self._branch = branch

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def revision(self) -> int:
        """Return the number of the newest revision; 0: nothing was applied yet."""
        with reading(self._engine) as connection:
            return rows.head(connection, self._layer(connection))

    def revisions(self, team: str | None = None) -> list[Revision]:
        """Return the revisions, of one team or of all, the newest first."""
        with reading(self._engine) as connection:
            return rows.revisions(connection, self._layer(connection), team)

    def definitions(self, at: int | datetime | None = None) -> list[Definition]:
        """Return everything that was declared, by kind and name.

        Args:
            at: as of a revision or an instant; None: now.

        Raises:
            InputError: the instant has no time zone, or there is no such revision.
        """
        with reading(self._engine) as connection:
            layer = self._layer(connection)
            number = rows.head(connection, layer) if at is None else rows.number_at(connection, layer, at)
            return rows.definitions_at(connection, layer, number)

    def snapshot(self) -> tuple[int, list[Definition]]:
        """Return the newest revision, and everything that is declared as of it, of one and the same moment."""
        with reading(self._engine) as connection:
            layer = self._layer(connection)
            number = rows.head(connection, layer)
            return number, rows.definitions_at(connection, layer, number)

    def history(self, kind: Kind, name: str) -> list[Version]:
        """Return every version of a definition, the newest first."""
        with reading(self._engine) as connection:
            return rows.versions(connection, self._layer(connection), kind, name)

    def current(self, kind: Kind, name: str) -> Definition | None:
        """Return a definition as it is recorded now; None: it is not."""
        with reading(self._engine) as connection:
            return rows.current(connection, self._layer(connection), kind, name)

    def ever_declared(self) -> list[Definition]:
        """Return the last version of everything that was ever declared, by kind and name."""
        with reading(self._engine) as connection:
            return rows.ever_declared(connection, self._layer(connection))

    def plan(self, declared: Declared, *, retire: Collection[str] = ()) -> Proposal:
        """Return what applying would do; nothing is recorded.

        Args:
            declared: see ``apply``.
            retire: see ``apply``.

        Raises:
            OwnershipError, InputError: as ``apply`` raises them.
        """
        revision, recorded = self.snapshot()
        return propose(revision, recorded, declared, retire)

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
            planned_at: the revision that a plan was made against; an apply since of one of the teams that would change
                is a conflict.
            allow_redefined: record features and services that mean something else under the same version.
            retire: services, ``name/vN``, to remove, which are declared no more.

        Raises:
            OwnershipError: a definition belongs to another team.
            RefusedError: a change is refused.
            ConflictError: somebody else applied for one of the teams that would change since the plan was made.
            InputError: a service to retire is still declared, or of none of the teams.
            UnknownBranchError: the branch did not begin, or is being dropped.
        """
        wanted = Apply(declared, by, now, planned_at, allow_redefined, retire)
        with writing(self._engine) as connection:
            return apply(connection, self._written_layer(connection), wanted)

    def note_view(self, view: Definition, *, by: str, now: datetime) -> None:
        """Record on the branch what a view means that is written there, though it was not applied.

        Raises:
            UnknownBranchError: the branch did not begin, or is being dropped.
        """
        with writing(self._engine) as connection:
            layer = self._written_layer(connection)
            head = lock_head(connection, layer)
            known = rows.current(connection, layer, "view", view.name)
            if layer != PRODUCTION and (known is None or known.digest != view.digest):
                before = [] if known is None else [known]
                rows.record(connection, layer, Revision(head + 1, now, by, view.owner), before, [view])

    def begin_branch(self, name: str, *, by: str, now: datetime) -> Branch:
        """Return the branch of a name, which begins if there is none.

        Args:
            name: of the branch.
            by: who begins it.
            now: UTC, by the real clock.

        Raises:
            UnknownBranchError: it is being dropped.
        """
        with writing(self._engine) as connection:
            return branches.begin_branch(connection, name, by, now)

    def branch(self, name: str) -> Branch:
        """Return the branch of a name.

        Raises:
            UnknownBranchError: there is none, or it is being dropped.
        """
        with reading(self._engine) as connection:
            return branches.require_branch(connection, name)

    def branches(self) -> list[Branch]:
        """Return the branches, the oldest first; also those that are being dropped."""
        with reading(self._engine) as connection:
            return branches.branches(connection)

    def note_going(self, name: str) -> None:
        """Note down that a branch is being dropped: from now on nobody reads or writes it."""
        with writing(self._engine) as connection:
            branches.note_going(connection, name)

    def forget_branch(self, name: str) -> None:
        """Delete the layer of a branch, and its record."""
        with writing(self._engine) as connection:
            branches.forget_branch(connection, name)

    def _layer(self, connection: sa.Connection) -> Layer:
        found = None if self._branch is None else branches.find_branch(connection, self._branch)
        return PRODUCTION if found is None else found.layer

    def _written_layer(self, connection: sa.Connection) -> Layer:
        return (
            PRODUCTION if self._branch is None else branches.require_branch(connection, self._branch, lock=True).layer
        )
