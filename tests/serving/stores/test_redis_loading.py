"""What a Redis or Valkey server is asked besides the contract: its memory, its eviction, the records it keeps."""

from __future__ import annotations

import json

import pytest
import redis

from serving.stores.errors import StoreError, StoreUnavailableError
from serving.stores.open_store import open_loader, open_reader
from serving.stores.records import seal
from serving.stores.redis.keys import pointer_keys
from tests.stores.sample import (
    DAY,
    VIEW,
    baskets,
    chunk,
    load,
    now,
    snapshot,
)


def test_a_server_that_evicts_rows_is_refused(valkey: str) -> None:
    load(valkey, [1], snapshot(now() - 2 * DAY))
    with redis.Redis.from_url(valkey) as client:
        try:
            for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random"):
                client.config_set("maxmemory-policy", policy)
                with pytest.raises(StoreError, match=f"maxmemory-policy is {policy}.*set it to noeviction"):
                    load(valkey, [1], snapshot(now() - DAY), factor=3)
            client.config_set("maxmemory-policy", "volatile-lru")
            load(valkey, [1], snapshot(now() - DAY), factor=2)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert baskets(open_reader(valkey), [1]) == [2]


def test_records_of_a_newer_release_are_read(valkey: str) -> None:
    load(valkey, [1], snapshot(now() - DAY))
    with redis.Redis.from_url(valkey) as client:
        records = json.loads(client.get(pointer_keys(VIEW)[0]))
        newer = seal(f"{VIEW} generations", [{**record, "codec": 2} for record in records if record.pop("digest")])
        client.mset(dict(zip(pointer_keys(VIEW), newer, strict=True)))
    assert baskets(open_reader(valkey), [1]) == [1]


def test_a_server_without_memory_for_the_rows_fails_the_load_and_keeps_what_is_served(valkey: str) -> None:
    load(valkey, [1], snapshot(now() - 2 * DAY))
    with redis.Redis.from_url(valkey) as client:
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory", used + 2_000_000)
        try:
            with pytest.raises(StoreUnavailableError, match="maxmemory"):
                open_loader(valkey).load(VIEW, snapshot(now() - DAY), [chunk(range(200_000), 3)])
        finally:
            client.config_set("maxmemory", 0)
    assert baskets(open_reader(valkey), [1]) == [1]


def test_a_dropped_view_leaves_its_counter_and_gives_back_its_memory(valkey: str) -> None:
    load(valkey, range(40_000), snapshot(now() - DAY))
    with redis.Redis.from_url(valkey) as client:
        full = client.info("memory")["used_memory"]
        open_loader(valkey).drop_view(VIEW)
        assert list(client.scan_iter(b"*")) == [b"fs:generation"]
        assert full - client.info("memory")["used_memory"] > 40_000 * 30
