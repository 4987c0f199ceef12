"""Freshness by the ledger: at the boundary of the SLA, per partition, whatever was materialised when."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from feature_assets.generator.freshness import freshness_of, judge, span_text
from tests.dagster.sample.declarations import HouseholdHours, HouseholdSpend

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
    ready.run(["retail/household_spend/v1/_table"], "2024-01-12")
    assert not freshness_of(ready.store, HouseholdSpend, now).is_breached
    later = now + timedelta(days=1)
    assert freshness_of(ready.store, HouseholdSpend, later).is_breached
    ready.run(["retail/household_spend/v1/_table"], "2024-01-08")
    assert freshness_of(ready.store, HouseholdSpend, later).is_breached


def test_a_partition_counts_from_its_available_at(ready):
    ready.run(["retail/household_spend/v1/_table"], "2024-01-12", "2024-01-13")
    before = freshness_of(ready.store, HouseholdSpend, datetime(2024, 1, 14, 1, 59, tzinfo=UTC))
    after = freshness_of(ready.store, HouseholdSpend, datetime(2024, 1, 14, 2, tzinfo=UTC))
    assert (before.as_of, after.as_of) == (datetime(2024, 1, 13, tzinfo=UTC), datetime(2024, 1, 14, tzinfo=UTC))


def test_one_op_checks_all_tables_and_says_age_sla_and_owner(ready):
    job = ready.definitions.resolve_job_def("check_freshness")
    result = job.execute_in_process(instance=ready.instance)
    checks = {c.asset_key.to_user_string(): c for c in result.get_asset_check_evaluations()}
    assert set(checks) == {
        "retail/household_spend/v1/_table",
        "retail/household_hours/v2/_table",
        "retail/household_profile/v1/_table",
    }
    assert len([e for e in result.all_events if e.event_type_value == "STEP_SUCCESS"]) == 1
    check = checks["retail/household_spend/v1/_table"]
    assert not check.passed
    assert check.metadata["owner"].value == "growth"
    assert check.metadata["sla_hours"].value == 27
    assert check.metadata["age_hours"].value > 24 * 300


def test_the_schedule_runs_by_default(ready):
    schedule = ready.definitions.resolve_schedule_def("check_freshness")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    with dg.build_schedule_context(instance=ready.instance) as context:
        assert len(schedule.evaluate_tick(context).run_requests) == 1


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
