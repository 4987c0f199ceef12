"""How the examples are asked of each path: all of them at once, each in its world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

import polars as pl
import redis

from feature_store import FeatureService, FeatureView
from feature_store.engines.engine import Engine
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.numpy.empty_values import empty_values
from feature_store.engines.polars.snapshots import merge_state, snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.tables import table_snapshot
from feature_store.engines.polars.tiles import build_tiles
from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.oracle.expressions import EPOCH
from feature_store.plans.service_plan import write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.engines.tasks_in_process import TasksInProcess
from tests.spec.declarations import KNOWN_LATER, START
from tests.spec.examples import (
    AS_OF,
    END,
    EVENT_EXAMPLES,
    KNOWN_EXAMPLES,
    STREAMED,
    SUBJECT,
    TABLE_EXAMPLES,
    Rows,
    numbered,
    view_of,
)
from tests.spec.paths import online, stream_offline, stream_online
from tests.spec.paths.snapshots import as_computed, read_values
from tests.spec.stores import folder, in_chunks, land, materialize, one_by_one, one_shot
from tests.spec.worlds import MICROSECOND, Range, World, frame_of

Answers = Mapping[int, Mapping[str, Any]]
"""By world, the values of its subject, and under ``status`` PRESENT or EMPTY."""


@cache
def events() -> Range:
    """The view of all examples of events."""
    return Range(view_of(EVENT_EXAMPLES), START, START, END)


@cache
def known() -> Range:
    """The view of all examples of events that are known later than they happen."""
    return Range(view_of(KNOWN_EXAMPLES, source=KNOWN_LATER), START, START, END)


@cache
def live() -> Range:
    """The stream view of all examples that one can declare."""
    return Range(view_of(STREAMED, is_stream=True), START, START, END)


TABLE: Final = Range(Rows, START, START, END)


def answers_of(view: FeatureView, values: pl.DataFrame) -> Answers:
    """Return a snapshot by world; a subject that is not in it is EMPTY."""
    subjects = values.filter(left=SUBJECT["left"], right=SUBJECT["right"])
    found: dict[int, dict[str, Any]] = {row["world"]: {**row, "status": Status.PRESENT} for row in subjects.to_dicts()}
    empty = {name: _instant(view, name, value) for name, value in empty_values(view).items()}
    missing = set(range(max(len(EVENT_EXAMPLES), len(TABLE_EXAMPLES)))) - found.keys()
    return found | {world: {**empty, "status": Status.EMPTY} for world in missing}


def _instant(view: FeatureView, name: str, value: Any) -> Any:
    is_instant = view.feature(name).dtype.name == "Timestamp" and value is not None
    return EPOCH + timedelta(microseconds=value) if is_instant else value


def tiles(span: Range, rows: list[dict]) -> Answers:
    """Ask a snapshot merged from shuffled tiles of two runs."""
    frame = frame_of(span.view, rows, Random(1)).lazy()
    cut = START + timedelta(days=5)
    parts = [build_tiles(span.view, frame, *bounds).frame for bounds in ((cut, END), (START, cut))]
    shuffled = pl.concat(parts).sample(fraction=1, shuffle=True, seed=1)
    before = shuffled.filter(pl.col("partition_start") < AS_OF)
    state = merge_state(span.view, None, before) if span.view.has_all_history else None
    return answers_of(span.view, snapshot(span.view, sort_tiles(span.view, shuffled), AS_OF, state))


def table_in_memory() -> Answers:
    """Ask a snapshot of a table."""
    rows = frame_of(Rows, numbered(TABLE_EXAMPLES), Random(1)).lazy()
    return answers_of(Rows, table_snapshot(Rows, rows, AS_OF, AS_OF + timedelta(microseconds=Rows.available_after)))


@dataclass(frozen=True)
class Backfill:
    """A way to compute snapshots: the ranges of its runs, and the engine; None: the default."""

    bounds: Callable[[Range], Any]
    engine: Engine | None = None


def stored(span: Range, rows: list[dict], backfill: Backfill) -> Answers:
    """Ask a snapshot stored in one way or another."""
    with folder() as root:
        store = OfflineStore(str(root))
        land(store, span, rows)
        materialize(store, span, *backfill.bounds(span), engine=backfill.engine)
        values = as_computed(read_values(store, span).filter(as_of=AS_OF), span)
    return answers_of(span.view, values)


BACKFILLS: Final[Mapping[str, Backfill]] = {
    "one run": Backfill(one_shot),
    "chunks": Backfill(lambda span: in_chunks(span, Random(1))),
    "partition by partition": Backfill(lambda span: one_by_one(span, Random(1))),
    "Spark tasks": Backfill(one_shot, SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)),
}
"""Ways to compute snapshots."""


def service_over(view: FeatureView) -> FeatureService:
    """Return a service that reads all of a view."""
    return FeatureService(view.name, 1, "spec", "All of a view", [view.all()])


@dataclass(frozen=True)
class Asked:
    """What a service answered, by T and then by world."""

    service: FeatureService
    by_time: Mapping[datetime, Answers]


def by_world(view: FeatureView, frame: pl.DataFrame) -> Answers:
    """Return the rows of a training set or a response by world, with the statuses, and that of the first feature."""
    columns = [column for column in frame.columns if column.startswith(f"{view.name}__")]
    rows = frame.rename({column: column.removeprefix(f"{view.name}__") for column in columns})
    rows = rows.with_columns(pl.col(f"{view.features[0].name}__status").alias("status"))
    return {row["world"]: row for row in rows.to_dicts()}


def requests(count: int) -> list[dict]:
    """Return the keys of the subjects of all examples."""
    return [{"world": world, **SUBJECT} for world in range(count)]


def joined(store: OfflineStore, view: FeatureView, count: int, time: datetime) -> Answers:
    """Ask the point-in-time join."""
    spine = pl.DataFrame(requests(count)).with_columns(pl.lit(time, INSTANT).alias("time"))
    plan = compile_plan(service_over(view))
    return by_world(view, point_in_time_join(store, plan, spine, "time", allow_missing=True, with_status=True))


def trained(span: Range, rows: list[dict], count: int) -> Answers:
    """Ask the point-in-time join just after the snapshot was available."""
    with folder() as root:
        store = OfflineStore(str(root))
        land(store, span, rows)
        materialize(store, span, *one_shot(span))
        return joined(store, span.view, count, just_after(span.view))


def just_after(view: FeatureView) -> datetime:
    """Return the first T that sees the snapshot as of ``AS_OF``."""
    return AS_OF + timedelta(microseconds=view.available_after) + MICROSECOND


def served(url: str, span: Range, rows: list[dict], count: int) -> Answers:
    """Ask the online store just after the snapshot was available."""
    with redis.Redis.from_url(url) as server:
        server.flushdb()
    with folder() as root:
        store = OfflineStore(str(root / "offline"))
        land(store, span, rows)
        materialize(store, span, *one_shot(span))
        writer = open_loader(url)
        time = just_after(span.view)
        sync_view(store, span.view, writer, time)
        writer.close()
        return _ask(url, root, span.view, count, [time])[time]


def _ask(url: str, root: Any, view: FeatureView, count: int, times: list[datetime]) -> Mapping[datetime, Answers]:
    service = service_over(view)
    write_plan(root / "plans", compile_plan(service))
    with FeatureClient(root / "plans", url) as client:
        return {time: by_world(view, online.read(client, service.name, requests(count), time)) for time in times}


def stream_times() -> list[datetime]:
    """Return every T that an example of streams is asked at."""
    return sorted({AS_OF, *(time for example in STREAMED for time in example.at)})


def stream_trained(span: Range, rows: list[dict], count: int, times: list[datetime]) -> Mapping[datetime, Answers]:
    """Ask the join of a stream view whose newest day is the stream's alone."""
    with folder() as root:
        store = OfflineStore(str(root))
        land(store, span, rows)
        compute_tiles(store, span.view, START, AS_OF - timedelta(days=2), "r")
        told = (AS_OF - timedelta(days=3), END)
        stream_offline.append_tiles(store, span, rows, told, sequence=1)
        return {time: joined(store, span.view, count, time) for time in times}


def stream_served(
    url: str, span: Range, rows: list[dict], count: int, times: list[datetime]
) -> Mapping[datetime, Answers]:
    """Ask the online store for a stream view whose newest day is the stream's alone."""
    with redis.Redis.from_url(url) as server:
        server.flushdb()
    with folder() as root:
        store = OfflineStore(str(root / "offline"))
        land(store, span, rows)
        end = AS_OF - timedelta(days=2)
        compute_tiles(store, span.view, START, end, "r")
        stream_online.load(url, store, span, end + timedelta(microseconds=span.view.batch_after or 0))
        stream_online.stream(url, store, span, [World(0, rows, AS_OF)], Random(1))
        return _ask(url, root, span.view, count, times)
