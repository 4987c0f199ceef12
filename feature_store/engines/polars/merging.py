"""How the states of several tiles merge into one, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

from feature_store.engines.polars.decay import merge_decayed
from feature_store.engines.polars.groups import GROUP, by_group, distinct
from feature_store.engines.polars.moments import merge_moments
from feature_store.engines.polars.ordered import merge_one, merge_several
from feature_store.engines.polars.sketches import merge_bins, merge_theta
from feature_store.engines.polars.states import State
from feature_store.errors import InputError

Merge = Callable[[pl.DataFrame, State], pl.DataFrame]
"""Takes state columns and sorted group numbers; gives the merged columns of groups in which anything was counted."""


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
    parts = {(state.part, state.digest) for state in states}
    for digest in dict.fromkeys(state.digest for state in states if state.part == "mean"):
        moments = merge_moments(frame, digest, squares=("m2", digest) in parts, cubes=("m3", digest) in parts)
        merged = merged.join(moments, on=GROUP, how="left", maintain_order="left")
    sums = [state.column for state in states if state.part in ("m2", "m3")]
    merged = merged.with_columns(pl.col(sums).fill_null(0.0)) if sums else merged
    for state in states:
        merge = _merge_unique(count=count_unique) if state.part == "unique" else _MERGES.get(state.part)
        if merge is not None:
            merged = merged.join(merge(frame, state), on=GROUP, how="left", maintain_order="left")
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


def counts_column(bins: State) -> str:
    """Return the column of the counts that belong to a sketch's bins."""
    return f"bin_counts_{bins.digest}"


def _merge_unique(*, count: bool) -> Merge:
    def merge(frame: pl.DataFrame, state: State) -> pl.DataFrame:
        values = distinct(frame.select(GROUP, state.column).drop_nulls().explode(state.column), state.column)
        column = pl.col(state.column)
        return by_group(values, [pl.len().cast(pl.Int64).alias(state.column) if count else column])

    return merge


def _merge_decayed(frame: pl.DataFrame, state: State) -> pl.DataFrame:
    assert state.parameter is not None
    return merge_decayed(frame, state.column, state.parameter)


_MERGES: Final[Mapping[str, Merge]] = {
    **dict.fromkeys(("first", "last"), merge_one),
    **dict.fromkeys(("first_k", "last_k", "top_k"), merge_several),
    # The counts of a sketch come with its bins.
    "bins": lambda frame, state: merge_bins(frame, state.column, counts_column(state)),
    "theta": lambda frame, state: merge_theta(frame, state.column),
    "decayed": _merge_decayed,
}
"""How parts merge that are not one aggregation of their column each."""
