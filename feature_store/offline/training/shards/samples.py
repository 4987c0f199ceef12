"""Samples: a few rows by which the columns of a spine are judged as all of its rows would be.

Whether a column has any value decides what it is taken for, and whether floats that stand for keys are whole numbers
beside missing ones; a part of a spine does not know that alone. A sample has a row with a value of each column, one
without, and one with a number that is not whole, where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from feature_store.offline.join.spines import EXACT


def sample_of(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return a sample of rows; that of samples of parts is one of the whole.

    Args:
        frame: rows.
        columns: that are judged; those that the frame lacks are left out.
    """
    rows: set[int] = set()
    for column in (frame[name] for name in columns if name in frame.columns):
        is_float = column.dtype.is_float()
        missing = column.is_null() | column.is_nan() if is_float else column.is_null()
        kinds = [missing, ~missing]
        if is_float:
            kinds.append(~missing & ~((column == column.floor()) & (column.abs() <= EXACT)))
        rows |= {place for kind in kinds if (place := _first(kind)) is not None}
    return frame[sorted(rows)]


def _first(mask: pl.Series) -> int | None:
    found = mask.fill_null(value=False)
    return found.arg_max() if found.any() else None
