"""The features of the real views, on real rows all over the year, against a naive computation from those rows."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

from feature_assets.landing import land, time_column
from feature_assets.project import load_declarations
from feature_assets.raw.completejourney import RawData
from feature_assets.raw.feeds import FEEDS
from feature_store import FeatureView
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.materialize.reach import tiles_start
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.snapshots import counted, derived_value, entity_values, float_scale, keys_of
from tests.fixtures.computed_values import computed_values
from tests.fixtures.frames import assert_value

INSTANTS = max(15, settings.default.max_examples // 4)
"""Random pairs of an entity and a partition, per view; more with the profile of `make test-full`."""

END = datetime(2018, 1, 2, tzinfo=UTC)
RAW = RawData(timedelta(0))
REDEEMERS = (
    RAW.coupon_redemptions()
    .collect()["household_id"]
    .value_counts()
    .sort("count", "household_id")["household_id"]
    .tail(10)
)
HOUSEHOLDS = sorted({*random.Random(2017).sample(range(1, 2501), 30), *REDEEMERS})
VIEWS = {view.name: view for view in load_declarations().views.values() if not view.is_table}
SOME = {"household_spend", "household_visits", "store_traffic"}
"""Views that `make test` looks at: windows, texts and times, hours."""
NAMES = [pytest.param(name, marks=() if name in SOME else pytest.mark.full) for name in VIEWS]
KINDS = {"count", "sum", "mean", "min", "max", "std", "first", "last", "n_unique"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> OfflineStore:
    """The purchases and coupons of 30 random households and 10 others, by day and, of the last days, by hour."""
    store = OfflineStore(str(tmp_path_factory.mktemp("naive") / "offline"))
    for feed in FEEDS:
        if feed.source.asset in {view.source.asset for view in VIEWS.values()}:
            start = feed.source.start
            rows = feed.rows(RAW).filter(pl.col("household_id").is_in(HOUSEHOLDS))
            arrived = rows.filter(pl.col(time_column(feed.source)) >= start).collect()
            land(store, feed.source, arrived, start, END, run_id="naive", cadence=feed.cadence)
    return store


def test_every_aggregation_is_declared_windowed_unwindowed_and_filtered() -> None:
    """So that what follows covers those that were there first; the others are held to the oracle elsewhere too."""
    aggregations = [a for view in VIEWS.values() for a in view.aggregations]
    assert {a.kind for a in aggregations} >= KINDS
    assert {a.kind for a in aggregations if a.window is None} >= KINDS
    assert {a.kind for a in aggregations if a.window is not None} >= KINDS
    assert {a.kind for a in aggregations if a.where is not None} >= {"count", "sum", "std", "last", "n_unique", "min"}


def test_the_rows_hold_ties_and_nulls(store: OfflineStore) -> None:
    rows = store.source("raw/transactions").scan().collect()
    assert rows.height > 10_000
    assert rows.select("household_id", "purchased_at").is_duplicated().mean() > 0.5
    assert rows["department"].null_count() > 10


@pytest.mark.parametrize("name", NAMES)
def test_values_equal_a_naive_computation(store: OfflineStore, name: str) -> None:
    view, random_ = VIEWS[name], random.Random(name)
    compute_tiles(store, view, tiles_start(view), END, "naive")
    rows = rows_by_entity(store, view)
    cadence = timedelta(microseconds=view.cadence)
    # The naive computation sees more than any window holds, but not the whole year where that would take long.
    longest = max((window.over + window.hop for window in view.windows), default=0)
    span = timedelta(days=400) if view.has_all_history else timedelta(microseconds=longest) + timedelta(days=2)
    missing = 0
    for _ in range(INSTANTS):
        start = view.start + random_.randrange((END - view.start) // cadence) * cadence
        as_of = start + cadence
        values = computed_values(store, view, start, as_of).frame
        # Mostly entities that are there, sometimes any: they may have no counted event.
        there = values.select(view.keys).rows()
        entity = random_.choice(there if there and random_.random() < 0.9 else sorted(rows))
        found = values.filter(pl.all_horizontal(pl.col(k) == key for k, key in zip(view.keys, entity, strict=True)))
        own = [row for row in rows[entity] if as_of - span <= row[view.source.event_time] < as_of + cadence]
        if not any(counted(view, aggregation, own, as_of) for aggregation in view.aggregations):
            assert found.is_empty()
            missing += 1
        else:
            assert found.height == 1
            assert_equal(view, found.row(0, named=True), own, as_of)
    assert missing < INSTANTS / 4


def rows_by_entity(store: OfflineStore, view: FeatureView) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    by_entity: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in store.source(view.source.asset).scan().select(*view.source.columns).collect().iter_rows(named=True):
        if None not in keys_of(view, row):
            by_entity[keys_of(view, row)].append(row)
    return by_entity


def assert_equal(view: FeatureView, actual: dict[str, Any], rows: list[dict[str, Any]], as_of: datetime) -> None:
    expected = entity_values(view, rows, as_of)
    for feature in view.stored_features:
        wanted = expected[feature.name]
        if feature.kind == "derived":
            wanted = derived_value(view, feature, {read: actual[read] for read in feature.reads})
        where = f"{view.name}.{feature.name} of {keys_of(view, actual)} as of {as_of}"
        assert_value(actual[feature.name], wanted, feature.dtype, float_scale(view, feature, rows, as_of), where)
