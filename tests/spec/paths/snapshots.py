"""Snapshots in the offline store: in one run, in chunks, by partition, in Spark tasks, repaired after late rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
from polars.testing import assert_frame_equal

from feature_store.engines.engine import Engine
from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from tests.engines.tasks_in_process import TasksInProcess
from tests.spec.comparing import assert_world, values_by_key
from tests.spec.stores import copied, folder, in_chunks, land, materialize, one_by_one, one_shot
from tests.spec.worlds import Range, World, rows_of


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where stored snapshots are not what the oracle says, or depend on how they were computed."""
    with folder() as root:
        store = OfflineStore(str(root / "at-once"))
        land(store, span, rows_of(worlds), rng)
        chunked, daily, by_tasks = (copied(store, root / name) for name in ("chunked", "daily", "by-tasks"))
        materialize(store, span, *one_shot(span))
        materialize(chunked, span, *in_chunks(span, rng))
        materialize(daily, span, *one_by_one(span, rng))
        tasks = SparkEngine(TasksInProcess(), OfflineFrames(), rng.choice([1, 2, 8]))
        materialize(by_tasks, span, *one_shot(span), engine=tasks)
        repaired = _repaired(root / "repaired", span, worlds, rng)
        stored = read_values(store, span)
        for other in (chunked, daily, by_tasks, repaired):
            assert_frame_equal(read_values(other, span), stored, check_exact=True)
        assert_frame_equal(_sums(by_tasks, span), _sums(store, span))
    delay = timedelta(microseconds=span.view.available_after)
    for as_of in sorted({world.as_of for world in worlds}):
        values = stored.filter(as_of=as_of).drop("as_of").select(*span.view.keys, *span.view.fingerprints)
        found = values_by_key(span.view, as_computed(values, span))
        for world in worlds:
            if world.as_of == as_of:
                own = {keys: row for keys, row in found.items() if keys[0] == world.number}
                assert_world(span.view, own, world, as_of, as_of + delay)


def check_engine(engine: Engine, span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where an engine stores other snapshots than the default one, of which ``check`` says that they are right."""
    with folder() as root:
        store = OfflineStore(str(root / "default"))
        land(store, span, rows_of(worlds), rng)
        other = copied(store, root / "other")
        materialize(store, span, *one_shot(span))
        materialize(other, span, *one_shot(span), engine=engine)
        assert_frame_equal(read_values(other, span), read_values(store, span), check_exact=True)
        assert_frame_equal(_sums(other, span), _sums(store, span))


def _sums(store: OfflineStore, span: Range) -> pl.DataFrame:
    """Return the content hashes of a view's values by partition."""
    return store.values(span.view).ledger.partitions().select("partition_start", "rows", "excluded", "column_sums")


def read_values(store: OfflineStore, span: Range) -> pl.DataFrame:
    """Return everything stored of a view, sorted."""
    opened = store.values(span.view).open()
    return opened.scan(opened.partitions).drop("partition_start").collect().sort("as_of", *span.view.keys)


def as_computed(values: pl.DataFrame, span: Range) -> pl.DataFrame:
    """Return stored values with arrays and vectors, which are stored as lists."""
    lengths = {f.name: f.dtype.shape[0] for f in span.view.stored_features if f.dtype.shape}
    return values.with_columns(pl.col(name).list.to_array(length) for name, length in lengths.items())


def _repaired(root: Path, span: Range, worlds: Sequence[World], rng: Random) -> OfflineStore:
    """Compute without some rows, land all of them, and compute again only what that makes stale."""
    store = OfflineStore(str(root))
    rows = rows_of(worlds)
    land(store, span, [row for row in rows if rng.choice([True, True, False])])
    materialize(store, span, *one_shot(span))
    land(store, span, rows)
    step = span.cadence
    if not span.view.is_table:
        tiles = [(start, start + step) for start in stale_tiles(store, span.view, span.start, span.end)]
        materialize(store, span, tiles, [])
    stale = stale_partitions(store, span.view, span.first, span.end)
    materialize(store, span, [], [(start, start + step) for start in stale])
    return store
