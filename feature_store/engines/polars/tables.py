"""Snapshots of table views: per key the latest row that held at the as-of."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from feature_store.dtypes import Timestamp
from feature_store.engines.polars.dtypes import constant
from feature_store.engines.polars.finish import add_derived, default_expr, derived
from feature_store.engines.polars.source_rows import read_rows
from feature_store.engines.polars.typed import read_column
from feature_store.model.features import Feature
from feature_store.model.sources import TableSource
from feature_store.model.views import FeatureView


def table_snapshot(view: FeatureView, rows: pl.LazyFrame, as_of: datetime, available_at: datetime) -> pl.DataFrame:
    """Return the values of a table view at one as-of.

    A key's row is its latest by (time, sequence, the remaining columns in declared order; the larger wins, null is the
    smallest) of those with a time strictly before the as-of and, where a landing time is declared, landed by the
    available-at. The key has no values if that row is deleted, past its ``valid_to``, or older than ``row_ttl``.
    Rows with a null key, time or landing time do not count.

    Args:
        view: a view of a table source.
        rows: rows of its source, all that could matter.
        as_of: with a zone.
        available_at: with a zone.

    Returns:
        Keys and stored features in their dtypes, sorted by the keys.

    Raises:
        InputError: the rows do not have the declared columns.
    """
    source = view.source
    assert isinstance(source, TableSource)
    held = _held(view, source, _latest(view, source, rows, as_of, available_at), as_of)
    fields = [feature for feature in view.stored_features if feature.kind == "field"]
    # A source column may be called like a feature that is another expression, so all are computed at once.
    values = held.with_columns(_field(source, feature).alias(f"__{feature.name}") for feature in fields)
    values = values.select(*view.keys, *(pl.col(f"__{feature.name}").alias(feature.name) for feature in fields))
    return add_derived(view, values).sort(*view.keys)


def _latest(
    view: FeatureView, source: TableSource, rows: pl.LazyFrame, as_of: datetime, available_at: datetime
) -> pl.DataFrame:
    keys, time = list(view.keys), pl.col(source.time)
    known = read_rows(source, rows, [*source.columns, *keys]).filter(time < constant(as_of, Timestamp))
    if source.landed_at is not None:
        known = known.filter(pl.col(source.landed_at) <= constant(available_at, Timestamp))
    known = known.filter(pl.all_horizontal(pl.col(key).is_not_null() for key in keys)).with_columns(
        **{name: read_column(name, dtype) for name, dtype in source.columns.items()}
    )
    newest = known.filter(time == time.max().over(keys)).collect()
    tied = newest.select(pl.struct(keys).is_duplicated()).to_series()
    ties = [*([source.sequence] if source.sequence else []), *source.columns]
    order = [name for name in dict.fromkeys(ties) if name not in (*keys, source.time)]
    # Only rows that tie in time are sorted by all their columns: there are few.
    chosen = newest.filter(tied).sort([*keys, *order], nulls_last=False).unique(keys, keep="last", maintain_order=True)
    return pl.concat([newest.filter(~tied), chosen])


def _held(view: FeatureView, source: TableSource, rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    at = constant(as_of, Timestamp)
    if source.deleted is not None:
        rows = rows.filter(~pl.col(source.deleted).fill_null(False))
    if source.valid_to is not None:
        rows = rows.filter(pl.col(source.valid_to).is_null() | (at <= pl.col(source.valid_to)))
    if view.row_ttl is not None:
        rows = rows.filter(at - pl.col(source.time) <= timedelta(microseconds=view.row_ttl))
    return rows


def _field(source: TableSource, feature: Feature) -> pl.Expr:
    value = derived(feature, dict(source.columns))
    default = default_expr(feature)
    return value if default is None else value.fill_null(default)
