"""Expressions of single rows give what numpy gives, to the last bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store import Boolean, Float64, Int64, String, Timestamp
from feature_store.engines.numpy.scalars import compile_scalar
from feature_store.expressions.operations import infer_dtype
from feature_store.temporal.instants import to_microseconds
from tests.engines.numpy.test_expressions import computed, held
from tests.engines.polars import test_expressions as engine
from tests.engines.polars.test_expressions import COLUMNS, EACH, ROWS, expressions

NUMPY_ALONE = {"year", "month", "day", "one_hot", "embed", "dot", "cosine"}
"""Operations that have no function of single rows."""


def alone(expression, rows):
    """Values row by row; None where numpy alone computes the expression."""
    scalar = compile_scalar(expression, COLUMNS)
    if scalar is None:
        return None
    is_instant = infer_dtype(expression, COLUMNS) == Timestamp
    plain = [
        [to_microseconds(row[n]) if t == Timestamp and row[n] is not None else row[n] for n, t in COLUMNS.items()]
        for row in rows
    ]
    found = [scalar(row) for row in plain]
    return (
        [None if value is None else engine.EPOCH + engine.timedelta(microseconds=value) for value in found]
        if is_instant
        else found
    )


def assert_equal_to_numpy(expression, rows):
    found = alone(expression, held(rows))
    if found is not None:
        assert engine.repr_all(found) == engine.repr_all(computed(expression, held(rows)))


@pytest.mark.parametrize("dtype", [Int64, Float64, Boolean, String, Timestamp], ids=str)
@given(data=st.data())
def test_rows_alone_give_what_arrays_give(dtype, data):
    assert_equal_to_numpy(data.draw(expressions(dtype, 2)), data.draw(ROWS))


@pytest.mark.parametrize("name", list(EACH))
@given(rows=ROWS)
def test_each_operation_gives_the_same(name, rows):
    for expression in EACH[name]:
        assert_equal_to_numpy(expression, rows)


def test_all_operations_but_those_of_numpy_alone_are_tried():
    tried = {name for name, each in EACH.items() if any(compile_scalar(one, COLUMNS) is not None for one in each)}
    assert tried == EACH.keys() - NUMPY_ALONE
