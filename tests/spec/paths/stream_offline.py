"""Stream views joined at any T, from batch tiles with holes and the copy of what the stream wrote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import polars as pl

from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.streams import Span, StreamHistory
from feature_store.plans.compile_stream import compile_stream_plan
from tests.spec.paths.point_in_time import Join, TrainingSet, join
from tests.spec.services import at_first, service_of
from tests.spec.stores import RUN, all_partitions, folder, land
from tests.spec.worlds import MICROSECOND, Range, Row, World, frame_of, rows_of

ROWS_PER_WORLD = 3


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where a training row of a stream view is not what the oracle says of its T."""
    build(span, worlds, rng).compare()


def build(span: Range, worlds: Sequence[World], rng: Random, by: Join = point_in_time_join) -> TrainingSet:
    """Build a training set of a stream view."""
    with folder() as root:
        store = OfflineStore(str(root))
        landed = land_tiles(store, span, worlds, rng)
        # Sometimes the stream missed events that the batch has, and is asked once the batch owns their time.
        owned = max(landed) + span.cadence if landed and rng.choice([True, True, False]) else None
        covered = stream_spans(store, span, worlds, owned, rng)
        asked = [(world, rng.choice(instants(span, world, owned))) for world in worlds for _ in range(ROWS_PER_WORLD)]
        rng.shuffle(asked)
        return join(
            store,
            service_of(span.view),
            asked,
            lambda world: {span.view.full_name: StreamHistory(world.rows, landed, covered)},
            rng,
            by=by,
        )


def land_tiles(
    store: OfflineStore, span: Range, worlds: Sequence[World], rng: Random
) -> dict[datetime, frozenset[str]]:
    """Build batch tiles up to some day, maybe with a hole, the earlier ones maybe before some features were declared.

    Returns:
        The features that they know, by the start of the partition.
    """
    land(store, span, rows_of(worlds), rng)
    starts = all_partitions(span, span.start)
    starts = starts[: rng.choice([0, 3, 4, 5, len(starts)])]
    if starts and rng.choice([True, False, False]):
        starts.remove(rng.choice(starts))
    newer_from = rng.choice([span.start, span.start, *starts, span.end])
    built = {start: span.view if start >= newer_from else at_first(span.view) for start in starts}
    # In any order, but the earlier declarations first: a location that lacks stored features may not write.
    for start in sorted(rng.sample(starts, len(starts)), key=lambda start: start >= newer_from):
        compute_tiles(store, built[start], start, start + span.cadence, RUN)
    return {start: frozenset(view.fingerprints) for start, view in built.items()}


def stream_spans(
    store: OfflineStore, span: Range, worlds: Sequence[World], owned: datetime | None, rng: Random
) -> list[Span]:
    """Write what the stream knew after some spans of time, overlapping the batch or not; return the spans.

    It missed some events before ``owned``.
    """
    covered: list[Span] = []
    timed = [row for row in rows_of(worlds) if row["time"] is not None]
    rows = [row for row in timed if owned is None or row["time"] >= owned or rng.choice([True, False])]
    for sequence in range(rng.choice([0, 1, 2]) if owned is None else 1):
        start = span.start + rng.choice([timedelta(days=2), timedelta(days=4), timedelta(days=3, hours=5)])
        end = rng.choice([span.end, start + timedelta(days=1), start + timedelta(hours=2, minutes=30)])
        if owned is not None:
            start, end = owned - 2 * span.cadence, span.end
        append_tiles(store, span, rows, (start, min(end, span.end)), sequence)
        covered.append((start, min(end, span.end)))
    return covered


def append_tiles(store: OfflineStore, span: Range, rows: Sequence[Row], covered: Span, sequence: int) -> None:
    """Append, of a span of time, every tile that overlaps it, with what happened in it before the span's end."""
    start, end = covered
    seen = [row for row in rows if row["time"] is not None and row["time"] < end]
    tiles = build_stream_tiles(span.view, frame_of(span.view, seen).lazy(), span.start, span.end).frame
    overlapping = tiles.filter(pl.col("tile_start") + pl.duration(microseconds=pl.col("span")) > start)
    plan = compile_stream_plan(span.view, list(span.view.fingerprints))
    copy = store.stream_copy(span.view.full_name)
    copy.append(overlapping.drop("partition_start"), plan, writer=RUN, sequence=sequence, start=start, end=end)


def instants(span: Range, world: World, owned: datetime | None = None) -> list[datetime]:
    """Return T around the bounds of the world's as-of, of availability, and of seconds.

    Args:
        span: of which view.
        world: asked.
        owned: only T at which the batch owns what is before it.
    """
    lag = timedelta(microseconds=span.view.available_after)
    batch_after = timedelta(microseconds=span.view.batch_after or 0)
    second = timedelta(seconds=1)
    near = [world.as_of + lag, world.as_of + lag + second, world.as_of + batch_after, span.start + batch_after]
    near += [row["time"] + lag + second for row in world.rows[:2] if row["time"] is not None]
    near += [world.as_of.replace(hour=0, minute=0, second=0, microsecond=0) + batch_after]
    found = [max(instant + tick, span.start) for instant in near for tick in (timedelta(0), MICROSECOND, -MICROSECOND)]
    if owned is None:
        return found
    first = owned + batch_after + MICROSECOND
    return [instant for instant in found if instant >= first] or [first]
