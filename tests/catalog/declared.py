"""Short definitions for tests of the catalog: views and services of few features, made without declaring them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from feature_store.catalog.documents import Definition, Document

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def feature(name: str, logic: str = "sum(x)", **fields: Any) -> Document:
    """Return the document of a feature, whose fingerprint is its logic."""
    plain = {
        "name": name,
        "dtype": "Float64",
        "kind": "aggregate",
        "description": f"The {name}",
        "logic": logic,
        "over": "7d",
        "hop": "1h",
        "meaning": [logic],
        "columns": ["x"],
        "reads": [],
        "default": None,
        "freshness": "1d",
        "stored": True,
        "fingerprint": logic,
        "renamed_from": None,
        "deprecated": None,
    }
    return {**plain, **fields}


def view(name: str, features: Sequence[Document], owner: str = "growth", **fields: Any) -> Definition:
    """Return a view of the source ``raw/rows``."""
    source = {
        "name": "rows",
        "kind": "events",
        "asset": "raw/rows",
        "time": "at",
        "columns": {"id": "Int64", "at": "Timestamp", "x": "Float64"},
        "description": "Rows",
    }
    document = {
        "name": name,
        "description": "A view",
        "owner": owner,
        "entity": {"name": "thing", "keys": {"id": "Int64"}, "description": "A thing"},
        "source": source,
        "features": list(features),
    }
    return Definition("view", name, owner, {**document, **fields})


def service(
    name: str,
    reads: Mapping[str, Definition | Sequence[Document]],
    names: Sequence[tuple[str, str]],
    owner: str = "growth",
) -> Definition:
    """Return a service.

    Args:
        name: ``name/vN``.
        reads: views by full name.
        names: pairs of view and feature, in the order of its outputs.
        owner: its team.
    """
    outputs = []
    for view_name, feature_name in names:
        held = reads[view_name]
        features = held.document["features"] if isinstance(held, Definition) else held
        (found,) = (each for each in features if each["name"] == feature_name)
        output = {"name": f"{view_name}__{feature_name}", "view": view_name, "feature": feature_name}
        outputs.append({**output, "dtype": found["dtype"], "fingerprint": found["fingerprint"]})
    document = {"name": name, "description": "A service", "owner": owner, "outputs": outputs, "plan": f"plan of {name}"}
    return Definition("service", name, owner, document)
