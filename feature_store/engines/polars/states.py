"""The states of a view's aggregations: which columns its tiles have, and how states of several tiles merge.

A state column is called ``<part>_<digest>``; states of one digest read the same input under the same filter. Parts:

- ``n``: non-null inputs, or rows passing the filter where there is no input. Int64, never null.
- ``sum``: Int64 of integers, Float64 of floats; 0 of nothing.
- ``mean``, ``m2``: Float64 (m2: sum of squared distances from the mean); null and 0 of nothing.
- ``min``, ``max``: null of nothing.
- ``first``, ``last``: a struct of ``time``, ``sequence`` if the source declares one, and ``value``; null of nothing.
- ``unique``: the distinct values, sorted; null of nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from feature_store.aggregations import KINDS, Aggregation
from feature_store.engines.polars.dtypes import TIMESTAMP, working_dtype
from feature_store.engines.polars.groups import GROUP, by_group, distinct, pick
from feature_store.errors import InputError
from feature_store.expressions.nodes import Expression
from feature_store.expressions.operations import infer_dtype
from feature_store.features import Feature
from feature_store.sources import EventSource
from feature_store.views import FeatureView


@dataclass(frozen=True)
class State:
    """A state column of a view's tiles.

    Attributes:
        column: its name.
        part: its part of the state.
        digest: what it shares with other states of the same input and filter.
        value: the aggregated expression; None: rows.
        where: the filter; None: all rows.
        dtype: its Polars type.
        where_used: view and feature, for messages.
    """

    column: str
    part: str
    digest: str
    value: Expression | None
    where: Expression | None
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
    """Return the states of one aggregation, and the count of rows passing its filter."""
    used = f"{view.full_name}.{feature.name}"
    columns = dict(zip(KINDS[aggregation.kind].states, aggregation.state_columns(), strict=True))
    states = [
        _state(view, used, part, column, aggregation.value, aggregation.where) for part, column in columns.items()
    ]
    return [*states, _state(view, used, "n", aggregation.rows_column(), None, aggregation.where)]


def tile_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a view's tiles and their types."""
    keys = {key: working_dtype(dtype) for key, dtype in view.entity.keys.items()}
    states = {state.column: state.dtype for state in view_states(view)}
    return {"partition_start": TIMESTAMP, "tile_start": TIMESTAMP, **keys, **states}


def state_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a view's all-history state and their types."""
    keys = {key: working_dtype(dtype) for key, dtype in view.entity.keys.items()}
    return {**keys, **{state.column: state.dtype for state in view_states(view, all_history_only=True)}}


def merge_states(frame: pl.DataFrame, states: Sequence[State], *, count_unique: bool = False) -> pl.DataFrame:
    """Merge the states of each group.

    Args:
        frame: state columns and sorted group numbers.
        states: which to merge; with ``mean`` or ``m2`` comes the ``n`` of their digest.
        count_unique: give the number of distinct values in the place of their list, which is faster.

    Returns:
        One row per group, sorted by group.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    plain = [state for state in states if state.part in ("n", "sum", "min", "max")]
    merged = by_group(frame, [merge_plain(state) for state in plain])
    merged = check_sums(merged, plain)
    for digest in dict.fromkeys(state.digest for state in states if state.part == "mean"):
        spread = any(state.part == "m2" and state.digest == digest for state in states)
        merged = merged.join(_merge_moments(frame, digest, spread=spread), on=GROUP, how="left", maintain_order="left")
    merged = merged.with_columns(pl.col(state.column).fill_null(0.0) for state in states if state.part == "m2")
    for state in states:
        if state.part in ("first", "last"):
            merged = merged.join(_merge_ordered(frame, state), on=GROUP, how="left", maintain_order="left")
        if state.part == "unique":
            part = _merge_unique(frame, state, count=count_unique)
            merged = merged.join(part, on=GROUP, how="left", maintain_order="left")
    return merged


def merge_plain(state: State) -> pl.Expr:
    """Return the aggregation that merges a count, sum, minimum or maximum; sums of integers in 128 bits."""
    column = pl.col(state.column)
    if state.part == "min":
        return column.min()
    if state.part == "max":
        return column.max()
    return column.cast(pl.Int128).sum() if state.part == "sum" and state.dtype == pl.Int64 else column.sum()


def check_sums(frame: pl.DataFrame, states: Sequence[State]) -> pl.DataFrame:
    """Return sums of integers, added up in 128 bits, as Int64.

    Raises:
        InputError: one does not fit.
    """
    sums = [state for state in states if state.part == "sum" and state.dtype == pl.Int64]
    narrow = frame.with_columns(pl.col(state.column).cast(pl.Int64, strict=False) for state in sums)
    for state in sums:
        if narrow.get_column(state.column).null_count():
            raise InputError(
                f"{state.where_used}: a sum of integers does not fit Int64. "
                "Sum a float instead: sum_(col(...).cast(Float64), ...)."
            )
    return narrow


def to_struct(state: State, fields: Sequence[str]) -> pl.Expr:
    """Return the fields of a ``first`` or ``last`` as its state column."""
    return pl.struct(fields).cast(state.dtype).alias(state.column)


def _state(
    view: FeatureView, used: str, part: str, column: str, value: Expression | None, where: Expression | None
) -> State:
    digest = column.rpartition("_")[2]
    return State(column, part, digest, value, where, _dtype(view, part, value), used)


def _dtype(view: FeatureView, part: str, value: Expression | None) -> pl.DataType:
    if part == "n":
        return pl.Int64()
    if part in ("mean", "m2"):
        return pl.Float64()
    assert value is not None
    feature_dtype = infer_dtype(value, view.source.columns)
    assert feature_dtype is not None
    dtype = working_dtype(feature_dtype)
    if part == "unique":
        return pl.List(dtype)
    return _ordered_dtype(view, dtype) if part in ("first", "last") else dtype


def _ordered_dtype(view: FeatureView, value: pl.DataType) -> pl.DataType:
    assert isinstance(view.source, EventSource)
    if view.source.sequence is None:
        return pl.Struct({"time": TIMESTAMP, "value": value})
    sequence = working_dtype(view.source.columns[view.source.sequence])
    return pl.Struct({"time": TIMESTAMP, "sequence": sequence, "value": value})


def _merge_moments(frame: pl.DataFrame, digest: str, *, spread: bool) -> pl.DataFrame:
    n, mean, m2 = pl.col(f"n_{digest}"), pl.col(f"mean_{digest}"), pl.col(f"m2_{digest}")
    counted = frame.filter(n > 0)
    merged = by_group(counted, [n.sum().alias("__n"), (n * mean).sum().alias("__total")])
    merged = merged.select(GROUP, (pl.col("__total") / pl.col("__n")).alias(mean.meta.output_name()))
    if not spread:
        return merged
    middle = merged.get_column(mean.meta.output_name())
    place = counted.select(pl.col(GROUP).rle_id()).to_series()
    around = counted.with_columns(middle.gather(place).alias("__middle"))
    spreads = by_group(around, [(m2 + n * (mean - pl.col("__middle")) ** 2).sum().alias(m2.meta.output_name())])
    return merged.hstack(spreads.drop(GROUP))


def _merge_ordered(frame: pl.DataFrame, state: State) -> pl.DataFrame:
    assert isinstance(state.dtype, pl.Struct)
    fields = [field.name for field in state.dtype.fields]
    present = frame.select(GROUP, state.column).filter(pl.col(state.column).is_not_null()).unnest(state.column)
    return pick(present, fields, last=state.part == "last").select(GROUP, to_struct(state, fields))


def _merge_unique(frame: pl.DataFrame, state: State, *, count: bool) -> pl.DataFrame:
    values = distinct(frame.select(GROUP, state.column).drop_nulls().explode(state.column), state.column)
    if count:
        return by_group(values, [pl.len().cast(pl.Int64).alias(state.column)])
    return by_group(values, [pl.col(state.column)])
