"""The tiles behind an answer at T in a stream view: the batch tiles, the stream's, and which of them windows count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_assets.explain.explanation import PartitionFacts, Tile
from feature_assets.explain.states import tiles_of
from feature_assets.parity.reading import view_plan
from feature_assets.parity.sampling import recorded_until
from feature_assets.parity.text import iso
from feature_store import Feature, FeatureView, Status
from feature_store.offline.join.partition_choice import candidates_of
from feature_store.offline.join.stream_choice import OpenStream, StreamChoice, choose_stream
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds
from feature_store.temporal.tile_levels import bounds


@dataclass(frozen=True)
class StreamAt:
    """A stream view as it is seen at one T.

    Attributes:
        view: the view.
        facts: what people want to know of the batch tiles that are read.
        choice: who owns which tiles; of one row.
        opened: what is kept of the view.
    """

    view: FeatureView
    facts: PartitionFacts
    choice: StreamChoice
    opened: OpenStream

    @property
    def lacking(self) -> frozenset[str]:
        """Features that cannot be known at T, since their windows include time that nothing covers."""
        return frozenset(name for name, mask in self.choice.lacking.items() if mask[0])

    def tiles(self, feature: Feature, keys: Mapping[str, Any]) -> list[Tile]:
        """Return the tiles of an entity that a window counts, the newest first."""
        assert feature.aggregation is not None
        window = feature.aggregation.window
        assert window is not None
        levels = bounds(self.view.levels, window, self.choice.head)
        spans = [(span, int(low[0]), int(high[0])) for span, (low, high) in zip(self.view.levels, levels, strict=False)]
        found = [tile for span in spans for tile in self._of_level(feature, keys, *span)]
        return sorted(found, key=lambda tile: tile.start, reverse=True)

    def _of_level(self, feature: Feature, keys: Mapping[str, Any], span: int, low: int, high: int) -> Iterator[Tile]:
        first, last = from_microseconds(low), from_microseconds(high)
        inside = pl.col("tile_start").is_between(first, last, closed="left") & (pl.col("span") == span)
        own = [pl.col(key) == value for key, value in keys.items()]
        for origin, scan in (("batch", self._batch(first, last)), ("stream", self._stream(keys, first, last))):
            if scan is None or low >= high:
                continue
            frame = scan.filter(inside, *own).collect()
            starts = frame["tile_start"].to_physical().to_numpy()
            streams = self.choice.is_streams(np.zeros(len(starts), np.int64), starts)
            owned = streams if origin == "stream" else ~streams
            yield from tiles_of(feature, frame.filter(pl.Series(owned, dtype=pl.Boolean)), span, origin)

    def _batch(self, first: datetime, last: datetime) -> pl.LazyFrame | None:
        reached = self.opened.tiles.partitions.filter(pl.col("as_of") > first, pl.col("partition_start") < last)
        return self.opened.tiles.scan_some(reached) if reached.height else None

    def _stream(self, keys: Mapping[str, Any], first: datetime, last: datetime) -> pl.LazyFrame | None:
        return self.opened.copy.scan(self.choice.writes, list(keys), first, last)


def stream_at(store: OfflineStore, view: FeatureView, time: datetime) -> StreamAt:
    """Return a stream view as it is seen at T.

    Raises:
        FingerprintError: tiles were built by another definition.
    """
    plan = view_plan(view).views[0]
    assert plan.stream is not None
    tiles = store.tiles(view).open()
    opened = OpenStream(tiles, store.stream_copy(view.full_name).open())
    usable = candidates_of(tiles, "promised")
    choice = choose_stream(plan, plan.stream, opened, usable, np.array([to_microseconds(time)]))
    return StreamAt(view, _facts(store, view, time, choice, opened), choice, opened)


def _facts(
    store: OfflineStore, view: FeatureView, time: datetime, choice: StreamChoice, opened: OpenStream
) -> PartitionFacts:
    if not choice.is_read[0]:
        note = f"no batch tiles of {view.full_name} are available before T: the stream alone does not answer"
        return PartitionFacts(Status.NOT_COMPUTED.name, notes=(note,))
    end = from_microseconds(int(choice.batch_end[0]))
    row = opened.tiles.partitions.filter(pl.col("as_of") == end).row(0, named=True)
    return PartitionFacts(
        status=Status.PRESENT.name,
        as_of=from_microseconds(int(choice.head[0])),
        batch_end=end,
        available_at=row["available_at"],
        landed_at=row["landed_at"],
        published_at=row["published_at"],
        generation=row["generation"],
        run_id=row["run_id"],
        notes=tuple(_notes(store, view, time, opened)),
    )


def _notes(store: OfflineStore, view: FeatureView, time: datetime, opened: OpenStream) -> Iterator[str]:
    writes = opened.copy.writes
    if writes.height:
        until = writes["end"].max()
        assert isinstance(until, datetime)
        yield f"the stream is complete up to {iso(until)}"
    else:
        yield "the stream keeps no offline copy: from the batch end on, later batch tiles are read"
    recorded = recorded_until(view, store.source(view.source.asset))
    if time > recorded:
        landed = recorded - timedelta(microseconds=view.available_after)
        yield f"raw rows are landed up to {iso(landed)}: what came later cannot be recomputed"
