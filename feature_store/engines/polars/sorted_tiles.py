"""Tiles sorted once, from which the snapshots of many as-ofs are merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.engines.polars.groups import number_groups
from feature_store.model.views import FeatureView

_AT: Final = pl.col("tile_start").to_physical()


@dataclass(frozen=True)
class SortedTiles:
    """Tiles sorted by keys and time, with the group number of each entity; any span of them still is.

    Attributes:
        frame: the tiles.
    """

    frame: pl.DataFrame

    def between(self, start: int, end: int) -> pl.DataFrame:
        """Return the tiles that begin in ``[start, end)``; microseconds."""
        return self.frame.filter(start <= _AT, end > _AT)


def sort_tiles(view: FeatureView, tiles: pl.DataFrame) -> SortedTiles:
    """Return the tiles of a view of events sorted; they may come in any order."""
    return SortedTiles(number_groups(tiles.sort(*view.keys, "tile_start"), view.keys))
