"""The online store as assets: one per view, loaded as soon as a partition has landed.

Such an asset has no partitions: it is what is served now, and what waits for its time. A load makes the store hold
both, whichever partition was the cause.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from feature_assets.generator.computed_assets import computed_assets
from feature_assets.generator.conditions import load_when_landed
from feature_assets.generator.feature_specs import freshness_policy
from feature_assets.generator.keys import loaded_key, online_key, op_name
from feature_assets.generator.labels import ONLINE, view_labels
from feature_assets.generator.retries import final_mistakes, start_over_if
from feature_store import FeatureView
from feature_store.temporal.instants import from_microseconds, to_microseconds
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource
from serving.load.sync import SyncReport, is_synced, sync_view


def online_asset(view: FeatureView) -> dg.AssetsDefinition:
    """Return the asset ``online/namespace/view_vN``: what readers are served from."""
    key = online_key(view)
    spec = dg.AssetSpec(
        key,
        deps=[loaded_key(view)],
        description=_description(view),
        automation_condition=load_when_landed(view),
        freshness_policy=freshness_policy(view),
        kinds=ONLINE,
        **view_labels(view),
    )

    def load(
        context: dg.AssetExecutionContext, offline_store: OfflineStoreResource, online_store: OnlineStoreResource
    ) -> dg.MaterializeResult:
        now = datetime.now(UTC)
        with final_mistakes(), online_store.writer() as writer:
            offline_store.check_writable(view)
            report = sync_view(offline_store.store, view, writer, now, context.log.info)
            start_over_if(moved_on=not is_synced(offline_store.store, view, writer, now))
        return dg.MaterializeResult(asset_key=key, metadata=_metadata(view, report))

    return computed_assets(op_name(key), [spec], load)


def _description(view: FeatureView) -> str:
    if view.is_stream:
        return (
            f"The batch tiles of {view.name}, online. From a partition's available-at on they own the time before its "
            "end; the stream owns what comes after."
        )
    return f"The newest values of {view.name}, online. Readers switch to a partition at its available-at."


def _metadata(view: FeatureView, report: SyncReport) -> dict[str, Any]:
    """Return as of when values are served, from when on, what waits for its time and what was rejected."""
    delay = timedelta(microseconds=view.partition_delay)
    held = {as_of: load for as_of, load in report.loads.items() if load.as_of >= to_microseconds(as_of)}
    loaded = [as_of.isoformat() for as_of, load in held.items() if not load.skipped]
    waiting = [as_of for as_of in held if as_of != report.served_as_of]
    rejected = [as_of.isoformat() for as_of in report.loads if as_of not in held]
    told: dict[str, Any] = {
        "loaded": ", ".join(loaded) or "nothing: all of it was there",
        "waiting": ", ".join(f"{at.isoformat()}, served from {(at + delay).isoformat()}" for at in waiting) or "none",
        "rejected": ", ".join(rejected) or "none",
        "seconds": sum(load.seconds for load in report.loads.values()),
    }
    if report.served_as_of is None:
        return {"served_as_of": "none yet", **told}
    served = report.loads.get(report.served_as_of)
    as_of = report.served_as_of if served is None else from_microseconds(served.as_of)
    return {
        "served_as_of": dg.MetadataValue.timestamp(as_of),
        "served_from": dg.MetadataValue.timestamp(as_of + delay),
        **({} if served is None else {"rows": served.rows, "generation": served.generation}),
        **told,
    }
