"""The raw assets: one per landed source, partitioned by the rows' own time."""

# Dagster reads the annotations of asset functions, so they cannot be postponed.
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import dagster as dg
import polars as pl

from feature_assets.raw.clock import partitions_end
from feature_assets.raw.completejourney import RawData
from feature_assets.raw.landing import LANDINGS, Landing
from feature_store.durations import HOUR
from resources.offline import OfflineStoreResource

PARTITIONS_PER_RUN: Final = 400
"""A run costs seconds to start and milliseconds per partition: a year of days is one run."""

OWNERS: Final = ["team:data-platform"]

_CHECK: Final = "declared_columns"
_HEAL: Final = timedelta(days=7)
"""How far back partitions that were not landed in time are landed without anybody asking."""


def build_raw_asset(landing: Landing) -> dg.AssetsDefinition:
    """Return the asset that lands a source.

    A run checks the rows first; where they are not what the source declares, nothing is written.
    """
    source = landing.source
    key = dg.AssetKey(source.asset.split("/"))
    partitions = _partitions(landing)

    @dg.asset(
        key=key,
        description=f"{source.description}. Own time: `{landing.time_column}`.",
        group_name="raw",
        owners=OWNERS,
        kinds={"parquet", "polars", "deltalake"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(PARTITIONS_PER_RUN),
        freshness_policy=_freshness(landing),
        automation_condition=_arrives(),
        metadata=_metadata(landing),
        check_specs=[
            dg.AssetCheckSpec(
                _CHECK, asset=key, blocking=True, description="The rows have the columns and types that are declared."
            )
        ],
        output_required=False,
    )
    def raw_asset(
        context: dg.AssetExecutionContext, offline_store: OfflineStoreResource
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        start, end = context.partition_time_window
        data = RawData.current()
        frame = landing.arrived(data, start, end)
        problems = landing.problems(frame)
        yield dg.AssetCheckResult(
            check_name=_CHECK, asset_key=key, passed=not problems, metadata={"problems": problems}
        )
        if problems:
            return
        rows = landing.write(offline_store.store, frame, start, end, context.run.run_id)
        per_partition = _rows_by_partition(frame, landing)
        for partition in context.partition_keys:
            at = partitions.time_window_for_partition_key(partition).start
            context.add_asset_metadata({"dagster/partition_row_count": per_partition.get(at, 0)}, key, partition)
        yield dg.MaterializeResult(metadata={"rows_of_run": rows, "rows_without_time": landing.rows_without_time(data)})

    return raw_asset


def _rows_by_partition(frame: pl.DataFrame, landing: Landing) -> dict[object, int]:
    start = pl.col(landing.time_column).dt.truncate("1h" if landing.cadence == HOUR else "1d")
    return dict(frame.group_by(start).len().iter_rows())


def _partitions(landing: Landing) -> dg.TimeWindowPartitionsDefinition:
    kind = dg.HourlyPartitionsDefinition if landing.cadence == HOUR else dg.DailyPartitionsDefinition
    return kind(landing.source.start, end_date=partitions_end(), timezone="UTC")


def _freshness(landing: Landing) -> dg.FreshnessPolicy:
    promised = timedelta(hours=1) if landing.cadence == HOUR else timedelta(days=1)
    slack = timedelta(minutes=30) if landing.cadence == HOUR else timedelta(hours=2)
    return dg.FreshnessPolicy.time_window(fail_window=promised + slack, warn_window=promised + slack / 2)


def _arrives() -> dg.AutomationCondition[Any]:
    """Return the condition that lands every partition once its time is over; one that failed waits for a person."""
    condition = dg.AutomationCondition
    idle = ~condition.in_progress() & ~condition.execution_failed()
    return (condition.in_latest_time_window(_HEAL) & condition.missing() & idle).with_label("land what has arrived")


def _metadata(landing: Landing) -> dict[str, object]:
    columns = [dg.TableColumn(name, dtype.name) for name, dtype in landing.source.columns.items()]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": landing.source.asset.replace("/", "."),
        "dagster/storage_kind": "deltalake",
    }


raw_assets: Final = [build_raw_asset(landing) for landing in LANDINGS]
"""All raw assets."""
