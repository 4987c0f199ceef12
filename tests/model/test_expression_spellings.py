"""The two spellings of expressions: readable text, and a canonical form that tells any two apart."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store import (
    EmbeddingTable,
    Float64,
    LookupTable,
    bucketise,
    col,
    cosine,
    embed,
    lit,
    lookup,
    one_hot,
    ordinal,
    when,
)
from feature_store.declare.aggregates import sum_
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation, column_names, replace_columns
from feature_store.expressions.text import to_canonical, to_text
from tests.model.declare import events

A, B, C = col("a"), col("b"), col("c")

READABLE = [
    (A, "a"),
    (A + 1, "a + 1"),
    ((A - 1) / (B * 2), "(a - 1) / (b * 2)"),
    (-(A + B), "-(a + b)"),
    (1 - A, "1 - a"),
    (~(A == "x") | (B > 0) & (C <= 1.5), "(not (a = 'x')) or ((b > 0) and (c <= 1.5))"),
    ((A + B).is_null(), "(a + b) is null"),
    (A.is_not_null(), "not (a is null)"),
    ((A + B).fill_null(0), "fill_null(a + b, 0)"),
    (A.lower().contains("it's"), 'contains(lower(a), "it\'s")'),
    (A.is_in(["x", "y"]), "a in ['x', 'y']"),
    (A.is_in([5]), "a in [5]"),
    (A.cast(Float64), "cast(a, Float64)"),
    (A.hour() != B.weekday(), "hour(a) != weekday(b)"),
    (when(A > 0).then(B).otherwise(None), "when(a > 0 then b otherwise null)"),
    (one_hot(A, ["x", "y"]), "one_hot(a, ['x', 'y'])"),
    (ordinal(A, [1, 2]), "ordinal(a, [1, 2])"),
    (bucketise(A, [1, 2.5]), "bucketise(a, [1.0, 2.5])"),
    (embed(A, EmbeddingTable("brands", {"x": [1.0]})), "embed(a, brands)"),
    (lookup(A, LookupTable("rates", {"x": 1})), "lookup(a, rates)"),
    (cosine(A, B), "cosine(a, b)"),
    (bucketise(A, [B, 1]), "cast(b <= a, Int64) + cast(1 <= a, Int64)"),
    (datetime(2017, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))) <= A, "a >= 2017-01-01T00:00:00+00:00"),
    (lit(True), "true"),
    (A == "{b}", "a = '{b}'"),
    (col("{0}") + 1, "{0} + 1"),
]


@pytest.mark.parametrize(("expression", "text"), READABLE, ids=[text for _, text in READABLE])
def test_text(expression: Expression, text: str) -> None:
    assert to_text(expression) == text


def test_logic_of_an_aggregate_reads_as_a_sentence() -> None:
    value = col("sales_value") * col("quantity")
    draft = sum_(value, over="7d", where=col("department").is_in(["DELI"]), description="Spend")
    assert (
        events(x=draft).feature("x").logic
        == "sum(sales_value * quantity) where department in ['DELI'] over 7d (hop 1h)"
    )
    assert events(x=sum_(value, description="X")).feature("x").logic == "sum(sales_value * quantity) over all history"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**62]),
    st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e300]),
    st.sampled_from(["", "1", "a", "True", "null", "None", "1.0", '"', "['column', 'a']"]),
    st.sampled_from([datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]),
)
LEAVES = st.one_of(st.sampled_from(["a", "b", "1", "int"]).map(ColumnRef), SCALARS.map(Literal))
MEMBERS = st.lists(st.sampled_from([0, 1, "0", "1", "a"]), min_size=1, max_size=3)


def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a - b, inner, inner),
        st.builds(lambda a, b: a == b, inner, inner),
        st.builds(lambda a: -a, inner),
        st.builds(lambda a: a.is_null(), inner),
        st.builds(lambda a, b, c: when(a).then(b).otherwise(c), inner, inner, inner),
        st.builds(lambda a, part: a.contains(part), inner, st.sampled_from(["1", "a"])),
        st.builds(lambda a, values: a.is_in(values), inner, MEMBERS),
        st.builds(one_hot, inner, MEMBERS),
        st.builds(ordinal, inner, MEMBERS),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=4)


def structure(expression: Expression) -> object:
    """Say naively what an expression is, types included."""
    if isinstance(expression, ColumnRef):
        return ("column", expression.name)
    if isinstance(expression, Literal):
        return ("literal", type(expression.value), repr(expression.value))
    assert isinstance(expression, Operation)
    return (expression.name, tuple(map(structure, expression.arguments)), repr(expression.options))


@given(st.lists(EXPRESSIONS, min_size=2, max_size=12))
def test_canonical_forms_are_equal_only_for_equal_expressions(expressions: list[Expression]) -> None:
    forms = {json.dumps(to_canonical(expression), sort_keys=True) for expression in expressions}
    assert len(forms) == len({structure(expression) for expression in expressions})


def test_canonical_forms_of_what_python_or_json_could_mix_up() -> None:
    alike = [True, 1, 1.0, "1", "True", None, "None", "null", False, 0, 0.0, "0", datetime(1970, 1, 1, tzinfo=UTC)]
    forms = [json.dumps(to_canonical(lit(value))) for value in alike]
    assert len(set(forms)) == len(alike)
    members = [A.is_in(["1"]), A.is_in([1]), one_hot(A, [1]), ordinal(A, [1]), A == 1, col("1") == 1]
    assert len({json.dumps(to_canonical(member)) for member in members}) == len(members)


@given(EXPRESSIONS)
def test_renaming_columns_back_and_forth_gives_the_same_expression(expression: Expression) -> None:
    there = {name: f"{name}_x" for name in column_names(expression)}
    back = {new: old for old, new in there.items()}
    renamed = replace_columns(expression, lambda name: col(there[name]))
    assert column_names(renamed) == list(there.values())
    assert to_canonical(replace_columns(renamed, lambda name: col(back[name]))) == to_canonical(expression)
