"""Downstream assets read tables and landed sources through the IO manager, the partitions they depend on."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_store.errors import InputError
from feature_store.offline.tables.partitioned_table import Write
from feature_store.temporal.durations import DAY
from tests.dagster.conftest import Location
from tests.dagster.sample.declarations import HouseholdSpend

TABLE = dg.AssetKey(["retail", "household_spend", "v1", "_table"])
RAW = dg.AssetKey(["raw", "transactions"])
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-15")


def run_downstream(location: Location, asset: dg.AssetsDefinition, day: str | None):
    upstream = [dg.AssetSpec(key, partitions_def=DAYS) for key in asset.dependency_keys]
    resources = {"delta_io": location.resources["delta_io"], "mem": dg.InMemoryIOManager()}
    stubs = [spec.with_io_manager_key("delta_io") for spec in upstream]
    result = dg.materialize(
        [asset, *stubs], selection=[asset.key], partition_key=day, resources=resources, instance=location.instance
    )
    return result.output_for_node(asset.op.name)


def downstream(key: dg.AssetKey, **options) -> dg.AssetsDefinition:
    mapping = options.pop("mapping", None)
    rows = dg.AssetIn(key, partition_mapping=mapping, input_manager_key="delta_io")

    @dg.asset(ins={"rows": rows}, io_manager_key="mem", **options)
    def reader(rows: pl.LazyFrame) -> pl.DataFrame:
        return rows.collect()

    return reader


def days_of(frame: pl.DataFrame) -> set[str]:
    return set(frame["partition_start"].dt.strftime("%Y-%m-%d"))


def test_a_partition_of_a_table(ready):
    assert ready.run(["/".join(TABLE.path)], "2024-01-08", "2024-01-10").success
    read = run_downstream(ready, downstream(TABLE, partitions_def=DAYS), "2024-01-09")
    assert days_of(read) == {"2024-01-09"}
    assert {"household_id", "as_of", "spend_7d"} <= set(read.columns)


def test_a_range_of_a_table(ready):
    assert ready.run(["/".join(TABLE.path)], "2024-01-08", "2024-01-10").success
    lookback = dg.TimeWindowPartitionMapping(start_offset=-1)
    read = run_downstream(ready, downstream(TABLE, partitions_def=DAYS, mapping=lookback), "2024-01-10")
    assert days_of(read) == {"2024-01-09", "2024-01-10"}


def test_one_feature_of_a_table_comes_with_the_keys(ready):
    assert ready.run(["/".join(TABLE.path)], "2024-01-08", "2024-01-10").success
    feature = dg.AssetKey([*TABLE.path[:-1], "spend_7d"])
    read = run_downstream(ready, downstream(feature, partitions_def=DAYS), "2024-01-09")
    assert read.columns == ["partition_start", "as_of", "household_id", "spend_7d"]
    whole = ready.store.values(HouseholdSpend).scan().filter(pl.col("partition_start").dt.day() == 9)
    assert_frame_equal(read, whole.select(read.columns).collect(), check_row_order=False)
    with pytest.raises(InputError, match="retail/household_spend/v1 has no feature 'spent': it has"):
        run_downstream(ready, downstream(dg.AssetKey([*TABLE.path[:-1], "spent"]), partitions_def=DAYS), "2024-01-09")


def test_arrays_are_read_as_arrays(ready):
    values = ready.store.stored_values("retail/vectors/v1")
    start, end = datetime(2024, 1, 9, tzinfo=UTC), datetime(2024, 1, 10, tzinfo=UTC)
    schema = {"partition_start": pl.Datetime("us", "UTC"), "household_id": pl.Int64, "place": pl.Array(pl.Float32, 2)}
    frame = pl.DataFrame([(start, 1, [0.5, 2.0]), (start, 2, None)], schema=schema, orient="row")
    write = Write(start, end, DAY, "r", ["household_id"], ["household_id"], fingerprints={"place": "f"})
    values.write_range(frame, write)
    for name in (TABLE.path[-1], "place"):
        read = run_downstream(ready, downstream(dg.AssetKey(["retail", "vectors", "v1", name])), None)
        assert read.sort("household_id")["place"].equals(frame["place"])


def test_all_partitions_of_a_landed_source(ready):
    read = run_downstream(ready, downstream(RAW), None)
    assert days_of(read) == set(DAYS.get_partition_keys())
    assert read.height == ready.store.source("raw/transactions").scan().collect().height > 0
