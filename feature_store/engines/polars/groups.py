"""Groups as dense sorted integers, which Polars aggregates several times faster than the keys themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

GROUP: Final = "__group"


def number_groups(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Add the group number of each row, from 0; the frame is sorted by ``columns``, which hold no nulls."""
    changed = [pl.col(column) != pl.col(column).shift() for column in columns]
    number = pl.any_horizontal(changed).fill_null(True).cum_sum().cast(pl.Int64) - 1
    return frame.with_columns(number.set_sorted().alias(GROUP))


def by_group(frame: pl.DataFrame, values: Sequence[pl.Expr]) -> pl.DataFrame:
    """Aggregate a frame with sorted group numbers.

    The streaming engine adds floats in the order in which threads finish; this one in the order of the rows.
    """
    return frame.lazy().group_by(GROUP, maintain_order=True).agg(*values).collect(engine="in-memory")


def heads(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the first row of each group."""
    return frame.filter((pl.col(GROUP) != pl.col(GROUP).shift()).fill_null(True))


def distinct(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the distinct non-null values of each group, sorted by group and value."""
    changed = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in (GROUP, column)).fill_null(True)
    # Repeated values often stand together; without those there is less to sort.
    pairs = frame.select(GROUP, column).drop_nulls().filter(changed).sort(GROUP, column)
    return pairs.filter(changed).with_columns(pl.col(GROUP).set_sorted())


def pick(frame: pl.DataFrame, order: Sequence[str], *, last: bool) -> pl.DataFrame:
    """Return per group a row that comes last (or first) by the columns ``order``; nulls come before everything."""
    for name in order:
        column = pl.col(name)
        edges = by_group(frame, [column.max() if last else pl.when(column.null_count() == 0).then(column.min())])
        if edges.height == frame.height:
            return frame
        edge = edges.get_column(name).gather(frame.select(pl.col(GROUP).rle_id()).to_series())
        frame = frame.filter(frame.get_column(name).eq_missing(edge))
    return heads(frame)
