"""Checks that warn and do not block: how many rows there are, and features that are null for every entity."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from feature_assets.generator.checks import NULLS, VOLUME, warnings_of
from feature_assets.landing import land
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from tests.dagster.sample.declarations import START, HouseholdSpend

DAY = timedelta(days=1)
EMPTY = pl.DataFrame(schema={name: polars_dtype(dtype) for name, dtype in HouseholdSpend.source.columns.items()})


@dataclass
class Values:
    frame: pl.DataFrame
    newest: datetime


@pytest.fixture
def store(tmp_path) -> OfflineStore:
    """Give a store in which each of the days 0 to 6 has 10 households."""
    store = OfflineStore(str(tmp_path))
    before = values(dict.fromkeys(range(7), 10))
    store.values(HouseholdSpend).write(before.frame, START, START + 7 * DAY, run_id="r")
    return store


def values(rows: dict[int, int], **columns: pl.Series) -> Values:
    """Values of some days with that many households each; zeros and nulls but for ``columns``."""
    households = [(START + day * DAY, number) for day, count in rows.items() for number in range(count)]
    schema = {"partition_start": pl.Datetime("us", "UTC"), "household_id": pl.Int64}
    frame = pl.DataFrame(households, schema=schema, orient="row")
    features = [pl.lit(0).cast(polars_dtype(f.dtype)).alias(f.name) for f in HouseholdSpend.stored_features]
    frame = frame.with_columns((pl.col("partition_start") + DAY).alias("as_of"), *features).with_columns(**columns)
    return Values(frame, START + max(rows) * DAY)


def result(store: OfflineStore, name: str, computed: Values) -> dg.AssetCheckEvaluation:
    counted = dict(computed.frame.group_by("partition_start").len().iter_rows())
    nulls = {name: count for name, count in computed.frame.null_count().row(0, named=True).items() if count}
    found = warnings_of(HouseholdSpend, {computed.newest: 0, **counted}, nulls, store)
    return next(each for each in found if each.check_name == name)


@pytest.mark.parametrize(
    ("rows", "passed"),
    [
        ({7: 10}, True),
        ({7: 15}, True),
        ({7: 16}, False),
        ({7: 5}, True),
        ({7: 4}, False),
        ({7: 0}, False),
        ({6: 10, 7: 0}, False),
        ({6: 0, 7: 10}, True),
    ],
)
def test_the_newest_partition_is_compared_with_the_week_before(store, rows, passed):
    warned = result(store, VOLUME, values(rows))
    assert (warned.passed, warned.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert warned.metadata["rows"].value == rows[max(rows)]


def test_the_first_partition_has_nothing_to_be_compared_with(tmp_path):
    assert result(OfflineStore(str(tmp_path)), VOLUME, values({0: 3})).passed


def test_a_feature_that_is_null_for_everybody_is_named(store):
    nothing = pl.Series([None] * 10, dtype=pl.Float32)
    one = pl.Series([None] * 9 + [1.0], dtype=pl.Float32)
    assert result(store, NULLS, values({7: 10}, spend_7d=one)).passed
    warned = result(store, NULLS, values({7: 10}, spend_7d=nothing))
    assert (warned.passed, warned.metadata["always_null"].value) == (False, "spend_7d")


def events(store: OfflineStore, day: int) -> None:
    """Let the source have an event of one household on a day, and none on the others up to it."""
    at = START + day * DAY
    row = {"purchased_at": [at], "household_id": [1], "basket_id": [1], "sales_value": [None]}
    schema = {"purchased_at": pl.Datetime("us", "UTC"), "sales_value": pl.Float64}
    land(store, HouseholdSpend.source, pl.DataFrame(row, schema_overrides=schema), START, at + DAY, run_id="r")
    compute_tiles(store, HouseholdSpend, START, at + DAY, "r")


@pytest.mark.parametrize(("day", "named"), [(0, "none"), (1, "spend_7d"), (7, "spend_7d")])
def test_a_window_in_which_nobody_has_an_event_is_no_null_of_quality(store, day, named):
    """Values as of day 8: the window of seven days begins with day 1."""
    events(store, day)
    if day < 7:
        land(store, HouseholdSpend.source, EMPTY, START + (day + 1) * DAY, START + 8 * DAY, run_id="r")
        compute_tiles(store, HouseholdSpend, START + (day + 1) * DAY, START + 8 * DAY, "r")
    warned = result(store, NULLS, values({7: 10}, spend_7d=pl.Series([None] * 10, dtype=pl.Float32)))
    assert warned.metadata["always_null"].value == named
    assert warned.passed == (named == "none")


def test_a_condition_that_no_event_meets_is_no_null_of_quality(store):
    events(store, 7)
    computed = values({7: 10}, spend_3d=pl.Series([None] * 10, dtype=pl.Float64))
    assert HouseholdSpend.feature("spend_3d").aggregation.where is not None
    assert result(store, NULLS, computed).passed


def test_an_empty_partition_has_no_nulls(store):
    assert result(store, NULLS, values({7: 0})).passed
