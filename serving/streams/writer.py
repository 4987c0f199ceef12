"""The stream side of a stream view, in this process: events in, absolute tiles of their entities out.

Every append reads the rows of the entities it touches, adds the events' tiles to theirs by the merge of batch tiles,
and writes the rows back, some hundred entities at a time. So tiles hold absolute values, a writer that dies between two
appends loses nothing, and one that dies within an append has written all of an entity's events or none; its successor
continues from the rows in the store.

A row keeps the tiles from two days before the oldest as-of of a live generation on: batch tiles own what is older. Of
those it keeps every level for two days back from the newest event (``exact_for``), so that a late event finds all its
tiles and T may lie that far in the past; and before that what the windows of any later T count. The header says since
when every level is kept: an event from before that time is left to the batch tiles, and counted as too late.

While no writer is at work, readers are not told: A goes on with T, so events leave the windows and none come in. Counts
and sums fall, and entities become EMPTY, within the length of each window; the values of T are right again once batch
tiles own its time, or a successor has appended what was missed. A view that a new stream has just taken up is in the
same state until the events since ``since`` have been appended. So alert on the writer itself: on its process, and on
how far the stream is complete, which every append moves on, and of an idle source an append of no rows with ``until=``.
It stands in the store under ``fs:{<view>}:stream-until:<id>`` (microseconds UTC; the id is in the record under
``fs:{<view>}:stream``), and of a stream with an offline copy in the notes of ``features explain``.

It needs Polars and the offline engines: readers, and the server above all, do without it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from feature_store.codec.byte_strings import Ragged, from_list
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.codec.tile_codec import TileLayout, refuse_damaged
from feature_store.columns import Mask
from feature_store.engines.numpy.stream_retention import first_kept, is_kept
from feature_store.engines.polars.stream_merge import merge_stream_tiles, tile_frame
from feature_store.errors import InputError
from feature_store.model.views import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.durations import SECOND
from feature_store.temporal.instants import from_microseconds, to_microseconds
from feature_store.temporal.tile_levels import Instants
from serving.stores.open_store import open_stream_rows
from serving.streams.events import Events, event_tiles, read_events, source_of
from serving.streams.ids import KnownEvents

EXACT_FOR: Final = timedelta(days=2)


@dataclass(frozen=True)
class AppendReport:
    """The outcome of an append, by rows.

    Attributes:
        events: that count now.
        null_keys: rows left out for a null key.
        null_times: rows left out for a null time.
        too_late: events left to the batch tiles.
        duplicates: events that were known already, by their ids or as those of this append before it failed.
        entities: whose rows were written.
    """

    events: int
    null_keys: int
    null_times: int
    too_late: int
    duplicates: int
    entities: int


class StreamWriter:
    """Writes the stream of one view; it alone: a writer that was at work before is stopped.

    Args:
        url: of the online store.
        view: a stream view.
        since: every event from this instant on will be appended. If the store already holds a stream of this definition
            that is complete up to there, the writer continues it and keeps its original ``since``. Otherwise a new
            stream begins: its predecessor missed events, and no window that reaches them can be known. Requests are
            answered from the first batch tiles whose as-of is not before the stream's own ``since``.
        offline: where a copy of every tile is kept for the point-in-time join; None: nowhere.
        exact_for: how far back from the newest event every level of tiles is kept. The rows of entities with many
            events per hour are the smaller the shorter it is.

    Raises:
        InputError: the view is no stream view, or ``since`` has no zone.
        StoreUnavailableError: the store does not answer.
        StoreError: it would evict rows.
    """

    def __init__(
        self,
        url: str,
        view: FeatureView,
        *,
        since: datetime,
        offline: OfflineStore | None = None,
        exact_for: timedelta = EXACT_FOR,
    ) -> None:
        if not view.is_stream:
            raise InputError(f"{view.full_name} is no stream view: declare it with @stream_view")
        self._view = view
        self._plan: Final[StreamPlan] = compile_stream_plan(view, view.fingerprints)
        self._layout = TileLayout.of(self._plan)
        source = source_of(view)
        self._id_dtype = None if source.event_id is None else source.columns[source.event_id]
        self._exact_for = exact_for // timedelta(microseconds=1) + self._plan.lag
        self._copy = None if offline is None else offline.stream_copy(view.full_name)
        self._name, self._writes = uuid.uuid4().hex, 0
        self._newest = 0
        self._appends = 0
        self._unfinished: pl.DataFrame | None = None
        """The rows of the last append, if it failed."""
        first = to_microseconds(since)
        whole_from = -(-first // self._plan.levels[-1]) * self._plan.levels[-1]
        self._rows = open_stream_rows(url, view.full_name, self._layout, since=first, whole_from=whole_from)

    @property
    def since(self) -> datetime:
        """The instant from which on the stream holds every event."""
        return from_microseconds(self._rows.stream.since)

    def close(self) -> None:
        """Close the connections; what was appended is in the store already."""
        self._rows.close()

    def append(self, rows: pl.DataFrame, *, until: datetime | None = None) -> AppendReport:
        """Make events count.

        They may come in any order and in batches of any size, best of seconds or minutes. Where the source declares an
        ``event_id``, an event may be appended again; elsewhere it would count again. Should this raise, some entities
        may have all their events and others none: append the same rows again, before any others. The store knows how
        far the append had come, and the rest is added. Of a writer that died only ids tell what had been written.

        Args:
            rows: rows of the view's source.
            until: with these rows, every event before this instant has been appended; without it, those before the
                newest event. A writer that begins later than this begins a new stream; the point-in-time join relies
                on it too, where a copy is kept.

        Raises:
            InputError: a column is missing or of another type, or a sum of integers does not fit Int64.
            RowError: the row of an entity is damaged: nobody can tell any more which events it held.
            StreamTakenOverError: another writer took the stream over.
            StoreUnavailableError: the store does not answer; append the rows again.
        """
        given, null_keys, null_times = read_events(self._view, rows)
        written = self._begin(rows)
        held = self._read(given)
        left = given.take(given.entity >= written)
        timely = left.take(left.time >= held.from_when[left.entity])
        fresh = timely if held.known is None else timely.take(held.known.unknown(timely))
        if len(fresh.time):
            # An event from the future, by a clock that runs ahead, says nothing about the present.
            self._newest = max(min(int(fresh.time.max()), self._rows.now()), self._newest)
            self._add(held, given, fresh, self._complete_until(until), written)
        elif until is not None:
            nothing = held.tiles.take(np.zeros(len(held.tiles), np.bool_))
            self._copy_tiles(nothing, given.keys, self._complete_until(until))
        self._rows.complete(self._complete_until(until))
        self._unfinished = None
        return AppendReport(
            events=len(fresh.time),
            null_keys=null_keys,
            null_times=null_times,
            too_late=len(left.time) - len(timely.time),
            duplicates=len(given.time) - len(left.time) + len(timely.time) - len(fresh.time),
            entities=len(np.unique(fresh.entity)),
        )

    def prune(self) -> int:
        """Drop the tiles that batch tiles have come to own, also of entities without new events; return how many.

        Run it now and then, e.g. whenever batch tiles were loaded: appends drop those of the entities they touch.
        """
        dropped = 0
        if self._unfinished is not None:
            self._rows.settle(self._appends)
        kept_from = self._kept_from()
        for piece in self._rows.entities():
            dropped += self._prune(from_list(piece), kept_from)
        return dropped

    def _begin(self, rows: pl.DataFrame) -> int:
        """Begin an append, or the one that failed again; return of how many entities it wrote the rows already."""
        written = 0 if self._unfinished is None else self._rows.settle(self._appends)
        if self._unfinished is None or not self._unfinished.equals(rows):
            self._appends, self._unfinished, written = self._appends + 1, rows, 0
        return written

    def _read(self, given: Events) -> _Held:
        """Read what the store holds of the entities of events."""
        values = self._rows.read(given.encoded)
        decoded = self._layout.decode(values, given.encoded)
        refuse_damaged(decoded)
        complete_since = np.full(len(values), self._rows.stream.since, np.int64)
        complete_since[decoded.present] = decoded.complete_since
        return _Held(decoded.tiles, decoded.present, complete_since, self._kept_from(), self._known(given.encoded))

    def _known(self, entities: Ragged) -> KnownEvents | None:
        """Read which events of entities are known; None: the source declares no ids."""
        if self._id_dtype is None:
            return None
        return KnownEvents.decode(self._id_dtype, self._view.cadence, self._rows.read_events(entities), entities)

    def _kept_from(self) -> int | None:
        """Return the start of the first tiles that are kept; None: no batch tiles own any time yet."""
        return first_kept(self._plan, self._rows.oldest_live())

    def _complete_until(self, told: datetime | None) -> int:
        """Return the instant before which every event has been appended, microseconds, by what was told and seen."""
        until = max(self._rows.until, self._newest // SECOND * SECOND)
        return until if told is None else max(until, to_microseconds(told))

    def _add(self, held: _Held, given: Events, fresh: Events, until: int, written: int) -> None:
        """Add events that are new to the tiles of their entities, in the offline copy and then in the store.

        This append has written the first entities already.
        """
        new = event_tiles(self._view, self._plan.states, fresh)
        tiles, changed = merge_stream_tiles(self._view, self._plan.states, held.tiles, new)
        # The copy comes first: anything extra it holds after a failure is corrected when the same events come again.
        self._copy_tiles(tiles.take(changed), given.keys, until)
        complete_since = np.maximum(held.complete_since, self._newest // SECOND * SECOND - self._exact_for)
        kept = tiles.take(is_kept(self._plan, tiles, complete_since, held.kept_from))
        # An entity all of whose tiles are gone keeps its row: the header says which A it can no longer answer.
        has_row = held.present | (np.bincount(fresh.entity, minlength=len(held.present)) > 0)
        rows = self._encode(kept, complete_since, has_row, given.encoded)
        ids = None if held.known is None else held.known.with_events(fresh).since(held.kept_from)
        known = None if ids is None else ids.encode(given.encoded)
        names, new = given.encoded.to_list(), (has_row & ~held.present).tolist()
        added = {name for name, is_new in zip(names, new, strict=True) if is_new}
        self._rows.write(given.encoded, rows, known, added, append=self._appends, first=written)

    def _encode(self, tiles: StreamTiles, complete_since: Instants, has_row: Mask, keys: Ragged) -> list[bytes]:
        """Return one value per entity; empty: it has no row."""
        values = self._layout.encode(tiles, complete_since, keys).to_list()
        return [value if has else b"" for value, has in zip(values, has_row.tolist(), strict=True)]

    def _prune(self, entities: Ragged, kept_from: int | None) -> int:
        decoded = self._layout.decode(self._rows.read(entities), entities)
        refuse_damaged(decoded)
        complete_since = np.full(len(entities), self._rows.stream.since, np.int64)
        complete_since[decoded.present] = decoded.complete_since
        kept = is_kept(self._plan, decoded.tiles, complete_since, kept_from)
        tiles = decoded.tiles.take(kept)
        is_needed = np.bincount(tiles.row, minlength=len(entities)) > 0
        is_needed |= True if kept_from is None else complete_since > kept_from
        rows = self._encode(tiles, complete_since, decoded.present & is_needed, entities)
        known = self._known(entities)
        self._rows.write(entities, rows, None if known is None else known.since(kept_from).encode(entities))
        self._rows.forget([name for name, row in zip(entities.to_list(), rows, strict=True) if not row])
        return int(np.count_nonzero(~kept))

    def _copy_tiles(self, tiles: StreamTiles, keys: pl.DataFrame, until: int) -> None:
        if self._copy is None:
            return
        self._writes += 1
        self._copy.append(
            pl.concat([keys[tiles.row], tile_frame(tiles, self._plan.states).drop("row")], how="horizontal"),
            self._plan,
            writer=self._name,
            sequence=self._writes,
            start=from_microseconds(self._rows.stream.since),
            end=from_microseconds(until),
        )


@dataclass(frozen=True)
class _Held:
    """The stored rows of some entities.

    Attributes:
        tiles: by place of the entity.
        present: whether an entity has a row.
        complete_since: per entity, the instant since which every level of its tiles is kept.
        kept_from: the start of the first tiles that are kept at all.
        known: the events that are known; None: the source declares no ids.
    """

    tiles: StreamTiles
    present: Mask
    complete_since: Instants
    kept_from: int | None
    known: KnownEvents | None

    @property
    def from_when(self) -> Instants:
        """Per entity, the time of the first event that can be added to all its tiles."""
        return self.complete_since if self.kept_from is None else np.maximum(self.complete_since, self.kept_from)
