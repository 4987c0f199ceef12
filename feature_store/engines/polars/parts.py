"""The parts of a state in this engine: builds each from rows, merges it, and reads it at an as-of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.engines.polars import decay, moments, ordered, sketches
from feature_store.engines.polars.groups import GROUP, by_group, distinct
from feature_store.model.states import State

Frames = Callable[[pl.DataFrame, State], pl.DataFrame]
"""Takes sorted group numbers and columns; gives the state column (or columns) of groups in which anything counted."""


@dataclass(frozen=True)
class PartCode:
    """The code of one part.

    Attributes:
        reduce: the aggregation of a group's inputs that gives the part.
        build: gives it from ``time``, ``sequence`` if there is one, and ``value`` of the rows that have a value, where
            it is not one aggregation of its input. A part that has neither is built with another of its digest.
        add: the aggregation of a column of states that merges them.
        merge: merges them where that is not one aggregation; a part that has neither is merged with another.
        read: gives the value of merged states as it is at an as-of (microseconds); None: the state itself.
    """

    reduce: Callable[[pl.Expr, State], pl.Expr] | None = None
    build: Frames | None = None
    add: Callable[[pl.Expr, State], pl.Expr] | None = None
    merge: Frames | None = None
    read: Callable[[pl.Series, State, int], pl.Series] | None = None


def is_integer_sum(state: State) -> bool:
    """Whether a state is added up in 128 bits, and must fit Int64 in the end."""
    return state.part == "sum" and state.fields[0].dtype == "Int64"


def count_unique(frame: pl.DataFrame, state: State) -> pl.DataFrame:
    """Merge the distinct values of each group, and give their number, which is faster than the values."""
    return by_group(_all_values(frame, state), [pl.len().cast(pl.Int64).alias(state.column)])


def _all_values(frame: pl.DataFrame, state: State) -> pl.DataFrame:
    return distinct(frame.select(GROUP, state.column).drop_nulls().explode(state.column), state.column)


def _size(column: pl.Series, _state: State, _as_of: int) -> pl.Series:
    return column.list.len() if isinstance(column.dtype, pl.List) else column


def _half_life(state: State) -> int:
    assert state.parameter is not None
    return state.parameter


def _sum(column: pl.Expr, state: State) -> pl.Expr:
    return (column.cast(pl.Int128) if is_integer_sum(state) else column).sum()


def _min(column: pl.Expr, _state: State) -> pl.Expr:
    return column.min()


def _max(column: pl.Expr, _state: State) -> pl.Expr:
    return column.max()


def _floats(present: pl.DataFrame) -> pl.DataFrame:
    return present.with_columns(pl.col("value").cast(pl.Float64))


_ONE: Final = PartCode(build=ordered.pick_one, merge=ordered.merge_one, read=ordered.values_of)
_SEVERAL: Final = PartCode(build=ordered.pick_several, merge=ordered.merge_several, read=ordered.values_of)

PARTS: Final[Mapping[str, PartCode]] = {
    "n": PartCode(reduce=lambda column, _state: column.count().cast(pl.Int64), add=_sum),
    "sum": PartCode(reduce=_sum, add=_sum),
    # Means and sums of powers merge together, see ``merging.merge_states``.
    "mean": PartCode(reduce=lambda column, _state: column.cast(pl.Float64).mean()),
    "m2": PartCode(reduce=lambda column, _state: moments.squares(column.cast(pl.Float64))),
    "m3": PartCode(reduce=lambda column, _state: moments.cubes(column.cast(pl.Float64))),
    "min": PartCode(reduce=_min, add=_min),
    "max": PartCode(reduce=_max, add=_max),
    "first": _ONE,
    "last": _ONE,
    "unique": PartCode(
        build=lambda present, state: by_group(distinct(present, "value"), [pl.col("value").alias(state.column)]),
        merge=lambda frame, state: by_group(_all_values(frame, state), [pl.col(state.column)]),
        read=_size,
    ),
    # The counts of a sketch come with its bins.
    "bins": PartCode(
        build=lambda present, state: sketches.build_bins(
            _floats(present.select(GROUP, "value")), state.column, state.sibling("bin_counts")
        ),
        merge=lambda frame, state: sketches.merge_bins(frame, state.column, state.sibling("bin_counts")),
    ),
    "bin_counts": PartCode(),
    "theta": PartCode(
        build=lambda present, state: sketches.build_theta(present.select(GROUP, "value"), state.column),
        merge=lambda frame, state: sketches.merge_theta(frame, state.column),
        read=lambda column, _state, _as_of: sketches.n_distinct(column),
    ),
    "first_k": _SEVERAL,
    "last_k": _SEVERAL,
    "top_k": PartCode(build=ordered.pick_several, merge=ordered.merge_several),
    "decayed": PartCode(
        build=lambda present, state: decay.add_up(_floats(present), state.column, _half_life(state)),
        merge=lambda frame, state: decay.merge(frame, state.column, _half_life(state)),
        read=lambda column, state, as_of: decay.value_at(column, as_of, _half_life(state)),
    ),
}
"""By name, the same as ``feature_store.model.kinds.PARTS``."""
