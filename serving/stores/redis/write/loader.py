"""Loading snapshots into Redis: a whole generation beside the served one, then one atomic switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

from redis.exceptions import OutOfMemoryError

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.key_codec import encode_keys
from feature_store.dtypes import Int64, String
from feature_store.errors import InputError
from feature_store.temporal.instants import iso_instant
from serving.stores.errors import StoreError
from serving.stores.generations import Generation, outdated
from serving.stores.redis.connection import check_eviction, connect, told_plainly
from serving.stores.redis.write.bulk import GenerationWriter
from serving.stores.redis.write.lease import hold_lease
from serving.stores.redis.write.publication import Publication
from serving.stores.redis.write.stream_rows import drop_stream
from serving.stores.snapshot import Chunk, Content, LoadReport, RestoreReport, Snapshot, in_steps
from serving.stores.store import LEASE_SECONDS, WRITE_TIMEOUT


class RedisLoader:
    """``OnlineLoader`` of ``serving.stores.store``: pipelined transactions under a lease, and one atomic switch.

    Args:
        url: of a Redis or Valkey server.
        lease_seconds: how long another loader waits for this one after its last sign of life.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, *, lease_seconds: float = LEASE_SECONDS, timeout: float = WRITE_TIMEOUT) -> None:
        self._url = url
        self._lease_seconds = lease_seconds
        self._client: Any = connect(url, timeout)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def generations(self, view: str) -> tuple[Generation, ...]:
        """Return the live generations of a view: the previous one, the served one, those that wait for their time."""
        with told_plainly(self._url):
            return Publication(self._client, view).live

    def rejected(self, view: str) -> frozenset[Content]:
        """Return the snapshots of a view that were rejected."""
        with told_plainly(self._url):
            return Publication(self._client, view).rejected

    def needs(self, view: str, snapshot: Snapshot) -> bool:
        """Return whether ``load`` would write anything."""
        with told_plainly(self._url):
            return _standing(Publication(self._client, view), snapshot) is None

    def load(
        self,
        view: str,
        snapshot: Snapshot,
        chunks: Iterable[Chunk],
        progress: Callable[[int], None] | None = None,
    ) -> LoadReport:
        """Load a snapshot; see ``OnlineLoader.load``.

        The rows of generations that are no longer needed, and of loaders that died, are dropped first, so the store
        holds two copies of the view while loading (and those that wait for their time, or that a reader whose clock is
        behind may need).
        """
        began = time.monotonic()
        with self._leased(view) as (token, publication):
            check_eviction(self._url, self._client)
            generation = _standing(publication, snapshot)
            skipped = generation is not None
            if generation is None:
                self._drop_outdated(token, publication)
                publication.begin(token)
                try:
                    rows = self._write(view, token, snapshot, chunks, progress)
                except OutOfMemoryError:
                    # At once, and not with the next load: others cannot write any more either.
                    publication.drop_unlisted()
                    raise
                snapshot.check_rows(view, rows)
                generation = snapshot.generation(token, rows, publication.now)
                self._add(token, publication, generation, snapshot)
        return LoadReport(
            generation.id,
            generation.as_of,
            generation.rows,
            time.monotonic() - began,
            skipped,
            generation.published_at,
        )

    def restore(self, view: str, generation: int | None = None) -> RestoreReport:
        """Serve an earlier generation again; see ``OnlineLoader.restore``."""
        with self._leased(view, force=True) as (token, publication):
            back = _previous(view, publication) if generation is None else _live(view, publication, generation)
            newer = sorted((each for each in publication.live if each.rank > back.rank), key=lambda each: each.rank)
            rejected = publication.rejected | {(each.as_of, each.content_hash) for each in newer}
            publication.publish(token, [each for each in publication.live if each not in newer], rejected)
            publication.drop_unlisted()
        return RestoreReport(back, tuple(newer))

    def accept(self, view: str) -> frozenset[Content]:
        """Let the snapshots be loaded again that were rejected, and return them."""
        with self._leased(view) as (token, publication):
            rejected = publication.rejected
            publication.publish(token, publication.live, ())
        return rejected

    def drop_view(self, view: str) -> None:
        """Remove everything of a view from the store. A load at work is stopped."""
        with self._leased(view, force=True) as (token, publication):
            publication.publish(token, (), ())
            publication.drop_unlisted()
            drop_stream(self._client, view)
            publication.forget()

    @contextmanager
    def _leased(self, view: str, *, force: bool = False) -> Generator[tuple[int, Publication]]:
        with (
            told_plainly(self._url),
            hold_lease(self._client, view, seconds=self._lease_seconds, force=force) as token,
        ):
            yield token, Publication(self._client, view)

    def _drop_outdated(self, token: int, publication: Publication) -> None:
        """Make room: drop what no reader needs any more, and what loaders that died have left."""
        gone = outdated(publication.live, publication.now)
        if gone:
            publication.publish(token, [each for each in publication.live if each not in gone], publication.rejected)
        publication.drop_unlisted()

    def _add(self, token: int, publication: Publication, new: Generation, snapshot: Snapshot) -> None:
        """Publish a generation in the place of poor copies; of those superfluous now, the newest may be restored."""
        live = (*(each for each in publication.live if not snapshot.replaces(each)), new)
        gone = outdated(live, publication.now)[1:]
        rejected = {content for content in publication.rejected if content[0] != new.as_of}
        publication.publish(token, [each for each in live if each not in gone], rejected)
        publication.drop_unlisted()

    def _write(
        self,
        view: str,
        token: int,
        snapshot: Snapshot,
        chunks: Iterable[Chunk],
        progress: Callable[[int], None] | None,
    ) -> int:
        """Write the rows of a snapshot; return how many."""
        written = 0
        with GenerationWriter(self._client, view, token) as writer:
            for keys, features in in_steps(chunks):
                encoded = encode_keys(keys, [String if key.values.dtype == object else Int64 for key in keys])
                if not encoded.valid.all():
                    raise InputError(f"{view}: a row has a null key; leave such rows out of the snapshot")
                rows = features if isinstance(features, Ragged) else snapshot.layout.encode(features, encoded.keys)
                writer.write(encoded.keys, rows)
                written += len(encoded.keys)
                if progress is not None:
                    progress(written)
            writer.finish()
        return written


def _standing(publication: Publication, snapshot: Snapshot) -> Generation | None:
    """Return the generation that makes loading a snapshot pointless.

    That is the served one where it is newer or the snapshot was rejected, or else the snapshot's own.
    """
    served = publication.served
    if served is not None and (served.as_of > snapshot.as_of or snapshot.content in publication.rejected):
        return served
    of_it = (each for each in publication.live if each.as_of == snapshot.as_of)
    newest = max(of_it, key=lambda each: each.id, default=None)
    return newest if newest is not None and snapshot.is_held_by(newest) else None


def _live(view: str, publication: Publication, generation: int) -> Generation:
    found = next((each for each in publication.live if each.id == generation), None)
    if found is None:
        live = [each.id for each in publication.live]
        raise StoreError(f"{view}: generation {generation} is not live; those that are: {live}")
    return found


def _previous(view: str, publication: Publication) -> Generation:
    """Return the generation before the served one."""
    served = publication.served
    if served is None:
        raise StoreError(f"{view}: nothing is served, so nothing can be restored: load its newest snapshot")
    before = [each for each in publication.live if each.rank < served.rank]
    if not before:
        raise StoreError(f"{view}: no generation before the one as of {iso_instant(served.as_of)} is kept")
    return max(before, key=lambda each: each.rank)
