from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from feature_assets.raw import sources
from feature_assets.raw.assets import raw_asset, raw_assets
from feature_assets.raw.completejourney import RawData
from feature_assets.raw.definitions import defs
from feature_assets.raw.feeds import FEEDS
from feature_store.offline.tables.store import OfflineStore
from resources.offline import OfflineStoreResource

REDEMPTIONS = dg.AssetKey(["raw", "coupon_redemptions"])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run_range(
    asset: dg.AssetsDefinition, store: OfflineStore, instance: dg.DagsterInstance, first: str, last: str
) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    resource = OfflineStoreResource(root=store.root)
    return dg.materialize(
        [asset], instance=instance, tags=tags, resources={"offline_store": resource}, raise_on_error=False
    )


def asset_of(key: dg.AssetKey) -> dg.AssetsDefinition:
    return next(asset for asset in raw_assets if asset.key == key)


def test_the_code_location_loads_and_describes_every_landed_source() -> None:
    dg.Definitions.validate_loadable(defs)
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert set(specs) == {feed.source.asset for feed in FEEDS}
    for feed in FEEDS:
        spec = specs[feed.source.asset]
        assert spec.owners
        assert spec.kinds
        assert spec.description
        assert spec.freshness_policy is not None
        assert spec.automation_condition is not None
        schema = spec.metadata["dagster/column_schema"]
        assert {column.name: column.type for column in schema.columns} == {
            name: dtype.name for name, dtype in feed.source.columns.items()
        }


def test_a_range_is_one_run_with_the_rows_of_each_day(store: OfflineStore, instance: dg.DagsterInstance) -> None:
    result = run_range(asset_of(REDEMPTIONS), store, instance, "2017-01-01", "2017-01-10")
    assert result.success
    counted = {
        event.partition: event.step_materialization_data.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
    }
    landed = store.source("raw/coupon_redemptions").ledger.partitions()
    days = landed["partition_start"].dt.strftime("%Y-%m-%d")
    assert counted == dict(zip(days, landed["rows"], strict=True))
    assert len(counted) == 10
    written = result.get_asset_materialization_events()[0].step_materialization_data.materialization.metadata
    assert written["rows_without_time"].value == 0
    assert sum(counted.values()) > 0


def test_rows_that_are_not_as_declared_fail_the_check_and_publish_nothing(
    store: OfflineStore, instance: dg.DagsterInstance
) -> None:
    feed = next(each for each in FEEDS if each.source is sources.coupon_redemptions)

    def wrong(data: RawData) -> pl.LazyFrame:
        return data.coupon_redemptions().drop("coupon_upc")

    result = run_range(raw_asset(replace(feed, rows=wrong)), store, instance, "2017-01-01", "2017-01-02")
    assert not result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "coupon_upc" in str(evaluation.metadata["problems"].value)
    assert result.get_asset_materialization_events() == []
    assert store.source("raw/coupon_redemptions").delta_version() is None


def test_what_was_not_landed_in_the_last_week_is_requested_and_nothing_else(
    store: OfflineStore, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    asset = asset_of(REDEMPTIONS)
    resources = {"offline_store": OfflineStoreResource(root=store.root)}
    location = dg.Definitions([asset], resources=resources)
    assert run_range(asset, store, instance, "2017-12-27", "2017-12-30").success
    requested = dg.evaluate_automation_conditions(defs=location, instance=instance).get_requested_partitions(asset.key)
    assert requested == {"2017-12-26", "2017-12-31", "2018-01-01"}
