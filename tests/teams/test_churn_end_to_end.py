from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from feature_assets.raw.clock import DATA_END
from feature_assets.teams.growth.services import churn
from feature_assets.teams.growth.training.churn_dataset import churn_spine, labels_known_until, transactions_known_until
from feature_assets.teams.growth.training.churn_model import score, train
from feature_assets.teams.growth.training.churn_spine import LABEL, LABEL_SPAN, build_spine
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from serving.client import FeatureClient
from tests.fixtures.small_store import HOUSEHOLDS, SmallStore

T = datetime(2018, 1, 2, 6, tzinfo=UTC)


def test_the_spine_of_a_day_equals_one_built_from_all_rows(small_store: SmallStore):
    day = datetime(2017, 12, 1, tzinfo=UTC)
    spine = churn_spine(small_store.offline, day, day + timedelta(days=2))
    times = [day + timedelta(hours=6), day + timedelta(hours=30)]
    assert spine["time"].unique().sort().to_list() == times
    assert spine.equals(build_spine(small_store.purchases.lazy(), times, known_until=T))
    assert spine[LABEL].n_unique() == 2


def test_days_whose_label_window_is_open_have_no_rows(small_store: SmallStore):
    assert transactions_known_until(small_store.offline, datetime(2017, 6, 1, tzinfo=UTC)) == DATA_END
    last = DATA_END - LABEL_SPAN
    day = last.replace(hour=0, minute=0, second=0)
    assert churn_spine(small_store.offline, day, day + timedelta(days=14)).is_empty()
    before = churn_spine(small_store.offline, day - timedelta(days=1), day + timedelta(days=14))
    assert before["time"].unique().to_list() == [day - timedelta(hours=18)]
    assert before["time"][0] + LABEL_SPAN <= DATA_END
    assert labels_known_until(small_store.offline, day - timedelta(days=1)) == day


@pytest.mark.parametrize("days", [-60, 5])
def test_labels_that_a_hole_in_the_purchases_reaches_are_not_known(small_store: SmallStore, tmp_path, days):
    """A day that has not landed looks like one on which nobody bought anything."""
    day = datetime(2017, 12, 1, tzinfo=UTC)
    hole = day + timedelta(days=days)
    offline, whole = OfflineStore(str(tmp_path)), small_store.offline.source("raw/transactions")
    first, last = day - timedelta(days=90), day + timedelta(days=20)
    for start, end in ((first, hole), (hole + timedelta(days=1), last)):
        rows = whole.scan(start, end).drop("partition_start").collect()
        offline.source("raw/transactions").write(rows, start, end, time_column="purchased_at", run_id="r")
    assert transactions_known_until(offline, first) == hole
    assert churn_spine(offline, day, day + timedelta(days=1)).is_empty()
    assert labels_known_until(offline, day) <= day


def test_served_vectors_score_like_the_training_rows_of_that_time(small_store: SmallStore):
    households = list(HOUSEHOLDS)
    spine = pl.DataFrame({"household_id": households}).with_columns(time=pl.lit(T).dt.cast_time_unit("us"))
    rows = point_in_time_join(small_store.offline, compile_plan(churn), spine, "time")
    features = [name for name in rows.columns if name not in spine.columns]
    model, _metrics = train(two_periods(rows), features)
    plans = small_store.environment["FEATURES_STATE"] + "/plans"
    with FeatureClient(plans, small_store.environment["FEATURES_ONLINE_URL"]) as client:
        served = client.get_features("churn", {"household_id": households}, time=T)
    scores = score(model, served)
    np.testing.assert_array_equal(scores, score(model, rows))
    assert len(np.unique(scores)) > 1


def two_periods(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows at two times a month apart, labelled by something a model can learn."""
    labelled = rows.with_columns((pl.col("household_visits__baskets_14d") == 0).alias(LABEL))
    return pl.concat([labelled.with_columns(pl.col("time") - timedelta(days=30)), labelled])
