"""The batch side of a stream view online: of every entity, the tiles that any request served from them counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from feature_store.engines.polars.columns import to_column
from feature_store.engines.polars.groups import GROUP, heads, number_groups
from feature_store.engines.polars.stream_tiles import state_dtype, tile_states
from feature_store.fingerprints import stored_column
from feature_store.instants import from_microseconds, to_microseconds
from feature_store.offline.reading import OpenTable
from feature_store.rows import LayoutField, RowLayout
from feature_store.streams.compiler import compile_stream_plan
from feature_store.streams.levels import oldest_start
from feature_store.streams.packed import TileLayout
from feature_store.streams.plan import StreamPlan, level_name
from feature_store.streams.tiles import StreamTiles
from feature_store.views import FeatureView
from feature_store.windows import Window
from serving.stores.snapshot import Chunk, Snapshot

_ENTITIES_PER_CHUNK: Final = 50_000


@dataclass(frozen=True)
class BatchTiles:
    """The tiles of a stream view as of the end of one of its partitions.

    Attributes:
        view: the view.
        plan: its stream plan, with all its features.
        partitions: the landed partitions; see ``Ledger.partitions``.
        as_of: E, microseconds.
        available_at: they are used after this instant, microseconds.
    """

    view: FeatureView
    plan: StreamPlan
    partitions: pl.DataFrame
    as_of: int
    available_at: int

    @staticmethod
    def of(view: FeatureView, partitions: pl.DataFrame, partition: Mapping[str, Any]) -> BatchTiles:
        """Return the tiles as of a partition's end.

        Args:
            view: a stream view.
            partitions: all that landed.
            partition: one of them.
        """
        plan = compile_stream_plan(view, view.fingerprints)
        as_of, available_at = to_microseconds(partition["as_of"]), to_microseconds(partition["available_at"])
        return BatchTiles(view, plan, partitions, as_of, available_at)

    @property
    def snapshot(self) -> Snapshot | None:
        """What is loaded; None: holes among the partitions leave no feature that could be computed."""
        known = self._known_features()
        fields = [LayoutField(f.name, f.dtype, f.fingerprint) for f in self.view.stored_features if f.name in known]
        if not fields:
            return None
        contents = self._needed().select(pl.col("partition_start").to_physical(), "content_hash").rows()
        content_hash = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:32]
        return Snapshot(self.as_of, self.available_at, RowLayout(tuple(fields)), content_hash, TileLayout.of(self.plan))

    def chunks(self, opened: OpenTable) -> Iterator[Chunk]:
        """Yield the entities and their packed tiles.

        Args:
            opened: the tile table.
        """
        layout = TileLayout.of(self.plan)
        frame = number_groups(self._read(opened), self.view.keys)
        keys = heads(frame).select(self.view.keys)
        row = frame[GROUP].to_numpy()
        for start in range(0, keys.height, _ENTITIES_PER_CHUNK):
            piece = keys.slice(start, _ENTITIES_PER_CHUNK)
            first, last = np.searchsorted(row, [start, start + piece.height]).tolist()
            part = frame.slice(first, last - first)
            tiles = StreamTiles(
                row[first:last] - start,
                part["span"].to_numpy(),
                part["tile_start"].to_physical().to_numpy(),
                tile_states(part, self.plan.states),
            )
            packed = layout.encode(tiles, np.full(piece.height, self.as_of, np.int64))
            yield [to_column(piece[key], dtype) for key, dtype in self.view.entity.keys.items()], packed

    @property
    def _first_as_of(self) -> int:
        """The first A that is served from these tiles: with a long lag it lies before their end."""
        assert self.view.batch_after is not None
        return self.as_of + min(0, self.view.batch_after - self.plan.lag)

    def _oldest_starts(self) -> dict[int, int]:
        """Return by level the start of the first tile that is needed; levels of which none is are not listed."""
        levels, windows = self.plan.levels, self._known_windows()
        longest = max((window.hop for window in windows), default=0)
        return {span: oldest_start(levels, windows, span, self._first_as_of) for span in levels if span <= longest}

    def _known_windows(self) -> set[Window]:
        """Return the windows of which everything is known: what an event older than those is, nobody can say."""
        counts = self.plan.row_counts
        return {count.window for count in counts if self._is_known(count.window, {count.column})}

    def _needed(self) -> pl.DataFrame:
        """Return the partitions with tiles that are needed."""
        start, end = from_microseconds(min(self._oldest_starts().values())), from_microseconds(self.as_of)
        return self.partitions.filter(pl.col("as_of") > start, pl.col("partition_start") < end)

    def _read(self, opened: OpenTable) -> pl.DataFrame:
        """Return the tiles that are needed, sorted by the keys."""
        scan = opened.scan(self._needed())
        stored = scan.collect_schema().names()
        states = [
            pl.col(state.column) if state.column in stored else pl.lit(None, state_dtype(state)).alias(state.column)
            for state in self.plan.states
        ]
        at = pl.col("tile_start").to_physical()
        counted = pl.any_horizontal(
            (pl.col("span") == span) & (at >= start) for span, start in self._oldest_starts().items()
        )
        tiles = scan.filter(counted, at < self.as_of).select(*self.view.keys, "span", "tile_start", *states)
        return tiles.collect().sort(*self.view.keys)

    def _known_features(self) -> set[str]:
        """Return the features of which every partition that their window reaches has landed with their states."""
        known = {
            each.name
            for each in self.plan.aggregates
            if self._is_known(each.window, {column for slot in each.slots for column in slot})
        }
        for each in self.plan.derived:
            if known.issuperset(each.reads):
                known.add(each.name)
        return known

    def _is_known(self, window: Window, columns: set[str]) -> bool:
        """Return whether every partition that a window reaches has landed with some states."""
        levels = {level_name(span) for span in self.plan.levels if span <= window.hop}
        return self._reached(window) <= self._holding(columns | levels)

    def _reached(self, window: Window) -> set[int]:
        """Return the starts of the partitions that a window reaches; none before there were events."""
        tail, cadence = window.tail(self._first_as_of), self.plan.cadence
        first = tail if self.plan.history_start is None else max(tail, self.plan.history_start)
        return set(range(first // cadence * cadence, self.as_of, cadence))

    def _holding(self, needed: Collection[str]) -> set[int]:
        """Return the starts of the partitions that hold states and levels, of the view's definition."""
        starts, texts = self.partitions["partition_start"].to_physical().to_list(), self.partitions["fingerprints"]
        holding = {text: self._holds(json.loads(text), needed) for text in texts.unique().to_list()}
        return {start for start, text in zip(starts, texts.to_list(), strict=True) if holding[text]}

    def _holds(self, stored: Mapping[str, str], needed: Collection[str]) -> bool:
        own: Mapping[str, str] = self.plan.fingerprints
        return all(stored_column(self.view.full_name, name, own[name], stored) is not None for name in needed)
