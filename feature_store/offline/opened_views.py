"""The tables of a plan's views as they were at one moment, and their versions."""

from __future__ import annotations

from collections.abc import Sequence

from feature_store.offline.reading import OpenTable
from feature_store.offline.store import OfflineStore
from feature_store.offline.stream_choice import OpenStream
from feature_store.plans import PlanView, ServicePlan

Opened = OpenTable | OpenStream
"""The values of a cadence or table view; the tiles of a stream view."""


def open_views(store: OfflineStore, plan: ServicePlan) -> list[Opened]:
    """Return one look at what is kept of each view of a plan, in its order."""
    return [_open_view(store, view) for view in plan.views]


def _open_view(store: OfflineStore, view: PlanView) -> Opened:
    if view.stream is None:
        return store.stored_values(view.view).open()
    return OpenStream(store.stored_tiles(view.view).open(), store.stream_copy(view.view).open())


def opened_versions(plan: ServicePlan, opened: Sequence[Opened]) -> dict[str, int | None]:
    """Return the versions of what is read, by full name of the view; of a stream view its tiles and stream copy."""
    versions: dict[str, int | None] = {}
    for view, tables in zip(plan.views, opened, strict=True):
        if isinstance(tables, OpenStream):
            versions[f"{view.view}/tiles"], versions[f"{view.view}/stream"] = tables.tiles.version, tables.copy.version
        else:
            versions[view.view] = tables.version
    return versions


def newest_versions(store: OfflineStore, plan: ServicePlan) -> dict[str, int | None]:
    """Return what ``opened_versions`` would of views opened now."""
    versions: dict[str, int | None] = {}
    for view in plan.views:
        if view.stream is None:
            versions[view.view] = store.stored_values(view.view).delta_version()
        else:
            versions[f"{view.view}/tiles"] = store.stored_tiles(view.view).delta_version()
            versions[f"{view.view}/stream"] = store.stream_copy(view.view).open().version
    return versions
