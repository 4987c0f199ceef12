"""Freshness by the ledger: at the boundary of the SLA, per partition, whatever was materialised when."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from feature_assets.generator.freshness import freshness_of, judge, span_text
from tests.dagster.sample.declarations import HouseholdHours, HouseholdSpend

TABLE = "retail/household_spend/v1/_table"
DAY = datetime(2024, 3, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("newest", "now", "breached"),
    [
        (DAY, DAY + timedelta(hours=27), False),
        (DAY, DAY + timedelta(hours=27) + SECOND, True),
        (DAY - timedelta(days=1), DAY + timedelta(hours=3), False),
        (DAY - timedelta(days=1), DAY + timedelta(hours=3) + SECOND, True),
        (None, DAY, True),
    ],
)
def test_a_breach_begins_right_after_the_sla(newest, now, breached):
    found = judge(HouseholdSpend, [] if newest is None else [newest, newest - timedelta(days=3)], now)
    assert found.is_breached == breached
    assert found.sla == timedelta(hours=27)


def test_nothing_is_due_before_the_first_partition_may_be_late():
    first = HouseholdSpend.start + timedelta(days=1)
    assert not judge(HouseholdSpend, [], first + timedelta(hours=3)).is_breached
    assert judge(HouseholdSpend, [], first + timedelta(hours=3) + SECOND).is_breached


def test_an_hourly_view_expects_the_hours():
    assert not judge(HouseholdHours, [DAY], DAY + timedelta(hours=3)).is_breached
    late = judge(HouseholdHours, [DAY], DAY + timedelta(hours=3, minutes=1))
    assert late.is_breached
    assert late.expected == DAY + timedelta(hours=1)


def test_features_with_a_longer_sla_are_stale_later():
    early = judge(HouseholdSpend, [DAY], DAY + timedelta(hours=28))
    assert "spend_7d" in early.breached_features
    assert "spend_3d" not in early.breached_features
    assert "spend_3d" in judge(HouseholdSpend, [DAY], DAY + timedelta(hours=31)).breached_features


def test_an_old_partition_written_now_makes_nothing_fresh(ready):
    now = datetime(2024, 1, 14, 3, tzinfo=UTC)
    ready.run([TABLE], "2024-01-12")
    assert not freshness_of(ready.store, HouseholdSpend, now).is_breached
    later = now + timedelta(days=1)
    assert freshness_of(ready.store, HouseholdSpend, later).is_breached
    ready.run([TABLE], "2024-01-08")
    assert freshness_of(ready.store, HouseholdSpend, later).is_breached


def test_a_partition_counts_from_its_available_at(ready):
    ready.run([TABLE], "2024-01-12", "2024-01-13")
    before = freshness_of(ready.store, HouseholdSpend, datetime(2024, 1, 14, 1, 59, tzinfo=UTC))
    after = freshness_of(ready.store, HouseholdSpend, datetime(2024, 1, 14, 2, tzinfo=UTC))
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


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(minutes=119, seconds=59), "119 min"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_spans_read_well(span, text):
    assert span_text(span) == text
