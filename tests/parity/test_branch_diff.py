"""The difference between a branch and production, value by value, for views of each kind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_assets.parity.branches import ViewDiff, compare_view, is_changed
from feature_assets.parity.sampling import Sample
from feature_store import EventSource, FeatureView, KafkaTopic, col, feature_view, stream_view, sum_
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from tests.offline.definitions import START, day, purchases, shopper
from tests.offline.test_branches import begin
from tests.offline.test_materialize import land, some_purchases

DAYS = 6
NOW = day(DAYS + 1)
EVERYTHING = Sample(entities=1000, instants=1000)
OPTIONS = {"entity": shopper, "namespace": "shop", "version": 1, "owner": "storekeepers", "name": "money"}

live_purchases = EventSource(
    "shop_purchases",
    asset=purchases.asset,
    event_time="bought_at",
    columns=dict(purchases.columns),
    start=START,
    description="What was bought",
    allowed_lateness="2d",
    stream=KafkaTopic("purchases"),
)


def spent(factor: float) -> type:
    """Return the body of a view of what is spent, times a factor."""
    spend = sum_(col("amount") * factor, over="2d", description="Spend")
    return type("Money", (), {"__doc__": "What a shopper spends.", "spend": spend})


def batch(factor: float) -> FeatureView:
    return feature_view(**OPTIONS, source=purchases, cadence="1d", available_after="2h", freshness="2d")(spent(factor))


def live(factor: float) -> FeatureView:
    declare = stream_view(
        **OPTIONS, source=live_purchases, cadence="1d", batch_after="2h", available_after="5s", freshness="10m"
    )
    return declare(spent(factor))


def filled(store: OfflineStore, view: FeatureView) -> OfflineStore:
    compute_tiles(store, view, START, day(DAYS), "tiles")
    compute_values(store, view, START, day(DAYS), "values")
    return store


@pytest.mark.parametrize("declared", [batch, live])
def test_every_value_that_a_change_changes_is_told_and_no_other(
    tmp_path: Path, declared: Callable[[float], FeatureView]
) -> None:
    production, same, other = OfflineStore(str(tmp_path)), declared(1.0), declared(3.0)
    land(production, some_purchases(DAYS), START, day(DAYS))
    filled(production, same)
    branch = begin(production, other)
    assert not is_changed(branch, same)
    assert is_changed(branch, other)
    assert compare_view(production, branch, other, NOW, EVERYTHING).notes == (
        "the branch holds no values of it: backfill it there first",
    )
    filled(branch, other)
    found = compare_view(production, branch, other, NOW, EVERYTHING)
    assert list(found.features) == ["spend"]
    spend = found.features["spend"]
    before, after = (values(store, view, spend.partitions) for store, view in ((production, same), (branch, other)))
    assert spend.rows == before.height > DAYS
    assert (spend.only_one, spend.only_other) == (0, 0)
    assert spend.changed == int((before["spend"].abs() > 0).sum()) > 0
    assert spend.quantiles_one["max"] == before["spend"].max()
    assert spend.quantiles_other["max"] == after["spend"].max()
    assert all(row["other"] == pytest.approx(3 * row["one"]) for row in spend.examples)


def values(store: OfflineStore, view: FeatureView, as_ofs: tuple[str, ...]) -> pl.DataFrame:
    instants = [datetime.fromisoformat(each) for each in as_ofs]
    return store.values(view).scan().filter(pl.col("as_of").is_in(instants)).collect()


@pytest.mark.parametrize("declared", [batch, live])
def test_instants_whose_inputs_changed_since_are_left_out(
    tmp_path: Path, declared: Callable[[float], FeatureView]
) -> None:
    production, other = OfflineStore(str(tmp_path)), declared(3.0)
    land(production, some_purchases(DAYS), START, day(DAYS))
    filled(production, declared(1.0))
    branch = filled(begin(production, other), other)
    land(branch, some_purchases(DAYS, seed=1), day(DAYS - 1), day(DAYS))
    found: ViewDiff = compare_view(production, branch, other, NOW, EVERYTHING)
    assert found.notes == ("1 instants left out: their inputs changed since they were computed",)
    assert max(found.features["spend"].partitions) == (day(DAYS) - timedelta(days=1)).isoformat()
