"""Means and the sums of powers of distances to them, in one tile and merged over several.

Distances are taken from the mean as it can be computed, and the sums are then moved to the true one, by how far the
distances are from cancelling out. So they keep their digits where the values lie far from zero and close together.
Merging: Chan, Golub and LeVeque 1979 for squares, Pebay 2008 (SAND2008-6212) for cubes.
"""

from __future__ import annotations

import polars as pl

from feature_store.engines.polars.groups import GROUP, by_group


def squares(values: pl.Expr) -> pl.Expr:
    """Return the aggregation that sums the squares of the distances of Float64 values to their mean; 0 of nothing."""
    # Polars computes variances in one stable pass (Welford); ddof=0 leaves m2 / n.
    return (values.var(ddof=0) * values.count()).fill_null(0.0)


def cubes(values: pl.Expr) -> pl.Expr:
    """Return the aggregation that sums the cubes of the distances of Float64 values to their mean; 0 of nothing."""
    distance = values - values.mean()
    squares = distance * distance
    off = distance.mean()
    moved = (squares * distance).sum() - 3.0 * off * squares.sum() + 2.0 * values.count() * off * off * off
    return moved.fill_null(0.0)


def merge_moments(frame: pl.DataFrame, digest: str, *, squares: bool, cubes: bool) -> pl.DataFrame:
    """Merge means, and sums of squares and cubes, of each group; null of nothing.

    Args:
        frame: sorted group numbers and the parts ``n``, ``mean``, and ``m2`` and ``m3`` where they are merged.
        digest: of the parts.
        squares: whether to merge ``m2``.
        cubes: whether to merge ``m3``, which takes ``m2``.
    """
    n, mean = pl.col(f"n_{digest}"), pl.col(f"mean_{digest}")
    counted = frame.filter(n > 0)
    merged = by_group(counted, [n.sum().alias("__n"), (n * mean).sum().alias("__total")])
    merged = merged.with_columns((pl.col("__total") / pl.col("__n")).alias(f"mean_{digest}"))
    if not squares:
        return merged.select(GROUP, f"mean_{digest}")
    middle = merged.get_column(f"mean_{digest}")
    place = counted.select(pl.col(GROUP).rle_id()).to_series()
    around = counted.with_columns(middle.gather(place).alias("__middle"))
    distance = mean - pl.col("__middle")
    sums = [(pl.col(f"m2_{digest}") + n * distance**2).sum().alias(f"m2_{digest}")]
    if cubes:
        own = pl.col(f"m3_{digest}") + 3.0 * distance * pl.col(f"m2_{digest}")
        sums += [
            (own + n * distance * distance * distance).sum().alias(f"m3_{digest}"),
            (n * distance).sum().alias("__off"),
        ]
    spreads = by_group(around, sums).drop(GROUP)
    merged = merged.select(GROUP, "__n", f"mean_{digest}").hstack(spreads)
    if cubes:
        off = pl.col("__off") / pl.col("__n")
        moved = pl.col(f"m3_{digest}") - 3.0 * off * pl.col(f"m2_{digest}") + 2.0 * pl.col("__n") * off * off * off
        merged = merged.with_columns(moved.alias(f"m3_{digest}")).drop("__off")
    return merged.drop("__n")
