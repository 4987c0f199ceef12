"""The online store as assets: one per view, loaded as soon as a partition has landed."""

from datetime import UTC, datetime

import dagster as dg

from feature_assets.generator.conditions import load_when_landed
from feature_assets.generator.keys import group_name, online_key, table_key, tiles_key
from feature_assets.generator.partitions import microseconds, value_partitions
from feature_store import FeatureView
from feature_store.instants import from_microseconds, to_microseconds
from resources.offline import OfflineStoreResource
from resources.online import OnlineStoreResource
from serving.stores.sync import SyncReport, sync_view


def online_asset(view: FeatureView, end: datetime | None = None) -> dg.AssetsDefinition:
    """Return the asset ``online/namespace/view/vN``: what readers are served from."""
    key = online_key(view)
    spec = dg.AssetSpec(
        key,
        deps=[dg.AssetDep(_loaded_key(view), partition_mapping=dg.TimeWindowPartitionMapping())],
        description=_description(view),
        partitions_def=value_partitions(view, end),
        automation_condition=load_when_landed(view),
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=microseconds(view.partition_freshness if view.is_stream else view.freshness)
        ),
        group_name=group_name(view),
        owners=[f"team:{view.owner}"],
        kinds={"valkey"},
        tags={"entity": view.entity.name, "version": f"v{view.version}", "view": view.name},
    )

    @dg.multi_asset(
        name=f"online__{view.full_name.replace('/', '__')}",
        specs=[spec],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def load(
        context: dg.AssetExecutionContext, offline_store: OfflineStoreResource, online_store: OnlineStoreResource
    ) -> dg.MaterializeResult:
        offline_store.check_owner(view)
        with online_store.writer() as writer:
            report = sync_view(offline_store.store, view, writer, datetime.now(UTC), context.log.info)
        for partition, start in _starts(view, context).items():
            metadata = _partition_metadata(report, start + microseconds(view.cadence))
            context.add_asset_metadata(metadata, asset_key=key, partition_key=partition)
        return dg.MaterializeResult(asset_key=key)

    return load


def _loaded_key(view: FeatureView) -> dg.AssetKey:
    return tiles_key(view) if view.is_stream else table_key(view)


def _description(view: FeatureView) -> str:
    if view.is_stream:
        return (
            f"The batch tiles of {view.name}, online. From a partition's available-at on they own the time before its "
            "end; the stream owns what comes after."
        )
    return f"The newest values of {view.name}, online. Readers switch to a partition at its available-at."


def _starts(view: FeatureView, context: dg.AssetExecutionContext) -> dict[str, datetime]:
    windows = value_partitions(view)
    return {key: windows.time_window_for_partition_key(key).start.astimezone(UTC) for key in context.partition_keys}


def _partition_metadata(report: SyncReport, as_of: datetime) -> dict[str, str | int | float]:
    loaded = report.loads.get(as_of)
    if loaded is None:
        return {"state": "superseded", "served_as_of": str(report.served_as_of)}
    if loaded.as_of < to_microseconds(as_of):
        return {"state": "rejected", "served_as_of": str(from_microseconds(loaded.as_of))}
    return {
        "state": "loaded" if not loaded.skipped else "already loaded",
        "rows": loaded.rows,
        "seconds": loaded.seconds,
        "generation": loaded.generation,
    }
