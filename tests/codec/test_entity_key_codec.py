"""Entity keys as bytes: never ambiguous, and in the order of the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Column
from feature_store.dtypes import Float64, Int64, String
from feature_store.errors import InputError

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def integers(values: list[int | None]) -> Column:
    return Column(
        np.array([value or 0 for value in values], np.int64),
        np.array([value is not None for value in values], np.bool_),
    )


def strings(values: list[str | None]) -> Column:
    array = np.empty(len(values), object)
    array[:] = values
    return Column(array, np.array([value is not None for value in values], np.bool_))


@given(st.lists(INTEGERS, unique=True))
def test_integer_keys_sort_like_the_numbers(values: list[int]) -> None:
    keys = encode_keys([integers(list(values))], [Int64]).keys.to_list()
    assert [value for _, value in sorted(zip(keys, values, strict=True))] == sorted(values)


@given(st.lists(st.tuples(TEXT, INTEGERS, TEXT), unique=True))
def test_different_composite_keys_have_different_bytes(rows: list[tuple[str, int, str]]) -> None:
    columns = [strings([row[0] for row in rows]), integers([row[1] for row in rows]), strings([row[2] for row in rows])]
    keys = encode_keys(columns, [String, Int64, String]).keys.to_list()
    assert len(set(keys)) == len(rows)
    wanted = [
        b"".join(
            [
                len(a.encode()).to_bytes(4, "big"),
                a.encode(),
                (b + 2**63).to_bytes(8, "big"),
                len(c.encode()).to_bytes(4, "big"),
                c.encode(),
            ]
        )
        for a, b, c in rows
    ]
    assert keys == wanted


def test_joined_text_cannot_collide() -> None:
    keys = encode_keys([strings(["1", "11"]), strings(["12", "2"])], [String, String]).keys.to_list()
    assert keys[0] != keys[1]


def test_an_entity_with_any_null_key_has_no_key() -> None:
    encoded = encode_keys([integers([1, None, 3]), strings(["a", "b", None])], [Int64, String])
    assert encoded.valid.tolist() == [True, False, False]
    assert encoded.keys.to_list() == encode_keys([integers([1]), strings(["a"])], [Int64, String]).keys.to_list()


@pytest.mark.parametrize("columns", [[integers([])], [strings([])], [integers([None]), strings([None])]])
def test_no_keys_at_all(columns: list[Column]) -> None:
    dtypes = [String if column.values.dtype == object else Int64 for column in columns]
    encoded = encode_keys(columns, dtypes)
    assert encoded.keys.to_list() == []
    assert not encoded.valid.any()


def test_wrong_types_and_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="key column 0: float64 values"):
        encode_keys([Column(np.array([1.0]), np.array([True]))], [Float64])
    with pytest.raises(InputError, match="key column 1: object values cannot be read as Int64"):
        encode_keys([integers([1]), strings(["a"])], [Int64, Int64])
    with pytest.raises(InputError, match=r"\[1, 2\] rows"):
        encode_keys([integers([1]), integers([1, 2])], [Int64, Int64])
