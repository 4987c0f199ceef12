"""Who is hit by a change: the services that read what changed, the models behind them, and their teams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from feature_store.catalog.changes import Change
from feature_store.catalog.lineage import Lineage, Node


@dataclass(frozen=True)
class Affected:
    """Who is hit, each sorted.

    Attributes:
        services: ``name/vN`` of those that read it, or of itself.
        models: names of the models that these services are for.
        owners: teams of the features and services downstream.
    """

    services: tuple[str, ...]
    models: tuple[str, ...]
    owners: tuple[str, ...]


def affected_by(change: Change, lineage: Lineage) -> Affected:
    """Return who is hit by a change.

    Args:
        change: of a team, a view, a feature or a service.
        lineage: of everything that is recorded before and after it.
    """
    if change.kind == "team":
        return Affected((), (), ())
    if change.kind == "service":
        return affected_of([Node("service", f"service {change.name}", change.owner)])
    return affected_of(lineage.below(change.name))


def affected_of(nodes: Iterable[Node]) -> Affected:
    """Return who is behind some nodes of the lineage."""
    held = list(nodes)
    services = sorted({node.name.removeprefix("service ") for node in held if node.kind == "service"})
    models = sorted({name.rpartition("/")[0] for name in services})
    owners = sorted({node.owner for node in held if node.owner is not None})
    return Affected(tuple(services), tuple(models), tuple(owners))
