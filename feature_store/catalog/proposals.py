"""What an apply would do, and who may do it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from feature_store.catalog.changes import Change, Refusal, compare, refusals
from feature_store.catalog.documents import Definition
from feature_store.errors import InputError, OwnershipError

Declared = Mapping[str, Sequence[Definition]]
"""By team, everything that its code location declares."""


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


def propose(revision: int, recorded: Sequence[Definition], declared: Declared, retire: Collection[str]) -> Proposal:
    """Return what applying would do.

    Args:
        revision: the newest one.
        recorded: everything that is declared as of it.
        declared: see ``Catalog.apply``.
        retire: see ``Catalog.apply``.

    Raises:
        OwnershipError, InputError: as ``Catalog.apply`` raises them.
    """
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
