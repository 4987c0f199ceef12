"""Content hashes: equal for equal rows everywhere, different for anything else."""

import subprocess
import sys
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.offline.delta.content_hash import content_hashes
from tests.offline.definitions import INSTANT, day

FRAME = pl.DataFrame(
    {
        "key": [1, 2, 3, 4],
        "text": ["a", None, "", "bc"],
        "number": [1.5, None, 0.0, -2.0],
        "flag": [True, None, False, True],
        "at": [day(0), None, day(1), day(2)],
        "on": [date(2024, 1, 1), None, date(2024, 1, 2), date(2024, 1, 3)],
        "names": [["x", "yz"], None, [], ["x", None]],
        "latest": [{"time": day(0), "value": "v"}, None, {"time": None, "value": None}, {"time": day(1), "value": "w"}],
    },
    schema_overrides={"at": INSTANT, "latest": pl.Struct({"time": INSTANT, "value": pl.String})},
)


def hashes(frame: pl.DataFrame, *bounds: int) -> list[str]:
    return content_hashes(frame, np.array(bounds or (0, frame.height), np.int64))


def test_hash_of_known_rows_never_changes() -> None:
    assert hashes(FRAME) == ["3f7ed96bf0434f8d3ea8ab4663825419"]


def test_another_process_finds_the_same_hash() -> None:
    code = "from tests.offline.test_content_hash import *; print(hashes(FRAME)[0])"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == hashes(FRAME)[0]


def test_order_of_columns_and_chunks_do_not_count() -> None:
    chunked = pl.concat([FRAME[:1], FRAME[1:3], FRAME[3:]], rechunk=False)
    assert chunked.n_chunks() == 3
    assert hashes(chunked) == hashes(FRAME.select(reversed(FRAME.columns))) == hashes(FRAME)


def test_a_partition_is_hashed_by_itself() -> None:
    assert hashes(FRAME, 0, 1, 1, 4) == [hashes(FRAME[:1])[0], hashes(FRAME[:0])[0], hashes(FRAME[1:])[0]]


def test_minus_zero_is_zero_and_every_nan_the_same() -> None:
    def of(values: list[float]) -> list[str]:
        return hashes(pl.DataFrame({"x": np.array(values)}))

    assert of([-0.0]) == of([0.0])
    assert of([np.nan]) == of([-np.nan])
    assert of([np.nan]) != of([0.0])


CHANGES = {
    "null for empty text": FRAME.with_columns(text=pl.col("text").replace("", None)),
    "null for zero": FRAME.with_columns(number=pl.col("number").replace(0.0, None)),
    "null for false": FRAME.with_columns(flag=pl.when("flag").then(pl.col("flag"))),
    "another number": FRAME.with_columns(number=pl.col("number") + 1e-12),
    "text split elsewhere": FRAME.with_columns(text=pl.Series(["ab", None, "", "c"])),
    "empty list for null": FRAME.with_columns(names=pl.col("names").fill_null(pl.lit([], pl.List(pl.String)))),
    "element moved to another list": FRAME.with_columns(names=pl.Series([["x"], None, ["yz"], ["x", None]])),
    "struct of nulls for null": FRAME.with_columns(
        latest=pl.struct(pl.col("latest").struct.field("time"), pl.col("latest").struct.field("value"))
    ),
    "another type": FRAME.with_columns(pl.col("key").cast(pl.Int32)),
    "another name": FRAME.rename({"key": "id"}),
    "a column less": FRAME.drop("on"),
    "a row less": FRAME[:3],
    "a row twice": pl.concat([FRAME, FRAME[3:]]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_changes_the_hash(change: str) -> None:
    assert hashes(CHANGES[change]) != hashes(FRAME)


@given(st.lists(st.lists(st.none() | st.text(max_size=3), max_size=3) | st.none(), max_size=4), st.data())
def test_lists_of_text_hash_equal_only_if_they_are(rows: list[list[str | None] | None], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.lists(st.none() | st.text(max_size=3), max_size=3) | st.none(), max_size=4))

    def of(values: list[list[str | None] | None]) -> list[str]:
        return hashes(pl.DataFrame({"x": values}, schema={"x": pl.List(pl.String)}))

    assert (of(rows) == of(other)) == (rows == other)
    assert of(rows) == of([None if row is None else list(row) for row in rows])
