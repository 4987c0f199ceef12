"""Tiles, tables and features as assets: what is computed, written, audited and reported."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from feature_assets.generator import view_assets
from feature_store.engines.polars.engine import PolarsEngine
from feature_store.errors import OwnershipError
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.materialize.staged_values import stage_values
from feature_store.offline.tables.definitions import drop
from feature_store.offline.tables.stored_frames import OfflineFrames
from tests.dagster.conftest import Location, logged, materialised
from tests.dagster.sample import project
from tests.dagster.sample.declarations import HouseholdProfile, HouseholdSpend
from tests.fixtures.computed_values import computed_values

VIEW = "retail/household_spend/v1"
TABLE = f"{VIEW}/_table"
TABLE_KEY = dg.AssetKey(TABLE.split("/"))
FEATURES = [f"{VIEW}/{f.name}" for f in HouseholdSpend.stored_features]
JAN_8, JAN_11 = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 11, tzinfo=UTC)


def values(location: Location) -> pl.DataFrame:
    return location.store.values(HouseholdSpend).scan().collect().sort("partition_start", "household_id")


def test_a_range_run_writes_what_the_offline_store_computes(ready):
    result = ready.run([TABLE, *FEATURES], "2024-01-08", "2024-01-10")
    assert result.success
    expected = computed_values(ready.store, HouseholdSpend, JAN_8, JAN_11).frame
    assert values(ready).equals(expected.sort("partition_start", "household_id").select(values(ready).columns))
    days = {"2024-01-08", "2024-01-09", "2024-01-10"}
    assert logged(ready.instance, result.run_id) == dict.fromkeys([TABLE, *FEATURES], days)
    ledger = ready.store.values(HouseholdSpend).ledger.partitions()
    assert set(ledger["run_id"]) == {result.run_id}


def test_every_partition_has_its_own_numbers(ready):
    result = ready.run([TABLE, *FEATURES], "2024-01-08", "2024-01-10")
    events = materialised(result)
    frame = values(ready)
    for day in ("2024-01-08", "2024-01-09", "2024-01-10"):
        rows = frame.filter(pl.col("partition_start").dt.strftime("%Y-%m-%d") == day)
        numbers = {k: v.value for k, v in events[f"{VIEW}/spend_7d", day].materialization.metadata.items()}
        assert numbers["rows"] == rows.height
        assert numbers["null_rate"] == 0
        assert numbers["mean"] == pytest.approx(rows["spend_7d"].cast(pl.Float64).mean())
        assert (numbers["min"], numbers["max"]) == pytest.approx((rows["spend_7d"].min(), rows["spend_7d"].max()))
        share = events[f"{VIEW}/is_big", day].materialization.metadata["true_rate"].value
        assert share == pytest.approx(rows["is_big"].cast(pl.Float64).mean())
        count = events[TABLE, day].materialization.metadata["dagster/partition_row_count"].value
        assert count == rows.height


def test_choosing_one_feature_computes_writes_and_reports_the_whole_view(fresh_instance, ready):
    ready.instance = fresh_instance
    result = ready.run([f"{VIEW}/spend_7d"], "2024-01-09")
    assert result.success
    assert set(values(ready).columns) >= {f.name for f in HouseholdSpend.stored_features}
    assert logged(ready.instance, result.run_id) == {key: {"2024-01-09"} for key in [TABLE, *FEATURES]}
    for key in [TABLE, *FEATURES]:
        assert ready.instance.get_materialized_partitions(dg.AssetKey(key.split("/"))) == {"2024-01-09"}
    assert checked(ready) == {"schema": True, "volume": True, "null_rate": True, "freshness": False}


def checked(location: Location) -> dict[str, bool]:
    """The latest outcomes of the table's checks, as the instance keeps them."""
    keys = [key for key in location.definitions.resolve_asset_graph().asset_check_keys if key.asset_key == TABLE_KEY]
    records = location.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return {key.name: record.evaluation.passed for key, record in records.items()}


def test_choosing_features_without_the_table_reports_the_same_numbers(ready):
    whole = materialised(ready.run([TABLE, *FEATURES], "2024-01-09"))
    run = ready.run([f"{VIEW}/spend_7d"], "2024-01-09")
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    records = ready.instance.get_records_for_run(run.run_id, of_type=kind).records
    assert len(records) == len([TABLE, *FEATURES])
    for record in records:
        event = record.event_log_entry.dagster_event
        expected = dict(whole[event.asset_key.to_user_string(), "2024-01-09"].materialization.metadata)
        for name in ("dagster/uri", "delta_version", "rows_of_run"):
            expected.pop(name, None)
        assert dict(event.step_materialization_data.materialization.metadata) == expected


def test_a_new_feature_is_reported_for_the_partitions_that_hold_it(ready):
    new = {"spend_3d", "spend_trend", "is_big"}
    before = replace(HouseholdSpend, features=tuple(f for f in HouseholdSpend.features if f.name not in new))
    for name in sorted(new):  # else who does not declare them may not write
        drop(DeltaTable(ready.store.tiles(HouseholdSpend).uri), HouseholdSpend.full_name, name, {})
    compute_tiles(ready.store, before, datetime(2024, 1, 1, tzinfo=UTC), JAN_8, "earlier")
    result = ready.run([TABLE, *FEATURES], "2024-01-08", "2024-01-10")
    assert result.success
    days = {"2024-01-08", "2024-01-09", "2024-01-10"}
    reported = {key: {"2024-01-10"} if key.split("/")[-1] in new else days for key in [TABLE, *FEATURES]}
    assert logged(ready.instance, result.run_id) == reported
    warnings = [e.user_message for e in ready.instance.all_logs(result.run_id) if e.level == logging.WARNING]
    assert any("spend_3d left out: tiles of [2024-01-06" in warning for warning in warnings)


def test_running_again_changes_nothing(ready):
    ready.run([TABLE, *FEATURES], "2024-01-08", "2024-01-09")
    before = values(ready), ready.store.values(HouseholdSpend).ledger.partitions()["content_hash"].to_list()
    ready.run([f"{VIEW}/lines"], "2024-01-08", "2024-01-09")
    after = values(ready), ready.store.values(HouseholdSpend).ledger.partitions()["content_hash"].to_list()
    assert after[0].equals(before[0])
    assert after[1] == before[1]


def spoil(monkeypatch, change):
    class SpoiledFrames(OfflineFrames):
        def stage(self, target, frame, *facts):
            return super().stage(target, change(frame), *facts)

    def spoiled(*given, engine, **options):
        return stage_values(*given, engine=PolarsEngine(SpoiledFrames()), **options)

    monkeypatch.setattr(view_assets, "stage_values", spoiled)


SPOILED = {
    "a key that is null": lambda f: f.with_columns(pl.when(pl.col("household_id") > 5).then("household_id")),
    "an entity twice": lambda f: pl.concat([f, f.head(1)]),
    "a wrong type": lambda f: f.with_columns(pl.col("spend_7d").cast(pl.Float64)),
    "a negative count": lambda f: f.with_columns(lines=pl.lit(-1, pl.Int64)),
    "a column too few": lambda f: f.drop("spend_3d"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_fails_the_audit_is_written_nowhere(ready, monkeypatch, name):
    ready.run([TABLE, *FEATURES], "2024-01-08")
    version = ready.store.values(HouseholdSpend).delta_version()
    spoil(monkeypatch, SPOILED[name])
    result = ready.run([TABLE, *FEATURES], "2024-01-09", raise_on_error=False)
    assert not result.success
    assert logged(ready.instance, result.run_id) == {}
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "schema"]
    assert not check.passed
    assert check.metadata["failures"].value
    assert ready.store.values(HouseholdSpend).delta_version() == version
    assert ready.store.values(HouseholdSpend).ledger.partitions().height == 1


def test_one_feature_that_fails_the_audit_fails_too(fresh_instance, ready, monkeypatch):
    ready.instance = fresh_instance
    spoil(monkeypatch, SPOILED["an entity twice"])
    result = ready.run([f"{VIEW}/spend_7d"], "2024-01-09", raise_on_error=False)
    assert not result.success
    assert logged(ready.instance, result.run_id) == {}
    assert checked(ready) == {"schema": False}
    assert ready.store.values(HouseholdSpend).delta_version() is None


@pytest.mark.parametrize("team", ["pricing", ""], ids=["another team", "no team"])
def test_a_location_that_is_not_the_owners_cannot_write(ready, team):
    stranger = Location(ready.instance, ready.root, team=team)
    for keys in ([TABLE, *FEATURES], [f"{VIEW}/spend_7d"], [f"{VIEW}/_tiles"]):
        with pytest.raises(Exception, match="may not write") as raised:
            stranger.run(keys, "2024-01-09")
        assert isinstance(raised.value, OwnershipError) or isinstance(raised.value.__cause__, OwnershipError)
    assert ready.store.values(HouseholdSpend).delta_version() is None


def test_missing_tiles_are_named(location):
    location.land()
    location.tiles("2024-01-01", "2024-01-05")
    with pytest.raises(dg.Failure, match="2024-01-06"):
        location.run([TABLE], "2024-01-08")


def test_source_rows_without_a_key_or_a_time_are_counted_by_the_tiles(location):
    rows = project.receipts(JAN_8, JAN_8 + timedelta(days=2))
    lost = rows.head(3).with_columns(household_id=pl.lit(None, pl.Int64))
    untimed = rows.head(2).with_columns(purchased_at=pl.lit(None, project.INSTANT))
    source, end = location.store.source("raw/transactions"), JAN_8 + timedelta(days=2)
    source.write(pl.concat([rows, lost, untimed]), JAN_8, end, time_column="purchased_at", run_id="landing")
    events = materialised(location.run([f"{VIEW}/_tiles"], "2024-01-08", "2024-01-09"))
    numbers = {day: event.materialization.metadata for (_, day), event in events.items()}
    assert {day: found["rows_without_key"].value for day, found in numbers.items()} == {
        "2024-01-08": 3,
        "2024-01-09": 0,
    }
    assert {found["rows_without_time_in_run"].value for found in numbers.values()} == {2}


def test_a_table_view_reads_its_source_and_has_no_tiles(ready):
    key = "retail/household_profile/v1"
    assert ready.run([f"{key}/_table", f"{key}/income", f"{key}/is_member"], "2024-01-03", "2024-01-05").success
    stored = ready.store.values(HouseholdProfile).scan().collect()
    assert stored.height == 3 * 40
    assert not ready.definitions.resolve_asset_graph().has(dg.AssetKey([*key.split("/"), "_tiles"]))


def test_features_can_be_columns_of_one_asset(ready):
    ready.run(["raw/transactions_hourly"], "2024-01-02-00:00", "2024-01-02-23:00")
    ready.run(["raw/transactions_hourly"], "2024-01-01-00:00", "2024-01-01-23:00")
    key = "retail/household_hours/v2"
    assert ready.run([f"{key}/_tiles"], "2024-01-01-00:00", "2024-01-02-23:00").success
    result = ready.run([f"{key}/_table"], "2024-01-02-00:00", "2024-01-02-05:00")
    assert {asset for asset, _ in materialised(result)} == {f"{key}/_table"}
    assert len(materialised(result)) == 6


def test_the_io_manager_gives_downstream_assets_the_partitions_they_read(ready):
    ready.run([TABLE], "2024-01-08", "2024-01-10")
    seen = {}

    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition("2024-01-01"),
        ins={"spend": dg.AssetIn(TABLE.split("/"), input_manager_key="delta_io")},
    )
    def daily(context: dg.AssetExecutionContext, spend: pl.LazyFrame) -> None:
        seen[context.partition_key] = spend.select(pl.col("partition_start").unique()).collect().to_series().to_list()

    @dg.asset(ins={"spend": dg.AssetIn(TABLE.split("/"), input_manager_key="delta_io")})
    def all_of_it(spend: pl.LazyFrame) -> None:
        seen["all"] = spend.select(pl.col("partition_start").n_unique()).collect().item()

    graph = dg.Definitions.merge(ready.definitions, dg.Definitions(assets=[daily, all_of_it]))
    ready.definitions = graph
    assert ready.run(["daily"], "2024-01-09").success
    job = graph.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=ready.instance, asset_selection=[dg.AssetKey("all_of_it")]).success
    assert seen == {"2024-01-09": [datetime(2024, 1, 9, tzinfo=UTC)], "all": 3}
