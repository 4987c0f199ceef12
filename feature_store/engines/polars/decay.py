"""Sums that decay: an instant and the sum as it is then, brought to a later instant when they merge."""

from __future__ import annotations

import numpy as np
import polars as pl

from feature_store.engines.polars.groups import GROUP, by_group

_WEIGHTED = "__weighted"
_NEWEST = "__newest"


def add_up(present: pl.DataFrame, column: str, half_life: int) -> pl.DataFrame:
    """Return the state of each group: its newest time, and the sum of its values as it is then.

    Args:
        present: sorted group numbers, ``time`` and ``value`` (Float64); no nulls.
        column: name of the state.
        half_life: microseconds.
    """
    newest = by_group(present, [pl.col("time").max().alias(_NEWEST)])
    place = present.select(pl.col(GROUP).rle_id()).to_series()
    until = newest.get_column(_NEWEST).gather(place)
    weighted = present.with_columns(_weigh(present.get_column("value"), present.get_column("time"), until, half_life))
    sums = by_group(weighted, [pl.col(_WEIGHTED).sum()])
    state = pl.struct(pl.col(_NEWEST).alias("time"), pl.col(_WEIGHTED).alias("value")).alias(column)
    return newest.hstack(sums.drop(GROUP)).select(GROUP, state)


def merge(frame: pl.DataFrame, column: str, half_life: int) -> pl.DataFrame:
    """Merge the states of each group."""
    present = frame.select(GROUP, column).filter(pl.col(column).is_not_null()).unnest(column)
    return add_up(present, column, half_life)


def value_at(states: pl.Series, as_of: int, half_life: int) -> pl.Series:
    """Return the sums as they are at an instant (microseconds), Float64; null where there is none."""
    until = pl.repeat(as_of, len(states), dtype=pl.Int64, eager=True)
    return _weigh(states.struct.field("value"), states.struct.field("time"), until, half_life)


def _weigh(values: pl.Series, times: pl.Series, until: pl.Series, half_life: int) -> pl.Series:
    # In numpy: Polars divides by a constant in another way in batches of one row than in larger ones.
    age = (until.to_physical() - times.to_physical()).fill_null(0).to_numpy()
    weights = np.exp2(-(age / half_life))
    return (values * pl.Series(weights)).alias(_WEIGHTED)
