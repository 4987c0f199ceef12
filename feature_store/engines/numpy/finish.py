"""From merged states to values in numpy: cast, empty value or default, derived features, in the engines' order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from feature_store.columns import Column, Mask
from feature_store.dtypes import DType, dtype_from_name
from feature_store.engines.numpy.expressions import evaluate
from feature_store.expressions.text import from_canonical
from feature_store.model.kinds import KINDS, SMALLEST_SPREAD, Finish
from feature_store.plans.stream_plan import StreamAggregate, StreamDerived

Slot = Callable[[Sequence[Column]], tuple[Column, Mask]]
"""Gives, from the merged parts of a slot, its value and where anything was counted."""


def finish_slot(aggregate: StreamAggregate, dtype: DType, parts: Sequence[Column]) -> Column:
    """Return the values of a slot from its merged parts, in its dtype, the empty value where nothing was counted.

    Args:
        aggregate: the feature.
        dtype: type of one slot.
        parts: merged, in the order of the kind's parts, then the number of rows that pass the filter.
    """
    value, counted = FINISH[KINDS[aggregate.kind].finish](parts)
    value = to_dtype(value, dtype)
    if aggregate.empty is None:
        return Column(value.values, value.valid & counted)
    values = value.values.copy()
    values[~counted] = aggregate.empty
    return Column(values, value.valid | ~counted)


def to_dtype(column: Column, dtype: DType) -> Column:
    """Return values of the working type in a feature's dtype; what is not finite there is null."""
    if not dtype.is_float:
        return column
    with np.errstate(over="ignore"):
        values = column.values.astype(np.dtype(dtype.numpy))
    valid = column.valid & np.isfinite(values)
    return Column(np.where(valid, values, 0) + values.dtype.type(0), valid)


def add_derived(
    derived: Sequence[StreamDerived], columns: Mapping[str, Column], dtypes: Mapping[str, DType], count: int
) -> dict[str, Column]:
    """Return features with the derived ones, each computed from features before it.

    Args:
        derived: in order of evaluation.
        columns: values by feature.
        dtypes: type by feature.
        count: number of rows.
    """
    values, types = dict(columns), dict(dtypes)
    for feature in derived:
        dtype = dtype_from_name(feature.dtype)
        expression = from_canonical(json.loads(feature.expression))
        values[feature.name] = to_dtype(evaluate(expression, values, types, count), dtype)
        types[feature.name] = dtype
    return values


def to_array(slots: Sequence[Column]) -> Column:
    """Return slots as an array."""
    values = np.stack([slot.values for slot in slots], axis=1)
    return Column(values, np.stack([slot.valid for slot in slots], axis=1))


def _value(parts: Sequence[Column]) -> tuple[Column, Mask]:
    value, _rows = parts
    return value, value.valid


def _count(parts: Sequence[Column]) -> tuple[Column, Mask]:
    n, *others, _rows = parts
    return others[-1] if others else n, n.values > 0


def _variance(parts: Sequence[Column]) -> tuple[Column, Mask]:
    n, _mean, m2, _rows = parts
    several = n.values > 1
    return Column(m2.values / np.where(several, n.values - 1, 1), several), n.values > 0


def _std(parts: Sequence[Column]) -> tuple[Column, Mask]:
    variance, counted = _variance(parts)
    with np.errstate(invalid="ignore"):
        return Column(np.sqrt(variance.values), variance.valid), counted


def _skew(parts: Sequence[Column]) -> tuple[Column, Mask]:
    n, _mean, m2, m3, smallest, largest, _rows = parts
    with np.errstate(all="ignore"):
        apart = largest.values.astype(np.float64) - smallest.values.astype(np.float64)
        spread = (n.values > 2) & (apart >= SMALLEST_SPREAD)
        skew = np.sqrt(n.values.astype(np.float64)) * m3.values / (m2.values * np.sqrt(m2.values))
    return Column(np.where(spread, skew, 0.0), spread), n.values > 0


def _ratio(parts: Sequence[Column]) -> tuple[Column, Mask]:
    numerator, denominator, rows = parts
    some = denominator.values > 0
    return Column(numerator.values / np.where(some, denominator.values, 1), some), rows.values > 0


FINISH: Final[Mapping[Finish, Slot]] = {
    "value": _value,
    "counted": _count,
    "variance": _variance,
    "std": _std,
    "skew": _skew,
    "ratio": _ratio,
}
"""By ``Kind.finish``, those of the aggregations that stream views can have."""
