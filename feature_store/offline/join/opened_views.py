"""The tables of a plan's views as they were at one moment, and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feature_store.offline.join.stream_choice import OpenStream
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import PlanView, ServicePlan

Opened = OpenTable | OpenStream
"""The values of a cadence or table view; the tiles of a stream view."""


Versions = Mapping[str, int | None]
"""Versions of tables by name, see ``table_names``; None: the table was never written."""


def table_names(view: PlanView) -> tuple[str, ...]:
    """Return what the tables that are read of a view are called: like it; of a stream view, its tiles and stream."""
    return (view.view,) if view.stream is None else (f"{view.view}/tiles", f"{view.view}/stream")


def open_views(store: OfflineStore, plan: ServicePlan, versions: Versions | None = None) -> list[Opened]:
    """Return one look at what is kept of each view of a plan, in its order.

    Args:
        store: the offline store.
        plan: of the service.
        versions: at which to look; None: the newest.

    Raises:
        VersionExpiredError: a version is no longer kept.
    """
    return [_open_view(store, view, versions) for view in plan.views]


def _open_view(store: OfflineStore, view: PlanView, versions: Versions | None) -> Opened:
    at = [] if versions is None else [versions[name] for name in table_names(view)]
    if view.stream is None:
        values = store.stored_values(view.view).open()
        return values.at(*at) if at else values
    tiles, copy = store.stored_tiles(view.view).open(), store.stream_copy(view.view).open()
    return OpenStream(tiles.at(at[0]), copy.at(at[1])) if at else OpenStream(tiles, copy)


def opened_versions(plan: ServicePlan, opened: Sequence[Opened]) -> dict[str, int | None]:
    """Return the versions at which views are open."""
    versions: dict[str, int | None] = {}
    for view, tables in zip(plan.views, opened, strict=True):
        at = (tables.tiles.version, tables.copy.version) if isinstance(tables, OpenStream) else (tables.version,)
        versions.update(zip(table_names(view), at, strict=True))
    return versions
