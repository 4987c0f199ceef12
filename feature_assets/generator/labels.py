"""Labels by which assets are found and grouped in the UI: group, owners, tags and kinds."""

from __future__ import annotations

from typing import Any, Final

from feature_store import FeatureService, FeatureView

STORED: Final = {"polars", "delta"}
"""Kinds of everything that Polars computes and Delta Lake holds."""

ONLINE: Final = {"redis"}
"""Kinds of what is served: Redis and Valkey speak one protocol."""


def view_labels(view: FeatureView) -> dict[str, Any]:
    """Return what all assets of a view have in common, as options of an ``AssetSpec``."""
    return {
        "group_name": view.full_name.replace("/", "_"),
        "owners": [f"team:{view.owner}"],
        "tags": {"entity": view.entity.name, "version": f"v{view.version}", "view": view.name},
    }


def service_labels(service: FeatureService, group: str, owner: str) -> dict[str, Any]:
    """Return the labels of what stands for the reader of a service: its training set, its models."""
    return {
        "group_name": group,
        "owners": [f"team:{owner}"],
        "tags": {"service": service.name, "version": f"v{service.version}"},
    }
