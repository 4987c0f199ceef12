"""The events that a stream knows already: ids by entity, packed like tiles, in values that writers alone read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.stream_tiles import StreamTiles, concat_tiles
from feature_store.codec.tile_codec import TileLayout, refuse_damaged
from feature_store.columns import Column, Mask
from feature_store.dtypes import DType
from feature_store.engines.polars.columns import to_series
from feature_store.model.states import State, StateField
from feature_store.temporal.durations import SECOND
from feature_store.temporal.tile_levels import Instants
from serving.streams.events import Events


@dataclass(frozen=True)
class KnownEvents:
    """The ids of the events of some entities that a stream knows.

    Attributes:
        dtype: of the ids.
        cadence: span of a partition, microseconds: in another one an id is another event's.
        ids: the state ``id`` at the second of each event, by place of the entity.
        count: the number of entities.
    """

    dtype: DType
    cadence: int
    ids: StreamTiles
    count: int

    @staticmethod
    def decode(dtype: DType, cadence: int, values: Sequence[bytes | None], keys: Ragged) -> KnownEvents:
        """Read what ``encode`` returned, one value per entity.

        Raises:
            RowError: a value is damaged.
        """
        decoded = _layout(dtype).decode(values, keys)
        refuse_damaged(decoded)
        return KnownEvents(dtype, cadence, decoded.tiles, len(values))

    def encode(self, keys: Ragged) -> list[bytes]:
        """Return one value per entity, given their encoded keys; empty: none of its events is known."""
        values = _layout(self.dtype).encode(self.ids, np.zeros(self.count, np.int64), keys).to_list()
        some = np.bincount(self.ids.row, minlength=self.count) > 0
        return [value if has else b"" for value, has in zip(values, some.tolist(), strict=True)]

    def unknown(self, events: Events) -> Mask:
        """Return which events count: of those of one id in a partition the first delivered; those without an id all."""
        assert events.id is not None
        valid = events.id.valid
        new = self._frame(events.entity[valid], events.time[valid], Column(events.id.values[valid], valid[valid]))
        first = new.with_columns(index=pl.Series(np.flatnonzero(valid))).unique(new.columns, keep="first")
        fresh = first.join(self._frame(self.ids.row, self.ids.start, self.ids.states["id"]), on=new.columns, how="anti")
        chosen = ~valid
        chosen[fresh["index"].to_numpy()] = True
        return chosen

    def with_events(self, events: Events) -> KnownEvents:
        """Return these ids and those of events."""
        assert events.id is not None
        valid = events.id.valid
        seconds = events.time[valid] // SECOND * SECOND
        states = {"id": Column(events.id.values[valid], valid[valid])}
        new = StreamTiles(events.entity[valid], np.full(len(seconds), SECOND, np.int64), seconds, states)
        return replace(self, ids=concat_tiles([self.ids, new]))

    def since(self, kept_from: int | None) -> KnownEvents:
        """Return the ids of events from an instant on; None: all."""
        return self if kept_from is None else replace(self, ids=self.ids.take(self.ids.start >= kept_from))

    def _frame(self, row: Instants, time: Instants, ids: Column) -> pl.DataFrame:
        partition = pl.Series(time // self.cadence, dtype=pl.Int64)
        return pl.DataFrame(
            {"row": pl.Series(row, dtype=pl.Int64), "partition": partition, "id": to_series(ids, self.dtype)}
        )


def _layout(dtype: DType) -> TileLayout:
    return TileLayout((SECOND,), (State("id", "id", (StateField("id", dtype.name),), ""),))
