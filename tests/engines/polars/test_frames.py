"""Rows of every library become the same Polars frame, and what cannot be read is an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store.engines.polars.frames import has_no_values, read_frame, translated
from feature_store.errors import FeatureStoreError, InputError

INSTANT = pl.Datetime("us", "UTC")
MOMENT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)

COLUMNS: dict[str, tuple[list[Any], pl.DataType]] = {
    "integers": ([1, None, -(2**62)], pl.Int64()),
    "floats": ([0.5, None, -1e300], pl.Float64()),
    "texts": (["a", None, ""], pl.String()),
    "flags": ([True, None, False], pl.Boolean()),
    "times": ([MOMENT, None, MOMENT - timedelta(days=40_000)], INSTANT),
    "vectors": ([[1.0, 2.0], None, [3.0, 4.0]], pl.List(pl.Float64)),
    "nothing": ([None, None, None], pl.Null()),
}


def one_column(name: str) -> pl.DataFrame:
    values, dtype = COLUMNS[name]
    return pl.DataFrame({name: pl.Series(values, dtype=dtype)})


def pandas_frame(frame: pl.DataFrame) -> Any:
    """As pandas users have it: texts and lists are objects, missing numbers are NA."""
    dtypes = {pl.Int64: "Int64", pl.Boolean: "boolean", pl.Float64: "float64", pl.String: object}
    columns = {
        name: pd.to_datetime(pd.Series(column.to_list()), utc=True)
        if isinstance(column.dtype, pl.Datetime)
        else pd.Series(column.to_list(), dtype=dtypes.get(type(column.dtype), object))
        for name, column in frame.to_dict().items()
    }
    return pd.DataFrame(columns)


CONTAINERS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "chunked polars": lambda frame: pl.concat([frame[:1], frame[1:]], rechunk=False),
    "arrow": lambda frame: frame.to_arrow(),
    "chunked arrow": lambda frame: pa.concat_tables([frame[:1].to_arrow(), frame[1:].to_arrow()]),
    "record batch": lambda frame: frame.to_arrow().to_batches()[0],
    "reader": lambda frame: frame.to_arrow().to_reader(),
    "pandas": pandas_frame,
    "pandas with an index": lambda frame: pandas_frame(frame).set_axis([7, 8, 9], axis=0),
    "pandas of arrow": lambda frame: frame.to_arrow().to_pandas(types_mapper=pd.ArrowDtype),
    "lists": lambda frame: frame.to_dict(as_series=False),
    "rows": lambda frame: frame.to_dicts(),
    "series": lambda frame: frame.to_dict(),
    "pandas series": lambda frame: dict(pandas_frame(frame).items()),
}
in_every_container = pytest.mark.parametrize("container", CONTAINERS.values(), ids=list(CONTAINERS))


@in_every_container
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_the_same_values_whatever_it_came_in(name, container):
    frame = one_column(name)
    read = read_frame(container(frame), "the rows")
    if has_no_values(frame[name]):
        assert has_no_values(read[name])
    else:
        assert_frame_equal(read.cast(dict(frame.schema)), frame)


@in_every_container
def test_no_rows_stay_no_rows(container):
    frame = one_column("texts").clear()
    if container is CONTAINERS["record batch"] or container is CONTAINERS["pandas with an index"]:
        return
    assert read_frame(container(frame), "the rows").height == 0


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS)


@given(st.lists(TIMES, min_size=1, max_size=4))
def test_times_with_any_offsets_are_the_same_instants(times):
    """Pandas gives a column the offset of its times, or holds them as objects where they differ."""
    instants = [time.astimezone(UTC) for time in times]
    offset = times[0].tzinfo
    alike = [time.astimezone(offset) for time in times]
    for given_times in (
        pd.DataFrame({"time": pd.Series(times, dtype=object)}),
        pd.DataFrame({"time": pd.to_datetime(pd.Series(alike))}),
        {"time": times},
        {"time": pd.to_datetime(pd.Series(alike))},
        [{"time": time} for time in times],
    ):
        read = read_frame(given_times, "the rows")
        assert read["time"].dt.convert_time_zone("UTC").to_list() == instants


ZONES = ["+05:30", "-00:30", "+0530", "+14:00", "Nowhere/Land", "Asia/Kolkata", "UTC", "EST"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ZONES)
def test_times_of_arrow_are_the_same_instants_in_every_zone_and_unit(zone, unit):
    seconds = int(MOMENT.timestamp())
    times = pa.array([seconds * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit], None], pa.timestamp(unit, zone))
    lists = pa.ListArray.from_arrays([0, 1, 2], times)
    rows = read_frame(pa.table({"time": pa.chunked_array([times[:1], times[1:]]), "times": lists}), "the rows")
    read = rows.with_columns(inner=pl.col("times").explode())
    same = read.select(pl.col(name).dt.convert_time_zone("UTC") for name in ("time", "inner"))
    assert same.rows() == [(MOMENT, MOMENT), (None, None)]


def test_a_zone_that_is_known_is_kept():
    read = read_frame(pa.table({"time": pa.array([0], pa.timestamp("us", "Asia/Kolkata"))}), "the rows")
    assert read.schema == {"time": pl.Datetime("us", "Asia/Kolkata")}


MISSING = [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("present", ["a", 1, 0.5, True, MOMENT], ids=repr)
def test_what_is_missing_is_null_in_lists_and_rows(present, missing):
    if isinstance(missing, float) and not isinstance(present, str | datetime | bool):
        return  # NaN among numbers is a number
    for rows in ({"a": [present, missing]}, [{"a": present}, {"a": missing}], [{"a": present}, {}]):
        assert read_frame(rows, "the rows")["a"].to_list() == [present, None]
    frame = pd.DataFrame({"a": pd.Series([present, missing], dtype=object)})
    assert read_frame(frame, "the rows")["a"].to_list() == [present, None]


def test_whole_numbers_beside_others_are_floats_and_none_is_rounded():
    assert read_frame({"a": [1, 0.5, None]}, "the rows")["a"].to_list() == [1.0, 0.5, None]
    with pytest.raises(InputError, match="cannot be read"):
        read_frame({"a": [2**53 + 1, 0.5]}, "the rows")


def fails() -> pl.LazyFrame:
    def broken(_: pl.DataFrame) -> pl.DataFrame:
        raise ValueError("broken")

    return pl.LazyFrame({"a": [1]}).map_batches(broken)


UNREADABLE: dict[str, Callable[[], Any]] = {
    "texts among numbers in pandas": lambda: pd.DataFrame({"a": pd.Series([1, "a"], dtype=object)}),
    "complex numbers in pandas": lambda: pd.DataFrame({"a": [1j]}),
    "two columns of one name in pandas": lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "naive times among others in pandas": lambda: pd.DataFrame(
        {"a": pd.Series([MOMENT, MOMENT.replace(tzinfo=None)], dtype=object)}
    ),
    "two columns of one name in Arrow": lambda: pa.table([[1], [2]], names=["a", "a"]),
    "decimals of 256 bits": lambda: pa.table({"a": pa.array([1], pa.decimal256(50, 2))}),
    "runs": lambda: pa.table({"a": pa.RunEndEncodedArray.from_arrays([1], [1])}),
    "a union": lambda: pa.table({"a": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
    "an interval": lambda: pa.table({"a": pa.array([None], pa.month_day_nano_interval())}),
    "columns of unequal lengths": lambda: {"a": [1], "b": [1, 2, 3]},
    "texts among numbers in lists": lambda: {"a": [1, "a"]},
    "integers of 80 bits": lambda: {"a": [1, 2**80]},
    "a lazy frame of a column that is not there": lambda: pl.LazyFrame({"a": [1]}).select("b"),
    "a lazy frame that fails": fails,
    "a lazy frame of a file that is not there": lambda: pl.scan_parquet("/nowhere/rows.parquet"),
    "a text": lambda: "a,b",
    "a number": lambda: 5,
    "nothing": lambda: None,
    "tuples": lambda: [(1, 2)],
    "an object": object,
}


@pytest.mark.parametrize("rows", UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_an_error_of_ours(rows):
    with pytest.raises(InputError, match=r"^(the rows cannot|the pandas frame has several|column 'a' holds times)"):
        read_frame(rows(), "the rows")


def test_panics_are_translated_and_interrupts_are_not():
    message = r"^the file is odd: invalid or out-of-range datetime\. Instead: cast it\.$"
    with pytest.raises(InputError, match=message), translated("the file is odd", "cast it"):
        pl.Series([2**62]).cast(pl.Datetime("ms", "UTC")).cast(INSTANT)
    with pytest.raises(KeyboardInterrupt), translated("a", "b"):
        raise KeyboardInterrupt
    ours = FeatureStoreError("ours")
    with pytest.raises(FeatureStoreError) as raised, translated("a", "b"):
        raise ours
    assert raised.value is ours
