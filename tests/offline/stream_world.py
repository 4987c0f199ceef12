"""A world of random events, landed and streamed in parts, for the join of a stream view; and a naive join of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.stream_tiles import build_stream_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.snapshots import keys_of
from feature_store.oracle.streams import stream_as_of
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import SECOND
from feature_store.temporal.instants import to_microseconds
from tests.fixtures.frames import START, at, frame
from tests.fixtures.stream_views import Live, plan_of
from tests.fixtures.views import COLUMNS

SERVICE = FeatureService("live_model", 1, "engine", "Everything live", [Live.all()])
DAYS = 20
DAY = timedelta(days=1)
ENTITIES = [("1", "12"), ("11", "2"), ("", "é"), ("1", "1")]


@dataclass
class World:
    """What is known of ``Live``.

    Attributes:
        store: where it is stored.
        plan: of the service that reads it.
        rows: every event that really happened.
        landed: days of which batch tiles landed.
        covered: spans that the stream tells of.
    """

    store: OfflineStore
    plan: ServicePlan
    rows: list[dict]
    landed: set[int] = field(default_factory=set)
    covered: list[tuple[datetime, datetime]] = field(default_factory=list)


def random_row(rng: random.Random, time: datetime) -> dict:
    left, right = rng.choice(ENTITIES[:3])
    return {
        "time": time,
        "sequence": rng.choice([None, 0, 1, 2]),
        "number": rng.choice([None, 1, 2, -3, 2**53 + 1]),
        "value": rng.choice([None, 0.1, 1.5, -2.25, 1e15, -1e15]),
        "narrow": rng.choice([None, 0.5, 3.0]),
        "flag": rng.choice([None, True, False]),
        "text": rng.choice([None, "a", "A", "é"]),
        "moment": rng.choice([None, at(), at(days=1)]),
        "left": left,
        "right": right,
    }


def build_world(root: Path, seed: int) -> World:
    """Land most days, one of them missing, in random order; stream some spans, with wrong tiles where batch owns."""
    rng = random.Random(seed)
    seconds = [rng.randrange(DAYS * 86_400) for _ in range(150)]
    times = [START + timedelta(seconds=second) for second in seconds]
    times += [at(days=rng.randrange(DAYS), hours=rng.choice([0, 1, 23])) for _ in range(30)]
    times += [time - timedelta(microseconds=rng.choice([0, 1])) for time in times[:40]]
    world = World(OfflineStore(str(root)), compile_plan(SERVICE), [random_row(rng, t) for t in times])
    for day in rng.sample(range(DAYS - 3), DAYS - 3):
        if day != 7:
            land(world, day)
    wrong = [random_row(rng, time) for time in times[:50]]
    stream(world, wrong, at(days=1), at(days=DAYS - 8), sequence=0, covers=False)
    stream(world, world.rows, at(days=DAYS - 6), at(days=DAYS - 4, hours=5), sequence=1)
    # A hole in the stream, where later batch tiles help up to what landed; then it goes on, and on past the batch.
    stream(world, world.rows, at(days=DAYS - 4, hours=7), at(days=DAYS - 2, hours=3), sequence=2)
    stream(world, world.rows, at(days=DAYS - 2, hours=3), at(days=DAYS - 1, hours=1.0125), sequence=3)
    return world


def land(world: World, day: int) -> None:
    tiles = build_stream_tiles(Live, frame(world.rows, COLUMNS).lazy(), at(days=day), at(days=day + 1))
    world.store.tiles(Live).write(tiles.frame, at(days=day), at(days=day + 1), run_id="r")
    world.landed.add(day)


def stream(world: World, rows: list[dict], start: datetime, end: datetime, sequence: int, covers: bool = True) -> int:
    """Write what the stream would of the events of a span: whole tiles, of events from before the span too."""
    seen = [row for row in rows if start.replace(hour=0, minute=0) <= row["time"] < end]
    tiles = build_stream_tiles(Live, frame(seen, COLUMNS).lazy(), START, at(days=DAYS)).frame
    touched = tiles.filter(pl.col("tile_start") + pl.duration(microseconds=pl.col("span")) > start)
    copy = world.store.stream_copy(Live.full_name)
    tiles = touched.drop("partition_start")
    start = start if covers else end
    world.covered.append((start, end))
    return copy.append(tiles, plan_of(Live), writer="w", sequence=sequence, start=start, end=end)


def batch_end(world: World, time: datetime) -> datetime | None:
    """E: the end of the newest landed day that became available before T."""
    ends = [at(days=day + 1) for day in world.landed if at(days=day + 1) + timedelta(hours=2) < time]
    return max(ends, default=None)


def is_known(world: World, window, time: datetime) -> bool:
    """Whether everything from the window's tail to A is told of, by the owner of each day."""
    end, as_of = batch_end(world, time), stream_as_of(Live, time)
    assert end is not None
    tail = max(START, START + timedelta(microseconds=window.tail(to_microseconds(as_of)) - to_microseconds(START)))
    day = (tail - START) // DAY
    while at(days=day) < as_of:
        streamed = at(days=day) >= end and is_covered(world, at(days=day), min(at(days=day + 1), as_of))
        if day not in world.landed and not streamed:
            return False
        day += 1
    return True


def is_covered(world: World, start: datetime, end: datetime) -> bool:
    reached = start
    for begin, until in sorted(world.covered):
        if begin <= reached:
            reached = max(reached, until)
    return reached >= end


def own_rows(world: World, keys: tuple) -> list[dict]:
    return [row for row in world.rows if keys_of(Live, row) == keys]


def times_of_interest(world: World) -> list[datetime]:
    """Bounds of partitions, of availability, of what the stream covers, and of windows, each with its neighbours."""
    instants = {at(days=day, hours=hour) for day in range(DAYS + 1) for hour in (0, 2)}
    instants |= {instant for span in world.covered for instant in span}
    instants |= {row["time"] for row in world.rows[:40]}
    spans = [window.over for window in Live.windows]
    instants |= {row["time"] + timedelta(microseconds=span) for row in world.rows[:6] for span in spans}
    lag = timedelta(microseconds=Live.available_after)
    steps = [timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1), timedelta(microseconds=SECOND)]
    return sorted({instant + step + extra for instant in instants for step in steps for extra in (lag, timedelta(0))})
