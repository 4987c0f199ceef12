"""The events that a stream writer is given: read, checked and told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.key_codec import encode_keys
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.columns import Column, Mask
from feature_store.engines.polars.columns import to_column
from feature_store.engines.polars.source_rows import read_rows
from feature_store.engines.polars.stream_tiles import build_stream_tiles, tile_states
from feature_store.errors import InputError
from feature_store.model.sources import EventSource
from feature_store.model.states import State
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import from_microseconds
from feature_store.temporal.tile_levels import Instants


@dataclass(frozen=True)
class Events:
    """Events with a key and a time.

    Attributes:
        rows: the events, in the source's columns.
        entity: per event, the place of its entity among ``keys``.
        time: per event, int64 microseconds.
        id: per event, its id; None: the source declares none.
        keys: the entities, each once.
        encoded: their encoded keys.
    """

    rows: pl.DataFrame
    entity: Instants
    time: Instants
    id: Column | None
    keys: pl.DataFrame
    encoded: Ragged

    def take(self, chosen: Mask) -> Events:
        """Return some events; the entities stay."""
        ids = None if self.id is None else Column(self.id.values[chosen], self.id.valid[chosen])
        return replace(
            self, rows=self.rows.filter(pl.Series(chosen)), entity=self.entity[chosen], time=self.time[chosen], id=ids
        )


def source_of(view: FeatureView) -> EventSource:
    """Return the source of a stream view."""
    assert isinstance(view.source, EventSource)
    return view.source


def read_events(view: FeatureView, rows: pl.DataFrame) -> tuple[Events, int, int]:
    """Return the events among rows, and how many rows have no key, or else no time.

    Raises:
        InputError: no Polars frame; or a column is missing, of another type, or holds timestamps without a zone.
    """
    source = source_of(view)
    if not isinstance(rows, pl.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance] - callers have no pyright
        columns = ", ".join(source.columns)
        given = type(rows).__name__
        raise InputError(f"the rows are of type {given}: give a Polars frame, pl.DataFrame(rows), with {columns}")
    names = [*view.keys, source.event_time, *([] if source.event_id is None else [source.event_id])]
    typed = read_rows(source, rows.lazy(), names).collect(engine="in-memory")
    keyed = typed.select(pl.all_horizontal(pl.col(key).is_not_null() for key in view.keys)).to_series()
    timed = typed[source.event_time].is_not_null()
    chosen = keyed & timed
    typed = typed.filter(chosen)
    keys = typed.select(view.keys).unique(maintain_order=True)
    entity = typed.join(keys.with_row_index("__entity"), on=view.keys, how="left", maintain_order="left")["__entity"]
    columns = [to_column(keys[key], dtype) for key, dtype in view.entity.keys.items()]
    events = Events(
        rows=rows.filter(chosen),
        entity=entity.cast(pl.Int64).to_numpy(),
        time=typed[source.event_time].to_physical().to_numpy(),
        id=None if source.event_id is None else to_column(typed[source.event_id], source.columns[source.event_id]),
        keys=keys,
        encoded=encode_keys(columns, list(view.entity.keys.values())).keys,
    )
    return events, int((~keyed).sum()), int((keyed & ~timed).sum())


def event_tiles(view: FeatureView, states: Sequence[State], events: Events) -> StreamTiles:
    """Return the tiles of events, of every level; the row of a tile is its entity's place.

    Raises:
        InputError: a sum of integers does not fit Int64.
    """
    first, last = (int(edge) // view.cadence * view.cadence for edge in (events.time.min(), events.time.max()))
    bounds = from_microseconds(first), from_microseconds(last + view.cadence)
    built = build_stream_tiles(view, events.rows.lazy(), *bounds).frame
    numbered = built.join(events.keys.with_row_index("__entity"), on=view.keys, how="left", maintain_order="left")
    return StreamTiles(
        numbered["__entity"].cast(pl.Int64).to_numpy(),
        numbered["span"].to_numpy(),
        numbered["tile_start"].to_physical().to_numpy(),
        tile_states(numbered, states),
    )
