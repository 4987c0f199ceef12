"""The states of a view's aggregations: which columns its tiles have, and how states of several tiles merge.

A state column is called ``<part>_<digest>``; states of one digest read the same input under the same filter. Parts:

- ``n``: non-null inputs, or rows passing the filter where there is no input. Int64, never null.
- ``sum``: Int64 of integers, Float64 of floats; 0 of nothing.
- ``mean``, ``m2``, ``m3``: Float64 (m2, m3: sums of squared and cubed distances from the mean); null, 0, 0 of nothing.
- ``min``, ``max``: null of nothing.
- ``first``, ``last``: a struct of ``time``, ``sequence`` if the source declares one, and ``value``; null of nothing.
- ``unique``: the distinct values, sorted; null of nothing.
- ``first_k``, ``last_k``: lists of up to k such structs, in that order; null of nothing.
- ``top_k``: a list of up to k values, the largest first; null of nothing.
- ``bins``, ``bin_counts``: lists of Int32 and Int64, see ``feature_store.sketches.ddsketch``; null of nothing.
- ``theta``: bytes, see ``feature_store.sketches.theta``; null of nothing.
- ``decayed``: a struct of the newest ``time`` and the ``value`` of the sum then; null of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.engines.polars.dtypes import TIMESTAMP, working_dtype
from feature_store.expressions.nodes import Expression
from feature_store.expressions.operations import infer_dtype
from feature_store.model.aggregations import Aggregation, StatePart
from feature_store.model.features import Feature
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView

_FIXED: Final[Mapping[str, pl.DataType]] = {
    "n": pl.Int64(),
    **dict.fromkeys(("mean", "m2", "m3"), pl.Float64()),
    "bins": pl.List(pl.Int32),
    "bin_counts": pl.List(pl.Int64),
    "theta": pl.Binary(),
    "decayed": pl.Struct({"time": TIMESTAMP, "value": pl.Float64}),
}
"""Types of the parts that do not depend on the input's."""


@dataclass(frozen=True)
class State:
    """A state column of a view's tiles.

    Attributes:
        column: its name.
        part: its part of the state.
        digest: what it shares with other states of the same input and filter.
        value: the aggregated expression; None: rows.
        where: the filter; None: all rows.
        parameter: the k of lists, the half-life (microseconds) of ``decayed``.
        dtype: its Polars type.
        where_used: view and feature, for messages.
    """

    column: str
    part: str
    digest: str
    value: Expression | None
    where: Expression | None
    parameter: int | None
    dtype: pl.DataType
    where_used: str


def view_states(view: FeatureView, *, all_history_only: bool = False) -> tuple[State, ...]:
    """Return the distinct states of a view's aggregations, the counts of passing rows included, sorted by column."""
    found: dict[str, State] = {}
    for feature in view.features:
        aggregation = feature.aggregation
        if aggregation is None or (all_history_only and aggregation.window is not None):
            continue
        for state in aggregation_states(view, feature, aggregation):
            found.setdefault(state.column, state)
    return tuple(found[column] for column in sorted(found))


def aggregation_states(view: FeatureView, feature: Feature, aggregation: Aggregation) -> list[State]:
    """Return the states of one aggregation, slot by slot, each with the count of rows passing its filter."""
    used = f"{view.full_name}.{feature.name}"
    parts = (part for slot in aggregation.slots() for part in (*slot.state_parts(), slot.rows_part()))
    return [_state(view, used, part) for part in parts]


def tile_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a view's tiles and their types."""
    keys = {key: working_dtype(dtype) for key, dtype in view.entity.keys.items()}
    states = {state.column: state.dtype for state in view_states(view)}
    return {"partition_start": TIMESTAMP, "tile_start": TIMESTAMP, **keys, **states}


def state_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a view's all-history state and their types."""
    keys = {key: working_dtype(dtype) for key, dtype in view.entity.keys.items()}
    return {**keys, **{state.column: state.dtype for state in view_states(view, all_history_only=True)}}


def _state(view: FeatureView, used: str, part: StatePart) -> State:
    dtype = _dtype(view, part.part, part.value)
    return State(part.column, part.part, part.digest, part.value, part.where, part.parameter, dtype, used)


def _dtype(view: FeatureView, part: str, value: Expression | None) -> pl.DataType:
    if part in _FIXED:
        return _FIXED[part]
    assert value is not None
    feature_dtype = infer_dtype(value, view.source.columns)
    assert feature_dtype is not None
    dtype = working_dtype(feature_dtype)
    if part in ("first", "last"):
        return _ordered_dtype(view, dtype)
    if part in ("first_k", "last_k"):
        return pl.List(_ordered_dtype(view, dtype))
    return pl.List(dtype) if part in ("unique", "top_k") else dtype


def _ordered_dtype(view: FeatureView, value: pl.DataType) -> pl.DataType:
    assert isinstance(view.source, EventSource)
    if view.source.sequence is None:
        return pl.Struct({"time": TIMESTAMP, "value": value})
    sequence = working_dtype(view.source.columns[view.source.sequence])
    return pl.Struct({"time": TIMESTAMP, "sequence": sequence, "value": value})
