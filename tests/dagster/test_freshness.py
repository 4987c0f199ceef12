"""Freshness by the ledger: per partition, whatever was materialised when; as a check, and as a sensor."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from feature_assets.generator.freshness import freshness_of
from tests.dagster.sample.declarations import HouseholdSpend

TABLE = "retail/household_spend/v1/_table"


def test_an_old_partition_written_now_makes_nothing_fresh(ready):
    now = datetime(2024, 1, 14, 3, tzinfo=UTC)
    ready.run([TABLE], "2024-01-12")
    assert not freshness_of(ready.store, HouseholdSpend, now).is_breached
    later = now + timedelta(days=1)
    assert freshness_of(ready.store, HouseholdSpend, later).is_breached
    ready.run([TABLE], "2024-01-08")
    assert freshness_of(ready.store, HouseholdSpend, later).is_breached


def test_a_partition_counts_right_after_its_available_at(ready):
    ready.run([TABLE], "2024-01-12", "2024-01-13")
    before = freshness_of(ready.store, HouseholdSpend, datetime(2024, 1, 14, 2, tzinfo=UTC))
    after = freshness_of(ready.store, HouseholdSpend, datetime(2024, 1, 14, 2, 0, 0, 1, tzinfo=UTC))
    assert (before.as_of, after.as_of) == (datetime(2024, 1, 13, tzinfo=UTC), datetime(2024, 1, 14, tzinfo=UTC))


def test_the_run_that_computes_a_table_says_how_fresh_it_is(ready):
    result = ready.run([TABLE], "2024-01-12")
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "freshness"]
    assert not check.passed
    assert result.success
    assert check.metadata["owner"].value == "growth"
    assert check.metadata["sla_hours"].value == 27
    assert "spend_7d" in check.metadata["sla_set_by"].value
    assert "spend_3d" not in check.metadata["sla_set_by"].value
    assert check.metadata["age_hours"].value > 24 * 300


class Sensor:
    """The sensor of a location, tick by tick."""

    def __init__(self, location):
        self.location, self.cursor = location, None
        self.definition = location.definitions.resolve_sensor_def("growth_freshness")

    def tick(self) -> dict[str, dg.AssetCheckEvaluation]:
        resources = {"offline_store": self.location.resources["offline_store"]}
        with dg.build_sensor_context(self.location.instance, self.cursor, resources=resources) as context:
            result = self.definition(context)
        self.cursor = result.cursor
        assert not result.run_requests
        return {event.asset_key.to_user_string(): event for event in result.asset_events}


def test_the_sensor_reports_a_check_when_its_outcome_changes_and_starts_no_run(ready):
    sensor = Sensor(ready)
    assert sensor.definition.default_status == dg.DefaultSensorStatus.RUNNING
    tables = {TABLE, "retail/household_hours/v2/_table", "retail/household_profile/v1/_table"}
    assert {key: event.passed for key, event in sensor.tick().items()} == dict.fromkeys(tables, False)
    assert sensor.tick() == {}
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for as_of in (today - timedelta(days=1), today):
        ready.write_values(as_of)
    (fresh,) = sensor.tick().values()
    assert (fresh.asset_key.to_user_string(), fresh.passed) == (TABLE, True)
    shutil.rmtree(ready.store.values(HouseholdSpend).uri)
    (stale,) = sensor.tick().values()
    assert (stale.asset_key, stale.passed) == (fresh.asset_key, False)
    for event, passed in ((fresh, True), (stale, False)):
        ready.instance.report_runless_asset_event(event)
        keys = [event.asset_check_key]
        (record,) = ready.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).values()
        assert record.evaluation.passed == passed


def test_a_view_that_cannot_be_judged_is_red_and_does_not_stop_the_others(ready):
    ready.run([TABLE], "2024-01-12")
    log = Path(ready.store.values(HouseholdSpend).uri) / "_delta_log"
    for entry in log.iterdir():
        entry.write_text("broken")
    found = Sensor(ready).tick()
    assert len(found) == 3
    assert found[TABLE].description.startswith("cannot be judged: ")
