"""Features that compute the same, or nearly the same, as another one: a reason to reuse instead of declaring anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from feature_store.catalog.documents import Definition, Document

Likeness = Literal["same values", "same logic, other window"]


@dataclass(frozen=True)
class Similar:
    """A feature that is like another one.

    Attributes:
        name: ``view.feature``.
        likeness: how it is alike.
        owner: its team.
        logic: as people read it.
    """

    name: str
    likeness: Likeness
    owner: str
    logic: str


def similar_to(name: str, definitions: Iterable[Definition]) -> list[Similar]:
    """Return the features of the same entity and source that compute the same as a feature, the most alike first.

    Args:
        name: ``view.feature``, in full; it need not be found for itself.
        definitions: everything recorded, and declared.
    """
    views = [each for each in definitions if each.kind == "view"]
    features = {f"{view.name}.{f['name']}": (view, f) for view in views for f in _own(view)}
    if name not in features:
        return []
    view, wanted = features[name]
    mark = _mark(view, wanted)
    found = [
        Similar(other_name, _likeness(wanted, other), other_view.owner, other["logic"])
        for other_name, (other_view, other) in features.items()
        if other_name != name and _mark(other_view, other) == mark
    ]
    return sorted(found, key=lambda each: (each.likeness != "same values", each.name))


def _own(view: Definition) -> list[Document]:
    # A derived feature reads names of its own view: its text says nothing about another view's.
    return [feature for feature in view.document["features"] if not feature["reads"]]


def _mark(view: Definition, feature: Document) -> str:
    source, entity = view.document["source"], view.document["entity"]
    return json.dumps([source["asset"], source["kind"], entity["keys"], feature["kind"], feature["meaning"]])


def _likeness(wanted: Document, other: Document) -> Likeness:
    same = all(wanted[field] == other[field] for field in ("over", "hop", "dtype", "default"))
    return "same values" if same else "same logic, other window"
