from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_store import EmbeddingTable, Float64, Int64, String, Timestamp, col, embed, lit, one_hot, ordinal, when
from feature_store.columns import Column
from feature_store.engines.numpy.expressions import FUNCTIONS, evaluate
from feature_store.expressions.operations import SIGNATURES, infer_dtype
from feature_store.expressions.text import from_canonical, to_canonical
from tests.engines.numpy.numpy_columns import columns_of, values_of
from tests.engines.polars import test_expressions as engine
from tests.engines.polars.test_expressions import (
    BUILDERS,
    COLUMNS,
    EACH,
    NUMBERS,
    ROWS,
    SPECIAL,
    TABLE,
    expressions,
    one_row,
)


def computed(expression, rows):
    dtype = infer_dtype(expression, COLUMNS)
    column = evaluate(expression, columns_of(rows, COLUMNS), COLUMNS, len(rows))
    assert len(column.values) == len(column.valid) == len(rows)
    return values_of(column, dtype)


def held(rows):
    """The rows as columns of their types hold them: floats32 rounded."""
    return engine.frame(rows, COLUMNS).to_dicts()


def assert_equal_to_oracle(expression, rows):
    rows = held(rows)
    wanted = [engine.evaluate(expression, row, COLUMNS) for row in rows]
    assert engine.repr_all(computed(expression, rows)) == engine.repr_all(wanted)


def test_every_operation_has_a_function():
    assert FUNCTIONS.keys() == SIGNATURES.keys()


@pytest.mark.parametrize("dtype", list(BUILDERS), ids=str)
@given(data=st.data())
def test_expressions_equal_the_oracle(dtype, data):
    expression = data.draw(expressions(dtype, 2))
    assert_equal_to_oracle(expression, data.draw(ROWS))


@pytest.mark.parametrize("name", list(EACH))
@given(rows=ROWS)
def test_each_operation_equals_the_oracle(name, rows):
    for expression in EACH[name]:
        assert_equal_to_oracle(expression, rows)


@pytest.mark.parametrize("dtype", list(BUILDERS), ids=str)
@given(data=st.data())
def test_both_engines_agree(dtype, data):
    expression, rows = data.draw(expressions(dtype, 2)), data.draw(ROWS)
    assert engine.repr_all(computed(expression, held(rows))) == engine.repr_all(
        engine.computed(expression, rows).to_list()
    )


@given(st.lists(engine.FLOATS | st.floats(), min_size=1))
@example(SPECIAL)
def test_source_floats_are_finite_and_have_no_negative_zero(values):
    assert_equal_to_oracle(col("f"), [one_row(f=value) for value in values])


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)), min_size=1))
@example([(-1, -(2**63)), (-(2**63), -1), (2**32, 2**31), (-(2**32), 2**31), (3037000500, 3037000500), (0, 5)])
def test_integers_that_do_not_fit_are_null_and_others_exact(pairs):
    rows = [one_row(i=left, j=right) for left, right in pairs]
    for expression in (col("i") + col("j"), col("i") - col("j"), col("i") * col("j"), -col("i")):
        assert_equal_to_oracle(expression, rows)


def test_instants_of_a_source_that_lie_outside_the_calendar_are_null():
    instants = Column(np.array([*engine.EDGES, 2**62]), np.ones(7, np.bool_))
    for expression in (col("x"), col("x").year(), col("x").cast(String)):
        found = evaluate(expression, {"x": instants}, COLUMNS, 7)
        assert found.valid.tolist() == [False, True, True, True, True, False, False]


@pytest.mark.parametrize("dtype", list(BUILDERS), ids=str)
@given(data=st.data())
def test_an_expression_comes_back_from_its_canonical_form(dtype, data):
    canonical = to_canonical(data.draw(expressions(dtype, 2)))
    back = from_canonical(json.loads(json.dumps(canonical)))
    assert to_canonical(back) == canonical
    assert infer_dtype(back, COLUMNS) == dtype or dtype == Float64


def test_the_deepest_expressions_equal_the_oracle_and_come_back_from_json():
    for expression in engine.deepest():
        assert_equal_to_oracle(expression, [one_row(i=1, j=2), one_row(i=1, j=299), one_row()])
        canonical = to_canonical(expression)
        assert to_canonical(from_canonical(json.loads(json.dumps(canonical)))) == canonical


def test_constants_are_repeated_in_every_row_and_none_in_no_row():
    assert computed(lit(1) + 2, [one_row(), one_row()]) == [3, 3]
    assert computed(lit(1) + 2, []) == []
    assert computed(when(col("b")).then("x").otherwise(None), []) == []


def test_vectors_hold_no_negative_zero_on_any_path():
    vectors = embed(col("s"), EmbeddingTable("signed", {"a": [-0.0, -1e-50]}))
    assert repr(computed(vectors, [one_row(s="a")])) == "[[0.0, 0.0]]"
    assert repr(engine.computed(vectors, [one_row(s="a")]).to_list()) == "[[0.0, 0.0]]"


def test_encodings_have_the_types_of_their_columns():
    rows = [one_row(s="a", i=0), one_row()]
    columns = columns_of(rows, COLUMNS)
    for expression in (one_hot(col("s"), ["a", "b"]), embed(col("s"), TABLE), embed(col("i"), NUMBERS)):
        found = evaluate(expression, columns, COLUMNS, 2)
        assert found.values.dtype == np.float32
        assert found.values.shape == (2, 2)
    assert values_of(evaluate(ordinal(col("s"), ["b", "a"]), columns, COLUMNS, 2), Int64) == [1, None]


def test_a_text_whose_instant_lies_outside_the_calendar_is_null():
    texts = ("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    found = evaluate(col("digits").cast(Timestamp), columns_of([one_row(digits=t) for t in texts], COLUMNS), COLUMNS, 4)
    assert found.valid.tolist() == [False, False, True, True]
