"""Runs that repair what is damaged, as the ledgers list it: the day of a view's tiles or table, or its copy online.

Rows of a source are never landed again by themselves: an interface may return nothing any more. Of these the owner is
told, and decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from feature_assets.generator.keys import online_key, table_key, tiles_key
from feature_store import FeatureView
from feature_store.offline.materialize.reach import tiles_start
from feature_store.offline.materialize.repair import DamagedDay, damaged_days_of
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY, format_duration
from resources.offline import OfflineStoreResource
from serving.load.verify import damaged_loads

_INTERVAL = 60
_LONGEST_TAG = 200
"""Characters of a tag that Dagster takes, and some to spare."""


def repair_sensor(name: str, views: Sequence[FeatureView]) -> dg.SensorDefinition:
    """Return the sensor that requests runs which write damaged days of views again, and load damaged copies again.

    A day is asked for once an hour until it is whole; a day of values once the tiles of its view are, and a load once
    both are.

    Args:
        name: of the sensor.
        views: all of one team.
    """
    jobs = _jobs(name, views)

    @dg.sensor(
        name=name,
        jobs=[dg.define_asset_job(job, dg.AssetSelection.assets(*keys)) for job, keys in jobs.items()],
        minimum_interval_seconds=_INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests runs that write damaged days of tiles and tables, or load them, again. Not sources.",
    )
    def repair(offline_store: OfflineStoreResource) -> dg.SensorResult:
        now = datetime.now(UTC)
        requests = [request for view in views for request in _requests(offline_store.store, view, now, jobs)]
        return dg.SensorResult(requests, skip_reason=None if requests else "nothing is damaged")

    return repair


def _jobs(name: str, views: Sequence[FeatureView]) -> dict[str, list[dg.AssetKey]]:
    """Return the assets that are repaired, by job: all of a job have the same partitions, as Dagster demands."""
    jobs: dict[str, list[dg.AssetKey]] = {}
    for view in views:
        made = [] if view.is_table else [(tiles_key(view), tiles_start(view))]
        for key, start in [*made, (table_key(view), view.start)]:
            span = format_duration(view.cadence)
            jobs.setdefault(f"{name}_{span}_from_{start:%Y%m%d_%H%M}", []).append(key)
    return {**jobs, f"{name}_online": [online_key(view) for view in views]}


def _requests(
    store: OfflineStore, view: FeatureView, now: datetime, jobs: Mapping[str, Sequence[dg.AssetKey]]
) -> Iterator[dg.RunRequest]:
    damaged = list(damaged_days_of(store, view))
    parts = {each.part for each in damaged}
    for each in damaged:
        if each.part != "tiles" and "tiles" in parts:
            continue
        key = tiles_key(view) if each.part == "tiles" else table_key(view)
        first, last = each.start, each.end - timedelta(microseconds=view.cadence)
        tags = {
            ASSET_PARTITION_RANGE_START_TAG: _partition_key(first, view),
            ASSET_PARTITION_RANGE_END_TAG: _partition_key(last, view),
            "feature_store/repairs": _told(each),
        }
        run_key = f"{key.to_user_string()} {each.day} {each.found_at.isoformat()} {now:%Y-%m-%dT%H}"
        yield dg.RunRequest(run_key, job_name=_job_of(key, jobs), asset_selection=[key], tags=tags)
    loads = {} if damaged else damaged_loads(store, view, now)
    if loads:
        key, told = online_key(view), ", ".join(f"{as_of:%Y-%m-%d %H:%M} UTC" for as_of in loads)
        run_key = f"{key.to_user_string()} {told} {now:%Y-%m-%dT%H}"
        tags = {"feature_store/repairs": f"as of {told}"[:_LONGEST_TAG]}
        yield dg.RunRequest(run_key, job_name=_job_of(key, jobs), asset_selection=[key], tags=tags)


def _job_of(key: dg.AssetKey, jobs: Mapping[str, Sequence[dg.AssetKey]]) -> str:
    return next(job for job, keys in jobs.items() if key in keys)


def _partition_key(start: datetime, view: FeatureView) -> str:
    return start.strftime("%Y-%m-%d" if view.cadence >= DAY else "%Y-%m-%d-%H:%M")


def _told(damaged: DamagedDay) -> str:
    return f"{damaged.part} of {damaged.day}, found at {damaged.found_at:%Y-%m-%d %H:%M:%S} UTC"
