"""The guard of materialization: nothing is computed of a definition that was not applied."""

from __future__ import annotations

from feature_store.catalog.database import may_exist
from feature_store.catalog.store import Catalog
from feature_store.errors import FeatureStoreError
from feature_store.model.views import FeatureView


class NotAppliedError(FeatureStoreError):
    """A view is to be written whose definition is not the one that the catalog records."""


def check_applied(url: str, view: FeatureView) -> None:
    """Refuse a view with a stored feature that was not applied as it is declared; before the first apply, none is.

    Args:
        url: of the catalog.
        view: that is to be written.

    Raises:
        NotAppliedError: the view, or a stored feature of it, was not applied, or as another one.
    """
    if not may_exist(url):
        return
    catalog = Catalog(url)
    try:
        recorded, revision = catalog.current("view", view.full_name), catalog.revision()
    finally:
        catalog.close()
    if not revision:
        return
    if recorded is None:
        raise NotAppliedError(f"{view.full_name} was not applied: run `features plan`, then `features apply`")
    marks = {feature["name"]: feature["fingerprint"] for feature in recorded.document["features"]}
    others = [name for name, mark in view.fingerprints.items() if marks.get(name) != mark]
    if others:
        raise NotAppliedError(
            f"{view.full_name}: {', '.join(others)} was not applied as it is declared here: run `features plan`, then "
            "`features apply`, or update this code location"
        )
