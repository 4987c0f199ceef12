"""Numbers of every partition that the asset pages plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl

from feature_store import Feature, FeatureView
from feature_store.temporal.durations import DAY

Numbers = dict[str, int | float]
Statistics = dict[datetime, dict[str, Numbers]]
"""Numbers by partition start and feature."""


def partition_statistics(view: FeatureView, frame: pl.DataFrame, starts: Sequence[datetime]) -> Statistics:
    """Return numbers by partition start and feature: ``rows``, ``null_rate`` and what fits the type.

    Numbers get ``mean, min, max``; Booleans ``true_rate``; strings ``distinct``; timestamps the days
    from them to the as-of: ``newest_days, oldest_days``. Of arrays those are over all slots; vectors get no more. What
    has no value (all null) is left out.

    Args:
        view: the view.
        frame: ``partition_start, as_of``, keys and stored features.
        starts: partitions to report, also those without rows.
    """
    features = view.stored_features
    columns = [e.alias(f"{f.name}/{name}") for f in features for name, e in _expressions(f)]
    by_start = {
        row["partition_start"]: row
        for row in frame.group_by("partition_start").agg(pl.len().alias("rows"), *columns).iter_rows(named=True)
    }
    return {start: _by_feature(features, by_start.get(start, {"rows": 0})) for start in starts}


def _by_feature(features: Sequence[Feature], row: Mapping[str, int | float | None]) -> dict[str, Numbers]:
    numbers: dict[str, Numbers] = {}
    for feature in features:
        prefix = f"{feature.name}/"
        found = {key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)}
        numbers[feature.name] = {"rows": row["rows"] or 0} | {k: v for k, v in found.items() if v is not None}
    return numbers


def _expressions(feature: Feature) -> Iterator[tuple[str, pl.Expr]]:
    value, dtype = pl.col(feature.name), feature.dtype.element
    yield "null_rate", value.null_count() / pl.len()
    if feature.dtype.is_array:
        value = value.explode()
    if dtype.is_numeric:
        yield "mean", value.cast(pl.Float64).mean()
        yield "min", value.min()
        yield "max", value.max()
    elif dtype.name == "Boolean":
        yield "true_rate", value.cast(pl.Float64).mean()
    elif dtype.name == "String":
        yield "distinct", value.drop_nulls().n_unique()
    elif dtype.name == "Timestamp":
        as_of = pl.col("as_of").first()
        yield "newest_days", (as_of - value.max()).dt.total_microseconds() / DAY
        yield "oldest_days", (as_of - value.min()).dt.total_microseconds() / DAY
