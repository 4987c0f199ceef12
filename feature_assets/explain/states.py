"""The columns of a tile that hold the state of one feature, and what people call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from feature_assets.explain.explanation import Tile
from feature_store import Feature
from feature_store.aggregations import Aggregation
from feature_store.offline.instants import from_microseconds, to_microseconds


def state_names(aggregation: Aggregation) -> dict[str, str]:
    """Return a name by state column: ``rows`` for the rows that pass the filter, else the part of the state."""
    columns = {column: column.rsplit("_", 1)[0] for column in aggregation.state_columns()}
    return {**columns, aggregation.rows_column(): "rows"}


def tiles_of(feature: Feature, frame: pl.DataFrame, span: int, origin: str = "batch") -> list[Tile]:
    """Return the tiles that contribute to an aggregate, the newest first.

    Args:
        feature: an aggregate.
        frame: tiles of one entity: ``tile_start`` and state columns.
        span: of a tile, microseconds.
        origin: who wrote them.
    """
    assert feature.aggregation is not None
    names = {c: n for c, n in state_names(feature.aggregation).items() if c in frame.columns}
    rows = frame.filter(pl.col(feature.aggregation.rows_column()) > 0).sort("tile_start", descending=True)
    return [_tile(row, names, span, origin) for row in rows.iter_rows(named=True)]


def _tile(row: Mapping[str, Any], names: Mapping[str, str], span: int, origin: str) -> Tile:
    start = row["tile_start"]
    state = {name: row[column] for column, name in names.items()}
    return Tile(start, from_microseconds(to_microseconds(start) + span), origin, state)
