"""Aggregates that are refused: what they read, their filter, their type, their default, their SLA."""

from datetime import datetime, timedelta, timezone

import pytest

from feature_store import (
    EmbeddingTable,
    Float32,
    Float64,
    Int64,
    col,
    count,
    derive,
    embed,
    first,
    last,
    lit,
    max_,
    mean,
    n_unique,
    std,
    sum_,
)
from feature_store.declare.drafts import AggregateDraft
from tests.model.declare import Cases, check, events, table, view_of

SALES = col("sales_value")
VECTOR = embed(col("department"), EmbeddingTable("departments", {"DELI": [1.0, 0.0]}))


def of(function: object, value: object, **options: object) -> object:
    """Declare one aggregate ``x`` over a week."""
    return events(x=function(value, **{"over": "7d", "description": "X", **options}))


def rows(**options: object) -> AggregateDraft:
    return count(**{"over": "7d", "description": "Rows", **options})


def feature_in_an_aggregate() -> object:
    spend = sum_(SALES, over="7d", description="Spend")
    return events(spend=spend, x=max_(spend, over="7d", description="X"))


def feature_of_another_view() -> object:
    spend = sum_(SALES, over="7d", description="Spend")
    events(spend=spend)
    return of(max_, spend)


WRONG: Cases = {
    "unknown column": (
        lambda: of(sum_, col("sale_value")),
        (
            "retail/spend/v1.x: unknown column 'sale_value' of source purchases. Instead: did you mean "
            "'sales_value'? There are household_id, basket_id, sales_value, quantity, department, is_private, "
            "purchased_at."
        ),
    ),
    "unknown column, nothing like it": (
        lambda: of(sum_, col("zzz")),
        (
            "retail/spend/v1.x: unknown column 'zzz' of source purchases. Instead: use one of household_id, "
            "basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "unknown column in where": (
        lambda: of(sum_, SALES, where=col("dept") == "DELI"),
        (
            "retail/spend/v1.x: unknown column 'dept' of source purchases. Instead: use one of household_id, "
            "basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "a column name that is no text": (
        lambda: of(sum_, col(5)),
        "col(...): name=5 is of type int. Instead: write the name of one column: col('quantity').",
    ),
    "sum of strings": (
        lambda: of(sum_, col("department")),
        "retail/spend/v1.x: sum needs a number, not String. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "mean of Booleans": (
        lambda: of(mean, col("is_private")),
        "retail/spend/v1.x: mean needs a number, not Boolean. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "std of timestamps": (
        lambda: of(std, col("purchased_at")),
        (
            "retail/spend/v1.x: std needs a number, not Timestamp. Instead: aggregate another expression, or "
            ".cast(...) it."
        ),
    ),
    "max of Booleans": (
        lambda: of(max_, col("is_private")),
        "retail/spend/v1.x: max is not defined for Boolean. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "last of vectors": (
        lambda: of(last, VECTOR),
        (
            "retail/spend/v1.x: last is not defined for Vector[2]. Instead: aggregate another expression, or "
            ".cast(...) it."
        ),
    ),
    "n_unique of vectors": (
        lambda: of(n_unique, VECTOR),
        (
            "retail/spend/v1.x: n_unique is not defined for Vector[2]. Instead: aggregate another expression, or "
            ".cast(...) it."
        ),
    ),
    "always null": (
        lambda: of(sum_, lit(None)),
        "retail/spend/v1.x: the value of sum is always null. Instead: write an expression that has a type.",
    ),
    "a string instead of a column": (
        lambda: of(sum_, "sales_value"),
        (
            "retail/spend/v1.x: the value of sum is not an expression but 'sales_value'. Instead: write "
            "col('sales_value')."
        ),
    ),
    "a number instead of a column": (
        lambda: of(sum_, 5),
        (
            "retail/spend/v1.x: the value of sum is not an expression but 5. Instead: write an expression such "
            "as col('x')."
        ),
    ),
    "nothing to sum": (
        lambda: of(sum_, None),
        (
            "retail/spend/v1.x: the value of sum is not an expression but None. Instead: write an expression "
            "such as col('x')."
        ),
    ),
    "unknown option": (
        lambda: of(sum_, SALES, window="7d"),
        ("sum(...): has no option 'window'. Instead: write over=."),
    ),
    "where always null": (
        lambda: of(sum_, SALES, where=lit(None)),
        "retail/spend/v1.x: where= is always null. Instead: write an expression that has a type.",
    ),
    "where not Boolean": (
        lambda: of(sum_, SALES, where=col("quantity")),
        "retail/spend/v1.x: where= is Int64, not Boolean. Instead: compare: where=col('x') > 0.",
    ),
    "where a string": (
        lambda: of(sum_, SALES, where="quantity > 0"),
        (
            "retail/spend/v1.x: where= is not an expression but 'quantity > 0'. Instead: write an expression "
            "such as col('x')."
        ),
    ),
    "where True": (
        lambda: of(sum_, SALES, where=True),
        "retail/spend/v1.x: where= is not an expression but True. Instead: write an expression such as col('x').",
    ),
    "where with and": (
        lambda: of(sum_, SALES, where=col("quantity") > 0 and col("is_private")),
        (
            "an expression over quantity: has no truth value; it is used with and, or, not, in, if, or in a "
            "chain a < b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "where compares with None": (
        lambda: of(sum_, SALES, where=col("department") != None),  # noqa: E711
        "retail/spend/v1.x: a comparison with null is always null. Instead: use is_null(), or ~is_null().",
    ),
    "a feature by its variable": (
        feature_in_an_aggregate,
        (
            "retail/spend/v1.x: the value of max reads the feature spend, not a source column. Instead: use "
            "derive(...) on features."
        ),
    ),
    "a feature by its name": (
        lambda: events(rows=rows(), x=max_(col("rows"), over="7d", description="X")),
        (
            "retail/spend/v1.x: reads 'rows', a feature of the view, not a source column. Instead: use "
            "derive(...) on features."
        ),
    ),
    "a feature of another view": (
        feature_of_another_view,
        (
            "retail/spend/v1.x: the value of max reads the feature of another view, not a source column. "
            "Instead: use derive(...) on features."
        ),
    ),
    "over a table": (
        lambda: table(x=rows()),
        (
            "retail/spend/v1.x: aggregates, but demographics is a table source. Instead: use field(...), or an "
            "event source."
        ),
    ),
    "dtype not allowed": (
        lambda: of(mean, SALES, dtype=Int64),
        (
            "retail/spend/v1.x: dtype=Int64, but its values are Float64. Instead: leave out dtype=, or "
            ".cast(Int64) in the expression."
        ),
    ),
    "dtype of a count": (
        lambda: of(count, SALES, dtype=Float32),
        (
            "retail/spend/v1.x: dtype=Float32, but its values are Int64. Instead: leave out dtype=, or "
            ".cast(Float32) in the expression."
        ),
    ),
    "dtype of Python": (
        lambda: of(mean, SALES, dtype=float),
        "retail/spend/v1.x: dtype=<class 'float'> is of type type. Instead: use a type of feature_store, e.g. Float32.",
    ),
    "default of another type": (
        lambda: of(sum_, SALES, default="none"),
        (
            "retail/spend/v1.x: default='none' is not of type Float64. Instead: write a value of type Float64, or "
            "no default."
        ),
    ),
    "default Boolean for a number": (
        lambda: of(count, SALES, default=True),
        ("retail/spend/v1.x: default=True is not of type Int64. Instead: write a value of type Int64, or no default."),
    ),
    "default float for Int64": (
        lambda: of(count, SALES, default=0.5),
        ("retail/spend/v1.x: default=0.5 is not of type Int64. Instead: write a value of type Int64, or no default."),
    ),
    "default beyond Int64": (
        lambda: of(count, SALES, default=2**63),
        (
            "retail/spend/v1.x: default=9223372036854775808 does not fit Int64. Instead: write a number from "
            "-2**63 to 2**63 - 1, or no default."
        ),
    ),
    "default beyond all printing": (
        lambda: of(sum_, col("quantity"), default=10**5000),
        (
            "retail/spend/v1.x: default=an integer of 16610 bits does not fit Int64. Instead: write a number from "
            "-2**63 to 2**63 - 1, or no default."
        ),
    ),
    "default beyond floats": (
        lambda: of(mean, SALES, default=10**400),
        (
            "retail/spend/v1.x: default=an integer of 1329 bits is not a finite Float64. Instead: write a finite "
            "number, or no default."
        ),
    ),
    "default outside the calendar": (
        lambda: of(last, col("purchased_at"), default=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))),
        (
            "retail/spend/v1.x: default=0001-01-01 00:00:00+05:00 lies outside the years 1 to 9999 of UTC. "
            "Instead: write an instant within them, or no default."
        ),
    ),
    "default NaN": (
        lambda: of(mean, SALES, default=float("nan")),
        ("retail/spend/v1.x: default=nan is not a finite Float64. Instead: write a finite number, or no default."),
    ),
    "default infinite": (
        lambda: of(mean, SALES, default=float("inf")),
        ("retail/spend/v1.x: default=inf is not a finite Float64. Instead: write a finite number, or no default."),
    ),
    "default beyond Float32": (
        lambda: of(mean, SALES, default=1e300, dtype=Float32),
        ("retail/spend/v1.x: default=1e+300 is not a finite Float32. Instead: write a finite number, or no default."),
    ),
    "default without a zone": (
        lambda: of(last, col("purchased_at"), default=datetime(2017, 1, 1)),
        (
            "retail/spend/v1.x: default=2017-01-01 00:00:00 has no time zone. Instead: write datetime(..., "
            "tzinfo=UTC), or no default."
        ),
    ),
    "freshness impossible": (
        lambda: of(sum_, SALES, freshness="25h"),
        (
            "retail/spend/v1.x: freshness='25h' cannot be kept: values are 26h old when the next ones become "
            "available. Instead: use at least cadence + available_after, '26h'."
        ),
    ),
    "freshness garbage": (
        lambda: of(sum_, SALES, freshness="1 day"),
        (
            "retail/spend/v1.x: freshness='1 day' is not a duration. Instead: write a whole number and a unit, "
            "e.g. '90s', '5m', '12h', '7d', '2w'."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


def test_right_ones_pass() -> None:
    view = view_of(
        {
            "a": sum_(col("quantity"), over="7d", description="A", default=-1),
            "b": mean(SALES, over="7d", description="B", dtype=Float32, default=-0.0, freshness="26h"),
            "c": first(col("is_private"), over="7d", description="C", where=col("department").is_in(["DELI"])),
            "d": max_(col("department"), over="7d", description="D", default=""),
            "e": derive(col("a") + col("b"), description="E"),
        }
    )
    assert [str(feature.dtype) for feature in view] == ["Int64", "Float32", "Boolean", "String", "Float64"]
    assert [feature.default for feature in view] == [-1, 0.0, None, "", None]
    assert str(view.feature("b").default) == "0.0"
    assert view.feature("b").freshness != view.feature("a").freshness == view.freshness
    assert view.feature("e").dtype == Float64
