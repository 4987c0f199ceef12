"""What identifies an aggregation, its state and its slots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from feature_store import (
    FeatureView,
    approx_median,
    approx_percentile,
    col,
    count,
    count_ratio,
    decayed_sum,
    first_k,
    histogram,
    last,
    last_k,
    mean,
    skew,
    std,
    sum_,
    top_k,
    variance,
)
from feature_store.model.aggregations import Aggregation
from tests.model.declare import events

SALES, QUANTITY, DEPARTMENT = col("sales_value"), col("quantity"), col("department")
DELI = DEPARTMENT == "DELI"
WEEK = {"over": "7d", "description": "X"}


FINGERPRINTS = {
    "rows": "214bd6d5a44f8941",
    "spend": "b19826317865efd8",
    "spread": "60c7b951e7f589e5",
    "newest": "2fee8c82c22ecdfd",
}
TILES = "6f52c8ea8d654a7b"
COLUMNS = {
    "last_b92a47edeeee37c9",
    "m2_2b6a41d46452087e",
    "mean_2b6a41d46452087e",
    "n_2b6a41d46452087e",
    "n_814b97611e65f37e",
    "n_838e5c967fcac800",
    "n_f1be9d0f039decd9",
    "sum_838e5c967fcac800",
}


def view_of(draft: Any) -> FeatureView:
    return events(x=draft)


def aggregation(draft: Any) -> Aggregation:
    (found,) = view_of(draft).aggregations
    return found


def test_fingerprints_of_older_aggregations_stay() -> None:
    """They were written to ledgers before there were options, buckets and lists."""
    view = events(
        rows=count(**WEEK),
        spend=sum_(SALES, where=DELI, over="7d", description="Spend"),
        spread=std(SALES, description="Spread"),
        newest=last(DEPARTMENT, over="90d", description="Newest"),
    )
    assert view.fingerprints == FINGERPRINTS
    assert view.tiles_fingerprint == TILES
    assert {column for each in view.aggregations for column in each.tile_columns()} == COLUMNS


DIFFERENT = [
    first_k(SALES, 2, **WEEK),
    first_k(SALES, 3, **WEEK),
    last_k(SALES, 2, **WEEK),
    top_k(SALES, 2, **WEEK),
    approx_percentile(SALES, 0.5, **WEEK),
    approx_percentile(SALES, 0.9, **WEEK),
    decayed_sum(SALES, "1d", **WEEK),
    decayed_sum(SALES, "2d", **WEEK),
    count_ratio(DELI, QUANTITY > 0, **WEEK),
    count_ratio(QUANTITY > 0, DELI, **WEEK),
    count(DEPARTMENT, **WEEK),
    histogram(DEPARTMENT, ["DELI", "DAIRY"], **WEEK),
    histogram(DEPARTMENT, ["DAIRY", "DELI"], **WEEK),
    count(SALES, by=DEPARTMENT, buckets=["DELI", "DAIRY"], **WEEK),
    count(by=DEPARTMENT.lower(), buckets=["DELI", "DAIRY"], **WEEK),
    histogram(QUANTITY, [0, 1], **WEEK),
    histogram(SALES, [0, 1], **WEEK),
]


def test_every_option_is_in_the_fingerprint() -> None:
    fingerprints = [view_of(draft).feature("x").fingerprint for draft in DIFFERENT]
    assert len(set(fingerprints)) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (approx_median(SALES, **WEEK), approx_percentile(SALES, 0.5, **WEEK)),
        (approx_percentile(SALES, 1, **WEEK), approx_percentile(SALES, 1.0, **WEEK)),
        (histogram(DEPARTMENT, ["DELI"], **WEEK), count(by=DEPARTMENT, buckets=("DELI",), **WEEK)),
        (decayed_sum(SALES, "24h", **WEEK), decayed_sum(SALES, "1d", **WEEK)),
    ],
)
def test_two_spellings_of_one_meaning_have_one_fingerprint(one: Any, other: Any) -> None:
    assert view_of(one).feature("x").fingerprint == view_of(other).feature("x").fingerprint


def test_percentiles_share_a_sketch_and_moments_their_parts() -> None:
    low, high = (aggregation(approx_percentile(SALES, q, **WEEK)) for q in (0.1, 0.9))
    assert low.state_columns() == high.state_columns()
    parts = [set(aggregation(function(SALES, **WEEK)).state_columns()) for function in (mean, std, variance, skew)]
    assert parts[0] < parts[1] == parts[2] < parts[3]


def test_lists_and_decays_of_other_parameters_have_states_of_their_own() -> None:
    lists = {aggregation(first_k(SALES, k, **WEEK)).state_columns() for k in (1, 2, 3)}
    assert len(lists) == 3
    decays = {aggregation(decayed_sum(SALES, span, **WEEK)).state_columns() for span in ("1d", "2d")}
    assert len(decays) == 2


def test_a_ratio_of_counts_shares_the_counts_of_other_features() -> None:
    ratio = aggregation(count_ratio(DELI, QUANTITY > 0, **WEEK))
    counts = [aggregation(count(where=where, **WEEK)) for where in (DELI, QUANTITY > 0)]
    assert ratio.state_columns() == tuple(each.rows_column() for each in counts)
    assert ratio.rows_column() == aggregation(count(**WEEK)).rows_column()


def test_slots_are_plain_aggregations_one_per_bucket() -> None:
    whole = aggregation(sum_(SALES, by=DEPARTMENT, buckets=["DELI", "DAIRY"], where=QUANTITY > 0, **WEEK))
    slots = whole.slots()
    assert [str(slot) for slot in slots] == [
        "sum(sales_value) where (quantity > 0) and (department = 'DELI') over 7d (hop 1h)",
        "sum(sales_value) where (quantity > 0) and (department = 'DAIRY') over 7d (hop 1h)",
    ]
    assert all(slot.by is None and slot.slots() == (slot,) for slot in slots)
    columns = {column for slot in slots for column in (*slot.state_columns(), slot.rows_column())}
    assert columns == whole.tile_columns()
    assert len(columns) == 6
    plain = aggregation(count(**WEEK))
    assert plain.slots() == (plain,)


def test_every_state_has_a_column_of_its_own() -> None:
    whole = aggregation(histogram(QUANTITY, list(range(1000)), **WEEK))
    assert len(whole.tile_columns()) == 1000
    # Hashed to 32 bits, these two filters are alike.
    one, other = (aggregation(count(where=where, **WEEK)) for where in (QUANTITY > 14334, QUANTITY > 167717))
    assert one.state_columns() != other.state_columns()


def test_a_slot_shares_the_state_of_a_filter_of_the_same_meaning() -> None:
    (slot,) = aggregation(histogram(DEPARTMENT, ["DELI"], **WEEK)).slots()
    assert slot.state_columns() == aggregation(count(where=DELI, **WEEK)).state_columns()


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        (first_k(SALES, 2, **WEEK), "first_k(sales_value, k=2) over 7d (hop 1h)"),
        (approx_median(SALES, description="X"), "approx_percentile(sales_value, q=0.5) over all history"),
        (decayed_sum(SALES, "36h", **WEEK), "decayed_sum(sales_value, half_life=36h) over 7d (hop 1h)"),
        (count_ratio(DELI, QUANTITY > 0, **WEEK), "count_ratio(department = 'DELI', quantity > 0) over 7d (hop 1h)"),
        (
            histogram(col("purchased_at"), [datetime(2017, 1, 1, tzinfo=UTC)], where=DELI, **WEEK),
            "count() by purchased_at in [2017-01-01T00:00:00+00:00] where department = 'DELI' over 7d (hop 1h)",
        ),
    ],
)
def test_how_it_reads(draft: Any, text: str) -> None:
    assert view_of(draft).feature("x").logic == text
