"""Asset keys of everything that is generated. Nobody else spells them."""

from __future__ import annotations

import dagster as dg

from feature_store import FeatureService, FeatureView
from resources.offline import TABLE

TILES = "_tiles"
"""Last part of the key of a view's tiles, as ``TABLE`` is of its table; no feature can be called so."""


def source_key(view: FeatureView) -> dg.AssetKey:
    """Return the asset that lands the rows of a view."""
    return dg.AssetKey(view.source.asset.split("/"))


def tiles_key(view: FeatureView) -> dg.AssetKey:
    """Return ``namespace/view/vN/_tiles``."""
    return dg.AssetKey([*view.full_name.split("/"), TILES])


def table_key(view: FeatureView) -> dg.AssetKey:
    """Return ``namespace/view/vN/_table``."""
    return dg.AssetKey([*view.full_name.split("/"), TABLE])


def feature_key(view: FeatureView, feature: str) -> dg.AssetKey:
    """Return ``namespace/view/vN/feature``; for a view whose features are columns only, its table."""
    return dg.AssetKey([*view.full_name.split("/"), feature]) if view.assets == "feature" else table_key(view)


def loaded_key(view: FeatureView) -> dg.AssetKey:
    """Return the asset whose partitions are loaded online: the view's table, of a stream view its tiles."""
    return tiles_key(view) if view.is_stream else table_key(view)


def online_key(view: FeatureView) -> dg.AssetKey:
    """Return ``online/namespace/view_vN``: the graph calls an asset by the last part of its key."""
    return dg.AssetKey(["online", view.namespace, f"{view.name}_v{view.version}"])


def training_key(service: str) -> dg.AssetKey:
    """Return ``training/service_vN`` of a service's full name, ``service/vN``."""
    return dg.AssetKey(["training", service.replace("/", "_")])


def model_key(name: str) -> dg.AssetKey:
    """Return ``models/name``."""
    return dg.AssetKey(["models", name])


def feature_keys(service: FeatureService) -> list[dg.AssetKey]:
    """Return the assets of the features that a service gives or computes from, on-read ones included, each once."""
    return list(dict.fromkeys(feature_key(read.selection.view, read.feature.name) for read in service.reads))


def unstored_keys(service: FeatureService) -> list[dg.AssetKey]:
    """Return the assets of the on-read features of a service: external ones, which nothing ever materializes."""
    return [
        feature_key(read.selection.view, read.feature.name)
        for read in service.reads
        if read.selection.view.assets == "feature" and not read.feature.is_stored
    ]


def op_name(key: dg.AssetKey) -> str:
    """Return the name of the op that makes an asset."""
    return "__".join(part.strip("_") for part in key.path)


def table_name(view: FeatureView) -> str:
    """Return how the catalog calls the table of a view: ``namespace.view_vN``."""
    return f"{view.namespace}.{view.name}_v{view.version}"
