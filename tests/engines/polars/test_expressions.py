from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_store import (
    Boolean,
    EmbeddingTable,
    Float32,
    Float64,
    Int64,
    LookupTable,
    String,
    Timestamp,
    Vector,
    bucketise,
    col,
    cosine,
    dot,
    embed,
    lit,
    lookup,
    one_hot,
    ordinal,
    when,
)
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.expressions import OPERATIONS, compile_expression
from feature_store.expressions.checked_types import DEEPEST
from feature_store.expressions.nodes import operation
from feature_store.expressions.operations import SIGNATURES, infer_dtype
from feature_store.oracle.expressions import EPOCH, evaluate, round_to_float32
from feature_store.temporal.instants import FIRST, LAST, to_microseconds
from tests.fixtures.frames import frame

COLUMNS = {
    "i": Int64,
    "j": Int64,
    "micros": Int64,
    "f": Float64,
    "g": Float64,
    "h": Float32,
    "b": Boolean,
    "c": Boolean,
    "s": String,
    "t": String,
    "digits": String,
    "x": Timestamp,
    "y": Timestamp,
    "v": Vector(2),
}
TABLE = EmbeddingTable("table", {"a": [0.1, 2.0], "b": [-1.0, 1e-40]})
RATES = LookupTable("rates", {"a": 0.1, "": -0.0, "É": 3})
NAMES = LookupTable("names", {0: "none", -1: "é", 2**62: ""})
SWITCHES = LookupTable("switches", {"a": True, "b": False})
NUMBERS = EmbeddingTable("numbers", {0: [1.0, 2.0], -1: [3.0, 4.0]})

INTEGERS = st.sampled_from([0, 1, -1, 2, 3, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63)]) | st.integers(-5, 5)
CALENDAR = [to_microseconds(FIRST), to_microseconds(LAST)]
EDGES = [bound + step for bound in CALENDAR for step in (-1, 0, 1)]
MICROS = st.integers(-(10**15), 4 * 10**15) | st.sampled_from([*EDGES, 2**63 - 1, -(2**63)])
SPECIAL = [math.nan, math.inf, -math.inf, -0.0, 0.0, 0.1, 2.5, -2.5, 1e308, 5e-324, 2.0**63, -(2.0**63), 1e39]
FLOATS = st.sampled_from(SPECIAL) | st.floats(-10, 10)
FLOATS32 = st.floats(width=32)
STRINGS = st.sampled_from(["", "a", "A", "b", "ab", "É", "ß", "ΑΣ", "true", "TRUE", "1", "zz"])
DIGITS = st.text("0123456789+-.eE _TZ:ainf", max_size=8) | st.sampled_from(
    [
        "true",
        "false",
        "99999999999999999999",
        "9223372036854775807",
        "1e400",
        "nan",
        "inf",
        "2024-02-29T12:30:00Z",
        "2024-02-30T12:30:00Z",
        "2024-02-29T12:30:00.123456Z",
        "2024-02-29T12:30:00.5+01:30",
        "2024-02-29T12:30:00",
        "2024-02-29 12:30:00Z",
        "2024-02-29",
        "2024-02-29T12:30:60Z",
        "2024-02-29T24:00:00Z",
        "2024-02-29T12:30:00+01:60",
        "2024-02-29T12:30:00+24:00",
        "0000-12-31T23:59:59Z",
        "0000-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999-00:01",
        "1" * 5000,
        "0" * 5000 + "1",
    ]
)
INSTANTS = st.integers(*CALENDAR).map(lambda micros: EPOCH + timedelta(microseconds=micros)) | st.sampled_from(
    [FIRST, datetime(999, 12, 31, tzinfo=UTC), LAST]
)
VECTORS = st.lists(st.sampled_from([None, math.nan, math.inf, -0.0, 0.0, 1.5, -2.0]), min_size=2, max_size=2)
VALUES = {
    "i": INTEGERS,
    "j": INTEGERS,
    "micros": MICROS,
    "f": FLOATS,
    "g": FLOATS,
    "h": FLOATS32,
    "b": st.booleans(),
    "c": st.booleans(),
    "s": STRINGS,
    "t": STRINGS,
    "digits": DIGITS,
    "x": INSTANTS,
    "y": INSTANTS,
    "v": VECTORS,
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=6)

ARITHMETIC = ("add", "subtract", "multiply")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def shared(dtype, depth):
    """Operations that give a value of the type they take."""
    part = expressions(dtype, depth - 1)
    whens = st.builds(lambda c, a, o: when(c).then(a).otherwise(o), expressions(Boolean, depth - 1), part, part)
    nulls = st.builds(lambda c, a: when(c).then(a).otherwise(None), expressions(Boolean, depth - 1), part)
    return [whens, nulls, st.builds(lambda a, o: a.fill_null(o), part, part), st.builds(lambda a: a.cast(dtype), part)]


def integers(depth):
    part, any_type = expressions(Int64, depth - 1), [expressions(d, depth - 1) for d in (Float64, Boolean, Timestamp)]
    times = expressions(Timestamp, depth - 1)
    calendar = st.sampled_from(["year", "month", "day", "hour", "weekday"])
    number = part | expressions(Float64, depth - 1)
    return [
        st.builds(operation, st.sampled_from(ARITHMETIC), part, part),
        st.builds(lambda a: -a, part),
        st.builds(lambda a: a.cast(Int64), st.one_of(*any_type, st.just(col("digits")))),
        st.builds(operation, calendar, times),
        st.builds(lambda a: ordinal(a, [0, 2, -1]), part),
        st.builds(lambda a: ordinal(a, ["a", "", "É"]), expressions(String, depth - 1)),
        st.builds(lambda a: bucketise(a, [-1, 0, 2.5, 2**62]), number),
        st.builds(lambda a, b, c: bucketise(a, [b, 0.5, c]), number, number, number),
    ]


def floats(depth):
    part, whole = expressions(Float64, depth - 1), expressions(Int64, depth - 1)
    number = part | whole
    castable = [expressions(d, depth - 1) for d in (Int64, Boolean, Timestamp)]
    return [
        st.builds(operation, st.sampled_from((*ARITHMETIC, "divide")), part, number),
        st.builds(operation, st.sampled_from(ARITHMETIC), whole, part),
        st.builds(operation, st.just("divide"), whole, whole),
        st.builds(lambda a: -a, part),
        st.builds(lambda a: a.cast(Float32), number),
        st.builds(lambda a: a.cast(Float64), st.one_of(*castable, st.just(col("digits")))),
        st.builds(lambda c, a, o: when(c).then(a).otherwise(o), expressions(Boolean, depth - 1), whole, part),
        st.builds(lambda a, o: a.fill_null(o), whole, part),
        st.builds(lambda a: lookup(a, RATES), expressions(String, depth - 1)),
        st.builds(operation, st.sampled_from(("dot", "cosine")), *[expressions(Vector(2), depth - 1)] * 2),
    ]


def booleans(depth):
    part = expressions(Boolean, depth - 1)
    same = [st.tuples(*[expressions(d, depth - 1)] * 2) for d in (Int64, Float64, Boolean, String, Timestamp)]
    mixed = st.tuples(expressions(Int64, depth - 1), expressions(Float64, depth - 1))
    anything = st.one_of(*(expressions(d, depth - 1) for d in (Int64, Float64, Boolean, String, Timestamp, Vector(2))))
    strings, whole = expressions(String, depth - 1), expressions(Int64, depth - 1)
    castable = st.one_of(whole, expressions(Float64, depth - 1), st.just(col("digits")))
    return [
        st.builds(lambda name, sides: operation(name, *sides), st.sampled_from(COMPARISONS), st.one_of(*same, mixed)),
        st.builds(operation, st.sampled_from(("and", "or")), part, part | st.just(lit(None))),
        st.builds(lambda a: ~a, part),
        st.builds(lambda a: a.is_null(), anything),
        st.builds(lambda a, p: a.contains(p), strings, st.sampled_from(["a", ".", "É"])),
        st.builds(lambda a: a.is_in(["a", "ß"]), strings),
        st.builds(lambda a: a.is_in([1, 2**62]), whole),
        st.builds(lambda a: a.cast(Boolean), castable),
    ]


def strings(depth):
    castable = [expressions(d, depth - 1) for d in (Int64, Boolean, Timestamp)]
    return [
        st.builds(lambda a: a.lower(), expressions(String, depth - 1)),
        st.builds(lambda a: a.cast(String), st.one_of(*castable)),
        st.builds(lambda a: lookup(a, NAMES), expressions(Int64, depth - 1)),
    ]


def timestamps(depth):
    numbers = [st.just(col("micros")), expressions(Int64, depth - 1), expressions(Float64, depth - 1)]
    return [st.builds(lambda a: a.cast(Timestamp), st.one_of(*numbers, st.just(col("digits"))))]


def vectors(depth):
    text, whole = expressions(String, depth - 1), expressions(Int64, depth - 1)
    return [
        st.builds(lambda a: one_hot(a, ["a", "É"]), text),
        st.builds(lambda a: one_hot(a, [0, -1]), whole),
        st.builds(lambda a: embed(a, TABLE), text),
        st.builds(lambda a: embed(a, NUMBERS), whole),
    ]


LEAVES = {
    Int64: st.sampled_from(["i", "j"]).map(col) | INTEGERS.map(lit),
    Float64: st.sampled_from(["f", "g", "h"]).map(col) | st.sampled_from([0.0, 0.5, -0.0, 1e308]).map(lit),
    Boolean: st.sampled_from(["b", "c"]).map(col) | st.booleans().map(lit),
    String: st.sampled_from(["s", "t"]).map(col) | STRINGS.map(lit),
    Timestamp: st.sampled_from(["x", "y"]).map(col)
    | st.just(lit(datetime(2024, 2, 29, 23, tzinfo=timezone(-timedelta(hours=5))))),
    Vector(2): st.just(col("v")),
}
BUILDERS = {
    Int64: integers,
    Float64: floats,
    Boolean: booleans,
    String: strings,
    Timestamp: timestamps,
    Vector(2): vectors,
}


@cache
def expressions(dtype, depth):
    """Well-typed expressions of a type, at most ``depth`` operations deep."""
    if depth == 0:
        return LEAVES[dtype]
    return st.deferred(lambda: st.one_of(LEAVES[dtype], *shared(dtype, depth), *BUILDERS[dtype](depth)))


def computed(expression, rows):
    return frame(rows, COLUMNS).lazy().with_columns(result=compile_expression(expression, COLUMNS)).collect()["result"]


def assert_equal_to_oracle(expression, rows):
    actual = computed(expression, rows)
    held = frame(rows, COLUMNS).to_dicts()
    wanted = [evaluate(expression, row, COLUMNS) for row in held]
    assert repr_all(actual.to_list()) == repr_all(wanted)


def repr_all(values):
    """Values so spelled that -0.0, 0.0 and 0 differ, while instants are equal in every zone."""
    return [repr(value.astimezone(UTC)) if isinstance(value, datetime) else repr(value) for value in values]


def test_every_operation_has_a_builder():
    assert OPERATIONS.keys() == SIGNATURES.keys()


@pytest.mark.parametrize("dtype", list(BUILDERS), ids=str)
@given(data=st.data())
def test_expressions_equal_the_oracle(dtype, data):
    expression = data.draw(expressions(dtype, 2))
    assert_equal_to_oracle(expression, data.draw(ROWS))


EACH = {
    "add": [col("i") + col("j"), col("i") + col("f"), col("h") + 1],
    "subtract": [col("i") - col("j"), 1 - col("f")],
    "multiply": [col("i") * col("j"), col("f") * col("h")],
    "divide": [col("i") / col("j"), col("f") / 3, 1 / col("i"), col("f") / 5e-324, lit(5) / 3],
    "negate": [-col("i"), -col("f"), -col("h")],
    "equal": [col("i") == col("f"), col("s") == col("t"), col("b") == col("c"), col("x") == col("y")],
    "not_equal": [col("i") != col("f"), col("s") != "a"],
    "less": [col("i") < col("f"), col("s") < col("t"), col("b") < col("c"), col("x") < col("y")],
    "less_equal": [col("i") <= col("j"), col("f") <= 0],
    "greater": [col("h") > col("f"), col("i") > 2.5],
    "greater_equal": [
        col("i") >= col("f"),
        col("x") >= datetime(2024, 2, 29, 23, tzinfo=timezone(-timedelta(hours=5))),
    ],
    "and": [col("b") & col("c"), col("b") & lit(None)],
    "or": [col("b") | col("c"), lit(None) | col("b")],
    "not": [~col("b")],
    "is_null": [col("f").is_null(), col("v").is_null(), (col("i") / 0).is_null()],
    "fill_null": [
        col("i").fill_null(0),
        col("i").fill_null(0.5),
        col("f").fill_null(col("i")),
        col("v").fill_null(col("v")),
    ],
    "when": [
        when(col("b")).then(col("i")).otherwise(col("f")),
        when(col("b")).then(col("v")).otherwise(None),
        when(col("b")).then(None).otherwise(col("s")),
        when(lit(None)).then(col("s")).otherwise("other"),
    ],
    "lower": [col("s").lower()],
    "contains": [col("s").contains("a"), col("s").contains(".")],
    "is_in": [col("s").is_in(["a", "ß"]), col("i").is_in([1, 2**62]), ~col("i").is_in([1])],
    "cast": [
        *(
            col(name).cast(dtype)
            for name in ("i", "f", "h", "b", "digits")
            for dtype in (Int64, Float64, Float32, Boolean)
        ),
        *(col(name).cast(String) for name in ("i", "b", "s", "x")),
        *(col(name).cast(Timestamp) for name in ("micros", "digits", "x", "i", "f", "h")),
        (col("micros") * 1.0).cast(Timestamp),
        *(col("x").cast(dtype) for dtype in (Int64, Float64, Float32)),
        col("v").cast(Vector(2)),
    ],
    **{
        part: [operation(part, col("x")), operation(part, col("micros").cast(Timestamp))]
        for part in ("year", "month", "day", "hour", "weekday")
    },
    "one_hot": [one_hot(col("s"), ["a", "É"]), one_hot(col("i"), [0, -1, 2])],
    "ordinal": [ordinal(col("s"), ["a", "", "É"]), ordinal(col("i"), [0, 2, -1])],
    "bucketise": [bucketise(col("i"), [-1, 0, 2.5]), bucketise(col("f"), [0.0]), bucketise(col("h"), [-0.5, 1e39])],
    "embed": [embed(col("s"), TABLE), embed(col("i"), NUMBERS)],
    "lookup": [lookup(col("s"), RATES), lookup(col("i"), NAMES), lookup(col("s").lower(), SWITCHES)],
    "dot": [
        dot(col("v"), col("v")),
        dot(embed(col("s"), TABLE), col("v")),
        dot(col("v"), one_hot(lit("a"), ["a", "b"])),
    ],
    "cosine": [cosine(col("v"), embed(col("i"), NUMBERS)), cosine(one_hot(col("s"), ["a", "b"]), col("v"))],
}


def test_every_operation_is_tested():
    assert EACH.keys() == SIGNATURES.keys()


@pytest.mark.parametrize("name", list(EACH))
@given(rows=ROWS)
def test_each_operation_equals_the_oracle(name, rows):
    for expression in EACH[name]:
        assert_equal_to_oracle(expression, rows)


def one_row(**values):
    return {**dict.fromkeys(COLUMNS), **values}


@given(st.lists(FLOATS | st.floats(), min_size=1))
@example(SPECIAL)
def test_source_floats_are_finite_and_have_no_negative_zero(values):
    assert_equal_to_oracle(col("f"), [one_row(f=value) for value in values])


def test_integer_overflow_is_null():
    largest, smallest = one_row(i=2**63 - 1), one_row(i=-(2**63))
    for expression in (col("i") + 1, col("i") * 2, col("i") - (-1)):
        assert computed(expression, [largest]).to_list() == [None]
    assert computed(-col("i"), [smallest, largest]).to_list() == [None, -(2**63) + 1]


def test_instants_of_a_source_that_lie_outside_the_calendar_are_null():
    instants = pl.DataFrame({"x": pl.Series([*EDGES, 2**62], dtype=pl.Int64).cast(polars_dtype(Timestamp))})
    for expression in (col("x"), col("x").year(), col("x").cast(String)):
        found = instants.with_columns(result=compile_expression(expression, COLUMNS))["result"]
        assert found.is_null().to_list() == [True, False, False, False, False, True, True]


def deepest():
    """A sum and a choice of as many operations within one another as there may be."""
    total, choice = col("i") + col("j"), col("i") * 2
    for number in range(1, DEEPEST):
        total = total + col("j")
        choice = when(col("j") == number).then(number).otherwise(choice)
    return [total, choice]


def test_the_deepest_expressions_equal_the_oracle():
    for expression in deepest():
        assert expression.depth == DEEPEST
        assert_equal_to_oracle(expression, [one_row(i=1, j=2), one_row(i=1, j=299), one_row()])


def test_constants_are_repeated_in_every_row_and_none_in_no_row():
    assert computed(lit(1) + 2, [one_row(), one_row()]).to_list() == [3, 3]
    assert computed(lit(1) + 2, []).to_list() == []


def test_results_have_the_working_type():
    assert computed(col("h") * 2, []).dtype == pl.Float64
    assert computed(col("h").cast(Float32), []).dtype == pl.Float64
    assert computed(one_hot(col("s"), ["a"]), []).dtype == pl.Array(pl.Float32, 1)
    assert computed(embed(col("i"), NUMBERS), []).dtype == pl.Array(pl.Float32, 2)
    assert infer_dtype(col("h").cast(Float32), COLUMNS) == Float32


def test_embedding_values_are_float32():
    assert computed(embed(col("s"), TABLE), [one_row(s="a")]).to_list() == [[round_to_float32(0.1), 2.0]]
