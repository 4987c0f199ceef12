"""Downstream assets read tables and landed sources through the IO manager, the partitions they depend on."""

import dagster as dg
import polars as pl

from tests.dagster.conftest import Location

TABLE = dg.AssetKey(["retail", "household_spend", "v1", "_table"])
RAW = dg.AssetKey(["raw", "transactions"])
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-15")


def run_downstream(location: Location, asset: dg.AssetsDefinition, day: str | None):
    upstream = [dg.AssetSpec(TABLE, partitions_def=DAYS), dg.AssetSpec(RAW, partitions_def=DAYS)]
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


def test_all_partitions_of_a_landed_source(ready):
    read = run_downstream(ready, downstream(RAW), None)
    assert days_of(read) == set(DAYS.get_partition_keys())
    assert read.height == ready.store.source("raw/transactions").scan().collect().height > 0
