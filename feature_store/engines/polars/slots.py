"""What an aggregation gives from its merged state, and where anything was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

from feature_store.engines.polars.sketches import percentile
from feature_store.model.aggregations import Aggregation
from feature_store.temporal.windows import Window

Parts = Sequence[pl.Expr]
Value = tuple[pl.Expr, pl.Expr]


def merged_column(state_column: str, window: Window | None) -> str:
    """Return the column of a state merged over a window (None: all history) in the frame that ``finish`` takes."""
    return f"{state_column}@{'all' if window is None else f'{window.over}/{window.hop}'}"


def slot_value(merged: pl.DataFrame, aggregation: Aggregation) -> Value:
    """Return the value of an aggregation without ``by``, and whether anything was counted.

    Args:
        merged: one ``merged_column`` per state.
        aggregation: whose value is no array.
    """
    parts = [pl.col(merged_column(column, aggregation.window)) for column in aggregation.state_columns()]
    if aggregation.kind == "count_ratio":
        numerator, denominator = parts
        rows = pl.col(merged_column(aggregation.rows_column(), aggregation.window))
        return pl.when(denominator > 0).then(numerator / denominator), rows > 0
    if aggregation.kind == "approx_percentile":
        assert aggregation.q is not None
        bins, counts = merged.select(parts)
        return pl.lit(percentile(bins, counts, aggregation.q)), parts[0].is_not_null()
    return _VALUES.get(aggregation.kind, _last_part)(parts)


def _last_part(parts: Parts) -> Value:
    return parts[-1], parts[-1].is_not_null()


def _last_part_of_n(parts: Parts) -> Value:
    return parts[-1], parts[0] > 0


def _variance(parts: Parts) -> Value:
    n, _mean, m2 = parts
    return pl.when(n > 1).then(m2 / (n - 1)), n > 0


def _std(parts: Parts) -> Value:
    variance, counted = _variance(parts)
    return variance.sqrt(), counted


def _skew(parts: Parts) -> Value:
    n, _mean, m2, m3, smallest, largest = parts
    spread = (n > 2) & (smallest != largest)
    return pl.when(spread).then(n.cast(pl.Float64).sqrt() * m3 / (m2 * m2.sqrt())), n > 0


_VALUES: Final[Mapping[str, Callable[[Parts], Value]]] = {
    **dict.fromkeys(("count", "sum", "mean"), _last_part_of_n),
    "variance": _variance,
    "std": _std,
    "skew": _skew,
}
"""By kind; of those that are not here, the state is the value."""
