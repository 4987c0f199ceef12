"""Two writers of the same partitions on S3: a conditional put decides; nothing is lost, nothing is there twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from feature_store.errors import ConflictError
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import verify_table
from tests.fixtures.servers.aws import Aws
from tests.offline.definitions import ShopperSpend, day, purchase_rows, purchases, spend_values

DAYS = 4


def at_once(*writes: Callable[[], object]) -> None:
    """Begin at the same moment."""
    barrier = threading.Barrier(len(writes))

    def start(write: Callable[[], object]) -> object:
        barrier.wait()
        return write()

    with ThreadPoolExecutor(len(writes)) as pool:
        list(pool.map(start, writes))


def race_of_writes(store: OfflineStore, number: int) -> None:
    """Let two writers write overlapping days; every second time into a table that does not exist."""
    table = store.values(ShopperSpend)

    def write(writer: int, first: int, last: int) -> None:
        rows = [(day(n), shopper, 10 * number + writer) for n in range(first, last) for shopper in range(3)]
        table.write(spend_values(rows), day(first), day(last), run_id=f"{number} {writer}")

    at_once(lambda: write(1, 0, 3), lambda: write(2, 1, DAYS))
    found = contents(store)
    assert found["partition_start"].to_list() == [day(n) for n in range(DAYS)]
    one, two = ([10 * number + writer] * 3 for writer in (1, 2))
    first, *middle, last = found["pieces"].to_list()
    assert (first, last) == (one, two)
    assert middle in ([one, one], [two, two])
    assert verify_table(table).damages == ()


def contents(store: OfflineStore) -> pl.DataFrame:
    rows = store.values(ShopperSpend).scan().collect()
    return rows.group_by("partition_start").agg(pl.col("pieces_3d").sort().alias("pieces")).sort("partition_start")


def race_of_stages(store: OfflineStore, number: int) -> None:
    """Let two runs compute overlapping days: one commits, the other is told, computes again and commits."""

    def compute(first: int, last: int, run: str) -> None:
        for attempt in range(5):
            try:
                compute_values(store, ShopperSpend, day(first), day(last), f"{run} {attempt}")
            except ConflictError:
                continue
            return
        raise AssertionError(f"{run} lost every time")

    at_once(lambda: compute(0, 3, f"{number} one"), lambda: compute(1, DAYS, f"{number} two"))
    table = store.values(ShopperSpend)
    assert table.ledger.partitions()["rows"].to_list() == [2, 4, 6, 8]
    assert table.scan().collect().height == 20
    assert verify_table(table).damages == ()


def run_races(server: Aws, count: int) -> None:
    for number in range(count):
        if number % 3 == 0:  # the first writes of the table too
            store = OfflineStore(f"s3://{server.new_bucket()}/offline", server.storage_options)
            computed = OfflineStore(f"{store.root}/computed", server.storage_options)
            rows = [(2 * n + m, day(n, 5), "b", 1.0, 1) for n in range(DAYS) for m in range(2)]
            computed.source(purchases.asset).write(
                purchase_rows(rows), day(0), day(DAYS), time_column="bought_at", run_id="land"
            )
            compute_tiles(computed, ShopperSpend, day(0), day(DAYS), "tiles")
        race_of_writes(store, number)
        race_of_stages(computed, number)


def test_two_writers_of_the_same_partitions_lose_and_double_nothing(s3_server: Aws) -> None:
    run_races(s3_server, 5)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_two_writers_race_two_hundred_times(versitygw: Aws) -> None:
    run_races(versitygw, 100)
