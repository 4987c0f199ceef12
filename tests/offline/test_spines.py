"""Spines as people have them: keys with missing ones, times of every unit, columns without values."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store.dtypes import Int64, String
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.frames import read_frame
from feature_store.errors import InputError
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.join.spines import check_spine, spine_instants
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import EPOCH, FIRST, LAST, to_microseconds
from tests.offline.definitions import ShopperSpend, day, service, spend_values

PLAN = compile_plan(service)
NOTHING: dict[str, Any] = {
    "null": pl.Series([None, None]),
    "text": pl.Series([None, None], dtype=pl.String),
    "NaN": pl.Series([float("nan"), None]),
    "boolean": pl.Series([None, None], dtype=pl.Boolean),
}


@pytest.mark.parametrize("column", NOTHING.values(), ids=list(NOTHING))
def test_a_key_column_without_values_fits_any_type(column):
    frame = pl.DataFrame({"shopper_id": column, "time": [day(5), day(6)], "label": column})
    spine = check_spine(PLAN, frame, "time", [])
    assert spine.frame["shopper_id"].to_list() == [None, None]
    assert spine.frame.schema["shopper_id"] == pl.Int64
    assert spine.frame.schema["label"] == column.dtype, "what is no key stays as it is"


def test_a_time_column_without_rows_fits_any_type():
    for column in NOTHING.values():
        assert spine_instants(column.clear().alias("time")).dtype == pl.Datetime("us", "UTC")
        with pytest.raises(InputError, match="2 spine rows have no 'time'"):
            spine_instants(column.alias("time"))


def test_whole_numbers_that_missing_ones_made_floats_are_keys(store: OfflineStore) -> None:
    store.values(ShopperSpend).write(spend_values([(day(3), 1, 7)]), day(3), day(4), run_id="r")
    spend = compile_plan(type(service)("s", 1, "storekeepers", "Spend", [ShopperSpend["pieces_3d"]]))
    times = pd.Series([day(5)] * 2)
    whole = pd.DataFrame({"shopper_id": [1, None], "time": times})
    assert whole["shopper_id"].dtype == np.float64
    frames = [
        whole,
        whole.astype({"shopper_id": "Int64"}),
        pl.DataFrame({"shopper_id": [1.0, float("nan")], "time": [day(5)] * 2}),
        {"shopper_id": [1, None], "time": [day(5)] * 2},
        {"shopper_id": [1, pd.NA], "time": [day(5)] * 2},
        [{"shopper_id": 1, "time": day(5)}, {"time": day(5)}],
        pa.table({"shopper_id": [1, None], "time": [day(5)] * 2}),
    ]
    for frame in frames:
        joined = point_in_time_join(store, spend, frame, "time")
        assert joined["shopper_spend__pieces_3d"].to_list() == [7, 0], "an unknown key is of nobody"
        assert_frame_equal(joined.select("shopper_id", "time"), read_frame(frame, "the spine"))


@pytest.mark.parametrize("numbers", [[1.0, 2.0], [1.5, None], [2.0**53 + 2, None], [float("inf"), None]])
def test_other_floats_are_no_keys(numbers):
    with pytest.raises(InputError, match="'shopper_id' has type Float64, but this key has type Int64"):
        check_spine(PLAN, pl.DataFrame({"shopper_id": numbers, "time": [day(5), day(5)]}), "time", [])


UNITS = {"ms": 10**3, "us": 10**6, "ns": 10**9}
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-(10**11), 3 * 10**11).map(lambda second: second * 10**6)
)


@given(st.sampled_from(sorted(UNITS)), st.lists(NUMBERS, min_size=1, max_size=4))
def test_times_of_every_unit_and_size_are_the_instant_or_refused(unit, numbers):
    """Nanoseconds that were taken for milliseconds are far outside the calendar, and Polars panics on them."""
    time = pl.Series("time", numbers, pl.Int64).cast(pl.Datetime(unit, "UTC"))
    microseconds = [number * 10**6 // UNITS[unit] for number in numbers]
    inside = [to_microseconds(FIRST) <= at <= to_microseconds(LAST) for at in microseconds]
    if all(inside):
        assert spine_instants(time).to_physical().to_list() == microseconds
    else:
        bad = f"{inside.count(False)} spine rows have a 'time' outside .* first of them row {inside.index(False)}: "
        with pytest.raises(InputError, match=bad):
            spine_instants(time)


@given(st.integers(-14 * 60, 14 * 60), st.sampled_from(["s", "ms", "us", "ns"]))
def test_times_of_any_offset_and_unit_are_the_same_instants(minutes, unit):
    moment = day(5, 2)
    times = pd.to_datetime(pd.Series([moment.astimezone(timezone(timedelta(minutes=minutes)))])).dt.as_unit(unit)
    instant = spine_instants(read_frame(pd.DataFrame({"time": times}), "the spine")["time"])
    assert instant.to_physical().to_list() == [(moment - EPOCH) // timedelta(microseconds=1)]


def test_types_of_keys_are_those_of_the_plan():
    assert set(PLAN.keys.values()) <= {Int64, String}
