"""The options that features are declared with, by what kind of feature can be given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Required, TypedDict

from feature_store.checks.calls import check_given, written_place
from feature_store.constants import Default
from feature_store.dtypes import DType
from feature_store.expressions.nodes import Expression, Scalar


class OnReadOptions(TypedDict, total=False):
    """The options of every feature.

    Attributes:
        description: one line for the catalog.
        deprecated: a day and what to read instead, ``2027-01-31, use spend_30d``: whoever reads the feature is told.
    """

    description: Required[str]
    deprecated: str


class DerivedOptions(OnReadOptions, total=False):
    """The options of stored features.

    Attributes:
        dtype: Float32 to narrow a Float64; otherwise inferred. Of an array, the type of its slots.
        freshness: SLA, if another than the view's.
        renamed_from: former name of the feature, whose data it keeps.
    """

    dtype: DType
    freshness: str
    renamed_from: str


class FieldOptions(DerivedOptions, total=False):
    """The options of features that come straight from rows.

    Attributes:
        default: value where there is none: where nothing was counted; of an array, in each slot of which nothing was;
            of a field, of a key without a row, and instead of null.
    """

    default: Default


class AggregateOptions(FieldOptions, total=False):
    """The options of every aggregate.

    Attributes:
        over: the window, e.g. ``7d``; without it, all history.
        hop: step of the window's tail, if another than the default for its length.
        where: only events for which this Boolean expression is true count.
    """

    over: str
    hop: str
    where: Expression


class ByOptions(AggregateOptions, total=False):
    """The options of aggregates that can be kept apart by the value of an expression.

    Attributes:
        by: count events apart by this value; the feature is an array with a slot per bucket.
        buckets: the values of ``by`` that have a slot, in order; events of other values do not count.
    """

    by: Expression
    buckets: Sequence[Scalar]


def check_options(function: str, options: Mapping[str, object], known: type[OnReadOptions]) -> None:
    """Refuse options that a function does not have, by the name that users call it by."""
    check_given(written_place() or f"{function}(...)", function, options, known)
