"""Tiles sorted once, from which the snapshots of many as-ofs are merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from feature_store.engines.polars.groups import number_groups
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView

_AT: Final = pl.col("tile_start").to_physical()


@dataclass(frozen=True)
class SortedTiles:
    """Tiles sorted by keys and time, with the group number of each entity; any span of them still is.

    Attributes:
        frame: the tiles.
        known: the column that says in which partition, or tile, their events were known.
    """

    frame: pl.DataFrame
    known: str

    def counted(self, tail: int, as_of: int) -> pl.DataFrame:
        """Return the tiles of events that happened at a tail or later and were known before an as-of; microseconds."""
        return self.frame.filter(tail <= _AT, as_of > self._known)

    def known_between(self, start: int, end: int) -> pl.DataFrame:
        """Return the tiles of events that were known in ``[start, end)``, whole partitions; microseconds."""
        return self.frame.filter(start <= self._known, end > self._known)

    @property
    def _known(self) -> pl.Expr:
        return pl.col(self.known).to_physical()


def sort_tiles(view: FeatureView, tiles: pl.DataFrame) -> SortedTiles:
    """Return the tiles of a view of events sorted; they may come in any order.

    Those of a source that declares ``known_at`` have their ``partition_start``; others need not.
    """
    known = known_column(view)
    order = dict.fromkeys(("tile_start", known))
    return SortedTiles(number_groups(tiles.sort(*view.keys, *order), view.keys), known)


def known_column(view: FeatureView) -> str:
    """Return the column of tiles that says when their events were known: the partition, if that may be later."""
    is_later = isinstance(view.source, EventSource) and view.source.known_at is not None
    return "partition_start" if is_later else "tile_start"
