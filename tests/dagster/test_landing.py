"""Landing: rows of every library and type are checked against the declared columns before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from feature_assets.landing import Source, land
from feature_store import Boolean, EventSource, Float32, Float64, Int64, String, TableSource, Timestamp, Vector
from feature_store.dtypes import DType
from feature_store.errors import InputError
from feature_store.offline.tables.store import OfflineStore

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=1)
INDIA = timezone(timedelta(hours=5, minutes=30))
DTYPES = (Int64, Float64, Float32, String, Boolean, Timestamp, Vector(3))
SCALARS: dict[str, Any] = {"Int64": 7, "Float64": 0.5, "Float32": 0.5, "String": "a", "Boolean": True}


def source(dtype: DType, *, table: bool = False) -> Source:
    columns = {"at": Timestamp, "value": dtype}
    common: dict[str, Any] = {"asset": "raw/rows", "columns": columns, "start": START, "description": "Rows"}
    return TableSource("rows", time="at", **common) if table else EventSource("rows", event_time="at", **common)


def landed(folder: Any, declared: Source, rows: Any) -> list[Any]:
    store = OfflineStore(str(folder))
    land(store, declared, rows, START, END, run_id="r")
    return store.source("raw/rows").scan().sort("at").collect()["value"].to_list()


def refused(folder: Any, declared: Source, rows: Any) -> str:
    store = OfflineStore(str(folder))
    with pytest.raises(InputError) as raised:
        land(store, declared, rows, START, END, run_id="r")
    assert store.source("raw/rows").delta_version() is None, "nothing was written"
    return str(raised.value)


@pytest.mark.parametrize("table", [False, True], ids=["events", "table"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_column_without_values_fits_every_type(tmp_path, dtype, table):
    times = [START, START + timedelta(hours=1)]
    for number, rows in enumerate(
        (
            pd.DataFrame({"at": times, "value": [None, None]}),
            pd.DataFrame({"at": times, "value": [float("nan")] * 2}),
            pd.DataFrame({"at": times, "value": pd.Series([pd.NA, None], dtype="string")}),
            pa.table({"at": times, "value": pa.nulls(2)}),
            pl.DataFrame({"at": times, "value": [None, None]}).with_columns(
                pl.col("at").cast(pl.Datetime("ns", "UTC"))
            ),
            {"at": times, "value": [pd.NA, None]},
            [{"at": at, "value": None} for at in times],
        )
    ):
        assert landed(tmp_path / str(number), source(dtype, table=table), rows) == [None, None]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_frames_without_rows_fit_every_type(tmp_path, dtype):
    empty = [
        pd.DataFrame({"at": [], "value": []}),
        pd.DataFrame(columns=["at", "value"]),
        pd.DataFrame(),
        pl.DataFrame(),
        pa.table({"at": pa.nulls(0), "value": pa.nulls(0)}),
        {"at": [], "value": []},
        [],
    ]
    for number, rows in enumerate(empty):
        assert landed(tmp_path / str(number), source(dtype), rows) == []


@pytest.mark.parametrize("table", [False, True], ids=["events", "table"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_with_an_offset_are_landed_as_the_same_instants(tmp_path, unit, table):
    at = START + timedelta(hours=7)
    times = pd.to_datetime(pd.Series([at.astimezone(INDIA)])).dt.as_unit(unit)
    rows = pd.DataFrame({"at": times, "value": times})
    assert landed(tmp_path, source(Timestamp, table=table), rows) == [at]


VECTORS: dict[str, Any] = {
    "lists of floats": pl.Series([[1.0, 2.0, 3.0]]),
    "lists of integers": pl.Series([[1, 2, 3]]),
    "arrays": pl.Series([[1.0, 2.0, 3.0]], dtype=pl.Array(pl.Float64, 3)),
    "lists of decimals": pl.Series([["1", "2", "3"]]).cast(pl.List(pl.Decimal(10, 2))),
    "arrays of numpy": pd.Series([np.array([1.0, 2.0, 3.0])]),
    "fixed lists of Arrow": pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float32(), 3)),
    "large lists of Arrow": pa.array([[1.0, 2.0, 3.0]], pa.large_list(pa.float64())),
    "lists of numbers": [[1.0, 2.0, 3.0]],
}


@pytest.mark.parametrize("values", VECTORS.values(), ids=list(VECTORS))
def test_vectors_of_numbers_are_landed(tmp_path, values):
    assert landed(tmp_path, source(Vector(3)), {"at": [START], "value": values}) == [[1.0, 2.0, 3.0]]


NO_VECTORS: dict[str, tuple[Any, str]] = {
    "texts": ([["1", "2", "3"]], "List(String)"),
    "flags": ([[True, False, True]], "List(Boolean)"),
    "times": ([[START] * 3], "List(Datetime"),
    "lists in lists": ([[[1.0, 2.0, 3.0]]], "List(List(Float64))"),
    "bytes": ([[b"a", b"b", b"c"]], "List(Binary)"),
    "an array of texts": (pl.Series([["1", "2", "3"]], dtype=pl.Array(pl.String, 3)), "Array(String"),
    "a short array": (pl.Series([[1.0, 2.0]], dtype=pl.Array(pl.Float32, 2)), "shape=(2,)"),
    "a matrix": (pl.Series([[[1.0], [2.0], [3.0]]], dtype=pl.Array(pl.Float32, (3, 1))), "shape=(3, 1)"),
    "a short list": ([[1.0, 2.0]], "1 of its rows hold another number of elements, e.g. 2"),
    "an empty list": ([[]], "1 of its rows hold another number of elements, e.g. 0"),
    "a long list": ([[1.0] * 4], "1 of its rows hold another number of elements, e.g. 4"),
    "a list of each length": ([[1.0] * 4, [1.0] * 3, None, [1.0]], "2 of its rows hold another number"),
    "numbers": ([1.0], "hold Float64"),
    "a text": (["[1, 2, 3]"], "hold String"),
}


@pytest.mark.parametrize(("values", "message"), NO_VECTORS.values(), ids=list(NO_VECTORS))
def test_a_vector_of_another_length_or_element_is_refused(tmp_path, values, message):
    rows = {"at": [START] * len(values), "value": values}
    problem = refused(tmp_path, source(Vector(3)), rows)
    assert "column 'value' of source rows is declared as Vector[3]" in problem
    assert message in problem


MISFITS = [
    (Int64, pl.Series([2**63], dtype=pl.UInt64), "which cannot hold all its values"),
    (Int64, pl.Series([2**70], dtype=pl.Int128), "which cannot hold all its values"),
    (Int64, pl.Series([object()], dtype=pl.Object), "hold Object"),
    (String, pl.Series([b"a"]), "hold Binary"),
    (Timestamp, pl.Series([datetime(2026, 1, 1)]), "without a time zone"),
    (Timestamp, pl.Series([START.date()]), "hold Date"),
    (Boolean, pl.Series([1]), "hold Int64"),
    (Float64, pl.Series([timedelta(1)]), "hold Duration"),
    (Float64, pl.Series([{"a": 1}]), "hold Struct"),
]


@pytest.mark.parametrize(("dtype", "values", "message"), MISFITS, ids=lambda each: str(each)[:20])
def test_values_that_do_not_fit_are_refused_by_column(tmp_path, dtype, values, message):
    problem = refused(tmp_path, source(dtype), pl.DataFrame({"at": [START], "value": values}))
    assert "column 'value' of source rows" in problem
    assert message in problem


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_numbers_of_another_unit_are_refused_as_event_times_and_null_elsewhere(tmp_path, unit):
    """Nanoseconds that were taken for another unit: no datetime can hold them, and Polars panics on some."""
    nanoseconds = pl.Series([int(START.timestamp()) * 10**9]).cast(pl.Datetime(unit, "UTC"))
    wrong_time = pl.DataFrame({"at": nanoseconds, "value": [1]})
    assert "column 'at' of source rows: 1 rows have a time outside the years 1 to 9999" in refused(
        tmp_path / "time", source(Int64), wrong_time
    )
    store = OfflineStore(str(tmp_path / "value"))
    rows = pl.DataFrame({"at": [START], "value": nanoseconds})
    land(store, source(Timestamp), rows, START, END, run_id="r")
    kept = store.source("raw/rows").scan().collect()["value"].to_physical()
    assert kept.is_between(-(2**57), 2**57).sum() == 0, "nothing that could be taken for a time"


def test_rows_of_another_day_are_refused(tmp_path):
    rows = pl.DataFrame({"at": [END], "value": [1]})
    assert "1 rows are in no partition of" in refused(tmp_path, source(Int64), rows)
