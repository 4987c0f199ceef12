"""Freshness at the boundary of the SLA, and how spans of it read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feature_store import FeatureService
from feature_store.catalog.documents import view_document
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import ServicePlan
from feature_store.quality.freshness import judge, span_text
from tests.dagster.sample.declarations import HouseholdHours, HouseholdSpend
from tests.model.declare import purchases

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


END = DAY + timedelta(days=3)


@pytest.mark.parametrize(
    ("newest", "now", "breached"),
    [
        (DAY, END, True),
        (END - timedelta(days=1), END + timedelta(hours=4), True),
        (END, END + timedelta(days=5000), False),
        (None, END + timedelta(days=5000), False),
        (None, END + timedelta(hours=27), True),
        (None, END + timedelta(hours=27) + SECOND, False),
    ],
)
def test_nothing_is_due_once_the_last_partition_of_a_finished_source_was(newest, now, breached):
    view = replace(HouseholdSpend, source=replace(HouseholdSpend.source, end=END))
    found = judge(view, [] if newest is None else [newest], now)
    assert found.is_breached == breached
    assert found.is_finished == (now > END + timedelta(hours=27))
    assert breached or found.breached_features == []


def test_nothing_is_ever_due_of_what_promises_no_freshness():
    features = tuple(replace(feature, freshness=None) for feature in HouseholdSpend.features)
    view = replace(HouseholdSpend, freshness=None, features=features)
    for newest in ([], [DAY]):
        found = judge(view, newest, DAY + timedelta(days=5000))
        assert (found.is_breached, found.breached_features, found.sla, found.is_finished) == (False, [], None, False)
    one = replace(view, features=(replace(features[0], freshness=HouseholdSpend.freshness), *features[1:]))
    assert judge(one, [DAY], DAY + timedelta(hours=27) + SECOND).breached_features == [features[0].name]


def test_a_view_declares_that_it_promises_none_and_means_the_same_values():
    none, some = purchases(freshness=None, ttl="26h"), purchases(ttl="40h")
    assert {none.freshness, none.partition_freshness, *(feature.freshness for feature in none)} == {None}
    assert none.fingerprints == some.fingerprints
    plan = compile_plan(FeatureService("s", version=1, owner=none.owner, description="x", features=[none.all()]))
    assert ServicePlan.from_json(plan.to_json()) == plan
    assert view_document(none)["freshness"] is None


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
