"""Batch tiles online are compared with those of the partitions, the rows of the stream with their checksums."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Column
from feature_store.dtypes import Int64
from feature_store.offline.delta import stored_files
from serving.load.compared_streams import compare_stream
from serving.load.landed import Landed
from serving.load.sync import is_synced
from serving.load.verify import OnlineStores, OnlineVerification, verify_online
from serving.stores.errors import IncompleteLoadError
from serving.stores.generations import Generation, encode_generations
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import pointer_keys, row_prefix, stream_keys
from serving.stores.streams import Stream, encode_stream
from tests.fixtures.frames import at
from tests.serving.streams.purchases import Purchases, purchase, purchases_world
from tests.serving.streams.world import OnlineWorld
from tests.stores.sample import column

NOW = at(days=6, hours=3)
VIEW = Purchases.full_name


@pytest.fixture
def world(tmp_path: Path, valkey: str) -> OnlineWorld:
    made = purchases_world(tmp_path, valkey)
    made.rows = [purchase(at(days=4, hours=hour), f"b{user}", user, 1.5) for hour, user in enumerate(range(1, 9))]
    made.land(0, 6)
    made.sync(at(days=5, hours=3))
    made.sync(NOW)
    return made


def verify(world: OnlineWorld) -> OnlineVerification:
    with closing(open_inspector(world.url)) as inspector, closing(open_loader(world.url)) as loader:
        return verify_online(world.offline, Purchases, OnlineStores(inspector, loader, inspector.row_counts()), NOW)


def generations(world: OnlineWorld) -> list[Generation]:
    with closing(open_inspector(world.url)) as inspector:
        return sorted(inspector.generations(VIEW), key=lambda each: each.as_of)


def key_of(owner: int, user: int) -> bytes:
    return row_prefix(owner) + encode_keys([column([user])], [Int64]).keys.to_list()[0]


def test_batch_tiles_are_sound_after_a_load_and_their_entities_are_counted(world: OnlineWorld) -> None:
    found = verify(world)
    assert [each.rows for each in generations(world)] == [8, 8]
    assert (found.generations, found.rows, found.unverifiable, found.damages) == (2, 16, 0, ())
    listed = world.offline.tiles(Purchases).ledger.listed()
    assert set(listed.filter(listed["kind"] == "published")["rows"]) == {8}


def test_batch_tiles_of_another_as_of_damaged_or_missing_are_found_and_loaded_again(world: OnlineWorld) -> None:
    older, served = generations(world)
    with redis.Redis.from_url(world.url) as client:
        client.set(key_of(served.id, 1), client.get(key_of(older.id, 1)))
        client.setrange(key_of(served.id, 2), 9, b"!")
        client.delete(key_of(served.id, 3))
    (damage,) = verify(world).damages
    assert (damage.as_of, damage.generation) == (at(days=6), served.id)
    assert "1 of 8 rows are damaged" in damage.problem
    assert "1 of 8 rows are missing" in damage.problem
    assert "1 of 8 rows are of other values than their partition" in damage.problem
    world.sync(NOW)
    assert verify(world).damages == ()


def test_a_generation_whose_record_counts_other_entities_than_were_loaded_is_loaded_again(world: OnlineWorld) -> None:
    older, served = generations(world)
    with redis.Redis.from_url(world.url) as client:
        fewer = Generation(**{**vars(served), "rows": 7})
        client.mset(dict(zip(pointer_keys(VIEW), encode_generations(VIEW, [older, fewer]), strict=True)))
    with closing(open_loader(world.url)) as loader:
        assert not is_synced(world.offline, Purchases, loader, NOW)
    world.sync(NOW)
    assert [each.rows for each in generations(world)][-1] == 8
    assert verify(world).damages == ()


def without_last(keys: list[Column]) -> list[Column]:
    return [Column(key.values[:-1], key.valid[:-1]) for key in keys]


def test_a_load_that_loses_an_entity_of_the_tiles_is_not_published(
    world: OnlineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rows.append(purchase(at(days=5, hours=1), "c", 1, 2.0))
    world.land(5, 6)
    whole = Landed.rows

    def cut(landed: Landed):
        count, chunks = whole(landed)
        return count, (
            ([Column(k.values[:-1], k.valid[:-1]) for k in keys], f.take(0, len(f) - 1)) for keys, f in chunks
        )

    before = generations(world)
    with monkeypatch.context() as patched:
        patched.setattr(Landed, "rows", cut)
        with pytest.raises(IncompleteLoadError, match=f"{VIEW} as of .*: 7 rows were read .* promises 8"):
            world.sync(NOW)
    assert generations(world)[-1] == before[-1]
    world.sync(NOW)
    assert generations(world)[-1].rows == 8


def test_rows_of_the_stream_are_checked_and_told_apart_from_what_a_load_mends(world: OnlineWorld) -> None:
    writer, hour = world.writer(at(days=5)), at(days=6, hours=1)
    world.append(writer, [purchase(hour, "x", 1), purchase(hour, "y", 2), purchase(hour + timedelta(hours=1), "z", 3)])
    writer.close()
    found = verify(world)
    assert (found.rows, found.damages) == (16 + 3, ())
    with closing(open_inspector(world.url)) as inspector:
        stream = inspector.stream(VIEW)
    assert stream is not None
    with redis.Redis.from_url(world.url) as client:
        client.setrange(key_of(stream.id, 2), 9, b"!")
    (damage,) = verify(world).damages
    assert (damage.as_of, damage.generation) == (None, None)
    assert str(damage).startswith(
        "the stream: 1 of 3 rows are damaged: load batch tiles up to now, and begin the stream"
    )
    assert world.offline.tiles(Purchases).open().damaged_generations.is_empty()
    with redis.Redis.from_url(world.url) as client:
        client.set(stream_keys(VIEW)[0], b"")
        (unlisted,) = verify(world).damages
        assert str(unlisted).startswith("the stream: its record in the online store cannot be read")
        client.set(stream_keys(VIEW)[0], encode_stream(VIEW, stream)[0])
        client.delete(row_prefix(stream.id))
    assert [str(each) for each in verify(world).damages] == [
        "the stream: its rows are gone: restart its writer, which begins a new one"
    ]


HOUR = at(days=6, hours=1)
"""After the end of the batch tiles."""


def streamed(world: OnlineWorld) -> Stream:
    """Append events of three users in three writes, with an offline copy; the last write ends no tile of theirs."""
    writer = world.writer(at(days=5), copy=True)
    world.append(writer, [purchase(HOUR, "x1", 1), purchase(HOUR, "y1", 2), purchase(HOUR, "z1", 3)])
    world.append(writer, [purchase(HOUR + timedelta(hours=1), "x2", 1), purchase(HOUR - timedelta(hours=1), "y2", 2)])
    world.append(writer, [purchase(HOUR + timedelta(hours=2), "z2", 3)])
    writer.close()
    with closing(open_inspector(world.url)) as inspector:
        stream = inspector.stream(VIEW)
    assert stream is not None
    return stream


def problems(world: OnlineWorld, sample: int | None = None) -> list[str]:
    with closing(open_inspector(world.url)) as inspector, closing(open_loader(world.url)) as loader:
        counts = inspector.row_counts() if sample is None else None
        found = verify_online(world.offline, Purchases, OnlineStores(inspector, loader, counts, sample), NOW)
    return [str(damage) for damage in found.damages]


def test_rows_of_the_stream_are_those_of_its_offline_copy(world: OnlineWorld) -> None:
    streamed(world)
    assert problems(world) == []
    writer = world.writer(HOUR + timedelta(hours=2), copy=True)
    assert writer.prune() >= 0
    world.append(writer, [purchase(HOUR + timedelta(hours=3), "x3", 1), purchase(HOUR, "late", 1)])
    writer.close()
    assert problems(world) == []


@pytest.mark.parametrize("sample", [None, 100])
def test_a_row_of_the_stream_that_is_gone_or_of_before_is_found_though_its_checksum_is_right(
    world: OnlineWorld, sample: int | None
) -> None:
    writer = world.writer(at(days=5), copy=True)
    world.append(writer, [purchase(HOUR, "x1", 1), purchase(HOUR, "y1", 2)])
    with closing(open_inspector(world.url)) as inspector, redis.Redis.from_url(world.url) as client:
        stream = inspector.stream(VIEW)
        assert stream is not None
        former = client.get(key_of(stream.id, 1))
        assert isinstance(former, bytes)
        for hours in (1, 2, 3):
            world.append(writer, [purchase(HOUR + timedelta(hours=hours), f"later{hours}", 1)])
        writer.close()
        assert problems(world, sample) == []
        newest = client.get(key_of(stream.id, 1))
        client.set(key_of(stream.id, 1), former)
        client.delete(key_of(stream.id, 2))
        (told,) = problems(world, sample)
        assert told.startswith("the stream: 1 of 2 rows are missing")
        assert "1 of 2 rows are of other values than the stream's offline copy: load batch tiles" in told
        assert world.offline.tiles(Purchases).open().damaged_generations.is_empty(), "no load would mend it"
        client.set(key_of(stream.id, 1), newest or b"")
        (told,) = problems(world, sample)
        assert "other values" not in told


def test_a_stream_without_a_copy_or_of_another_definition_is_compared_by_its_checksums(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5))
    world.append(writer, [purchase(HOUR, "x1", 1)])
    world.append(writer, [purchase(HOUR + timedelta(hours=1), "x2", 1)])
    writer.close()
    with closing(open_inspector(world.url)) as inspector:
        stream = inspector.stream(VIEW)
        assert stream is not None
        assert compare_stream(world.offline, inspector, Purchases, stream, None) is None
    assert problems(world) == []


def test_a_write_that_reached_the_copy_alone_so_far_is_no_difference(world: OnlineWorld) -> None:
    stream = streamed(world)
    with redis.Redis.from_url(world.url) as client:
        rows = {user: client.get(key_of(stream.id, user)) for user in (1, 2, 3)}
        writer = world.writer(HOUR + timedelta(hours=2), copy=True)
        world.append(writer, [purchase(HOUR, "late", 1), purchase(HOUR + timedelta(hours=4), "x4", 2)])
        writer.close()
        for user, row in rows.items():
            client.set(key_of(stream.id, user), row or b"")
    assert problems(world) == []


def test_a_damaged_copy_is_told_and_the_rows_are_checked_by_their_checksums(world: OnlineWorld) -> None:
    streamed(world)
    copy = Path(world.offline.stream_copy(VIEW).uri)
    max(copy.glob("day=*/*.parquet")).write_bytes(b"")
    stored_files._checked.clear()
    (told,) = problems(world)
    assert told.startswith("the stream: it cannot be compared with its offline copy, which is damaged itself: ")
