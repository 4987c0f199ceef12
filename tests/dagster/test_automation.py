"""The named condition: the newest partition follows, repairs of older ones are carried through, within bounds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from tests.dagster.sample import project

TABLE = dg.AssetKey(["retail", "household_spend", "v1", "_table"])
TILES = dg.AssetKey(["retail", "household_spend", "v1", "_tiles"])
ONLINE = dg.AssetKey(["online", "retail", "household_spend", "v1"])
RAW = dg.AssetKey(["raw", "transactions"])
NOW = datetime(2024, 2, 1, 3, tzinfo=UTC)
DAYS = [f"2024-01-{day:02}" for day in range(1, 32)]
FOLLOWED = [TILES, TABLE, ONLINE]


class Daemon:
    """Evaluates conditions tick by tick, as the daemon does."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions):
        self.instance, self.definitions = instance, definitions
        self.cursor = None
        self.time = NOW

    def report(self, key: dg.AssetKey, days: list[str]) -> None:
        for day in days:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))

    def tick(self) -> dict[dg.AssetKey, set[str]]:
        self.time += timedelta(seconds=30)
        result = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            asset_selection=dg.AssetSelection.assets(*FOLLOWED),
            cursor=self.cursor,
            evaluation_time=self.time,
        )
        self.cursor = result.cursor
        return {key: found for key in FOLLOWED if (found := set(result.get_requested_partitions(key)))}


@pytest.fixture
def daemon(tmp_path) -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield prepared(Daemon(instance, project.definitions(tmp_path)))


def prepared(daemon: Daemon) -> Daemon:
    daemon.report(RAW, DAYS)
    return daemon


@pytest.fixture
def settled(daemon) -> Daemon:
    for key in FOLLOWED:
        daemon.report(key, DAYS)
    assert daemon.tick() == {}
    return daemon


def test_the_newest_partition_runs_through_one_layer_after_the_other(daemon):
    for key in FOLLOWED:
        daemon.report(key, DAYS[:-1])
    for key in FOLLOWED:
        assert daemon.tick() == {key: {"2024-01-31"}}
        assert daemon.tick() == {}
        daemon.report(key, ["2024-01-31"])
    assert daemon.tick() == {}


def test_an_older_partition_repaired_within_the_allowed_lateness_reaches_all_its_windows(settled):
    settled.report(RAW, ["2024-01-30"])
    assert settled.tick() == {TILES: {"2024-01-30"}}
    settled.report(TILES, ["2024-01-30"])
    assert settled.tick() == {TABLE: {"2024-01-30", "2024-01-31"}}
    settled.report(TABLE, ["2024-01-30", "2024-01-31"])
    assert settled.tick() == {ONLINE: {"2024-01-30", "2024-01-31"}}


def test_what_lies_further_back_is_left_to_a_backfill(settled):
    settled.report(RAW, ["2024-01-20"])
    assert settled.tick() == {}
    settled.report(TILES, ["2024-01-28"])
    assert settled.tick() == {TABLE: {"2024-01-29", "2024-01-30", "2024-01-31"}}


def test_a_repair_in_the_tick_after_a_request_is_not_forgotten(settled):
    settled.report(TILES, ["2024-01-30"])
    assert settled.tick() == {TABLE: {"2024-01-30", "2024-01-31"}}
    settled.report(TILES, ["2024-01-31"])
    assert settled.tick() == {TABLE: {"2024-01-31"}}
    assert settled.tick() == {}


def test_nothing_runs_while_a_window_has_a_hole(daemon):
    daemon.report(TILES, DAYS[:-3] + DAYS[-2:])
    daemon.report(TABLE, DAYS[:-3])
    daemon.report(ONLINE, DAYS[:-3])
    # The hole itself is older than newest, but within the allowed lateness: it is filled first.
    assert daemon.tick() == {TILES: {DAYS[-3]}}
    daemon.report(TILES, [DAYS[-3]])
    assert daemon.tick() == {TABLE: set(DAYS[-3:])}


def test_features_carry_no_condition(tmp_path):
    graph = project.definitions(tmp_path).resolve_asset_graph()
    with_condition = {key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None}
    assert {key.path[-1] for key in with_condition if key.path[0] == "retail"} == {"_tiles", "_table"}
    assert {key.path[0] for key in with_condition} == {"retail", "online"}
    labels = {graph.get(key).automation_condition.get_label() for key in with_condition}
    assert labels == {"follow upstream and its repairs", "load what landed"}


def test_the_sensor_runs_by_default_and_covers_exactly_these(tmp_path):
    definitions = project.definitions(tmp_path)
    sensor = definitions.resolve_sensor_def("follow_upstream")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    graph = definitions.resolve_asset_graph()
    covered = sensor.asset_selection.resolve(graph)
    assert covered == {k for k in graph.get_all_asset_keys() if graph.get(k).automation_condition is not None}
