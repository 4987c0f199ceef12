"""Lineage at the level of columns: source column -> feature -> service, as recorded in the catalog's documents.

A node is named ``raw/transactions.sales_value``, ``retail/household_spend/v1.spend_7d`` or ``service churn/v1``; an
input that comes with requests, ``churn/v1.amount``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from feature_store.catalog.documents import Definition, features_read
from feature_store.errors import InputError

NodeKind = Literal["column", "input", "feature", "service"]


@dataclass(frozen=True)
class Node:
    """A source column, an input of a service, a feature or a service; columns have no owner."""

    kind: NodeKind
    name: str
    owner: str | None


@dataclass(frozen=True)
class Lineage:
    """The graph of what is computed from what.

    Attributes:
        nodes: by name.
        downstream: per node the names of those that read it directly, sorted.
        upstream: per node the names of those that it reads directly, sorted.
    """

    nodes: Mapping[str, Node]
    downstream: Mapping[str, tuple[str, ...]]
    upstream: Mapping[str, tuple[str, ...]]

    def has(self, name: str) -> bool:
        """Say whether a node, a source or a view is called so."""
        return any(each in self.nodes for each in (name, f"service {name}")) or name in self._holders()

    def _holders(self) -> set[str]:
        return {node.rpartition(".")[0] for node in self.nodes}

    def below(self, name: str) -> list[Node]:
        """Return everything that a node reaches, the nearest first; of a source or a view, what all its nodes reach.

        Raises:
            InputError: nothing is called so.
        """
        return self._reach(name, self.downstream)

    def above(self, name: str) -> list[Node]:
        """Return everything that a node is computed from, the nearest first.

        Raises:
            InputError: nothing is called so.
        """
        return self._reach(name, self.upstream)

    def _reach(self, name: str, arrows: Mapping[str, tuple[str, ...]]) -> list[Node]:
        start = self._start(name)
        found = dict.fromkeys(start)
        waiting = list(found)
        while waiting:
            for other in arrows.get(waiting.pop(0), ()):
                if other not in found:
                    found[other] = None
                    waiting.append(other)
        itself = set(start) if name in self.nodes else set[str]()
        return [self.nodes[each] for each in found if each not in itself]

    def _start(self, name: str) -> list[str]:
        """Return the node of that name, or all of the source or view of that name."""
        for node in (name, f"service {name}"):
            if node in self.nodes:
                return [node]
        inside = [node for node in self.nodes if node.rpartition(".")[0] == name]
        if not inside:
            near = get_close_matches(name, [*self.nodes, *self._holders()], 3)
            raise InputError(f"the catalog knows no {name!r}: {self._hint(near)}")
        return inside

    @staticmethod
    def _hint(near: list[str]) -> str:
        return f"did you mean {' or '.join(near)}?" if near else "see `features list`, or apply what declares it"


def lineage_of(definitions: Iterable[Definition]) -> Lineage:
    """Return the lineage of everything that is recorded."""
    nodes: dict[str, Node] = {}
    arrows: set[tuple[str, str]] = set()
    services: list[Definition] = []
    for each in definitions:
        if each.kind == "view":
            _add_view(each, nodes, arrows)
        elif each.kind == "service":
            services.append(each)
    for each in services:
        name = f"service {each.name}"
        nodes[name] = Node("service", name, each.owner)
        arrows |= {(f"{view}.{feature}", name) for view, feature in features_read(each.document)}
        for declared in each.document.get("inputs", ()):
            nodes[f"{each.name}.{declared}"] = Node("input", f"{each.name}.{declared}", each.owner)
            arrows.add((f"{each.name}.{declared}", name))
    known = [(one, other) for one, other in sorted(arrows) if one in nodes and other in nodes]
    return Lineage(nodes, _grouped(known), _grouped([(other, one) for one, other in known]))


def _add_view(view: Definition, nodes: dict[str, Node], arrows: set[tuple[str, str]]) -> None:
    asset = view.document["source"]["asset"]
    for feature in view.document["features"]:
        name = f"{view.name}.{feature['name']}"
        nodes[name] = Node("feature", name, view.owner)
        if feature["reads"]:
            arrows |= {(f"{view.name}.{read}", name) for read in feature["reads"]}
            continue
        for column in feature["columns"]:
            nodes.setdefault(f"{asset}.{column}", Node("column", f"{asset}.{column}", None))
            arrows.add((f"{asset}.{column}", name))


def _grouped(arrows: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = {}
    for one, other in arrows:
        grouped.setdefault(one, []).append(other)
    return {one: tuple(sorted(others)) for one, others in grouped.items()}
