"""Stream views read online at any T: batch tiles of a generation, and a stream whose events come in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from unittest.mock import patch

import redis
from polars.testing import assert_frame_equal

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.expressions import microseconds
from feature_store.oracle.rows import rank
from feature_store.oracle.services import service_row
from feature_store.oracle.streams import StreamHistory
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from serving.streams.writer import StreamWriter
from tests.spec.paths.online import read, train
from tests.spec.paths.stream_offline import instants
from tests.spec.requests import with_inputs
from tests.spec.services import assert_service_row, at_first, in_some_order, service_of, some_keys
from tests.spec.stores import RUN, all_partitions, folder, land
from tests.spec.worlds import MICROSECOND, Range, Row, World, frame_of, in_some_zone, rows_of

INSTANTS = 6
"""How many T a batch is read at."""


def check(url: str, span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where an answer is not what the oracle says of its T, or not bit for bit the row of a training set."""
    with redis.Redis.from_url(url) as server:
        server.flushdb()
    service, view = service_of(span.view), span.view
    with folder() as root:
        store = OfflineStore(str(root / "offline"))
        land(store, span, rows_of(worlds), rng)
        landed = land_some_tiles(store, span, rng)
        # The first of the generations that are live; those of later days wait for their time.
        owned = rng.choice(sorted(landed)[-2:]) + span.cadence
        available_at = owned + timedelta(microseconds=view.batch_after or 0)
        load(url, store, span, available_at)
        stream(url, store, span, worlds, rng, owned)
        write_plan(root / "plans", compile_plan(service))
        near = sorted({T for world in worlds for T in instants(span, world) if available_at < T})
        with FeatureClient(root / "plans", url) as client:
            for time in rng.sample(near, min(INSTANTS, len(near))):
                asked = in_some_order(worlds, rng)
                requests = with_inputs([some_keys(world, rng) for world in asked], rng)
                answer = read(client, service.name, requests, time)
                for world, request, row in zip(asked, requests, answer.iter_rows(named=True), strict=True):
                    history = StreamHistory(world.rows, landed, [(span.start, span.end + timedelta(days=1))])
                    wanted = service_row(service, {view.full_name: history}, request, time)
                    assert_service_row(service, {view: world}, request, row, wanted)
                trained = train(store, compile_plan(service), requests, time)
                assert_frame_equal(answer.select(trained.columns), trained, check_exact=True)


def land_some_tiles(store: OfflineStore, span: Range, rng: Random) -> dict[datetime, frozenset[str]]:
    """Build the batch tiles of some days, maybe with a hole, the earlier ones maybe before features were declared.

    Returns:
        The features that they know, by the start of the partition.
    """
    starts = all_partitions(span, span.start)[: rng.choice([3, 4, 5])]
    newer_from = rng.choice([span.start, span.start, *starts])
    if rng.choice([True, False]):
        starts.remove(rng.choice(starts))
    built = {start: span.view if start >= newer_from else at_first(span.view) for start in starts}
    for start, view in built.items():
        compute_tiles(store, view, start, start + span.cadence, RUN)
    return {start: frozenset(view.fingerprints) for start, view in built.items()}


def load(url: str, store: OfflineStore, span: Range, available_at: datetime) -> None:
    """Load the batch tiles as of the newest partition's end."""
    writer = open_loader(url)
    with patch("serving.stores.redis.write.publication.store_time", lambda _: microseconds(available_at + MICROSECOND)):
        sync_view(store, span.view, writer, available_at + MICROSECOND)
    writer.close()


def stream(
    url: str, store: OfflineStore, span: Range, worlds: Sequence[World], rng: Random, owned: datetime | None = None
) -> None:
    """Append events in portions of any order, and keep the copy that the point-in-time join reads.

    Of those with an id the first comes first: a stream counts the one that it is given first. Between portions the
    writer may be replaced, and tiles pruned. Of the time before ``owned``, which batch owns, it may miss events.
    """
    misses = owned is not None and rng.choice([True, False])
    rows = [row for row in rows_of(worlds) if not misses or not _is_before(row, owned) or rng.choice([True, False])]
    rng.shuffle(rows)
    in_order = iter(sorted((row for row in rows if row["event"] is not None), key=partial(rank, span.view.source)))
    rows = [row if row["event"] is None else next(in_order) for row in rows]
    cuts = sorted({0, len(rows), *(rng.choice(range(len(rows) + 1)) for _ in range(2))})
    begin = partial(StreamWriter, url, span.view, offline=store, exact_for=timedelta(days=9))
    writer = begin(since=rng.choice([span.start, owned or span.start]))
    for first, last in pairwise(cuts):
        writer.append(in_some_zone(frame_of(span.view, rows[first:last]), rng))
        if rng.choice([True, False, False]):
            writer.close()
            writer = begin(since=writer.since)
            writer.prune()
    writer.append(frame_of(span.view, []), until=span.end + timedelta(days=1))
    writer.close()


def _is_before(row: Row, owned: datetime | None) -> bool:
    return owned is not None and row["time"] is not None and row["time"] < owned
