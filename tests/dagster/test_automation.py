"""The named conditions: the newest partition follows, repairs and failures are carried through, within bounds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from feature_assets import build_feature_assets
from tests.dagster.sample import project
from tests.dagster.sample.declarations import services, views

TABLE = dg.AssetKey(["retail", "household_spend", "v1", "_table"])
TILES = dg.AssetKey(["retail", "household_spend", "v1", "_tiles"])
ONLINE = dg.AssetKey(["online", "retail", "household_spend_v1"])
TRAINING = dg.AssetKey(["training", "churn_v1"])
RAW = dg.AssetKey(["raw", "transactions"])
NOW = datetime(2024, 2, 1, 3, tzinfo=UTC)
DAYS = [f"2024-01-{day:02}" for day in range(1, 32)]
FOLLOWED = [TILES, TABLE, ONLINE]
LOADED = {None}
"""What is requested of an asset without partitions."""


class Daemon:
    """Evaluates conditions tick by tick, as the daemon does, 30 seconds apart."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions, followed=FOLLOWED):
        self.instance, self.definitions, self.followed = instance, definitions, followed
        self.cursor = None
        self.time = NOW

    def report(self, key: dg.AssetKey, days: list[str] | None = None) -> None:
        """Report materializations, one second after the last thing that happened."""
        self.time += timedelta(seconds=1)
        with freeze_time(self.time):
            for day in [None] if days is None else days:
                self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))

    def fail(self, key: dg.AssetKey, days: list[str]) -> None:
        """Run what cannot succeed: nothing has landed in the store."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        for day in days:
            tags = {"dagster/partition": day} if day else {}
            options = {"asset_selection": [key], "tags": tags, "instance": self.instance}
            assert not job.execute_in_process(raise_on_error=False, **options).success

    def tick(self, later: timedelta = timedelta(seconds=30)) -> dict[dg.AssetKey, set[str | None]]:
        """Return what is requested; of an asset without partitions, ``LOADED``."""
        self.time += later
        with freeze_time(self.time):
            result = dg.evaluate_automation_conditions(
                self.definitions,
                self.instance,
                asset_selection=dg.AssetSelection.assets(*self.followed),
                cursor=self.cursor,
                evaluation_time=self.time,
            )
        self.cursor = result.cursor
        requested = {key: set(result.get_requested_partitions(key)) for key in self.followed if key != ONLINE}
        if ONLINE in self.followed and result.get_num_requested(ONLINE):
            requested[ONLINE] = LOADED
        return {key: found for key, found in requested.items() if found}


@pytest.fixture
def daemon(tmp_path) -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield prepared(Daemon(instance, project.definitions(tmp_path)))


def prepared(daemon: Daemon) -> Daemon:
    daemon.report(RAW, DAYS)
    return daemon


@pytest.fixture
def settled(daemon) -> Daemon:
    daemon.report(TILES, DAYS)
    daemon.report(TABLE, DAYS)
    daemon.report(ONLINE)
    assert daemon.tick() == {}
    return daemon


def test_the_newest_partition_runs_through_one_layer_after_the_other(daemon):
    daemon.report(TILES, DAYS[:-1])
    daemon.report(TABLE, DAYS[:-1])
    daemon.report(ONLINE)
    for key, newest in ((TILES, {DAYS[-1]}), (TABLE, {DAYS[-1]}), (ONLINE, LOADED)):
        assert daemon.tick() == {key: newest}
        assert daemon.tick() == {}
        daemon.report(key, None if key == ONLINE else DAYS[-1:])
    assert daemon.tick() == {}


def test_an_older_partition_repaired_within_the_allowed_lateness_reaches_all_its_windows(settled):
    settled.report(RAW, ["2024-01-30"])
    assert settled.tick() == {TILES: {"2024-01-30"}}
    settled.report(TILES, ["2024-01-30"])
    assert settled.tick() == {TABLE: {"2024-01-30", "2024-01-31"}}
    settled.report(TABLE, ["2024-01-30", "2024-01-31"])
    assert settled.tick() == {ONLINE: LOADED}
    settled.report(ONLINE)
    assert settled.tick() == {}


def test_what_lies_further_back_is_left_to_a_backfill(settled):
    settled.report(RAW, ["2024-01-20"])
    assert settled.tick() == {}
    settled.report(TILES, ["2024-01-28"])
    assert settled.tick() == {TABLE: {"2024-01-29", "2024-01-30", "2024-01-31"}}


def test_a_repair_right_after_a_request_is_not_forgotten(settled):
    settled.report(TILES, ["2024-01-30"])
    assert settled.tick() == {TABLE: {"2024-01-30", "2024-01-31"}}
    settled.report(TILES, ["2024-01-31"])
    assert settled.tick() == {TABLE: {"2024-01-31"}}
    assert settled.tick() == {}


def test_a_repair_right_after_a_materialization_is_not_forgotten(settled):
    settled.report(TILES, ["2024-01-30"])
    assert settled.tick() == {TABLE: {"2024-01-30", "2024-01-31"}}
    settled.report(TABLE, ["2024-01-30", "2024-01-31"])
    settled.report(TILES, ["2024-01-31"])
    assert settled.tick() == {TABLE: {"2024-01-31"}, ONLINE: LOADED}


def test_what_people_computed_after_its_cause_is_not_computed_again(settled):
    settled.report(TILES, ["2024-01-30"])
    settled.report(TABLE, ["2024-01-30", "2024-01-31"])
    settled.report(ONLINE)
    assert settled.tick() == {}
    assert settled.tick() == {}


def test_what_is_seen_in_two_ticks_is_asked_for_once(settled, monkeypatch):
    """A materialization that is stored while a tick is at work is seen by this tick and by the next one."""
    seen = settled.instance.event_log_storage.get_maximum_record_id()
    settled.report(TABLE, ["2024-01-31"])
    with monkeypatch.context() as patched:
        patched.setattr(settled.instance.event_log_storage, "get_maximum_record_id", lambda: seen)
        assert settled.tick(timedelta(seconds=-0.5)) == {ONLINE: LOADED}
    settled.report(ONLINE)
    assert settled.tick() == {}
    assert settled.tick() == {}


def test_nothing_runs_while_a_window_has_a_hole(daemon):
    daemon.report(TILES, DAYS[:-3] + DAYS[-2:])
    daemon.report(TABLE, DAYS[:-3])
    daemon.report(ONLINE)
    # The hole itself is older than newest, but within the allowed lateness: it is filled first.
    assert daemon.tick() == {TILES: {DAYS[-3]}}
    daemon.report(TILES, [DAYS[-3]])
    assert daemon.tick() == {TABLE: set(DAYS[-3:])}


def test_what_was_missed_while_nobody_looked_is_made_up_for(settled):
    days = [f"2024-02-{day:02}" for day in range(1, 7)]
    settled.time += timedelta(days=6)
    settled.report(RAW, days)
    assert settled.tick() == {TILES: set(days)}


def test_a_store_that_was_begun_by_a_short_backfill_is_not_filled_up_behind_it(daemon):
    daemon.report(TILES, DAYS[-3:])
    daemon.report(TABLE, DAYS[-3:])
    daemon.report(ONLINE)
    assert daemon.tick() == {}
    assert daemon.tick(timedelta(hours=1)) == {}


@pytest.mark.parametrize(("days_later", "again"), [(0, True), (6, True), (7, False)])
def test_a_failed_partition_is_asked_for_every_hour_for_a_week(settled, days_later, again):
    day = "2024-02-01"
    settled.time += timedelta(days=1)
    settled.report(RAW, [day])
    assert settled.tick() == {TILES: {day}}
    settled.fail(TILES, [day])
    assert settled.tick() == {}
    settled.report(RAW, [f"2024-02-{number:02}" for number in range(2, 2 + days_later)])
    settled.report(TILES, [f"2024-02-{number:02}" for number in range(2, 2 + days_later)])
    for _ in range(2):
        found = settled.tick(timedelta(days=days_later, hours=1)).get(TILES, set())
        assert (day in found) == again
        assert settled.tick() == {}
        days_later = 0
    settled.report(TILES, [day])
    assert TILES not in settled.tick(timedelta(hours=1))


def test_a_failed_load_is_asked_for_every_hour(settled):
    settled.report(TABLE, ["2024-01-31"])
    assert settled.tick() == {ONLINE: LOADED}
    settled.fail(ONLINE, [""])
    for _ in range(2):
        assert settled.tick() == {}
        assert settled.tick(timedelta(hours=1)) == {ONLINE: LOADED}


def test_a_view_that_was_never_loaded_is_loaded_once_it_has_values(daemon):
    daemon.report(TILES, DAYS)
    daemon.report(TABLE, DAYS)
    assert daemon.tick() == {ONLINE: LOADED}
    assert daemon.tick() == {}


@pytest.fixture
def trained(tmp_path) -> Iterator[Daemon]:
    """A location whose training set reads three days ahead, with everything up to January 31 but the raw rows."""
    ahead = dg.TimeWindowPartitionMapping(start_offset=-2, end_offset=3, allow_nonexistent_upstream_partitions=True)
    training = replace(project.training, deps=[dg.AssetDep(RAW, partition_mapping=ahead)])
    definitions = dg.Definitions.merge(
        build_feature_assets(views, services, training_sets=[training]),
        dg.Definitions(assets=project.raw_assets, resources=project.resources(tmp_path)),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, definitions, [TRAINING])
        for key in stored_features(definitions):
            daemon.report(key, DAYS)
        daemon.report(TRAINING, DAYS[8:-4])
        yield daemon


def stored_features(definitions: dg.Definitions) -> list[dg.AssetKey]:
    node = definitions.resolve_asset_graph().get(TRAINING)
    return [key for key in node.parent_keys if key != RAW and key.path[-1] != "days_since_last_purchase"]


def test_a_training_day_is_built_once_its_labels_are_known(trained):
    trained.report(RAW, DAYS)
    assert trained.tick() == {TRAINING: {"2024-01-28"}}
    trained.report(TRAINING, ["2024-01-28"])
    assert trained.tick() == {}
    assert trained.tick(timedelta(days=1)) == {}
    trained.report(RAW, ["2024-02-01"])
    for key in stored_features(trained.definitions):
        trained.report(key, ["2024-02-01"])
    assert trained.tick() == {TRAINING: {"2024-01-29"}}
    assert trained.tick() == {}


def test_a_training_day_whose_purchases_have_a_hole_waits_for_it(trained):
    trained.report(RAW, [day for day in DAYS if day != "2024-01-30"])
    assert trained.tick() == {}
    trained.report(RAW, ["2024-01-30"])
    assert trained.tick() == {TRAINING: {"2024-01-28"}}


def test_features_carry_no_condition(tmp_path):
    graph = project.definitions(tmp_path).resolve_asset_graph()
    with_condition = {key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None}
    assert {key.path[-1] for key in with_condition if key.path[0] == "retail"} == {"_tiles", "_table"}
    assert {key.path[0] for key in with_condition} == {"retail", "online", "training"}
    labels = {graph.get(key).automation_condition.get_label() for key in with_condition}
    assert labels == {
        "follow upstream and its repairs", "load what landed", "build days whose labels are known",
    }  # fmt: skip


def test_the_sensor_runs_by_default_and_covers_exactly_these(tmp_path):
    definitions = project.definitions(tmp_path)
    sensor = definitions.resolve_sensor_def("growth_automation")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    graph = definitions.resolve_asset_graph()
    covered = sensor.asset_selection.resolve(graph)
    assert covered == {k for k in graph.get_all_asset_keys() if graph.get(k).automation_condition is not None}
