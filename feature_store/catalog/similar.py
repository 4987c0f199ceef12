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


class SimilarFeatures:
    """The features of some definitions by what they compute; derived ones are left out.

    A derived feature reads names of its own view: its text says nothing about another view's.

    Args:
        definitions: everything recorded, and declared.
    """

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._features: dict[str, tuple[str, Definition, Document]] = {}
        self._alike: dict[str, dict[str, None]] = {}
        for view in definitions:
            for feature in view.document.get("features", ()):
                if not feature["reads"]:
                    name, mark = f"{view.name}.{feature['name']}", _mark(view, feature)
                    self._features[name] = (mark, view, feature)
                    self._alike.setdefault(mark, {})[name] = None

    def to(self, name: str) -> list[Similar]:
        """Return the features of the same entity and source that compute the same as a feature, the most alike first.

        Args:
            name: ``view.feature``, in full; it is not found for itself. One that is derived or unknown is like none.
        """
        if name not in self._features:
            return []
        mark, _, wanted = self._features[name]
        found = [self._similar(wanted, other) for other in self._alike[mark] if other != name]
        return sorted(found, key=lambda each: (each.likeness != "same values", each.name))

    def _similar(self, wanted: Document, name: str) -> Similar:
        _, view, feature = self._features[name]
        same = all(wanted[field] == feature[field] for field in ("over", "hop", "dtype", "default"))
        return Similar(name, "same values" if same else "same logic, other window", view.owner, feature["logic"])


def _mark(view: Definition, feature: Document) -> str:
    source, entity = view.document["source"], view.document["entity"]
    return json.dumps([source["asset"], source["kind"], entity["keys"], feature["kind"], feature["meaning"]])
