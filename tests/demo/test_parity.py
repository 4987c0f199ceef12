"""Parity: equal stores compare equal, and every kind of planted difference is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_assets.demo.serve import random_inputs, random_keys, served_parity
from feature_assets.parity.served import ParityReport, check_parity, compare, log_rows, training_rows
from feature_assets.project import load_declarations
from feature_store.columns import Column
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.plan_revisions import read_plans
from feature_store.plans.service_plan import PlanOutput, ServicePlan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.read.vectors import FeatureVectors
from tests.demo.row_corruption import one_value_changed
from tests.fixtures.small_store import HOUSEHOLDS, SmallStore, small_store

__all__ = ["small_store"]

T = datetime(2018, 1, 2, 6, tzinfo=UTC)
KEYS = {"household_id": [*HOUSEHOLDS, 10**12, None]}
SPEND = load_declarations().views["retail/household_spend/v1"]
VIEW = "retail/household_spend/v1"
"""Of which differences are planted."""


@pytest.fixture
def client(small_store: SmallStore) -> Iterator[FeatureClient]:
    with FeatureClient(plans_of(small_store), small_store.environment["FEATURES_ONLINE_URL"]) as client:
        yield client


@pytest.fixture
def plan(small_store: SmallStore) -> ServicePlan:
    return read_plans(plans_of(small_store))["churn/v1"]


@pytest.fixture
def served(client: FeatureClient) -> FeatureVectors:
    return client.get_features("churn/v1", KEYS, time=T)


@pytest.fixture
def offline(small_store: SmallStore, tmp_path: Path) -> OfflineStore:
    """A copy that a test may write to."""
    shutil.copytree(small_store.offline.root, tmp_path / "offline")
    return OfflineStore(str(tmp_path / "offline"))


def plans_of(store: SmallStore) -> Path:
    return Path(store.environment["FEATURES_STATE"]) / "plans"


def found(report: ParityReport) -> list[tuple[int, str]]:
    """Household and feature of every difference."""
    return report.different.select("household_id", "feature").rows() if report.different.height else []


def test_equal_stores_have_no_difference(small_store: SmallStore, plan: ServicePlan, served: FeatureVectors) -> None:
    report = check_parity(small_store.offline, plan, served)
    assert (report.entities, report.compared) == (63, 63 * len(plan.outputs))
    assert report.different.is_empty()
    statuses = {status for name in served.columns for status in served.status_names(name)}
    assert statuses == {"PRESENT", "EMPTY"}


def test_random_keys_are_of_the_store_and_some_of_nobody(small_store: SmallStore, client: FeatureClient) -> None:
    for plan in read_plans(plans_of(small_store)).values():
        rng = np.random.default_rng(0)
        keys = random_keys(small_store.offline, plan, rng)
        assert {len(values) for values in keys.values()} == {1_000}
        vectors = client.get_features(plan.full_name, keys, inputs=random_inputs(plan, rng), time=T)
        # Nobody plays the small store's stream, so its features are not known of anybody.
        snapshots = {index for index, view in enumerate(plan.views) if view.stream is None}
        features = [output for output in plan.outputs if isinstance(output, PlanOutput)]
        stored = [output.name for output in features if output.feature is not None and output.view in snapshots]
        empty = np.array([vectors.status[name] == Status.EMPTY for name in stored]).all(axis=0)
        assert 50 <= empty.sum() < 500
        report = served_parity(small_store.offline, client, plan, rng)
        assert (report.entities, report.different.height) == (1_000, 0)


@pytest.mark.parametrize("feature", ["spend_7d", "units_30d", "spend_level"])
def test_a_value_that_changed_offline_only_is_found(
    offline: OfflineStore, plan: ServicePlan, served: FeatureVectors, feature: str
) -> None:
    changed = pl.when(pl.col("household_id") == 907).then(pl.col(feature) + 1).otherwise(pl.col(feature))
    rewrite(offline, changed.cast(pl.Float32 if feature == "spend_7d" else pl.Int64).alias(feature))
    report = check_parity(offline, plan, served)
    assert found(report) == [(907, f"household_spend__{feature}")]
    difference = report.different.row(0, named=True)
    assert difference["served"] != difference["offline"]


def test_the_least_change_of_a_float_is_found(offline: OfflineStore, plan: ServicePlan, served: FeatureVectors) -> None:
    is_one = pl.col("household_id") == 907
    bits = pl.col("unit_price_std_90d").map_batches(lambda s: pl.Series(np.nextafter(s.to_numpy(), np.inf)))
    rewrite(offline, pl.when(is_one).then(bits).otherwise("unit_price_std_90d").alias("unit_price_std_90d"))
    assert found(check_parity(offline, plan, served)) == [(907, "household_spend__unit_price_std_90d")]


def test_a_value_that_became_null_offline_is_found(
    offline: OfflineStore, plan: ServicePlan, served: FeatureVectors
) -> None:
    rewrite(offline, pl.when(pl.col("household_id") != 907).then("units_30d").alias("units_30d"))
    report = check_parity(offline, plan, served)
    assert found(report) == [(907, "household_spend__units_30d")]
    assert report.different["offline"].to_list() == ["null"]


def test_an_entity_that_went_away_offline_is_found(
    offline: OfflineStore, plan: ServicePlan, served: FeatureVectors
) -> None:
    rewrite(offline, pl.all(), keep=pl.col("household_id") != 907)
    report = check_parity(offline, plan, served)
    spend = [output.name for output in plan.outputs if output.name.startswith("household_spend__")]
    assert sorted(found(report)) == [(907, name) for name in sorted(spend)], (
        "even where the value is the same: its status"
    )


def test_one_value_that_changed_online_is_found(
    small_store: SmallStore, plan: ServicePlan, client: FeatureClient
) -> None:
    with one_value_changed(small_store.environment["FEATURES_ONLINE_URL"], VIEW, 907, T):
        served = client.get_features("churn/v1", KEYS, time=T)
    report = check_parity(small_store.offline, plan, served)
    assert {household for household, _feature in found(report)} == {907}
    assert len(found(report)) == 1
    assert check_parity(small_store.offline, plan, client.get_features("churn/v1", KEYS, time=T)).different.is_empty()


@pytest.mark.parametrize("status", [Status.EMPTY, Status.NOT_COMPUTED, Status.EXPIRED])
def test_another_status_of_the_same_value_is_found(
    small_store: SmallStore, plan: ServicePlan, served: FeatureVectors, status: Status
) -> None:
    name = plan.outputs[4].name
    codes = served.status[name].copy()
    codes[5] = status
    report = check_parity(small_store.offline, plan, replace(served, status={**served.status, name: codes}))
    assert found(report) == [(KEYS["household_id"][5], name)]


def test_a_null_served_for_a_value_and_a_value_for_a_null_are_found(
    small_store: SmallStore, plan: ServicePlan, served: FeatureVectors
) -> None:
    name = "household_spend__private_label_share"
    column = served.columns[name]
    for valid in (True, False):
        row = int(np.flatnonzero(column.valid == valid)[0])
        flipped = column.valid.copy()
        flipped[row] = not valid
        planted = replace(served, columns={**served.columns, name: Column(column.values, flipped)})
        report = check_parity(small_store.offline, plan, planted)
        assert found(report) == [(KEYS["household_id"][row], name)]
        assert report.different["served"][0].startswith("null") == valid


@pytest.mark.parametrize("kind", ["String", "Boolean", "Int64", "Float64", "Float32", "vector"])
def test_every_type_is_compared(small_store: SmallStore, plan: ServicePlan, served: FeatureVectors, kind: str) -> None:
    """One value of the first feature of the type is changed a little."""
    chosen = next(
        name for name in served.columns if kind in (served.dtypes[name].name, "vector" * served.dtypes[name].is_vector)
    )
    column = served.columns[chosen]
    row = int(np.flatnonzero(column.valid)[3])
    values = column.values.copy()
    if kind == "String":
        values[row] += "!"
    elif kind == "vector":
        values[row, -1] = np.nextafter(values[row, -1], np.float32(9))
    elif kind in ("Float64", "Float32"):
        values[row] = np.nextafter(values[row], values.dtype.type(np.inf))
    else:
        values[row] = 1 - values[row] if kind == "Boolean" else values[row] + 1
    planted = replace(served, columns={**served.columns, chosen: Column(values, column.valid)})
    report = check_parity(small_store.offline, plan, planted)
    assert found(report) == [(KEYS["household_id"][row], chosen)]


def test_differences_in_several_features_and_rows_are_all_listed(
    small_store: SmallStore, plan: ServicePlan, served: FeatureVectors
) -> None:
    log = log_rows(plan, served)
    training = training_rows(small_store.offline, plan, log)
    names = [plan.outputs[0].name, plan.outputs[2].name]
    nulls = [pl.when(pl.int_range(pl.len()) >= 2).then(pl.col(name)).alias(name) for name in names]
    report = compare(plan, log, training.with_columns(nulls))
    households = KEYS["household_id"][:2]
    assert sorted(found(report)) == sorted((household, name) for name in names for household in households)
    assert report.compared == 63 * len(plan.outputs)


def test_rows_in_another_order_are_not_taken_for_equal(
    small_store: SmallStore, plan: ServicePlan, served: FeatureVectors
) -> None:
    log = log_rows(plan, served)
    assert compare(plan, log, training_rows(small_store.offline, plan, log).reverse()).different.height > 100


def rewrite(offline: OfflineStore, *changed: pl.Expr, keep: pl.Expr | None = None) -> None:
    """Write the newest partition of the view again, changed; the online store is not told."""
    table = offline.values(SPEND)
    opened = table.open()
    rows = opened.scan(opened.partitions.tail(1)).collect().with_columns(*changed)
    kept = rows if keep is None else rows.filter(keep)
    start, as_of = opened.partitions.row(-1, named=True)["partition_start"], opened.partitions["as_of"][-1]
    table.write(kept, start, as_of, run_id="planted")
    assert table.ledger.partitions()["content_hash"][-1] != opened.partitions["content_hash"][-1]
