"""One apply, inside a transaction: what some teams declare is compared with what is recorded, and takes its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from feature_store.catalog import rows
from feature_store.catalog.changes import Change, Refusal, compare
from feature_store.catalog.documents import Definition
from feature_store.catalog.locks import lock_head, lock_teams
from feature_store.catalog.proposals import Declared, Proposal, propose
from feature_store.catalog.rows import Layer, Revision
from feature_store.errors import FeatureStoreError


class RefusedError(FeatureStoreError):
    """Declarations cannot be applied; nothing was recorded."""

    def __init__(self, refused: Sequence[Refusal]) -> None:
        super().__init__("\n".join(map(str, refused)))
        self.refused = tuple(refused)


class ConflictError(FeatureStoreError):
    """Somebody else applied changes of the same team meanwhile; nothing was recorded."""


@dataclass(frozen=True)
class Apply:
    """What is applied, and how; see ``Catalog.apply``."""

    declared: Declared
    by: str
    now: datetime
    planned_at: int | None = None
    allow_redefined: bool = False
    retire: Collection[str] = ()


@dataclass(frozen=True)
class Applied:
    """The outcome of an apply: the newest revision, and what changed with it (nothing: there is no new revision)."""

    revision: int
    changes: tuple[Change, ...]
    undeclared: tuple[str, ...] = ()


def apply(connection: sa.Connection, layer: Layer, wanted: Apply) -> Applied:
    """Record an apply; see ``Catalog.apply``.

    Args:
        connection: in a transaction that writes.
        layer: in which it is recorded.
        wanted: the apply.
    """
    lock_teams(connection, layer, wanted.declared)
    seen = rows.head(connection, layer)
    proposal = _proposal(connection, layer, wanted, seen)
    head = lock_head(connection, layer)
    if head != seen:  # other teams applied meanwhile: what they read or removed counts
        proposal = _proposal(connection, layer, wanted, head)
    changed = [team for team in wanted.declared if _texts(proposal.before, team) != _texts(proposal.after, team)]
    if wanted.planned_at not in (None, head):
        _check_conflicts(connection, layer, changed, wanted.planned_at, head)
    refused = [each for each in proposal.refused if not (wanted.allow_redefined and each.redefines)]
    if refused:
        raise RefusedError(refused)
    for number, team in enumerate(changed, start=head + 1):
        before, after = ([each for each in side if each.owner == team] for side in (proposal.before, proposal.after))
        rows.record(connection, layer, Revision(number, wanted.now, wanted.by, team), before, after)
    return Applied(head + len(changed), proposal.changes, proposal.undeclared)


def _proposal(connection: sa.Connection, layer: Layer, wanted: Apply, number: int) -> Proposal:
    return propose(number, rows.definitions_at(connection, layer, number), wanted.declared, wanted.retire)


def _texts(definitions: Sequence[Definition], team: str) -> set[str]:
    return {each.text for each in definitions if each.owner == team}


def _check_conflicts(
    connection: sa.Connection, layer: Layer, changed: Collection[str], planned_at: int, head: int
) -> None:
    """Refuse to replace what somebody else applied for one of the teams that would change, since a plan was made."""
    planned = rows.number_at(connection, layer, planned_at)
    newer = [each for each in rows.revisions(connection, layer, None, planned) if each.team in changed]
    if not newer:
        return
    last, teams = newer[0], {each.team for each in newer}
    before, after = (
        [each for each in rows.definitions_at(connection, layer, number) if each.owner in teams]
        for number in (planned, head)
    )
    theirs = "; ".join(map(_told, compare(before, after)))
    raise ConflictError(
        f"team {last.team}: {last.applied_by} applied revision {last.number} at {last.applied_at.isoformat()}, after "
        f"this plan was made: {theirs or 'nothing that is left'}. Update the code, run `features plan` and apply again"
    )


def _told(change: Change) -> str:
    fields = f" ({', '.join(change.fields)})" if change.fields else ""
    logic = [document["logic"] for document in (change.before, change.after) if document and "logic" in document]
    meaning = f": {' became '.join(dict.fromkeys(logic))}" if change.kind == "feature" else ""
    return f"{change.action} {change.kind} {change.name}{fields}{meaning}"
