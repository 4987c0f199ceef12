"""Everything that is recorded of one view, feature or service, as JSON-able records: what ``show`` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from feature_store.catalog.documents import Definition, Document, features_read
from feature_store.catalog.names import Named, short_names
from feature_store.catalog.records import Record


def details(definitions: Iterable[Definition], named: Named) -> Record:
    """Return everything that is recorded about a view, feature or service.

    Args:
        definitions: of the same time, among which are the views and services that it is connected with.
        named: the thing.
    """
    held = list(definitions)
    if named.definition.kind == "service":
        return _service(held, named.definition)
    if named.feature is not None:
        return _feature(held, named.definition, named.feature)
    return _view(held, named.definition)


def _view(definitions: list[Definition], view: Definition) -> Record:
    document = view.document
    return {
        "name": view.name,
        "kind": "view",
        "description": document["description"],
        **_common(document),
        "start": document["start"],
        "features": [
            {
                "name": f["name"],
                "type": f["dtype"],
                "kind": f["kind"],
                "logic": f["logic"],
                "description": f["description"],
            }
            for f in document["features"]
        ],
        "read_by_services": _readers(definitions, view.name, None),
    }


def _feature(definitions: list[Definition], view: Definition, feature: Document) -> Record:
    return {
        "name": f"{short_names(view)[0]}.{feature['name']}",
        "kind": feature["kind"],
        "description": feature["description"],
        "type": feature["dtype"],
        "logic": feature["logic"],
        "window": _window(feature),
        "reads": feature["reads"],
        "default": feature["default"] if feature["default"] is None else str(feature["default"]),
        "stored": feature["stored"],
        "view": view.name,
        **_common(view.document),
        "freshness": feature["freshness"],
        "deprecated": feature["deprecated"],
        "fingerprint": feature["fingerprint"],
        "renamed_from": feature["renamed_from"],
        "read_by_services": _readers(definitions, view.name, feature["name"]),
    }


def _service(definitions: list[Definition], service: Definition) -> Record:
    document = service.document
    views = {each.name: each for each in definitions if each.kind == "view"}
    return {
        "name": service.name,
        "kind": "service",
        "description": document["description"],
        "owner": document["owner"],
        "readers": document["readers"],
        "version": document["version"],
        "keys": document["keys"],
        "inputs": {name: _input(declared) for name, declared in document.get("inputs", {}).items()},
        "features": [_output(views, output) for output in document["outputs"]],
    }


def _output(views: dict[str, Definition], output: Document) -> Record:
    if output["view"] is None:
        computed = {"feature": output["logic"], "description": output["description"]}
        return {"name": output["name"], "type": output["dtype"], **computed}
    view = views.get(output["view"])  # none: its owner's code location was never applied
    features = () if view is None else view.document["features"]
    return {
        "name": output["name"],
        "type": output["dtype"],
        "feature": f"{output['view'].rsplit('/', 2)[1]}.{output['feature']}",
        "description": next((f["description"] for f in features if f["name"] == output["feature"]), ""),
    }


def _input(declared: Document) -> str:
    default = "" if declared["default"] is None else f", default {declared['default']}"
    return ": ".join(filter(None, (f"{declared['dtype']}{default}", declared["description"])))


def _common(document: Document) -> dict[str, Any]:
    source = document["source"]
    shown = ("cadence", "batch_after", "available_after", "freshness", "ttl", "row_ttl")
    return {
        "entity": document["entity"]["name"],
        "keys": document["entity"]["keys"],
        "owner": document["owner"],
        "readers": document["readers"],
        "version": document["version"],
        "deprecated": document["deprecated"],
        "source": source["name"],
        "source_asset": source["asset"],
        "source_kind": source["kind"],
        "view_kind": document["view_kind"],
        **{name: document[name] for name in shown},
    }


def _window(feature: Document) -> str | None:
    if feature["kind"] != "aggregate":
        return None
    return "all history" if feature["over"] is None else f"{feature['over']} (hop {feature['hop']})"


def _readers(definitions: Iterable[Definition], view: str, feature: str | None) -> list[str]:
    return [
        each.name
        for each in definitions
        if each.kind == "service"
        and any(view == read and feature in (None, name) for read, name in features_read(each.document))
    ]
