"""Records: one flat line per view, feature and service, as lists show and search reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from feature_store.catalog.documents import Definition, Document, features_read
from feature_store.catalog.names import short_names, version_of

Record = dict[str, Any]
"""``name, kind, type, entities, team, description``, and ``computed_from``, which is searched and not shown."""


def records_of(definitions: Iterable[Definition]) -> Iterator[Record]:
    """Yield every view, each followed by its features, then every service.

    A feature of the newest version of a view is called ``view.feature``, of an older one ``view/vN.feature``.
    """
    held = list(definitions)
    views = [each for each in held if each.kind == "view"]
    newest = {short_names(view)[0]: view.name for view in sorted(views, key=version_of)}
    entities = {view.name: view.document["entity"]["name"] for view in views}
    for view in views:
        short, versioned, full = short_names(view)
        yield _of_view(view)
        prefix = short if newest[short] == full else versioned
        yield from (_of_feature(view, prefix, feature) for feature in view.document["features"])
    yield from (_of_service(each, entities) for each in held if each.kind == "service")


def _of_view(view: Definition) -> Record:
    document = view.document
    return {
        "name": view.name,
        "kind": "view",
        "type": None,
        "entities": [document["entity"]["name"]],
        "team": view.owner,
        "description": document["description"],
        "computed_from": _source(document),
    }


def _of_feature(view: Definition, prefix: str, feature: Document) -> Record:
    return {
        "name": f"{prefix}.{feature['name']}",
        "kind": feature["kind"],
        "type": feature["dtype"],
        "entities": [view.document["entity"]["name"]],
        "team": view.owner,
        "description": feature["description"],
        "computed_from": f"{_source(view.document)} {feature['logic']} {' '.join(feature['columns'])}",
    }


def _of_service(service: Definition, entities: dict[str, str]) -> Record:
    views = dict.fromkeys(view for view, _ in features_read(service.document))
    return {
        "name": service.name,
        "kind": "service",
        "type": None,
        "entities": list(dict.fromkeys(entities[view] for view in views if view in entities)),
        "team": service.owner,
        "description": service.document["description"],
        "computed_from": " ".join(view.rsplit("/", 2)[1] for view in views),
    }


def _source(document: Document) -> str:
    return f"{document['source']['name']} {document['source']['asset']}"
