"""Tiles of a stream view from raw rows: of every level, each computed from the rows themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import polars as pl

from feature_store.columns import Column
from feature_store.dtypes import dtype_from_name
from feature_store.engines.polars.columns import to_column
from feature_store.engines.polars.states import tile_schema
from feature_store.engines.polars.tiles import Tiles, build_levels
from feature_store.model.states import State
from feature_store.model.views import FeatureView


def stream_tile_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a stream view's tiles and their types; ``span`` is in microseconds."""
    return {"span": pl.Int64(), **tile_schema(view)}


def build_stream_tiles(view: FeatureView, rows: pl.LazyFrame, start: datetime, end: datetime) -> Tiles:
    """Return the tiles of every level of the partitions in [start, end).

    Args:
        view: a stream view.
        rows: rows of its source; those outside [start, end) are left out.
        start: start of the first partition, with a zone.
        end: end of the last.

    Returns:
        As ``build_tiles`` does, with the columns of ``stream_tile_schema``; sorted by span, tile and keys.

    Raises:
        InputError: as ``build_tiles`` does.
    """
    levels = list(build_levels(view, rows, start, end, view.levels))
    frames = [
        tiles.frame.select(pl.lit(span, pl.Int64).alias("span"), pl.all())
        for span, tiles in zip(view.levels, levels, strict=True)
    ]
    return replace(levels[0], frame=pl.concat(frames))


def tile_states(tiles: pl.DataFrame, states: Iterable[State]) -> dict[str, Column]:
    """Return the states of tiles by field, as ``StreamTiles.states`` has them."""
    found: dict[str, Column] = {}
    for state in states:
        series = tiles.get_column(state.column)
        for field in state.fields:
            part = field.name.removeprefix(state.column).removeprefix(".")
            values = series.struct.field(part) if part else series
            found[field.name] = to_column(values, dtype_from_name(field.dtype))
    return found
