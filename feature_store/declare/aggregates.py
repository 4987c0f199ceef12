"""The functions that declare aggregates of events in a view's class body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack, cast

from feature_store.checks.calls import declares
from feature_store.declare.drafts import AggregateDraft
from feature_store.declare.options import AggregateOptions, ByOptions, check_options
from feature_store.expressions.nodes import Expression, Scalar


def _draft(
    function: str,
    value: Expression | None,
    options: AggregateOptions,
    *,
    kind: str | None = None,
    can_be_by: bool = False,
    k: int | None = None,
    q: float | None = None,
    half_life: str | None = None,
    denominator: Expression | None = None,
) -> AggregateDraft:
    check_options(function, options, ByOptions if can_be_by else AggregateOptions)
    return AggregateDraft(
        function=function,
        kind=kind or function,
        value=value,
        k=k,
        q=q,
        half_life=half_life,
        denominator=denominator,
        **cast("ByOptions", options),
    )


@declares
def count(value: Expression | None = None, **options: Unpack[ByOptions]) -> AggregateDraft:
    """The number of rows, or of non-null values; Int64, 0 when empty."""
    return _draft("count", value, options, can_be_by=True)


@declares
def histogram(value: Expression, categories: Sequence[Scalar], **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """The number of rows of each category; Array[Int64, n], zeros when empty. Values of no category do not count."""
    check_options("histogram", options, AggregateOptions)
    given: ByOptions = {**options, "by": value, "buckets": categories}
    return _draft("histogram", None, given, kind="count", can_be_by=True)


@declares
def sum_(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Sum: Int64 of integers (overflow is an error), Float64 of floats; 0 when empty.

    A float beyond 2^960 (9.7e288) makes a sum or mean null, one beyond 2^480 (3.1e144) a deviation or variance, and one
    beyond 2^320 (2.1e96) a skewness: such sums could leave Float64.
    """
    return _draft("sum", value, options, can_be_by=True)


@declares
def mean(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Arithmetic mean, Float64; null when empty."""
    return _draft("mean", value, options, can_be_by=True)


@declares
def min_(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Smallest value; null when empty."""
    return _draft("min", value, options, can_be_by=True)


@declares
def max_(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Largest value; null when empty."""
    return _draft("max", value, options, can_be_by=True)


@declares
def std(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Sample standard deviation (ddof=1), Float64; null for fewer than two values."""
    return _draft("std", value, options, can_be_by=True)


@declares
def variance(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Sample variance (ddof=1), Float64; null for fewer than two values."""
    return _draft("variance", value, options, can_be_by=True)


@declares
def skew(value: Expression, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """Skewness ``sqrt(n) * M3 / M2^1.5`` (biased), Float64; null for fewer than three or ones within 2^-320.

    It is as exact as the deviation is: ``1e-14 * (1 + largest input / deviation) * (1 + |skewness|) * sqrt(n)``. For a
    variance that means the square of a deviation that is exact to ``1e-14 * (deviation + largest input)``.
    """
    return _draft("skew", value, options)


@declares
def first(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Earliest non-null value by (event time, sequence, value); null when empty."""
    return _draft("first", value, options, can_be_by=True)


@declares
def last(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """Latest non-null value by (event time, sequence, value); null when empty."""
    return _draft("last", value, options, can_be_by=True)


@declares
def first_k(value: Expression, k: int, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """The k earliest non-null values by (event time, sequence, value), earliest first; Array, null when empty."""
    return _draft("first_k", value, options, k=k)


@declares
def last_k(value: Expression, k: int, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """The k latest non-null values by (event time, sequence, value), latest first; Array, null when empty."""
    return _draft("last_k", value, options, k=k)


@declares
def top_k(value: Expression, k: int, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """The k largest values, equal ones kept, largest first; Array, null when empty."""
    return _draft("top_k", value, options, k=k)


@declares
def n_unique(value: Expression, **options: Unpack[ByOptions]) -> AggregateDraft:
    """The number of distinct non-null values, exact; Int64, 0 when empty."""
    return _draft("n_unique", value, options, can_be_by=True)


@declares
def approx_n_unique(value: Expression, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """About how many distinct non-null values; Int64, 0 when empty.

    Exact up to 4096 of them; beyond, the standard error is 1.6 % (a Theta sketch of 4096 hashes, 32 KB at most).
    """
    return _draft("approx_n_unique", value, options)


@declares
def approx_percentile(value: Expression, q: float, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """A value within 1 % of the percentile q (0 to 1), Float64; null when empty.

    The exact percentile is the nearest rank: of n sorted values the one at place ``floor(q * (n - 1))``, from 0.
    """
    return _draft("approx_percentile", value, options, q=q)


@declares
def approx_median(value: Expression, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """A value within 1 % of the median, which is ``approx_percentile(value, 0.5)``."""
    return _draft("approx_median", value, options, kind="approx_percentile", q=0.5)


@declares
def decayed_sum(value: Expression, half_life: str, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """Sum in which an event counts half as much every half-life: ``value * 2^-((as_of - time) / half_life)``.

    Float64; 0 when empty.
    """
    return _draft("decayed_sum", value, options, half_life=half_life)


@declares
def count_ratio(numerator: Expression, denominator: Expression, **options: Unpack[AggregateOptions]) -> AggregateDraft:
    """Rows for which one Boolean expression is true, divided by those for which another is; Float64, x/0 is null."""
    return _draft("count_ratio", numerator, options, denominator=denominator)
