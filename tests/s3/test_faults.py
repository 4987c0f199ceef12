"""S3 in trouble: requests that get lost, come twice, break off. Readers see whole states; runs, repeated, end alike."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from feature_store.errors import ConflictError, StorageError
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import tables_of, verify_table
from tests.fixtures.servers.s3_proxy import FAULTS, S3Proxy
from tests.offline.definitions import ShopperSpend, day, purchase_rows, purchases

DAYS = 6
ATTEMPTS = 30
"""Runs of a step, as Dagster tries those again whose storage was in trouble."""

Step = Callable[[OfflineStore], object]


def land(first: int, last: int, seed: int) -> Step:
    rng = random.Random(seed)
    rows = [(rng.randrange(5), day(rng.randrange(first, last), rng.randrange(24)), "b", 0.5, 1) for _ in range(60)]
    frame = purchase_rows(rows)
    return lambda store: store.source(purchases.asset).write(
        frame, day(first), day(last), time_column="bought_at", run_id=f"land {seed}"
    )


def history(seed: int) -> Iterator[Step]:
    """Yield a history without end: everything is landed and computed, then random parts again."""
    rng = random.Random(seed)
    for number in count():
        first = rng.randrange(DAYS) if number else 0
        last = rng.randrange(first + 1, DAYS + 1) if number else DAYS
        yield land(first, last, seed + number)
        yield lambda store, run=f"tiles {number}": compute_tiles(store, ShopperSpend, day(0), day(DAYS), run)
        yield lambda store, first=first, last=last, run=f"values {number}": compute_values(
            store, ShopperSpend, day(first), day(last), run
        )


def state(table: PartitionedTable) -> tuple[pl.DataFrame, list[tuple[datetime, str]]]:
    """Return the rows of a table, and of each partition what the ledger says of them."""
    opened = table.open()
    if opened.partitions.is_empty():
        return pl.DataFrame(), []
    rows = opened.scan(opened.partitions).collect()
    said = opened.partitions.select("partition_start", "content_hash").rows()
    return rows.sort(rows.columns), said


def persistently(step: Step, store: OfflineStore) -> None:
    for _ in range(ATTEMPTS):
        try:
            step(store)
        except (StorageError, ConflictError):
            continue
        return
    raise AssertionError("the step failed every time")


State = dict[str, tuple[pl.DataFrame, list[tuple[datetime, str]]]]


def states(store: OfflineStore) -> State:
    return {name: state(table) for name, table in tables_of(store, ShopperSpend).items()}


@contextmanager
def reader(store: OfflineStore) -> Iterator[list[State]]:
    """Read the store again and again, from another thread; give what was seen, once the block ended."""
    seen: list[State] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(states(store))
            ended.wait(0.02)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            yield seen
        finally:
            ended.set()
            reading.result()


def are_equal(one: tuple[pl.DataFrame, object], other: tuple[pl.DataFrame, object]) -> bool:
    return one[1] == other[1] and one[0].equals(other[0])


def check_faults(proxy: S3Proxy, disk: OfflineStore, seed: int, most: int) -> None:
    """Do the same on a disk and on S3 in trouble, until there was enough of it."""
    direct = OfflineStore(f"s3://{proxy.server.new_bucket()}/offline", proxy.server.storage_options)
    spoiled = OfflineStore(direct.root, proxy.aws.storage_options)
    proxy.spoil(seed, share=0.25, most=most)
    before = states(disk)
    for step in history(seed):
        step(disk)
        after = states(disk)
        with reader(direct) as seen:
            persistently(step, spoiled)
        for found in [*seen, states(direct)]:
            for name, table in found.items():
                assert are_equal(table, before[name]) or are_equal(table, after[name]), name
        assert all(are_equal(table, after[name]) for name, table in states(direct).items())
        before = after
        if proxy.done().total() >= most:
            break
    assert all(verify_table(table).damages == () for table in tables_of(direct, ShopperSpend).values())
    assert set(proxy.done()) == set(FAULTS)


def test_tables_are_equal_after_sixty_faults(s3_proxy: S3Proxy, tmp_path: Path) -> None:
    check_faults(s3_proxy, OfflineStore(str(tmp_path / "disk")), seed=7, most=60)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_tables_are_equal_after_a_thousand_faults(s3_proxy: S3Proxy, tmp_path: Path) -> None:
    check_faults(s3_proxy, OfflineStore(str(tmp_path / "disk")), seed=8, most=1000)
