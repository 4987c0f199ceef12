"""Rows as bytes: what goes in comes out, and nothing else is ever read as a row."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.byte_strings import Ragged, from_list
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.codec.sealed_rows import RowError
from feature_store.columns import Column
from feature_store.dtypes import Array, Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.errors import InputError
from tests.codec.format_one import former_rows

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


def keys_of(count: int) -> Ragged:
    """Keys of two lengths, as those of texts are."""
    return from_list([b"key%d" % number + b"-" * (number % 2) for number in range(count)])


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
def test_rows_of_both_formats_come_back_for_every_type_with_nulls_and_missing_rows(
    table: tuple[RowLayout, list[list[Any]], int], as_of: int, missing: st.DataObject
) -> None:
    layout, values, count = table
    columns = {
        field.name: column_of(field.dtype, column) for field, column in zip(layout.features, values, strict=True)
    }
    encoded = layout.encode(columns, keys_of(count))
    former = former_rows(layout, columns, as_of)
    assert len(encoded) == count
    gone = missing.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    older = missing.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    rows = [old if is_old else row for is_old, old, row in zip(older, former, encoded.to_list(), strict=True)]
    stored = [None if lost else row for lost, row in zip(gone, rows, strict=True)]
    decoded = layout.decode(stored, keys_of(count), as_of)
    assert decoded.present.tolist() == [not lost for lost in gone]
    assert not decoded.damaged.any()
    assert list(decoded.columns) == [field.name for field in layout.features]
    for field, column in zip(layout.features, values, strict=True):
        wanted = [None if lost else value for lost, value in zip(gone, column, strict=True)]
        assert same(decoded.columns[field.name], column_of(field.dtype, wanted)), field


@given(table=tables(), harm=st.data(), is_former=st.booleans())
def test_a_damaged_row_is_told_and_costs_no_neighbour(
    table: tuple[RowLayout, list[list[Any]], int], harm: st.DataObject, is_former: bool
) -> None:
    layout, values, count = table
    columns = {
        field.name: column_of(field.dtype, column) for field, column in zip(layout.features, values, strict=True)
    }
    keys = keys_of(count)
    rows = former_rows(layout, columns, 5) if is_former else layout.encode(columns, keys).to_list()
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
    whole = layout.decode(rows, keys, 5)
    rows[place] = bytes(row)
    decoded = layout.decode(rows, keys, 5)
    others = np.arange(count) != place
    assert decoded.present[others].all()
    for name, column in decoded.columns.items():
        left = Column(column.values[others], column.valid[others])
        assert same(left, Column(whole.columns[name].values[others], whole.columns[name].valid[others]))
    if not is_former:
        assert decoded.damaged.tolist() == (~others).tolist()
        assert not any(column.valid[place].any() for column in decoded.columns.values())


@pytest.mark.parametrize(
    "dtypes", [(Int64, Float32, Boolean), (Int64, String, Array(String, 2))], ids=["fixed", "text"]
)
def test_every_flipped_bit_of_key_or_row_is_noticed(dtypes: tuple[DType, ...]) -> None:
    layout = layout_of(*dtypes)
    columns = {
        field.name: column_of(
            field.dtype, [["ab", "c"] if field.dtype.slots > 1 else "é" if field.dtype == String else 1]
        )
        for field in layout.features
    }
    key = b"household-\x00\xff"
    (row,) = layout.encode(columns, from_list([key])).to_list()
    assert layout.decode([row], from_list([key]), 0).present.all()
    damaged_rows = [flipped(row, bit) for bit in range(8 * len(row))]
    read = layout.decode([row, *damaged_rows], from_list([key] * (1 + len(damaged_rows))), 0)
    assert read.present.tolist() == [True] + [False] * len(damaged_rows)
    assert read.damaged.tolist() == [False] + [True] * len(damaged_rows)
    other_keys = [flipped(key, bit) for bit in range(8 * len(key))]
    others = [*other_keys, key[:-1], key + b"\0", b"\0" + key, b""]
    assert layout.decode([row] * len(others), from_list(others), 0).damaged.all()


def flipped(value: bytes, bit: int) -> bytes:
    return value[: bit // 8] + bytes([value[bit // 8] ^ 1 << bit % 8]) + value[bit // 8 + 1 :]


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=9, unique=True), st.data())
def test_a_row_under_another_key_is_damaged(keys: list[bytes], data: st.DataObject) -> None:
    layout = layout_of(Int64)
    rows = layout.encode({"c0": column_of(Int64, [7] * len(keys))}, from_list(keys)).to_list()
    order = data.draw(st.permutations(range(len(keys))))
    read = layout.decode([rows[place] for place in order], from_list(keys), 0)
    assert read.present.tolist() == [place == own for own, place in enumerate(order)]
    assert read.damaged.tolist() == (~read.present).tolist()


def test_an_unchanged_row_is_the_same_bytes_in_another_batch() -> None:
    """So that generations can share it, and so that the checksum is one of the row alone."""
    layout = layout_of(Int64, String)
    texts = ["", "a", "abcdefgh" * 9]
    columns = {"c0": column_of(Int64, [1, 2, 3]), "c1": column_of(String, texts)}
    keys = [b"1", b"22", b"a long key, longer than the others"]
    together = layout.encode(columns, from_list(keys)).to_list()
    for place, (key, text) in enumerate(zip(keys, texts, strict=True)):
        alone = {"c0": column_of(Int64, [place + 1]), "c1": column_of(String, [text])}
        assert layout.encode(alone, from_list([key])).to_list() == [together[place]]


def test_bytes_of_the_former_format_that_are_no_text_are_damaged() -> None:
    layout = layout_of(String)
    good, bad = former_rows(layout, {"c0": column_of(String, ["ab", "cd"])}, 5)
    read = layout.decode([good, bad[:-2] + b"\xff\xfe", good], keys_of(3), 5)
    assert read.damaged.tolist() == [False, True, False]
    assert read.columns["c0"].values[read.present].tolist() == ["ab", "ab"]


def test_equal_arrays_give_equal_bytes_and_one_whose_slots_are_all_null_is_null() -> None:
    layout = layout_of(Array(String, 2))
    column = Column(np.array([["a", "b"], ["c", "d"]], object), np.array([[False, True], [False, False]]))
    other = Column(np.array([[None, "b"], [None, None]], object), column.valid)
    assert layout.encode({"c0": column}, keys_of(2)).to_list() == layout.encode({"c0": other}, keys_of(2)).to_list()
    decoded = layout.decode(layout.encode({"c0": column}, keys_of(2)).to_list(), keys_of(2), 5)
    assert decoded.columns["c0"].has_value.tolist() == [True, False]


def test_only_the_features_asked_for_are_decoded() -> None:
    layout = layout_of(Int64, String, Float64)
    columns = {"c0": column_of(Int64, [1]), "c1": column_of(String, ["a"]), "c2": column_of(Float64, [2.0])}
    decoded = layout.decode(layout.encode(columns, keys_of(1)).to_list(), keys_of(1), 5, only={"c2", "c0"})
    assert {name: column.values.tolist() for name, column in decoded.columns.items()} == {"c0": [1], "c2": [2.0]}


def test_equal_values_give_equal_bytes_whatever_stands_at_null_places() -> None:
    layout = layout_of(Int64, String)
    valid = np.array([True, False])
    one = {"c0": Column(np.array([1, 2]), valid), "c1": Column(np.array(["a", "b"], object), valid)}
    other = {"c0": Column(np.array([1, 9]), valid), "c1": Column(np.array(["a", None], object), valid)}
    assert layout.encode(one, keys_of(2)).to_list() == layout.encode(other, keys_of(2)).to_list()


def test_a_fixed_row_has_exactly_the_documented_bytes() -> None:
    layout = layout_of(Int64, Boolean, String)
    columns = {
        name: column_of(dtype, [value])
        for name, dtype, value in [("c0", Int64, -2), ("c1", Boolean, None), ("c2", String, "é")]
    }
    (row,) = layout.encode(columns, from_list([b"k"])).to_list()
    digest = hashlib.sha256(b'[["c0","Int64","f"],["c1","Boolean","f"],["c2","String","f"]]').digest()
    assert layout.layout_id == int.from_bytes(digest[:4], "little")
    assert row == (
        b"\x02"
        + digest[4:7]
        + checksum_of(row, b"k").to_bytes(4, "little")
        + b"\x02"
        + (-2).to_bytes(8, "little", signed=True)
        + b"\x00"
        + b"\x00\x00\x00\x00\x02\x00\x00\x00"
        + b"\x00\x00"
        + b"\xc3\xa9"
        + b"\x00\x00"
    )


def checksum_of(row: bytes, key: bytes) -> int:
    """The checksum as docs/formats.md describes it, word by word."""

    def constant(place: int) -> int:
        mixed = (place + 1) * 0x9E3779B97F4A7C15 % 2**64
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return (mixed ^ mixed >> 31) | 1

    def words(value: bytes) -> list[int]:
        return [int.from_bytes(value[start : start + 4], "little") for start in range(0, len(value), 4)]

    total = constant(0) * len(row) + constant(2**32) * len(key)
    total += sum(constant(1 + place) * word for place, word in enumerate(words(row)) if place != 1)
    total += sum(constant(2**32 + 1 + place) * word for place, word in enumerate(words(key)))
    return total % 2**64 >> 32


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=9) | st.sampled_from([b"long" * 50]),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(["much longer" * 20]),
        )
    )
)
def test_the_checksum_is_the_documented_one(entities: list[tuple[bytes, str]]) -> None:
    layout = layout_of(String)
    keys = [key for key, _ in entities]
    rows = layout.encode({"c0": column_of(String, [text for _, text in entities])}, from_list(keys)).to_list()
    assert [int.from_bytes(row[4:8], "little") for row in rows] == list(map(checksum_of, rows, keys))


@pytest.mark.parametrize("dtypes", [(Int64, Float32), (Int64, String)])
def test_a_row_of_another_layout_is_damaged(dtypes: tuple[DType, ...]) -> None:
    ours, theirs = layout_of(*dtypes), layout_of(*dtypes, fingerprint="other")
    columns = {field.name: column_of(field.dtype, [None]) for field in ours.features}
    key = from_list([b"k"])
    rows = ours.encode(columns, key).to_list() + theirs.encode(columns, key).to_list()
    rows += former_rows(ours, columns, 5) + former_rows(theirs, columns, 5)
    assert ours.decode(rows, from_list([b"k"] * 4), 5).damaged.tolist() == [False, True, False, True]


def test_rows_of_another_layout_whose_lengths_add_up_are_not_misread() -> None:
    ours, shorter, longer = layout_of(Float64), layout_of(Float32), layout_of(Float64, Float32)
    columns = {"c0": column_of(Float64, [1.0]), "c1": column_of(Float32, [1.0])}
    key, two = from_list([b"k"]), from_list([b"k"] * 2)
    short = shorter.encode({"c0": column_of(Float32, [1.0])}, key).to_list()
    long = longer.encode(columns, key).to_list()
    assert len(short[0]) + len(long[0]) == 2 * len(ours.encode(columns, key).to_list()[0])
    for rows in (short + long, long + short):
        assert ours.decode(rows, two, 5).damaged.all()


@pytest.mark.parametrize("dtypes", [(Int64,), (String,)])
def test_a_former_row_of_another_as_of_is_damaged(dtypes: tuple[DType, ...]) -> None:
    layout = layout_of(*dtypes)
    columns = {"c0": column_of(dtypes[0], [None])}
    rows = former_rows(layout, columns, 5) + former_rows(layout, columns, 6)
    assert layout.decode(rows, keys_of(2), 5).damaged.tolist() == [False, True]


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
        layout_of(Int64).encode({} if column is None else {"c0": column}, keys_of(1))


def test_encode_refuses_columns_of_unequal_lengths() -> None:
    columns = {"c0": column_of(Int64, [1]), "c1": column_of(Int64, [1, 2])}
    with pytest.raises(InputError, match="c1"):
        layout_of(Int64, Int64).encode(columns, keys_of(1))
    with pytest.raises(InputError, match="1 rows for 2 keys"):
        layout_of(Int64).encode(columns, keys_of(2))


def test_a_layout_needs_a_feature() -> None:
    with pytest.raises(InputError, match="at least one"):
        RowLayout(())
