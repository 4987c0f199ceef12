"""Generations on a real server: whole snapshots, switched by clock, dropped and restored."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import redis

from feature_store.codec.key_codec import encode_keys
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Int64, String
from feature_store.errors import InputError
from serving.stores.errors import StoreError, StoreUnavailableError
from serving.stores.generations import READER_LAG, Generation, outdated, select
from serving.stores.open_store import open_loader, open_reader
from serving.stores.redis.keys import pointer_key, row_prefix
from serving.stores.rows import RowsWanted
from tests.serving.sample import (
    DAY,
    HOUR,
    LAYOUT,
    TEXT_LAYOUT,
    VIEW,
    baskets,
    chunk,
    load,
    now,
    row_count,
    snapshot,
    wanted,
)


@pytest.mark.parametrize("layout", [LAYOUT, TEXT_LAYOUT])
@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 40_000])
def test_what_was_loaded_is_read(valkey: str, layout: RowLayout, count: int) -> None:
    steps: list[int] = []
    writer = open_loader(valkey)
    pieces = [chunk(range(count // 3), 2), chunk([]), chunk(range(count // 3, count), 2)]
    report = writer.load(VIEW, snapshot(now() - DAY, layout=layout), pieces, steps.append)
    assert (report.rows, report.skipped, steps[-1] if count else 0) == (count, False, count)
    assert row_count(valkey) == count
    (read,) = open_reader(valkey).read([wanted(range(count + 1))], now())
    assert read.generation is not None
    decoded = read.generation.layout.decode(read.rows, read.generation.as_of)
    assert decoded.present.tolist() == [True] * count + [False]
    assert decoded.columns["baskets"].values[:count].tolist() == [2 * household for household in range(count)]
    if layout is TEXT_LAYOUT:
        assert decoded.columns["segment"].values[:count].tolist() == [f"s{i % 1000}é" for i in range(count)]


def test_string_and_composite_keys_of_unequal_lengths(valkey: str) -> None:
    names = [f"shop{'x' * (i % 7)}{i}" for i in range(3000)]
    every = np.ones(3000, np.bool_)
    keys = [Column(np.array(names, object), every), Column(np.arange(3000), every)]
    writer = open_loader(valkey)
    writer.load(VIEW, snapshot(now() - DAY), [(keys, chunk(range(3000))[1])])
    (read,) = open_reader(valkey).read([RowsWanted(VIEW, encode_keys(keys, [String, Int64]).keys)], now())
    assert read.generation is not None
    decoded = read.generation.layout.decode(read.rows, read.generation.as_of)
    assert decoded.columns["baskets"].values.tolist() == list(range(3000))
    writer.drop_view(VIEW)
    assert row_count(valkey) == 0


def test_readers_flip_by_clock_strictly_after_available_at(valkey: str) -> None:
    as_of = now() - 2 * DAY
    load(valkey, [1], snapshot(as_of))
    load(valkey, [1], snapshot(as_of + DAY, available_at=now() + HOUR), factor=5)
    flip = open_loader(valkey).generations(VIEW)[-1].available_at
    reader = open_reader(valkey)
    assert baskets(reader, [1]) == [1]
    assert baskets(reader, [1], flip) == [1]
    assert baskets(reader, [1], flip + 1) == [5]
    (read,) = reader.read([wanted([1])], as_of)
    assert read.generation is None


def test_a_view_never_loaded_has_no_generation(valkey: str) -> None:
    (read,) = open_reader(valkey).read([wanted([1, 2])], now())
    assert (read.generation, list(read.rows)) == (None, [None, None])


def test_an_entity_that_dropped_out_reads_empty(valkey: str) -> None:
    load(valkey, [1, 2], snapshot(now() - 2 * DAY))
    load(valkey, [2], snapshot(now() - DAY), factor=3)
    assert baskets(open_reader(valkey), [1, 2]) == [None, 6]


def test_loading_the_same_snapshot_again_does_nothing(valkey: str) -> None:
    taken = snapshot(now() - DAY)
    first = load(valkey, [1, 2], taken)
    again = load(valkey, [9], taken)
    assert (again.generation, again.rows, again.skipped) == (first.generation, 2, True)
    assert again.published_at == first.published_at
    assert baskets(open_reader(valkey), [1, 2, 9]) == [1, 2, None]
    changed = load(valkey, [1], snapshot(taken.as_of, "b"))
    assert not changed.skipped
    added = RowLayout((*LAYOUT.features, LayoutField("more", Int64, "m")))
    keys, features = chunk([1])
    more = open_loader(valkey).load(
        VIEW, snapshot(taken.as_of, "b", layout=added), [(keys, {**features, "more": features["baskets"]})]
    )
    assert not more.skipped


def test_content_that_was_replaced_can_be_loaded_again(valkey: str) -> None:
    as_of = now() - DAY
    load(valkey, [1], snapshot(as_of, "a"), factor=1)
    load(valkey, [1], snapshot(as_of, "b"), factor=2)
    assert not load(valkey, [1], snapshot(as_of, "a"), factor=1).skipped
    assert baskets(open_reader(valkey), [1]) == [1]


def test_a_snapshot_older_than_the_served_one_is_not_loaded(valkey: str) -> None:
    served = load(valkey, [1], snapshot(now() - DAY))
    report = load(valkey, [1], snapshot(now() - 2 * DAY), factor=2)
    assert (report.skipped, report.generation) == (True, served.generation)
    assert row_count(valkey) == 1


def test_one_previous_generation_is_kept_and_memory_returns(valkey: str) -> None:
    start = now() - 10 * DAY
    counts: list[int] = []
    writer = open_loader(valkey)
    with redis.Redis.from_url(valkey) as client:
        for day in range(6):
            during: list[int] = []
            writer.load(
                VIEW,
                snapshot(start + day * DAY),
                [chunk(range(20_000), day)],
                lambda _, during=during: during.append(row_count(valkey)),
            )
            assert max(during) <= 40_000
            counts.append(row_count(valkey))
        assert counts == [20_000] + [40_000] * 5
        full = client.info("memory")["used_memory"]
        writer.drop_view(VIEW)
        assert list(client.scan_iter(b"*")) == [b"fs:generation"]
        assert full - client.info("memory")["used_memory"] > 40_000 * 30


def test_generations_that_wait_for_their_time_are_kept(valkey: str) -> None:
    start = now() - 10 * DAY
    for day in range(3):
        load(valkey, [1], snapshot(start + day * DAY), factor=day)
    for day in range(3, 6):
        load(valkey, [1], snapshot(start + day * DAY, available_at=now() + day * HOUR), factor=day)
    live = open_loader(valkey).generations(VIEW)
    assert [each.as_of for each in live] == [start + day * DAY for day in (2, 3, 4, 5)]
    reader = open_reader(valkey)
    assert [baskets(reader, [1], now() + hours * HOUR) for hours in (0, 3, 4, 5)] == [[2], [3], [4], [5]]


def test_a_waiting_generation_loaded_again_replaces_the_first(valkey: str) -> None:
    later = now() + HOUR
    load(valkey, [1], snapshot(now() - 2 * DAY))
    as_of = now() - DAY
    for content, factor in (("a", 2), ("b", 3), ("c", 4)):
        load(valkey, [1], snapshot(as_of, content, later), factor)
    assert baskets(open_reader(valkey), [1], later + 1) == [4]
    assert baskets(open_reader(valkey), [1]) == [1]
    assert row_count(valkey) == 3


def test_restore_puts_the_previous_generation_back_and_drops_the_newer(valkey: str) -> None:
    before = load(valkey, [1, 2], snapshot(now() - 2 * DAY))
    rejected = load(valkey, [1, 2], snapshot(now() - DAY, "b"), factor=7)
    reader = open_reader(valkey)
    assert baskets(reader, [1]) == [7]
    writer = open_loader(valkey)
    restored = writer.restore(VIEW)
    assert restored.served.id == before.generation
    assert [each.id for each in restored.rejected] == [rejected.generation]
    assert baskets(reader, [1]) == [1], "a reader with the old pointer in its cache must not read an emptied generation"
    assert [each.id for each in writer.generations(VIEW)] == [before.generation]
    assert row_count(valkey) == 2
    with pytest.raises(StoreError, match=r"no generation before the one as of .* is kept"):
        writer.restore(VIEW)
    with pytest.raises(StoreError, match="generation 99 is not live"):
        writer.restore(VIEW, 99)
    with pytest.raises(StoreError, match="a/none/v1: nothing is served"):
        writer.restore("a/none/v1")


def test_restore_rejects_what_waits_for_its_time_too(valkey: str) -> None:
    served = load(valkey, [1], snapshot(now() - DAY))
    waiting = snapshot(now() - HOUR, "b", available_at=now() + HOUR)
    load(valkey, [1], waiting, factor=8)
    writer = open_loader(valkey)
    writer.restore(VIEW, served.generation)
    assert load(valkey, [1], waiting, factor=8).skipped
    assert baskets(open_reader(valkey), [1], now() + 2 * HOUR) == [1]


def test_what_was_rejected_is_not_loaded_again_until_its_content_changes(valkey: str) -> None:
    yesterday, today = snapshot(now() - 2 * DAY), snapshot(now() - DAY, "bad")
    before = load(valkey, [1], yesterday)
    load(valkey, [1], today, factor=7)
    writer = open_loader(valkey)
    writer.restore(VIEW)
    again = load(valkey, [1], today, factor=7)
    assert (again.skipped, again.generation) == (True, before.generation)
    assert baskets(open_reader(valkey), [1]) == [1]
    assert writer.rejected(VIEW) == {(today.as_of, "bad")}
    assert not load(valkey, [1], snapshot(today.as_of, "mended"), factor=5).skipped
    assert baskets(open_reader(valkey), [1]) == [5]
    assert writer.rejected(VIEW) == set()


def test_a_rejection_can_be_taken_back_and_does_not_outlive_what_it_stands_behind(valkey: str) -> None:
    today = snapshot(now() - DAY, "today")
    load(valkey, [1], snapshot(now() - 2 * DAY))
    load(valkey, [1], today, factor=7)
    writer = open_loader(valkey)
    writer.restore(VIEW)
    assert writer.accept(VIEW) == {(today.as_of, "today")}
    assert not load(valkey, [1], today, factor=7).skipped
    assert baskets(open_reader(valkey), [1]) == [7]
    writer.restore(VIEW)
    for hours in (2, 4, 6):
        load(valkey, [1], snapshot(today.as_of + hours * HOUR), factor=hours)
    assert writer.rejected(VIEW) == set(), "older than everything live"


def test_without_anything_served_in_its_place_nothing_is_rejected(valkey: str) -> None:
    before = load(valkey, [1], snapshot(now() - 2 * DAY))
    today = snapshot(now() - DAY, "today")
    load(valkey, [1], today, factor=7)
    open_loader(valkey).restore(VIEW)
    with redis.Redis.from_url(valkey) as client:
        client.delete(row_prefix(before.generation))
    assert not load(valkey, [1], today, factor=7).skipped
    assert baskets(open_reader(valkey), [1]) == [7]


def test_loading_again_repairs_a_generation_that_lost_its_rows(valkey: str) -> None:
    taken = snapshot(now() - DAY)
    report = load(valkey, [1, 2], taken)
    with redis.Redis.from_url(valkey) as client:
        client.delete(row_prefix(report.generation))
    writer = open_loader(valkey)
    assert writer.generations(VIEW) == (), "what nobody can read is not live"
    again = load(valkey, [1, 2], taken)
    assert not again.skipped
    assert baskets(open_reader(valkey), [1, 2]) == [1, 2]
    assert row_count(valkey) == 2


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


def test_an_entity_twice_in_a_snapshot_is_refused(valkey: str) -> None:
    load(valkey, [1], snapshot(now() - 2 * DAY))
    for chunks in ([chunk([5, 6, 5])], [chunk(range(5000)), chunk([6])], [chunk([*range(3000), 7])]):
        with pytest.raises(InputError, match="an entity comes twice"):
            open_loader(valkey).load(VIEW, snapshot(now() - DAY), chunks)
    assert baskets(open_reader(valkey), [1, 6]) == [1, None]


@pytest.mark.parametrize("ahead", [-3 * DAY, 3 * DAY])
def test_the_clock_of_the_loader_decides_nothing(valkey: str, monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    start = now()
    monkeypatch.setattr(time, "time_ns", lambda: (start + ahead) * 1000)
    load(valkey, [1], snapshot(start - 2 * DAY), factor=1)
    report = load(valkey, [1], snapshot(start - DAY, available_at=start + HOUR), factor=2)
    load(valkey, [1], snapshot(start - DAY + HOUR, available_at=start + 2 * HOUR), factor=3)
    reader = open_reader(valkey)
    assert [baskets(reader, [1], start + hours * HOUR) for hours in (0.5, 1.5, 2.5)] == [[1], [2], [3]]
    assert report.published_at == start + HOUR


def test_a_generation_is_kept_for_readers_whose_clock_is_behind(valkey: str) -> None:
    start = now() - 10 * DAY
    recently = now() - READER_LAG // 2
    for day, available_at in enumerate((start, recently, recently + 1)):
        load(valkey, [1], snapshot(start + day * HOUR, available_at=available_at), factor=day + 1)
    load(valkey, [1], snapshot(start + 4 * HOUR, available_at=now() + HOUR), factor=9)
    reader = open_reader(valkey)
    assert [baskets(reader, [1], time) for time in (recently, recently + 1, now())] == [[1], [2], [3]]


def test_a_reader_with_an_old_pointer_never_takes_dropped_rows_for_empty(valkey: str) -> None:
    start = now() - 10 * DAY
    load(valkey, [1], snapshot(start), factor=1)
    reader = open_reader(valkey)
    assert baskets(reader, [1]) == [1]
    for day in range(1, 4):
        load(valkey, [1], snapshot(start + day * DAY), factor=day + 1)
    assert baskets(reader, [1]) == [4]


def test_a_store_that_lost_its_rows_is_an_error_not_empty(valkey: str) -> None:
    report = load(valkey, [1], snapshot(now() - DAY))
    with redis.Redis.from_url(valkey) as client:
        client.delete(b"\x01" + report.generation.to_bytes(4, "big"))
    (failure,) = open_reader(valkey).read([wanted([1])], now())
    assert isinstance(failure, StoreError)
    assert "rows are gone" in str(failure)


@pytest.mark.parametrize(("later", "layout"), [(0, TEXT_LAYOUT), (HOUR, LAYOUT)], ids=["same as-of", "another"])
def test_a_store_that_was_emptied_and_loaded_anew_is_not_mistaken_for_the_old_one(
    valkey: str, later: int, layout: RowLayout
) -> None:
    as_of = now() - DAY
    first = load(valkey, [1, 2], snapshot(as_of))
    reader = open_reader(valkey)
    assert baskets(reader, [1, 2]) == [1, 2]
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    second = load(valkey, [1], snapshot(as_of - later, layout=layout), factor=3)
    assert second.generation == first.generation, "counted from 1 again"
    assert baskets(reader, [1, 2]) == [3, None]


def test_records_of_a_newer_release_are_read(valkey: str) -> None:
    load(valkey, [1], snapshot(now() - DAY))
    with redis.Redis.from_url(valkey) as client:
        records = json.loads(client.get(pointer_key(VIEW)))
        client.set(pointer_key(VIEW), json.dumps([{**record, "codec": 2} for record in records]))
    assert baskets(open_reader(valkey), [1]) == [1]


def test_several_views_come_in_one_read_and_roles_may_share_a_view(valkey: str) -> None:
    load(valkey, [1, 2], snapshot(now() - DAY), factor=2, view="a/b/v1")
    load(valkey, [1, 2], snapshot(now() - DAY), factor=3, view="a/c/v1")
    reader = open_reader(valkey)
    asked = [wanted([1], "a/b/v1"), wanted([2, 3], "a/c/v1"), wanted([2], "a/b/v1"), wanted([1], "a/none/v1")]
    reads = reader.read(asked, now())
    found = [
        [
            None
            if not row
            else int(each.generation.layout.decode([row], each.generation.as_of).columns["baskets"].values[0])
            for row in each.rows
        ]
        if each.generation
        else None
        for each in reads
    ]
    assert found == [[2], [6, None], [4], None]


def test_null_keys_and_wrong_columns_are_refused_and_nothing_is_served(valkey: str) -> None:
    keys, features = chunk([1, 2])
    nulled = [Column(keys[0].values, np.array([True, False]))]
    with pytest.raises(InputError, match="null key"):
        open_loader(valkey).load(VIEW, snapshot(now() - DAY), [(nulled, features)])
    with pytest.raises(InputError, match="spend"):
        open_loader(valkey).load(VIEW, snapshot(now() - DAY), [chunk([3]), (keys, {"baskets": features["baskets"]})])
    (read,) = open_reader(valkey).read([wanted([1, 3])], now())
    assert read.generation is None
    load(valkey, [5], snapshot(now() - DAY))
    assert row_count(valkey) == 1, "the rows of loads that failed are dropped by the next"


def test_a_store_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailableError, match=r"redis://127\.0\.0\.1:1/0") as caught:
        open_reader("redis://user:secret@127.0.0.1:1/0").read([wanted([1])], now())
    assert "secret" not in str(caught.value)


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


def generation(number: int, as_of: int, available_at: int) -> Generation:
    return Generation(number, as_of, available_at, available_at, 0, 0, "h", LAYOUT)


def test_outdated_generations_are_exactly_those_never_selected_again() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        some = [
            generation(number, int(rng.integers(4)), int(rng.integers(8))) for number in range(int(rng.integers(1, 6)))
        ]
        present = int(rng.integers(10))
        selected = {each.id for time in range(present, 20) if (each := select(some, time)) is not None}
        gone = outdated(some, present + READER_LAG)
        assert {each.id for each in gone} == {each.id for each in some} - selected
        assert [each.rank for each in gone] == sorted((each.rank for each in gone), reverse=True)
