"""The batch side of a stream view online: of every entity, the tiles that any request served from them counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from feature_store.codec.key_codec import encode_keys
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.codec.tile_codec import TileLayout
from feature_store.engines.polars.columns import to_column
from feature_store.engines.polars.groups import GROUP, heads, number_groups
from feature_store.engines.polars.states import state_dtype
from feature_store.engines.polars.stream_tiles import tile_states
from feature_store.fingerprints import stored_column
from feature_store.model.views import FeatureView
from feature_store.offline.join.coverage import slots_of
from feature_store.offline.tables.open_table import OpenTable
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.instants import from_microseconds, to_microseconds
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
    def snapshot(self) -> Snapshot:
        """The snapshot to load; how many entities it has is known once the tiles are read."""
        fields = tuple(LayoutField(f.name, f.dtype, f.fingerprint) for f in self.view.stored_features)
        contents = self._needed().select(pl.col("partition_start").to_physical(), "content_hash").rows()
        content_hash = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:32]
        tiles, known = TileLayout.of(self.plan), self._known_from()
        return Snapshot(self.as_of, self.available_at, RowLayout(fields), content_hash, tiles=tiles, known_from=known)

    def entities(self, opened: OpenTable) -> tuple[int, Iterator[Chunk]]:
        """Return how many entities have tiles, and these with their packed tiles.

        Args:
            opened: the tile table.
        """
        frame = number_groups(self._read(opened), self.view.keys)
        keys = heads(frame).select(self.view.keys)
        return keys.height, self._chunks(frame, keys)

    def _chunks(self, frame: pl.DataFrame, keys: pl.DataFrame) -> Iterator[Chunk]:
        layout = TileLayout.of(self.plan)
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
            columns = [to_column(piece[key], dtype) for key, dtype in self.view.entity.keys.items()]
            encoded = encode_keys(columns, list(self.view.entity.keys.values())).keys
            yield columns, layout.encode(tiles, np.full(piece.height, self.as_of, np.int64), encoded)

    @property
    def _first_as_of(self) -> int:
        """The first A that is served from these tiles: with a long lag it lies before their end."""
        assert self.view.batch_after is not None
        return self.as_of + min(0, self.view.batch_after - self.plan.lag)

    def _oldest_starts(self) -> dict[int, int]:
        """Return by level the start of the first tile that is needed.

        A server whose plan has fewer levels counts smaller tiles from the start of a larger one on.
        """
        first, longest = self._first_as_of, self.plan.levels[-1]
        head = first // longest * longest
        return {
            span: min([head, *(window.tail(first) for window in self.plan.windows if window.hop == span)])
            for span in self.plan.levels
        }

    def _needed(self) -> pl.DataFrame:
        """Return the partitions with tiles that are needed."""
        start, end = from_microseconds(min(self._oldest_starts().values())), from_microseconds(self.as_of)
        return self.partitions.filter(pl.col("as_of") > start, pl.col("partition_start") < end)

    def _read(self, opened: OpenTable) -> pl.DataFrame:
        """Return the tiles that are needed, sorted by the keys."""
        keys = [*self.view.keys, "span", "tile_start"]
        read = opened.read(self._needed(), [*keys, *(state.column for state in self.plan.states)])
        states = [
            pl.col(state.column) if state.column in read else pl.lit(None, state_dtype(state)).alias(state.column)
            for state in self.plan.states
        ]
        at = pl.col("tile_start").to_physical()
        counted = pl.any_horizontal(
            (pl.col("span") == span) & (at >= start) for span, start in self._oldest_starts().items()
        )
        return read.filter(counted, at < self.as_of).select(*keys, *states).sort(*self.view.keys)

    def _known_from(self) -> dict[str, int]:
        """Return from when on each state and level is known up to the end of the tiles."""
        starts = self.partitions["partition_start"].to_physical().to_numpy()
        slots = slots_of(self.plan.cadence, starts, np.zeros((0, 2), np.int64))
        texts, end = self.partitions["fingerprints"].to_list(), np.array([self.as_of])
        holding = {text: self._holds(json.loads(text)) for text in set(texts)}
        return {
            name: int(slots.known_from(slots.mask(starts[[name in holding[text] for text in texts]]), end)[0])
            for name in self.plan.fingerprints
        }

    def _holds(self, stored: Mapping[str, str]) -> set[str]:
        """Return the states and levels that are held, of the view's definition."""
        own = self.plan.fingerprints.items()
        return {name for name, mark in own if stored_column(self.view.full_name, name, mark, stored) is not None}
