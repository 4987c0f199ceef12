"""Sketch states: DDSketches of values as lists of bins and counts, Theta sketches of distinct values as bytes.

Theta sketches are made by the Apache DataSketches library, from values as it hashes them: integers and instants
(microseconds) as 64-bit integers, Booleans as 0 and 1, floats as doubles, strings as UTF-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from datasketches import update_theta_sketch

from feature_store.codec.byte_strings import Ragged, from_lengths
from feature_store.engines.polars.groups import GROUP, by_group, distinct
from feature_store.sketches import theta
from feature_store.sketches.ddsketch import bins_of, percentiles

_BIN: Final = "__bin"
_COUNT: Final = "__count"

_EMPTY_STRING: Final = "\ufdd0"
"""Stands for the empty string, which the library does not count; a code point that no text may have."""


def build_bins(values: pl.DataFrame, bins: str, counts: str) -> pl.DataFrame:
    """Return the two lists of the sketch of each group's values.

    Args:
        values: sorted group numbers and ``value``, Float64, finite or null.
        bins: name of the list of bins.
        counts: name of the list of counts.
    """
    present = values.drop_nulls()
    placed = present.select(GROUP, pl.Series(_BIN, bins_of(present.get_column("value").to_numpy())))
    return _as_lists(placed.with_columns(pl.lit(1, pl.Int64).alias(_COUNT)), bins, counts)


def merge_bins(frame: pl.DataFrame, bins: str, counts: str) -> pl.DataFrame:
    """Merge the sketches of each group."""
    present = frame.select(GROUP, pl.col(bins).alias(_BIN), pl.col(counts).alias(_COUNT)).drop_nulls()
    return _as_lists(present.explode(_BIN, _COUNT), bins, counts)


def _as_lists(counted: pl.DataFrame, bins: str, counts: str) -> pl.DataFrame:
    totals = counted.group_by(GROUP, _BIN).agg(pl.col(_COUNT).sum()).sort(GROUP, _BIN)
    return by_group(
        totals.with_columns(pl.col(GROUP).set_sorted()), [pl.col(_BIN).alias(bins), pl.col(_COUNT).alias(counts)]
    )


def percentile(bins: pl.Series, counts: pl.Series, q: float) -> pl.Series:
    """Return a percentile of each sketch, Float64; null where there is none."""
    present = pl.DataFrame({_BIN: bins, _COUNT: counts}).drop_nulls().with_row_index(GROUP)
    flat = present.explode(_BIN, _COUNT)
    row = flat.get_column(GROUP).cast(pl.Int64).to_numpy()
    found = percentiles(row, flat.get_column(_BIN).to_numpy(), flat.get_column(_COUNT).to_numpy(), q)
    result = np.zeros(len(bins))
    valid = bins.is_not_null().to_numpy()
    result[valid] = found
    return pl.select(pl.when(pl.Series(valid)).then(pl.Series(result))).to_series()


def build_theta(values: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the sketch of each group's values.

    Args:
        values: sorted group numbers and ``value``; null does not count.
        column: name of the sketch.
    """
    lists = by_group(distinct(_hashable(values), "value"), [pl.col("value")])
    sketches = [_sketch(found) for found in lists.get_column("value").to_list()]
    return lists.select(GROUP, pl.Series(column, sketches, pl.Binary))


def merge_theta(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Merge the sketches of each group."""
    present = frame.select(GROUP, column).drop_nulls()
    row = present.select(pl.col(GROUP).rle_id().cast(pl.Int64)).to_series().to_numpy()
    merged = theta.encode(theta.union(theta.decode(_ragged(present.get_column(column))), row))
    groups = present.select(pl.col(GROUP).unique(maintain_order=True))
    return groups.with_columns(pl.Series(column, merged.to_list(), pl.Binary), pl.col(GROUP).set_sorted())


def n_distinct(sketches: pl.Series) -> pl.Series:
    """Return about how many distinct values each sketch has seen, Int64; null where there is none."""
    valid = sketches.is_not_null().to_numpy()
    counts = np.zeros(len(sketches), np.int64)
    counts[valid] = theta.decode(_ragged(sketches.drop_nulls())).estimates()
    return pl.select(pl.when(pl.Series(valid)).then(pl.Series(counts))).to_series()


def _hashable(values: pl.DataFrame) -> pl.DataFrame:
    """Return values as the library takes them."""
    value, dtype = pl.col("value"), values.schema["value"]
    if dtype == pl.String:
        return values.with_columns(pl.when(value == "").then(pl.lit(_EMPTY_STRING)).otherwise(value).alias("value"))
    return values if dtype == pl.Float64 else values.with_columns(value.cast(pl.Int64))


def _sketch(values: Sequence[Any]) -> bytes:
    sketch = update_theta_sketch(theta.LG_SIZE)
    for value in values:
        sketch.update(value)
    # Beyond its size a sketch keeps some hashes more, depending on their order; trimmed, it is that of the set.
    sketch.trim()
    return sketch.compact().serialize()


def _ragged(sketches: pl.Series) -> Ragged:
    lengths = sketches.bin.size().cast(pl.Int64).to_numpy()
    return from_lengths(np.frombuffer(b"".join(sketches), np.uint8), lengths)
