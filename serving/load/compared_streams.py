"""The rows of a stream in the online store, compared with the offline copy that its writer keeps.

The writer appends to the copy first. So what the copy held before its newest write is online, unless rows were lost or
changed; what came with the newest one may be under way. Tiles that may still change, or that are kept no more, are left
out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from feature_store.codec.key_codec import encode_keys
from feature_store.codec.stream_tiles import StreamTiles, no_tiles
from feature_store.codec.tile_codec import TileLayout
from feature_store.columns import Mask
from feature_store.engines.numpy.stream_retention import first_kept, is_kept
from feature_store.engines.polars.columns import to_column
from feature_store.engines.polars.stream_tiles import tile_states
from feature_store.model.views import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stream_copy import OpenStreamCopy
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.temporal.instants import from_microseconds, to_microseconds
from serving.load.compared_rows import Differences, RowsGoneError
from serving.stores.store import OnlineInspector
from serving.stores.streams import Stream

_LOOKS: Final = 3
"""A row that a writer is at work on may differ; it is looked at again, so often in all."""

_ENTITIES_AT_ONCE: Final = 4096
_ENTITY: Final = "__entity"


def compare_stream(
    store: OfflineStore, inspector: OnlineInspector, view: FeatureView, stream: Stream, sample: int | None
) -> Differences | None:
    """Compare rows of a stream with its offline copy.

    Args:
        store: the offline store.
        inspector: of the online store.
        view: the view.
        stream: its stream.
        sample: so many entities are compared, at random; None: all.

    Returns:
        What differs; None: there is no copy of this stream, of this definition, that has two writes.

    Raises:
        RowsGoneError: the stream was replaced meanwhile, or lost its rows.
        DamagedError: the copy is damaged itself.
    """
    compared = _Compared(store, inspector, view, stream)
    expected = compared.expected()
    if expected is None:
        return None
    entities = expected.before.select(view.keys).unique()
    if sample is not None and sample < entities.height:
        entities = entities.sample(sample)
    found = Differences()
    for piece in entities.iter_slices(_ENTITIES_AT_ONCE):
        found += compared.differences(piece, expected)
    return found


@dataclass(frozen=True)
class _Expected:
    """Tiles that are to be online.

    Attributes:
        before: as they were before the newest write: keys, ``span``, ``tile_start`` and states.
        newest: as that write left them.
        ended: tiles that ended by then, microseconds, have all their events but late ones.
    """

    before: pl.DataFrame
    newest: pl.DataFrame
    ended: int


class _Compared:
    def __init__(self, store: OfflineStore, inspector: OnlineInspector, view: FeatureView, stream: Stream) -> None:
        self._copy = store.stream_copy(view.full_name)
        self._inspector = inspector
        self._view = view
        self._stream = stream
        self._plan = compile_stream_plan(view, view.fingerprints)

    def expected(self) -> _Expected | None:
        """Read the copy; None: there is nothing that can be compared."""
        if self._stream.layout != TileLayout.of(self._plan):
            return None
        opened = self._copy.open()
        fingerprints = json.dumps(self._plan.fingerprints, sort_keys=True)
        own = pl.col("start") == from_microseconds(self._stream.since), pl.col("fingerprints") == fingerprints
        writes = opened.writes.filter(*own)
        if writes.height < 2:
            return None
        # A stream that was begun again has not come as far as its predecessor had.
        ended = to_microseconds(min(writes["end"][-2:]))
        return _Expected(self._tiles(opened, writes.head(-1), ended), self._tiles(opened, writes, ended), ended)

    def _tiles(self, opened: OpenStreamCopy, writes: pl.DataFrame, ended: int) -> pl.DataFrame:
        """Return the tiles that ended by then, by the last of some writes."""
        start, end = from_microseconds(self._stream.since), from_microseconds(ended)
        scan = opened.scan(writes, self._view.keys, start, end)
        assert scan is not None
        has_ended = pl.col("tile_start").to_physical() + pl.col("span") <= ended
        states = [state.column for state in self._plan.states]
        rows = scan.filter(pl.col("span").is_in(self._plan.levels), has_ended)
        return rows.select(*self._view.keys, "span", "tile_start", *states).collect(engine="in-memory")

    def differences(self, entities: pl.DataFrame, expected: _Expected) -> Differences:
        """Compare the rows of some entities; those that differ are looked at again, with the copy of then."""
        found = Differences(entities.height)
        for look in range(_LOOKS):
            missing, other = self._differing(entities, expected)
            entities = entities.filter(pl.Series(missing | other))
            if not entities.height or look == _LOOKS - 1:
                return found + Differences(missing=int(missing.sum()), other=int(other.sum()))
            expected = self.expected() or expected
        return found

    def _differing(self, entities: pl.DataFrame, expected: _Expected) -> tuple[Mask, Mask]:
        """Return which entities have no row, and which have one of other tiles; damaged ones are neither."""
        dtypes = self._view.entity.keys
        encoded = encode_keys([to_column(entities[key], dtype) for key, dtype in dtypes.items()], list(dtypes.values()))
        rows = self._inspector.rows(self._stream, encoded.keys)
        if rows is None:
            raise RowsGoneError(f"nothing vouches for the rows of {self._stream.id} any more")
        decoded = self._stream.layout.decode(rows, encoded.keys)
        since = np.full(len(rows), self._stream.since, np.int64)
        since[decoded.present] = decoded.complete_since
        live = self._inspector.generations(self._view.full_name)
        kept_from = first_kept(self._plan, min((each.as_of for each in live), default=None))

        def shown(tiles: StreamTiles) -> list[bytes]:
            chosen = is_kept(self._plan, tiles, since, kept_from) & (tiles.start >= self._stream.since)
            chosen &= tiles.start + tiles.span <= expected.ended
            return self._stream.layout.encode(tiles.take(chosen), since, encoded.keys).to_list()

        before, newest = (shown(self._of(entities, tiles)) for tiles in (expected.before, expected.newest))
        nothing = shown(no_tiles(self._plan.states))
        differ = np.array([row not in own for row, *own in zip(shown(decoded.tiles), before, newest, strict=True)])
        is_due = np.array([row != empty for row, empty in zip(before, nothing, strict=True)])
        return is_due & ~decoded.present & ~decoded.damaged, differ & decoded.present

    def _of(self, entities: pl.DataFrame, tiles: pl.DataFrame) -> StreamTiles:
        """Return the tiles of some entities; their row is the place of the entity."""
        numbered = entities.lazy().with_row_index(_ENTITY)
        own = tiles.lazy().join(numbered, on=list(self._view.keys), how="inner").collect(engine="in-memory")
        return StreamTiles(
            own[_ENTITY].cast(pl.Int64).to_numpy(),
            own["span"].to_numpy(),
            own["tile_start"].to_physical().to_numpy(),
            tile_states(own, self._plan.states),
        )
