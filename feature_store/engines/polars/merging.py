"""The merge of the states of several tiles into one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from feature_store.engines.polars.groups import GROUP, by_group
from feature_store.engines.polars.moments import merge_moments
from feature_store.engines.polars.parts import PARTS, count_unique, is_integer_sum
from feature_store.errors import InputError
from feature_store.model.states import State
from feature_store.model.views import FeatureView


def merge_states(
    view: FeatureView, frame: pl.DataFrame, states: Sequence[State], *, only_counts: bool = False
) -> pl.DataFrame:
    """Merge the states of each group.

    Args:
        view: whose states they are, for messages.
        frame: state columns and sorted group numbers.
        states: which to merge; with ``mean`` or ``m2`` comes the ``n`` of their digest.
        only_counts: give the number of distinct values in the place of their list, which is faster.

    Returns:
        One row per group, sorted by group.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    added = {state: PARTS[state.part].add for state in states}
    merged = by_group(frame, [add(pl.col(state.column), state) for state, add in added.items() if add is not None])
    merged = check_sums(view, merged, states)
    columns = {state.column for state in states}
    for mean in (state for state in states if state.part == "mean"):
        of_powers = {power: mean.sibling(power) in columns for power in ("m2", "m3")}
        moments = merge_moments(frame, mean.digest, squares=of_powers["m2"], cubes=of_powers["m3"])
        merged = merged.join(moments, on=GROUP, how="left", maintain_order="left")
    sums = [state.column for state in states if state.part in ("m2", "m3")]
    merged = merged.with_columns(pl.col(sums).fill_null(0.0)) if sums else merged
    for state in states:
        merge = count_unique if only_counts and state.part == "unique" else PARTS[state.part].merge
        if merge is not None:
            merged = merged.join(merge(frame, state), on=GROUP, how="left", maintain_order="left")
    return merged


def check_sums(view: FeatureView, frame: pl.DataFrame, states: Sequence[State]) -> pl.DataFrame:
    """Return sums of integers, added up in 128 bits, as Int64.

    Raises:
        InputError: one does not fit.
    """
    sums = [state.column for state in states if is_integer_sum(state)]
    narrow = frame.with_columns(pl.col(sums).cast(pl.Int64, strict=False)) if sums else frame
    for column in sums:
        if narrow.get_column(column).null_count():
            raise InputError(
                f"{view.full_name}.{_reader(view, column)}: a sum of integers does not fit Int64. "
                "Sum a float instead: sum_(col(...).cast(Float64), ...)."
            )
    return narrow


def _reader(view: FeatureView, column: str) -> str:
    aggregates = {feature.name: feature.aggregation for feature in view.features if feature.aggregation is not None}
    return next(name for name, aggregation in aggregates.items() if column in aggregation.tile_columns())
