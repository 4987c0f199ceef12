"""Content hashes: equal for equal rows everywhere, different for anything else."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.content_hash import WHOLE_ROWS, Content
from feature_store.engines.polars.content_hash import frame_contents

INSTANT = pl.Datetime("us", "UTC")
KEY = ["key"]


def at(day: int) -> datetime:
    return datetime(2024, 1, day, tzinfo=UTC)


FRAME = pl.DataFrame(
    {
        "key": [1, 2, 3, 4],
        "text": ["a", None, "", "b, longer than a word"],
        "number": [1.5, None, 0.0, -2.0],
        "flag": [True, None, False, True],
        "at": [at(1), None, at(2), at(3)],
        "on": [date(2024, 1, 1), None, date(2024, 1, 2), date(2024, 1, 3)],
        "price": [Decimal("1.50"), None, Decimal("0.00"), Decimal("-2.25")],
        "names": [["x", "yz"], None, [], ["x", None]],
        "latest": [{"time": at(1), "value": "v"}, None, {"time": None, "value": None}, {"time": at(2), "value": "w"}],
        "state": [b"\x00\xff", None, b"", b"\x00"],
    },
    schema_overrides={"at": INSTANT, "latest": pl.Struct({"time": INSTANT, "value": pl.String})},
)

SCALARS = {
    "integer": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "float": (pl.Float64, st.floats(allow_nan=False).map(lambda value: value + 0.0)),
    "single": (pl.Float32, st.floats(allow_nan=False, width=32).map(lambda value: value + 0.0)),
    "boolean": (pl.Boolean, st.booleans()),
    "text": (pl.String, st.text(max_size=20)),
    "bytes": (pl.Binary, st.binary(max_size=20)),
    "date": (pl.Date, st.dates(date(1, 1, 1), date(9999, 1, 1))),
    "instant": (INSTANT, st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))),
    "decimal": (pl.Decimal(38, 2), st.integers(-(10**20), 10**20).map(lambda cents: Decimal(cents) / 100)),
}
TYPES = {
    **SCALARS,
    **{
        f"list of {name}": (pl.List(of), st.lists(st.none() | each, max_size=4)) for name, (of, each) in SCALARS.items()
    },
    **{
        f"struct of {name}": (
            pl.Struct({"time": INSTANT, "value": of}),
            st.fixed_dictionaries({"time": st.none() | SCALARS["instant"][1], "value": st.none() | each}),
        )
        for name, (of, each) in SCALARS.items()
    },
    "list of lists": (pl.List(pl.List(pl.String)), st.lists(st.lists(st.text(max_size=2), max_size=2), max_size=3)),
    "list of structs": (
        pl.List(pl.Struct({"a": pl.Int64, "b": pl.String})),
        st.lists(
            st.none() | st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.none() | st.text(max_size=2)}),
            max_size=3,
        ),
    ),
}


def contents(frame: pl.DataFrame, *bounds: int, key: Sequence[str] = KEY, unique: bool = True) -> list[Content]:
    return frame_contents(frame, key, np.array(bounds or (0, frame.height), np.int64), unique=unique)


def content(frame: pl.DataFrame, *, unique: bool = True) -> Content:
    return contents(frame, unique=unique)[0]


def frames(data: st.DataObject, *, rows: int = 0) -> pl.DataFrame:
    """Draw a frame with a unique key and columns of some types, called like them."""
    keys = data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, min_size=rows, max_size=6))
    names = data.draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True, min_size=1, max_size=3))
    drawn = {
        name: data.draw(st.lists(st.none() | TYPES[name][1], min_size=len(keys), max_size=len(keys))) for name in names
    }
    return pl.DataFrame({"key": keys, **drawn}, schema={"key": pl.Int64, **{name: TYPES[name][0] for name in drawn}})


def test_hash_of_known_rows_never_changes() -> None:
    assert content(FRAME, unique=False).digest == "38f84b50ede988376e14248d6907cf44"


def _seed(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _mix(word: int) -> int:
    word %= 2**64
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


def _pair(key: int, value: int) -> int:
    return _mix(key * 0x9E3779B97F4A7C15 + value)


def _hash(value: int | str | None) -> int:
    if value is None:
        return _seed("null")
    if isinstance(value, int):
        return _mix(value + _seed("integer"))
    encoded = value.encode()
    words = [int.from_bytes(encoded[at : at + 8], "little") for at in range(0, len(encoded), 8)]
    total = sum(_pair(_mix(place + 0x9E3779B97F4A7C15), word) for place, word in enumerate(words))
    return _mix(total + len(encoded) * 0x9E3779B97F4A7C15 + _seed("text"))


@given(st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.none() | st.text(max_size=30)))
def test_sums_are_those_that_plain_python_adds_up(rows: dict[int, str | None]) -> None:
    frame = pl.DataFrame({"key": list(rows), "x": list(rows.values())}, schema={"key": pl.Int64, "x": pl.String})
    keys = {key: _mix(_mix(_hash(key) + _seed("field key")) + _seed("struct")) for key in rows}
    assert content(frame).sums == {
        "key": sum(_pair(keys[key], _hash(key)) for key in rows) % 2**64,
        "x": sum(_pair(keys[key], _hash(value)) for key, value in rows.items()) % 2**64,
    }


def test_another_process_finds_the_same_hash() -> None:
    code = "from tests.codec.test_content_hash import *; print(content(FRAME).digest)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == content(FRAME).digest


@given(st.data())
def test_order_of_rows_and_columns_chunks_and_shards_do_not_count(data: st.DataObject) -> None:
    frame = frames(data)
    whole = content(frame, unique=False)
    assert whole.rows == frame.height
    order = data.draw(st.permutations(range(frame.height)))
    columns = data.draw(st.permutations(frame.columns))
    shuffled = frame[list(order)].select(columns)
    assert content(shuffled, unique=False) == whole
    cut = data.draw(st.integers(0, frame.height))
    chunked = pl.concat([shuffled[:cut], shuffled[cut:]], rechunk=False)
    assert content(chunked, unique=False) == whole
    assert content(shuffled[:cut], unique=False) + content(shuffled[cut:], unique=False) == whole
    assert contents(shuffled, 0, cut, cut, frame.height, unique=False) == [
        content(part, unique=False) for part in (shuffled[:cut], shuffled[:0], shuffled[cut:])
    ]


@given(st.data())
def test_sums_of_some_columns_are_those_of_all(data: st.DataObject) -> None:
    frame = frames(data)
    some = data.draw(st.lists(st.sampled_from(frame.columns), unique=True))
    read, whole = content(frame.select(list(dict.fromkeys(["key", *some])))), content(frame)
    assert read.sums == {name: whole.sums[name] for name in read.sums}
    assert read.differences(whole) == []


@given(st.data())
def test_a_changed_cell_changes_the_sum_of_its_column_and_of_no_other(data: st.DataObject) -> None:
    frame = frames(data, rows=1)
    name = data.draw(st.sampled_from(frame.columns[1:]))
    row = data.draw(st.integers(0, frame.height - 1))
    values = frame[name].to_list()
    values[row] = data.draw((st.none() | TYPES[name][1]).filter(lambda value: value != values[row]))
    changed = frame.with_columns(pl.Series(name, values, frame.schema[name]))
    assert content(changed, unique=False).differences(content(frame, unique=False)) == sorted([name, WHOLE_ROWS])


@given(st.data())
def test_values_that_changed_places_are_noticed(data: st.DataObject) -> None:
    frame = frames(data, rows=2)
    name = data.draw(st.sampled_from(frame.columns[1:]))
    values = frame[name].to_list()
    if values[0] != values[1]:
        values[0], values[1] = values[1], values[0]
        swapped = frame.with_columns(pl.Series(name, values, frame.schema[name]))
        assert content(swapped).differences(content(frame)) == [name]


def test_values_that_changed_places_between_rows_of_one_key_are_noticed_by_the_sum_of_whole_rows() -> None:
    rows = pl.DataFrame({"time": [at(1), at(1)], "a": [1, 2], "b": ["x", "y"]}, schema_overrides={"time": INSTANT})
    swapped = rows.with_columns(b=pl.Series(["y", "x"]))
    one, other = (contents(frame, key=["time"], unique=False)[0] for frame in (rows, swapped))
    assert one.differences(other) == [WHOLE_ROWS]


def test_rows_are_compared_by_their_number_too() -> None:
    assert content(FRAME[:3]).differences(content(FRAME))[0] == "rows"
    assert content(FRAME[:0]).differences(content(FRAME[:0])) == []


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_minus_zero_is_zero_and_nan_is_null(dtype: pl.DataType) -> None:
    def of(value: float | None) -> Content:
        return content(pl.DataFrame({"key": [1], "x": pl.Series([value], dtype=dtype)}))

    assert of(-0.0) == of(0.0)
    assert of(float("nan")) == of(-float("nan")) == of(None)
    assert of(None) != of(0.0)


def test_integers_of_any_width_and_floats_of_both_are_alike_but_kinds_of_values_differ() -> None:
    def of(dtype: pl.DataType) -> Content:
        return content(pl.DataFrame({"key": [1], "x": pl.Series([1]).cast(dtype)}))

    assert len({of(dtype).digest for dtype in (pl.Int8, pl.Int16, pl.Int32, pl.Int64)}) == 1
    assert of(pl.Float32) == of(pl.Float64)
    kinds = [pl.Int64, pl.Float64, pl.Boolean, pl.String, INSTANT, pl.Date, pl.Decimal(9, 0)]
    assert len({of(dtype).digest for dtype in kinds}) == len(kinds)


def test_arrays_are_what_the_lists_are_that_delta_keeps_of_them() -> None:
    lists = pl.DataFrame({"key": [1, 2, 3], "x": [[1.0, None], None, [3.0, 4.0]]})
    assert content(lists.with_columns(pl.col("x").cast(pl.Array(pl.Float64, 2)))) == content(lists)


CHANGES = {
    "null for empty text": FRAME.with_columns(text=pl.col("text").replace("", None)),
    "null for zero": FRAME.with_columns(number=pl.col("number").replace(0.0, None)),
    "null for false": FRAME.with_columns(flag=pl.when("flag").then(pl.col("flag"))),
    "another number": FRAME.with_columns(number=pl.col("number") + 1e-12),
    "empty list for null": FRAME.with_columns(names=pl.col("names").fill_null(pl.lit([], pl.List(pl.String)))),
    "element moved to another list": FRAME.with_columns(names=pl.Series([["x"], None, ["yz"], ["x", None]])),
    "element moved within a list": FRAME.with_columns(names=pl.Series([["yz", "x"], None, [], ["x", None]])),
    "text split elsewhere": FRAME.with_columns(names=pl.Series([["xy", "z"], None, [], ["x", None]])),
    "a zero byte more": FRAME.with_columns(state=pl.Series([b"\x00\xff\x00", None, b"", b"\x00"])),
    "another zero byte": FRAME.with_columns(state=pl.Series([b"\x00\xff", None, b"", b"\x00\x00"])),
    "struct of nulls for null": FRAME.with_columns(
        latest=pl.struct(pl.col("latest").struct.field("time"), pl.col("latest").struct.field("value"))
    ),
    "another name": FRAME.rename({"number": "amount"}),
    "a column less": FRAME.drop("on"),
    "a row less": FRAME[:3],
    "a row twice": pl.concat([FRAME, FRAME[3:]]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_changes_the_hash(change: str) -> None:
    assert content(CHANGES[change]).digest != content(FRAME).digest


def test_a_hash_of_many_rows_is_that_of_its_parts() -> None:
    rng = np.random.default_rng(8)
    many = pl.DataFrame({"key": np.arange(100_000), "x": rng.normal(size=100_000), "t": np.arange(100_000) % 977})
    many = many.with_columns(t=pl.col("t").cast(pl.String))
    bounds = [0, 0, 5, 32_768, 32_768, 70_000, 100_000, 100_000]
    parts = contents(many, *bounds)
    assert parts == [content(many[start:end]) for start, end in pairwise(bounds)]
    assert reduce(add, parts) == content(many)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2), st.integers(0, 2**62))
def test_text_of_a_content_says_all_of_it(sums: list[int], rows: int) -> None:
    one = Content(rows, ("a", "b"), dict(zip("ab", sums, strict=True)))
    assert Content.from_text(rows, one.text) == one
