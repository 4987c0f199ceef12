"""Wrong options of the aggregates that have options of their own: each has its own message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from feature_store import (
    Array,
    DefinitionError,
    Float32,
    Int64,
    approx_median,
    approx_n_unique,
    approx_percentile,
    col,
    count,
    count_ratio,
    decayed_sum,
    derive,
    first_k,
    histogram,
    last_k,
    mean,
    one_hot,
    skew,
    sum_,
    top_k,
    variance,
)
from tests.model.declare import EVENT_COLUMNS, Cases, check, event_source, events

SALES = col("sales_value")
DELI = col("department") == "DELI"
VECTOR = one_hot(col("department"), ["DELI", "DAIRY"])


def of(function: Any, *arguments: Any, **options: Any) -> object:
    return events(x=function(*arguments, **{"over": "7d", "description": "X", **options}))


def array_in_an_expression() -> object:
    tops = top_k(SALES, 3, over="7d", description="Tops")
    return events(tops=tops, x=derive(tops.is_null(), description="X"))


X = "retail/spend/v1.x"
LIST_BUCKETS = "Instead: list the values that have a slot: buckets=['DELI', 'DAIRY']."
WRONG: Cases = {
    "k of 0": (
        lambda: of(first_k, SALES, 0),
        f"{X}: k=0 is not a whole number between 1 and 1000. Instead: say how many values to keep.",
    ),
    "k too large": (
        lambda: of(last_k, SALES, 1001),
        f"{X}: k=1001 is not a whole number between 1 and 1000. Instead: say how many values to keep.",
    ),
    "k no integer": (
        lambda: of(top_k, SALES, 3.0),
        f"{X}: k=3.0 is not a whole number between 1 and 1000. Instead: say how many values to keep.",
    ),
    "k a Boolean": (
        lambda: of(top_k, SALES, True),
        f"{X}: k=True is not a whole number between 1 and 1000. Instead: say how many values to keep.",
    ),
    "top_k of Booleans": (
        lambda: of(top_k, col("is_private"), 2),
        f"{X}: top_k is not defined for Boolean. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "last_k of vectors": (
        lambda: of(last_k, VECTOR, 2),
        f"{X}: last_k is not defined for Vector[2]. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "default of a list": (
        lambda: of(last_k, SALES, 2, default=0.0),
        f"{X}: last_k with default=0.0. Instead: leave it out: slots without a value are null.",
    ),
    "q above 1": (
        lambda: of(approx_percentile, SALES, 95),
        f"{X}: q=95 is not a number between 0 and 1. Instead: write q=0.95 for the 95th percentile.",
    ),
    "q below 0": (
        lambda: of(approx_percentile, SALES, -0.5),
        f"{X}: q=-0.5 is not a number between 0 and 1. Instead: write q=0.95 for the 95th percentile.",
    ),
    "q NaN": (
        lambda: of(approx_percentile, SALES, float("nan")),
        f"{X}: q=nan is not a number between 0 and 1. Instead: write q=0.95 for the 95th percentile.",
    ),
    "q a string": (
        lambda: of(approx_percentile, SALES, "0.5"),
        f"{X}: q='0.5' is not a number between 0 and 1. Instead: write q=0.95 for the 95th percentile.",
    ),
    "percentile of strings": (
        lambda: of(approx_percentile, col("department"), 0.5),
        (
            f"{X}: approx_percentile needs a number, not String. Instead: aggregate another expression, or "
            ".cast(...) it."
        ),
    ),
    "approx_median of strings": (
        lambda: of(approx_median, col("department")),
        f"{X}: approx_median needs a number, not String. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "histogram by another value": (
        lambda: of(histogram, col("department"), ["DELI"], by=col("quantity")),
        (
            "histogram(...): has no option 'by'. Instead: use one of description, deprecated, dtype, freshness, "
            "renamed_from, default, over, hop, where."
        ),
    ),
    "variance of Booleans": (
        lambda: of(variance, col("is_private")),
        f"{X}: variance needs a number, not Boolean. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "skew of timestamps": (
        lambda: of(skew, col("purchased_at")),
        f"{X}: skew needs a number, not Timestamp. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "distinct vectors": (
        lambda: of(approx_n_unique, VECTOR),
        f"{X}: approx_n_unique is not defined for Vector[2]. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "half-life of 0": (
        lambda: of(decayed_sum, SALES, "0d"),
        (
            f"{X}: half_life='0d' is not a duration. Instead: write a whole number and a unit, e.g. '90s', '5m', "
            "'12h', '7d', '2w'."
        ),
    ),
    "half-life a number": (
        lambda: of(decayed_sum, SALES, 7),
        (
            f"{X}: half_life=7 is not a duration. Instead: write a whole number and a unit, e.g. '90s', '5m', "
            "'12h', '7d', '2w'."
        ),
    ),
    "decayed strings": (
        lambda: of(decayed_sum, col("department"), "7d"),
        f"{X}: decayed_sum needs a number, not String. Instead: aggregate another expression, or .cast(...) it.",
    ),
    "numerator no condition": (
        lambda: of(count_ratio, SALES, DELI),
        f"{X}: the numerator of count_ratio is Float64, not Boolean. Instead: compare: col('x') > 0.",
    ),
    "denominator no condition": (
        lambda: of(count_ratio, DELI, col("quantity")),
        f"{X}: the denominator of count_ratio is Int64, not Boolean. Instead: compare: col('x') > 0.",
    ),
    "denominator no expression": (
        lambda: of(count_ratio, DELI, True),
        (
            f"{X}: the denominator of count_ratio is not an expression but True. Instead: write an expression such "
            "as col('x')."
        ),
    ),
    "by without buckets": (
        lambda: of(sum_, SALES, by=col("department")),
        f"{X}: by= without buckets=. {LIST_BUCKETS}",
    ),
    "buckets without by": (
        lambda: of(sum_, SALES, buckets=["DELI"]),
        f"{X}: buckets= without by=. Instead: give by=, the value that tells the buckets apart.",
    ),
    "by no expression": (
        lambda: of(count, by="department", buckets=["DELI"]),
        f"{X}: by= is not an expression but 'department'. Instead: write col('department').",
    ),
    "by an unknown column": (
        lambda: of(count, by=col("departement"), buckets=["DELI"]),
        (
            f"{X}: unknown column 'departement' of source purchases. Instead: did you mean 'department'? There are "
            "household_id, basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "by a vector": (
        lambda: of(count, by=VECTOR, buckets=["DELI"]),
        f"{X}: by= is Vector[2], which no value equals. Instead: give by= a single value.",
    ),
    "buckets one string": (
        lambda: of(histogram, col("department"), "DELI"),
        f"{X}: buckets='DELI' is not a list. {LIST_BUCKETS}",
    ),
    "no bucket": (
        lambda: of(histogram, col("department"), []),
        f"{X}: buckets= lists 0 values. Instead: list 1 to 1000.",
    ),
    "too many buckets": (
        lambda: of(histogram, col("quantity"), list(range(1001))),
        f"{X}: buckets= lists 1001 values. Instead: list 1 to 1000.",
    ),
    "bucket twice": (
        lambda: of(histogram, col("department"), ["DELI", "DAIRY", "DELI"]),
        f"{X}: buckets= lists 'DELI' twice. Instead: list it once.",
    ),
    "zero twice": (
        lambda: of(histogram, SALES, [0, -0.0]),
        f"{X}: buckets= lists 0.0 twice. Instead: list it once.",
    ),
    "null bucket": (
        lambda: of(histogram, col("department"), ["DELI", None]),
        f"{X}: buckets= lists None, which is not of type String. Instead: write a value of type String.",
    ),
    "bucket of another type": (
        lambda: of(histogram, col("quantity"), [1, 2.5]),
        f"{X}: buckets= lists 2.5, which is not of type Int64. Instead: write a value of type Int64.",
    ),
    "bucket a Boolean": (
        lambda: of(histogram, col("quantity"), [True]),
        f"{X}: buckets= lists True, which is not of type Int64. Instead: write a value of type Int64.",
    ),
    "bucket beyond Int64": (
        lambda: of(histogram, col("quantity"), [2**63]),
        (
            f"{X}: buckets= lists 9223372036854775808, which does not fit Int64. Instead: write a number from -2**63 "
            "to 2**63 - 1."
        ),
    ),
    "bucket beyond floats": (
        lambda: of(histogram, SALES, [10**400]),
        (
            f"{X}: buckets= lists an integer of 1329 bits, which is not a finite Float64. Instead: write a finite "
            "number."
        ),
    ),
    "bucket NaN": (
        lambda: of(histogram, SALES, [float("nan")]),
        f"{X}: buckets= lists nan, which is not a finite Float64. Instead: write a finite number.",
    ),
    "bucket without a zone": (
        lambda: of(histogram, col("purchased_at"), [datetime(2017, 1, 1)]),
        (f"{X}: buckets= lists 2017-01-01 00:00:00, which has no time zone. Instead: write datetime(..., tzinfo=UTC)."),
    ),
    "by where it is not defined": (
        lambda: of(skew, SALES, by=col("department"), buckets=["DELI"]),
        (
            "skew(...): has no option 'buckets'. Instead: use one of description, deprecated, dtype, freshness, "
            "renamed_from, default, over, hop, where."
        ),
    ),
    "default of another type than a slot": (
        lambda: of(count, by=col("department"), buckets=["DELI"], default=0.5),
        f"{X}: default=0.5 is not of type Int64. Instead: write a value of type Int64, or no default.",
    ),
    "dtype of an integer list": (
        lambda: of(top_k, col("quantity"), 2, dtype=Float32),
        (
            f"{X}: dtype=Float32, but its values are Int64. Instead: leave out dtype=, or .cast(Float32) in the "
            "expression."
        ),
    ),
    "an array in an expression": (
        array_in_an_expression,
        f"{X}: is_null is not defined for Array[Float64, 3]. Instead: compute with single values.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


def test_a_source_cannot_hold_arrays() -> None:
    with pytest.raises(DefinitionError, match=r"column 'tops' is an array\. Instead: land a column per slot"):
        event_source(columns={**EVENT_COLUMNS, "tops": Array(Int64, 2)})


def test_right_ones_pass() -> None:
    view = events(
        a=last_k(col("department"), 1000, over="7d", description="A"),
        b=top_k(SALES, 1, over="7d", dtype=Float32, description="B"),
        c=mean(SALES, by=col("is_private"), buckets=[False, True], over="7d", default=-0.0, description="C"),
        d=histogram(col("purchased_at"), [datetime(2017, 1, 1, tzinfo=UTC)], over="7d", description="D"),
        e=approx_percentile(SALES, 1, over="7d", description="E"),
        f=count_ratio(DELI, ~DELI, over="7d", default=0, description="F"),
        g=decayed_sum(SALES, "12h", over="7d", dtype=Float32, description="G"),
        h=histogram(SALES, [0, 2.5], over="7d", description="H"),
    )
    assert [str(feature.dtype) for feature in view] == [
        "Array[String, 1000]",
        "Array[Float32, 1]",
        "Array[Float64, 2]",
        "Array[Int64, 1]",
        "Float64",
        "Float64",
        "Float32",
        "Array[Int64, 2]",
    ]
    assert [feature.default for feature in view] == [None, None, 0.0, None, None, 0.0, None, None]
