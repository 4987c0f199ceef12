from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from feature_store.engines.polars.dtypes import TIMESTAMP
from feature_store.engines.polars.source_rows import read_rows
from feature_store.errors import InputError
from tests.fixtures.frames import at, frame
from tests.fixtures.views import COLUMNS, PLAIN, TABLE, TABLE_COLUMNS


def read(rows: pl.DataFrame, name: str) -> pl.Series:
    return read_rows(PLAIN, rows.lazy(), [name]).collect()[name]


def test_vectors_may_come_as_lists():
    rows = frame([{**dict.fromkeys(TABLE_COLUMNS), "vector": [1.0, 2.0]}, dict.fromkeys(TABLE_COLUMNS)], TABLE_COLUMNS)
    lists = rows.with_columns(pl.col("vector").cast(pl.List(pl.Float32)))
    vectors = read_rows(TABLE, lists.lazy(), ["vector"]).collect()["vector"]
    assert vectors.dtype == pl.Array(pl.Float32, 2)
    assert vectors.to_list() == [[1.0, 2.0], None]


def test_narrower_types_are_widened():
    assert read(pl.DataFrame({"number": [1]}, schema={"number": pl.Int32}), "number").dtype == pl.Int64
    assert read(pl.DataFrame({"value": [1]}, schema={"value": pl.Int16}), "value").dtype == pl.Float64
    assert read(pl.DataFrame({"value": [Decimal("1.50")]}), "value").to_list() == [1.5]
    assert read(pl.DataFrame({"text": ["a"]}, schema={"text": pl.Categorical}), "text").dtype == pl.String
    assert read(pl.DataFrame({"value": [None]}), "value").to_list() == [None]


def test_instants_are_the_same_in_every_zone_and_unit():
    rows = pl.DataFrame({"time": [at()]}).with_columns(
        pl.col("time").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms")
    )
    assert read(rows, "time").dtype == TIMESTAMP
    assert read(rows, "time").to_list() == [at()]


@pytest.mark.parametrize(("name", "value"), [("number", "1"), ("number", 1.0), ("text", 1), ("flag", 1), ("time", 1)])
def test_other_types_are_refused(name, value):
    with pytest.raises(
        InputError, match=f"column '{name}' of source plain is declared as {COLUMNS[name]} but its rows hold"
    ):
        read(pl.DataFrame({name: [value]}), name)


def test_timestamps_without_a_zone_are_refused():
    rows = pl.DataFrame({"time": [at()]}).with_columns(pl.col("time").dt.replace_time_zone(None))
    with pytest.raises(InputError, match="without a time zone"):
        read(rows, "time")


def test_a_missing_column_is_refused_by_name():
    with pytest.raises(InputError, match="lack the column 'value'; they have number"):
        read(pl.DataFrame({"number": [1]}), "value")
