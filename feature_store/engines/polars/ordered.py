"""States that keep the values that come first in some order: one of them, or the first k."""

from __future__ import annotations

import polars as pl

from feature_store.engines.polars.groups import GROUP, by_group, pick
from feature_store.engines.polars.states import field_names, state_dtype
from feature_store.model.kinds import PARTS
from feature_store.model.states import State


def pick_one(present: pl.DataFrame, state: State) -> pl.DataFrame:
    """Return the state of a ``first`` or ``last`` per group.

    Args:
        present: sorted group numbers and the fields of the struct; values are not null.
        state: which.
    """
    fields = field_names(state)
    picked = pick(present, fields, last=state.part == "last")
    return picked.select(GROUP, pl.struct(fields).cast(state_dtype(state)).alias(state.column))


def pick_several(present: pl.DataFrame, state: State) -> pl.DataFrame:
    """Return the state of a ``first_k``, ``last_k`` or ``top_k`` per group; arguments as ``pick_one``.

    Of ``top_k`` there is one field, ``value``. Rows that are equal in all fields are all kept.
    """
    fields = _fields(state)
    falls = [state.part != "first_k"] * len(fields)
    # A null sequence comes before every other: first when rising, last when falling.
    in_order = present.sort([GROUP, *fields], descending=[False, *falls], nulls_last=[False, *falls])
    in_order = in_order.with_columns(pl.col(GROUP).set_sorted())
    value = pl.struct(fields) if PARTS[state.part].has_time else pl.col("value")
    assert state.parameter is not None
    lists = by_group(in_order, [value.head(state.parameter).alias(state.column)])
    return lists.with_columns(pl.col(state.column).cast(state_dtype(state)))


def merge_one(frame: pl.DataFrame, state: State) -> pl.DataFrame:
    """Merge a ``first`` or ``last`` of each group."""
    return pick_one(_present(frame.select(GROUP, state.column), state.column).unnest(state.column), state)


def merge_several(frame: pl.DataFrame, state: State) -> pl.DataFrame:
    """Merge a ``first_k``, ``last_k`` or ``top_k`` of each group."""
    rows = _present(frame.select(GROUP, state.column), state.column).explode(state.column)
    rows = rows.unnest(state.column) if PARTS[state.part].has_time else rows.rename({state.column: "value"})
    return pick_several(rows, state)


def values_of(column: pl.Series, _state: State, _as_of: int) -> pl.Series:
    """Return the value of a ``first`` or ``last``, the values of a ``first_k`` or ``last_k``, without their order."""
    if isinstance(column.dtype, pl.List):
        return column.list.eval(pl.element().struct.field("value"))
    return column.struct.field("value")


def _fields(state: State) -> list[str]:
    return field_names(state) if PARTS[state.part].has_time else ["value"]


def _present(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    return frame.filter(pl.col(column).is_not_null())
