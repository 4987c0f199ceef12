"""From merged states to values in numpy: cast, empty value or default, derived features, in the engines' order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from feature_store.columns import Column, Mask
from feature_store.dtypes import DType, dtype_from_name
from feature_store.expressions.evaluate import evaluate
from feature_store.expressions.text import from_canonical
from feature_store.streams.plan import StreamAggregate, StreamDerived

Slot = Callable[[Sequence[Column]], tuple[Column, Mask]]
"""Gives, from the merged parts of a slot, its value and where anything was counted."""


def finish_slot(aggregate: StreamAggregate, dtype: DType, parts: Sequence[Column]) -> Column:
    """Return the values of a slot from its merged parts, in its dtype, the empty value where nothing was counted.

    Args:
        aggregate: the feature.
        dtype: type of one slot.
        parts: merged, in the order of the kind's parts.
    """
    value, counted = _SLOTS.get(aggregate.kind, _last_part)(parts)
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


def _last_part(parts: Sequence[Column]) -> tuple[Column, Mask]:
    return parts[-1], parts[-1].valid


def _count(parts: Sequence[Column]) -> tuple[Column, Mask]:
    return parts[0], parts[0].values > 0


def _std(parts: Sequence[Column]) -> tuple[Column, Mask]:
    n, _mean, m2 = parts
    several = n.values > 1
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(m2.values / np.where(several, n.values - 1, 1))
    return Column(spread, several), n.values > 0


_SLOTS: Final[Mapping[str, Slot]] = {"count": _count, "std": _std}
