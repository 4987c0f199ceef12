"""Rows as bytes: what goes in comes out, and nothing else is ever read as a row."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.row_codec import LayoutField, RowError, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Array, Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.errors import InputError

SCALARS = [Int64, Float64, Float32, Boolean, String, Timestamp]
DTYPES = [*SCALARS, Vector(1), Vector(3), *(Array(dtype, length) for dtype in SCALARS for length in (1, 3))]
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Timestamp": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(),
    "Float32": st.floats(width=32),
    "Boolean": st.integers(0, 1),
    "String": st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
}


def layout_of(*dtypes: DType, fingerprint: str = "f") -> RowLayout:
    return RowLayout(tuple(LayoutField(f"c{i}", dtype, fingerprint) for i, dtype in enumerate(dtypes)))


def column_of(dtype: DType, values: list[Any]) -> Column:
    """Build a column from values; None is null, and a null place holds rubbish of the right type."""
    rubbish: Any = "rubbish" if dtype.element == String else 7
    shape = (len(values), *dtype.shape)
    filled = [[rubbish] * dtype.length if value is None and dtype.shape else value for value in values]
    slots = [slot for value in filled for slot in value] if dtype.shape else filled
    array = np.empty(len(slots), dtype.numpy)
    array[:] = [rubbish if slot is None else slot for slot in slots]
    if dtype.is_array:
        present = [[slot is not None for slot in value or [None] * dtype.length] for value in values]
        return Column(array.reshape(shape), np.array(present, np.bool_).reshape(shape))
    return Column(array.reshape(shape), np.array([value is not None for value in values], np.bool_))


def same(left: Column, right: Column) -> bool:
    if left.values.dtype != right.values.dtype or left.valid.tolist() != right.valid.tolist():
        return False
    one, other = left.values[left.valid], right.values[right.valid]
    return one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()


@st.composite
def tables(draw: st.DrawFn) -> tuple[RowLayout, list[list[Any]], int]:
    dtypes = draw(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=11))
    count = draw(st.integers(0, 7))

    def element(dtype: DType) -> st.SearchStrategy[Any]:
        if dtype.is_vector:
            return st.lists(st.floats(width=32), min_size=dtype.length, max_size=dtype.length)
        if dtype.is_array:
            return st.lists(st.none() | ELEMENTS[dtype.element.name], min_size=dtype.length, max_size=dtype.length)
        return ELEMENTS[dtype.name]

    values = [draw(st.lists(st.none() | element(dtype), min_size=count, max_size=count)) for dtype in dtypes]
    return layout_of(*dtypes), values, count


@given(table=tables(), as_of=st.integers(-(2**62), 2**62), missing=st.data())
def test_decode_reverses_encode_for_every_type_with_nulls_and_missing_rows(
    table: tuple[RowLayout, list[list[Any]], int], as_of: int, missing: st.DataObject
) -> None:
    layout, values, count = table
    columns = {
        field.name: column_of(field.dtype, column) for field, column in zip(layout.features, values, strict=True)
    }
    encoded = layout.encode(columns, as_of)
    assert len(encoded) == count
    gone = missing.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    stored = [None if lost else row for lost, row in zip(gone, encoded.to_list(), strict=True)]
    decoded = layout.decode(stored, as_of)
    assert decoded.present.tolist() == [not lost for lost in gone]
    assert list(decoded.columns) == [field.name for field in layout.features]
    for field, column in zip(layout.features, values, strict=True):
        wanted = [None if lost else value for lost, value in zip(gone, column, strict=True)]
        assert same(decoded.columns[field.name], column_of(field.dtype, wanted)), field


@given(table=tables(), harm=st.data())
def test_a_damaged_row_is_decoded_or_refused_and_never_anything_else(
    table: tuple[RowLayout, list[list[Any]], int], harm: st.DataObject
) -> None:
    layout, values, count = table
    columns = {
        field.name: column_of(field.dtype, column) for field, column in zip(layout.features, values, strict=True)
    }
    rows = layout.encode(columns, 5).to_list()
    if not rows:
        return
    place = harm.draw(st.integers(0, count - 1))
    row = bytearray(rows[place])
    match harm.draw(st.sampled_from(["cut", "extended", "changed", "replaced"])):
        case "cut":
            del row[harm.draw(st.integers(0, len(row) - 1)) :]
        case "extended":
            row += harm.draw(st.binary(min_size=1, max_size=9))
        case "changed":
            row[harm.draw(st.integers(0, len(row) - 1))] ^= harm.draw(st.integers(1, 255))
        case _:
            row = bytearray(harm.draw(st.binary(max_size=40)))
    rows[place] = bytes(row)
    with contextlib.suppress(RowError):
        layout.decode(rows, 5)


def test_bytes_that_are_no_text_are_an_error() -> None:
    layout = layout_of(String)
    (row,) = layout.encode({"c0": column_of(String, ["ab"])}, 5).to_list()
    with pytest.raises(RowError, match=r"no text.*load the view"):
        layout.decode([row[:-2] + b"\xff\xfe"], 5)


def test_equal_arrays_give_equal_bytes_and_one_whose_slots_are_all_null_is_null() -> None:
    layout = layout_of(Array(String, 2))
    column = Column(np.array([["a", "b"], ["c", "d"]], object), np.array([[False, True], [False, False]]))
    other = Column(np.array([[None, "b"], [None, None]], object), column.valid)
    assert layout.encode({"c0": column}, 5).to_list() == layout.encode({"c0": other}, 5).to_list()
    decoded = layout.decode(layout.encode({"c0": column}, 5).to_list(), 5)
    assert decoded.columns["c0"].has_value.tolist() == [True, False]


def test_only_the_features_asked_for_are_decoded() -> None:
    layout = layout_of(Int64, String, Float64)
    columns = {"c0": column_of(Int64, [1]), "c1": column_of(String, ["a"]), "c2": column_of(Float64, [2.0])}
    decoded = layout.decode(layout.encode(columns, 5).to_list(), 5, only={"c2", "c0"})
    assert {name: column.values.tolist() for name, column in decoded.columns.items()} == {"c0": [1], "c2": [2.0]}


def test_equal_values_give_equal_bytes_whatever_stands_at_null_places() -> None:
    layout = layout_of(Int64, String)
    valid = np.array([True, False])
    one = {"c0": Column(np.array([1, 2]), valid), "c1": Column(np.array(["a", "b"], object), valid)}
    other = {"c0": Column(np.array([1, 9]), valid), "c1": Column(np.array(["a", None], object), valid)}
    assert layout.encode(one, 5).to_list() == layout.encode(other, 5).to_list()


def test_a_fixed_row_has_exactly_the_documented_bytes() -> None:
    layout = layout_of(Int64, Boolean, String)
    columns = {
        name: column_of(dtype, [value])
        for name, dtype, value in [("c0", Int64, -2), ("c1", Boolean, None), ("c2", String, "é")]
    }
    (row,) = layout.encode(columns, 258).to_list()
    assert row == (
        layout.layout_id.to_bytes(4, "little")
        + (258).to_bytes(8, "little")
        + b"\x02"
        + (-2).to_bytes(8, "little", signed=True)
        + b"\x00"
        + b"\x00\x00\x00\x00\x02\x00\x00\x00"
        + b"\xc3\xa9"
    )


@pytest.mark.parametrize("dtypes", [(Int64, Float32), (Int64, String)])
def test_a_row_of_another_layout_is_an_error(dtypes: tuple[DType, ...]) -> None:
    ours, theirs = layout_of(*dtypes), layout_of(*dtypes, fingerprint="other")
    columns = {field.name: column_of(field.dtype, [None]) for field in ours.features}
    rows = ours.encode(columns, 5).to_list() + theirs.encode(columns, 5).to_list()
    with pytest.raises(RowError, match=f"{theirs.layout_id}.*{ours.layout_id}.*load"):
        ours.decode(rows, 5)


def test_rows_of_another_layout_whose_lengths_add_up_are_not_misread() -> None:
    ours, shorter, longer = layout_of(Float64), layout_of(Float32), layout_of(Float64, Float32)
    columns = {"c0": column_of(Float64, [1.0]), "c1": column_of(Float32, [1.0])}
    short = shorter.encode({"c0": column_of(Float32, [1.0])}, 5).to_list()
    long = longer.encode(columns, 5).to_list()
    assert len(short[0]) + len(long[0]) == 2 * len(ours.encode(columns, 5).to_list()[0])
    for rows in (short + long, long + short):
        with pytest.raises(RowError):
            ours.decode(rows, 5)


@pytest.mark.parametrize("dtypes", [(Int64,), (String,)])
def test_a_row_of_another_as_of_is_an_error(dtypes: tuple[DType, ...]) -> None:
    layout = layout_of(*dtypes)
    columns = {"c0": column_of(dtypes[0], [None])}
    with pytest.raises(RowError, match="as-of 6 stands where 5"):
        layout.decode(layout.encode(columns, 5).to_list() + layout.encode(columns, 6).to_list(), 5)


@pytest.mark.parametrize("dtypes", [(Int64, Float64), (Int64, String)])
@pytest.mark.parametrize("keep", [0, 1, 12, -1])
def test_a_row_cut_short_is_an_error(dtypes: tuple[DType, ...], keep: int) -> None:
    layout = layout_of(*dtypes)
    columns = {"c0": column_of(Int64, [1]), "c1": column_of(dtypes[1], ["abc" if dtypes[1] == String else 1.0])}
    (row,) = layout.encode(columns, 5).to_list()
    with pytest.raises(RowError, match=r"cut short|these have"):
        layout.decode([row[:keep]], 5)


def test_layout_records_survive_json_and_refuse_a_changed_one() -> None:
    layout = layout_of(*DTYPES)
    record = json.loads(json.dumps(layout.to_record()))
    assert RowLayout.from_record(record) == layout
    record["features"][0]["fingerprint"] = "changed"
    with pytest.raises(RowError, match="load it again"):
        RowLayout.from_record(record)


def test_layout_id_is_stable_and_sees_order_names_types_and_fingerprints() -> None:
    field = LayoutField
    base = RowLayout((field("a", Int64, "x"), field("b", Int64, "y")))
    others = [
        RowLayout((field("b", Int64, "y"), field("a", Int64, "x"))),
        RowLayout((field("a", Float64, "x"), field("b", Int64, "y"))),
        RowLayout((field("a", Int64, "z"), field("b", Int64, "y"))),
        RowLayout((field("a", Int64, "x"),)),
    ]
    assert base.layout_id == 4130467612
    assert len({layout.layout_id for layout in [base, *others]}) == 5


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (None, "c0: the rows lack this column"),
        (Column(np.array([1.0]), np.array([True])), "c0: float64 values"),
        (Column(np.array([1, 2]), np.array([True])), "shape"),
    ],
)
def test_encode_refuses_columns_that_do_not_fit(column: Column | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        layout_of(Int64).encode({} if column is None else {"c0": column}, 5)


def test_encode_refuses_columns_of_unequal_lengths() -> None:
    columns = {"c0": column_of(Int64, [1]), "c1": column_of(Int64, [1, 2])}
    with pytest.raises(InputError, match="c1"):
        layout_of(Int64, Int64).encode(columns, 5)


def test_a_layout_needs_a_feature() -> None:
    with pytest.raises(InputError, match="at least one"):
        RowLayout(())
