"""The assets of a stream view: tiles of all levels, values at the ends of partitions, batch tiles online, freshness."""

import shutil
from datetime import timedelta

import dagster as dg
import polars as pl
import pytest

from feature_assets import build_feature_assets
from feature_assets.generator.freshness import freshness_of
from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.temporal.durations import DAY, HOUR, MINUTE, SECOND
from feature_store.temporal.instants import from_microseconds, to_microseconds
from serving.stores.open_store import open_loader
from tests.dagster.conftest import Location, materialised
from tests.dagster.sample import project
from tests.dagster.sample.declarations import START, HouseholdActivity
from tests.dagster.snapshots import check_snapshot, describe

VIEW = "retail/household_activity/v1"
TILES, TABLE, ONLINE = f"{VIEW}/_tiles", f"{VIEW}/_table", "online/retail/household_activity_v1"
FEATURES = [f"{VIEW}/{name}" for name in HouseholdActivity.fingerprints]


def definitions(resources) -> dg.Definitions:
    raw = dg.Definitions(assets=project.raw_assets, resources=resources)
    return dg.Definitions.merge(build_feature_assets([HouseholdActivity]), raw)


@pytest.fixture(scope="module")
def live(instance, landed, tmp_path_factory, valkey_server) -> Location:
    """A location with tiles and values of a few days."""
    root = tmp_path_factory.mktemp("live") / "offline"
    shutil.copytree(landed, root)
    location = Location(instance, root)
    location.definitions = definitions(location.resources)
    location.result = location.run([TILES, TABLE, *FEATURES], "2024-01-01", "2024-01-06")
    assert location.result.success
    return location


def at_days(days: float) -> int:
    return to_microseconds(START) + int(days * DAY)


def test_the_graph_is_the_one_that_was_reviewed():
    check_snapshot("stream", describe(definitions(project.resources("nowhere"))))


def test_tiles_of_every_level_are_stored_and_available_after_the_declared_delay(live):
    tiles = live.store.tiles(HouseholdActivity)
    spans = tiles.scan().collect()["span"].unique().sort().to_list()
    assert spans == [SECOND, MINUTE, HOUR, DAY] == list(HouseholdActivity.levels)
    ledger = tiles.ledger.partitions()
    assert (ledger["available_at"] - ledger["as_of"]).unique().to_list() == [timedelta(hours=2)]


def test_features_report_their_values_at_the_end_of_each_partition(live):
    events = materialised(live.result)
    numbers = events[f"{VIEW}/spend_24h", "2024-01-03"].materialization.metadata
    values = live.store.values(HouseholdActivity).scan().filter(pl.col("partition_start").dt.day() == 3).collect()
    assert numbers["rows"].value == values.height > 0
    receipts = project.receipts(START, START + timedelta(days=3))
    last_day = receipts.filter(pl.col("purchased_at") >= START + timedelta(days=2))["sales_value"].sum()
    assert values["spend_24h"].sum() == pytest.approx(last_day)


def test_training_rows_of_any_time_are_counted_from_tiles(live):
    plan = compile_plan(FeatureService("now", 1, "growth", "Now", [HouseholdActivity.all()]))
    time = from_microseconds(at_days(4.3) + 7)
    spine = pl.DataFrame({"household_id": range(project.HOUSEHOLDS), "time": time})
    joined = point_in_time_join(live.store, plan, spine.cast({"household_id": pl.Int64}), "time", with_status=True)
    as_of = from_microseconds((at_days(4.3) + 7) // SECOND * SECOND - 5 * SECOND)
    assert joined["household_activity__as_of"].unique().to_list() == [as_of]
    receipts = project.receipts(START, START + timedelta(days=6)).filter(pl.col("purchased_at") < as_of)
    tail = from_microseconds((to_microseconds(as_of) - DAY) // HOUR * HOUR)
    spent = receipts.filter(pl.col("purchased_at") >= tail)["sales_value"].sum()
    assert joined["household_activity__spend_24h"].sum() == pytest.approx(spent)


def test_batch_tiles_are_loaded_online_and_published_in_their_ledger(live, valkey):
    location = Location(live.instance, live.root, online_url=valkey)
    location.definitions = definitions(location.resources)
    (event,) = materialised(location.run([ONLINE])).values()
    assert event.materialization.metadata["served_as_of"].value == from_microseconds(at_days(6)).timestamp()
    (generation,) = open_loader(valkey).generations(VIEW)
    assert generation.as_of == at_days(6)
    assert location.store.tiles(HouseholdActivity).ledger.partitions()["published_at"].null_count() == 5


def test_freshness_is_that_of_the_batch_tiles(live):
    due = from_microseconds(at_days(7)) + timedelta(hours=2)
    on_time, late = (freshness_of(live.store, HouseholdActivity, now) for now in (due, due + timedelta(microseconds=1)))
    assert (on_time.is_breached, late.is_breached) == (False, True)
    assert late.sla == timedelta(days=1, hours=2)
    assert late.breached_features == list(HouseholdActivity.fingerprints)
