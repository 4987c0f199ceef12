"""Declarations as JSON-able records: what ``--json`` prints and tables are made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from feature_assets.cli.names import FeatureOfView, Named
from feature_assets.project import Declarations
from feature_store import EventSource, Feature, FeatureService, FeatureView
from feature_store.temporal.durations import format_duration

Record = dict[str, Any]


def all_records(declarations: Declarations) -> Iterator[Record]:
    """Yield every view, each followed by its features, then every service, each as ``summary`` gives it."""
    for view in declarations.views.values():
        yield summary(view)
        yield from (summary(FeatureOfView(view, feature)) for feature in view)
    yield from (summary(service) for service in declarations.services.values())


def summary(named: Named) -> Record:
    """Return what a list shows: ``name, kind, type, entities, team, description``, and what a search reads besides."""
    if isinstance(named, FeatureService):
        entities = tuple(dict.fromkeys(view.entity.name for view in named.views))
        reads = " ".join(view.name for view in named.views)
        return _summary(named.full_name, "service", None, entities, named.owner, named.description, reads)
    view = named.view if isinstance(named, FeatureOfView) else named
    entities, source = (view.entity.name,), f"{view.source.name} {view.source.asset}"
    if isinstance(named, FeatureOfView):
        f = named.feature
        logic = f"{source} {f.logic}"
        return _summary(named.name, f.kind, f.dtype.name, entities, view.owner, f.description, logic)
    return _summary(view.full_name, "view", None, entities, view.owner, view.description, source)


def _summary(
    name: str, kind: str, dtype: str | None, entities: tuple[str, ...], team: str, description: str, computed_from: str
) -> Record:
    return {
        "name": name,
        "kind": kind,
        "type": dtype,
        "entities": list(entities),
        "team": team,
        "description": description,
        "computed_from": computed_from,
    }


def details(declarations: Declarations, named: Named) -> Record:
    """Return everything that is declared about a view, feature or service."""
    if isinstance(named, FeatureService):
        return _service(named)
    if isinstance(named, FeatureOfView):
        return _feature(declarations, named)
    return _view(declarations, named)


def _view(declarations: Declarations, view: FeatureView) -> Record:
    return {
        "name": view.full_name,
        "kind": "view",
        "description": view.description,
        **_common(view),
        "start": view.start.isoformat(),
        "features": [
            {"name": f.name, "type": f.dtype.name, "kind": f.kind, "logic": f.logic, "description": f.description}
            for f in view
        ],
        "read_by_services": [s.full_name for s in declarations.services.values() if view in s.views],
    }


def _feature(declarations: Declarations, named: FeatureOfView) -> Record:
    view, feature = named.view, named.feature
    return {
        "name": named.name,
        "kind": feature.kind,
        "description": feature.description,
        "type": feature.dtype.name,
        "logic": feature.logic,
        "window": _window(feature),
        "reads": list(feature.reads),
        "default": feature.default if feature.default is None else str(feature.default),
        "stored": feature.is_stored,
        "view": view.full_name,
        **_common(view),
        "freshness": format_duration(feature.freshness),
        "fingerprint": feature.fingerprint,
        "renamed_from": feature.renamed_from,
        "read_by_services": [s.full_name for s in declarations.services.values() if _reads(s, named)],
    }


def _service(service: FeatureService) -> Record:
    return {
        "name": service.full_name,
        "kind": "service",
        "description": service.description,
        "owner": service.owner,
        "readers": list(service.readers),
        "version": service.version,
        "keys": {column: dtype.name for column, dtype in service.keys.items()},
        "features": [
            {
                "name": selection.output_name(name),
                "type": selection.view.feature(name).dtype.name,
                "feature": f"{selection.view.name}.{name}",
                "description": selection.view.feature(name).description,
            }
            for selection in service.features
            for name in selection.names
        ],
    }


def _common(view: FeatureView) -> Record:
    source = view.source
    return {
        "entity": view.entity.name,
        "keys": {key: dtype.name for key, dtype in view.entity.keys.items()},
        "owner": view.owner,
        "readers": list(view.readers),
        "version": view.version,
        "source": source.name,
        "source_asset": source.asset,
        "source_kind": "events" if isinstance(source, EventSource) else "table",
        "view_kind": "stream" if view.is_stream else "table" if view.is_table else "cadence",
        "cadence": format_duration(view.cadence),
        "batch_after": None if view.batch_after is None else format_duration(view.batch_after),
        "available_after": format_duration(view.available_after),
        "freshness": format_duration(view.freshness),
        "ttl": None if view.ttl is None else format_duration(view.ttl),
        "row_ttl": None if view.row_ttl is None else format_duration(view.row_ttl),
    }


def _window(feature: Feature) -> str | None:
    if feature.aggregation is None:
        return None
    window = feature.aggregation.window
    return "all history" if window is None else str(window)


def _reads(service: FeatureService, named: FeatureOfView) -> bool:
    return any(s.view is named.view and named.feature.name in s.names for s in service.features)
