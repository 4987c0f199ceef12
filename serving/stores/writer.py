"""Loading snapshots into the online store: a whole generation beside the served one, then one atomic switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from feature_store.columns import Column
from feature_store.dtypes import Int64, String
from feature_store.entity_keys import encode_keys
from feature_store.errors import InputError
from feature_store.ragged import Ragged
from feature_store.rows import RowLayout
from feature_store.streams.packed import TileLayout
from serving.stores.bulk import FencedWriter
from serving.stores.connection import WRITE_TIMEOUT, connect, told_plainly
from serving.stores.errors import StoreError
from serving.stores.generations import Generation, decode_generations, encode_generations, outdated, select
from serving.stores.keys import (
    chunks_key,
    fence_key,
    lease_key,
    pointer_key,
    row_keys,
    row_prefix,
    started_key,
    unpack_chunk,
)
from serving.stores.lease import LEASE_SECONDS, hold_lease, lease_lost
from serving.stores.stream_rows import drop_stream

Chunk = tuple[Sequence[Column], Mapping[str, Column] | Ragged]
"""Key columns in the entity's order, and feature columns by name, of some of a snapshot's entities.

Of a stream view, whose rows are packed tiles, those bytes stand in the place of the features.
"""

ROWS_PER_STEP: Final = 16_384
"""Rows encoded at once: bounds the memory of a load whatever the size of its chunks."""

_PUBLISH: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
if ARGV[3] ~= '' then redis.call('SET', ARGV[3], ARGV[4]) end
for place = 5, #ARGV do redis.call('DEL', ARGV[place]) end
return 1
"""


@dataclass(frozen=True)
class Snapshot:
    """What is loaded: the complete values of a view at one as-of.

    Attributes:
        as_of: microseconds UTC.
        available_at: served to requests after this instant, microseconds UTC.
        layout: of the rows; of a stream view, the features that can be merged from them.
        content_hash: tells one content of the snapshot from another.
        tiles: of a stream view, the layout of the tiles that its rows are.
    """

    as_of: int
    available_at: int
    layout: RowLayout
    content_hash: str
    tiles: TileLayout | None = None


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes:
        generation: the live generation that holds the snapshot; where a newer snapshot is served, that one.
        rows: entities in it.
        seconds: time taken.
        skipped: nothing was written: the snapshot is live already, or a newer one is served.
        published_at: the instant from which the generation can be served, microseconds UTC.
    """

    generation: int
    rows: int
    seconds: float
    skipped: bool
    published_at: int


class OnlineWriter:
    """Loads, restores and drops the generations of views.

    Args:
        url: of a Redis or Valkey server.
        lease_seconds: how long another loader waits for this one after its last sign of life.
    """

    def __init__(self, url: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._url = url
        self._lease_seconds = lease_seconds
        self._client = connect(url, WRITE_TIMEOUT)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the live generations of a view: the previous one, the served one, those that wait for their time."""
        with told_plainly(self._url):
            return self._generations(view)

    def load(
        self,
        view: str,
        snapshot: Snapshot,
        chunks: Iterable[Chunk],
        progress: Callable[[int], None] | None = None,
    ) -> LoadReport:
        """Load a snapshot into a new generation and publish it; until then nothing that is served changes.

        Loading the same snapshot again does nothing. The rows of generations that are no longer needed, and of loaders
        that died, are dropped first, so the store holds two copies of the view while loading (and those that wait for
        their time).

        Args:
            view: full name of the view, ``namespace/name/vN``.
            snapshot: what is loaded.
            chunks: its entities, each once, in pieces of any size; not consumed when the load is skipped.
            progress: called with the number of rows written so far.

        Raises:
            InputError: a column does not fit the layout, or a key is null.
            LeaseHeldError: another loader is at work on the view.
            LeaseLostError: this process stopped for longer than its lease.
            StoreUnavailableError: the store does not answer.
        """
        began = time.monotonic()
        with (
            told_plainly(self._url),
            hold_lease(self._client, view, seconds=self._lease_seconds) as generation,
        ):
            standing = _standing(self._generations(view), snapshot)
            if standing is not None:
                self._client.srem(started_key(view), generation)
                return LoadReport(standing.id, standing.rows, _since(began), True, standing.published_at)
            live = self._generations(view)
            self._publish(view, generation, live, drop=outdated(live, _now()))
            self._drop_unlisted(view, generation)
            rows = self._write(view, generation, snapshot, chunks, progress)
            loaded_at = _now()
            published_at = max(loaded_at, snapshot.available_at)
            new = Generation(
                generation,
                snapshot.as_of,
                snapshot.available_at,
                published_at,
                loaded_at,
                rows,
                snapshot.content_hash,
                snapshot.layout,
                snapshot.tiles,
            )
            live = (*self._generations(view), new)
            self._publish(view, generation, live, drop=outdated(live, _now())[1:], new=new)
            self._drop_unlisted(view, generation)
            return LoadReport(generation, rows, _since(began), False, published_at)

    def restore(self, view: str, generation: int) -> None:
        """Serve a live generation again instead of all newer ones, which are dropped. A load at work is stopped.

        Args:
            view: full name of the view.
            generation: one of ``generations(view)``.

        Raises:
            StoreError: the generation is not live.
        """
        with (
            told_plainly(self._url),
            hold_lease(self._client, view, seconds=self._lease_seconds, force=True) as token,
        ):
            live = self._generations(view)
            back = next((each for each in live if each.id == generation), None)
            if back is None:
                raise StoreError(
                    f"{view}: generation {generation} is not live; those that are: {[each.id for each in live]}"
                )
            self._publish(view, token, live, drop=[each for each in live if each.rank > back.rank])
            self._drop_unlisted(view, token)
            self._client.srem(started_key(view), token)

    def drop_view(self, view: str) -> None:
        """Remove everything of a view from the store. A load at work is stopped."""
        with (
            told_plainly(self._url),
            hold_lease(self._client, view, seconds=self._lease_seconds, force=True) as token,
        ):
            live = self._generations(view)
            self._publish(view, token, live, drop=live)
            self._drop_unlisted(view, token)
            drop_stream(self._client, view)
            self._client.delete(started_key(view), pointer_key(view), fence_key(view))

    def _generations(self, view: str) -> tuple[Generation, ...]:
        value: Any = self._client.get(pointer_key(view))
        try:
            return decode_generations(value)
        except StoreError:
            # What nobody can read serves nobody: a load puts a pointer of its own in its place.
            return ()

    def _publish(
        self,
        view: str,
        token: int,
        live: Sequence[Generation],
        *,
        drop: Sequence[Generation],
        new: Generation | None = None,
    ) -> None:
        """Write the pointer without what is dropped, if the lease is still ours, and vouch for the rows of ``new``.

        Readers learn in the same instant that a dropped generation's rows can no longer be relied on.
        """
        kept = encode_generations(each for each in live if each not in drop)
        vouched = (row_prefix(new.id), new.voucher) if new is not None else (b"", b"")
        gone = [row_prefix(each.id) for each in drop]
        if not self._client.eval(_PUBLISH, 2, lease_key(view), pointer_key(view), token, kept, *vouched, *gone):
            raise lease_lost(view, token)

    def _write(
        self,
        view: str,
        generation: int,
        snapshot: Snapshot,
        chunks: Iterable[Chunk],
        progress: Callable[[int], None] | None,
    ) -> int:
        written = 0
        with FencedWriter(self._client, view, generation) as writer:
            for keys, features in _steps(chunks):
                encoded = encode_keys(keys, [String if key.values.dtype == object else Int64 for key in keys])
                if not encoded.valid.all():
                    raise InputError(f"{view}: a row has a null key; leave such rows out of the snapshot")
                rows = features if isinstance(features, Ragged) else snapshot.layout.encode(features, snapshot.as_of)
                writer.write(encoded.keys, rows)
                written += len(encoded.keys)
                if progress is not None:
                    progress(written)
            writer.finish()
        return written

    def _drop_unlisted(self, view: str, token: int) -> None:
        """Delete the rows of every generation that was started and is neither live nor ours.

        It can be repeated and done by two at once: a generation that left the pointer never comes back.
        """
        started: Any = self._client.smembers(started_key(view))
        listed = {each.id for each in self._generations(view)} | {token}
        for generation in sorted({int(member) for member in started} - listed):
            self._drop_rows(view, generation)

    def _drop_rows(self, view: str, generation: int) -> None:
        index = chunks_key(view, generation)
        count: Any = self._client.hlen(index)
        for chunk in range(count):
            value: Any = self._client.hget(index, str(chunk))
            if value is not None:
                self._client.unlink(*row_keys(generation, unpack_chunk(value)).to_list())
        self._client.unlink(index)
        self._client.srem(started_key(view), generation)


def _standing(generations: Sequence[Generation], snapshot: Snapshot) -> Generation | None:
    """Return the generation that makes loading a snapshot pointless: the same one, or a newer one that is served."""
    served = select(generations, _now())
    if served is not None and served.as_of > snapshot.as_of:
        return served
    same = max((each for each in generations if each.as_of == snapshot.as_of), key=lambda each: each.id, default=None)
    wanted = (snapshot.content_hash, snapshot.layout, snapshot.tiles)
    return same if same is not None and (same.content_hash, same.layout, same.tiles) == wanted else None


def _steps(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
    for keys, features in chunks:
        for start in range(0, len(keys[0]), ROWS_PER_STEP):
            piece = slice(start, min(start + ROWS_PER_STEP, len(keys[0])))
            yield [_cut(key, piece) for key in keys], _cut_features(features, piece)


def _cut_features(features: Mapping[str, Column] | Ragged, piece: slice) -> Mapping[str, Column] | Ragged:
    if isinstance(features, Ragged):
        return features.take(piece.start, piece.stop)
    return {name: _cut(column, piece) for name, column in features.items()}


def _cut(column: Column, piece: slice) -> Column:
    return Column(column.values[piece], column.valid[piece])


def _now() -> int:
    return time.time_ns() // 1000


def _since(began: float) -> float:
    return time.monotonic() - began
