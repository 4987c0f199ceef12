"""Tiles of a stream view from raw rows: of every level, each computed from the rows themselves."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from feature_store.engines.polars.states import tile_schema
from feature_store.engines.polars.tiles import Tiles, build_tiles
from feature_store.views import FeatureView


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
    levels = [build_tiles(view, rows, start, end, span) for span in view.levels]
    frames = [
        tiles.frame.select(pl.lit(span, pl.Int64).alias("span"), pl.all())
        for span, tiles in zip(view.levels, levels, strict=True)
    ]
    return Tiles(pl.concat(frames), levels[0].excluded)
