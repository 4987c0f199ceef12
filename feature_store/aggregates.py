"""The functions that declare aggregates of events in a view's class body."""

from __future__ import annotations

from typing import TypedDict, Unpack

from feature_store.drafts import AggregateDraft, Default
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import Expression


class Options(TypedDict, total=False):
    """What every aggregate can be given.

    Attributes:
        description: one line for the catalog (required).
        over: the window, e.g. ``7d``; without it, all history.
        hop: step of the window's tail, if another than the default for its length.
        where: only events for which this Boolean expression is true count.
        dtype: Float32 to narrow a Float64; otherwise inferred.
        default: value where nothing was counted.
        freshness: SLA, if another than the view's.
        renamed_from: former name of the feature.
    """

    description: str
    over: str
    hop: str
    where: Expression
    dtype: DType
    default: Default
    freshness: str
    renamed_from: str


def _draft(kind: str, value: Expression | None, options: Options) -> AggregateDraft:
    unknown = sorted(options.keys() - Options.__annotations__.keys())
    if unknown:
        known = ", ".join(Options.__annotations__)
        raise DefinitionError(f"{kind}(...)", f"has no option {unknown[0]!r}", f"use one of {known}")
    return AggregateDraft(
        kind=kind,
        value=value,
        description=options.get("description", ""),
        over=options.get("over"),
        hop=options.get("hop"),
        where=options.get("where"),
        dtype=options.get("dtype"),
        default=options.get("default"),
        freshness=options.get("freshness"),
        renamed_from=options.get("renamed_from"),
    )


def count(value: Expression | None = None, **options: Unpack[Options]) -> AggregateDraft:
    """How many rows, or how many non-null values; Int64, 0 when empty."""
    return _draft("count", value, options)


def sum_(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Sum: Int64 of integers (overflow is an error), Float64 of floats; 0 when empty."""
    return _draft("sum", value, options)


def mean(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Arithmetic mean, Float64; null when empty."""
    return _draft("mean", value, options)


def min_(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Smallest value; null when empty."""
    return _draft("min", value, options)


def max_(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Largest value; null when empty."""
    return _draft("max", value, options)


def std(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Sample standard deviation (ddof=1), Float64; null for fewer than two values."""
    return _draft("std", value, options)


def first(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Earliest non-null value by (event time, sequence, value); null when empty."""
    return _draft("first", value, options)


def last(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """Latest non-null value by (event time, sequence, value); null when empty."""
    return _draft("last", value, options)


def n_unique(value: Expression, **options: Unpack[Options]) -> AggregateDraft:
    """How many distinct non-null values, exact; Int64, 0 when empty."""
    return _draft("n_unique", value, options)
