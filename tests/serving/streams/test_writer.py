"""The stream writer: what becomes of events that are late, repeated or wrong, and of a writer that dies."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import redis

from feature_store import Int64, col, count, last, max_, stream_view, sum_
from feature_store.codec.key_codec import encode_keys
from feature_store.codec.sealed_rows import RowError
from feature_store.columns import Column
from feature_store.errors import InputError
from serving.stores.errors import StoreError, StoreUnavailableError, StreamTakenOverError
from serving.stores.open_store import open_loader
from serving.stores.redis.write import stream_rows
from serving.stores.redis.write.fenced import FencedTransactions
from serving.stores.redis.write.stream_rows import ENTITIES_PER_TRANSACTION, RedisStreamRows
from serving.streams.writer import AppendReport, StreamWriter
from tests.fixtures.frames import at
from tests.fixtures.stream_views import Live, Sparse
from tests.fixtures.views import COLUMNS, Daily
from tests.serving.streams.purchases import SOURCE, USER, Purchases, purchase, purchases_world
from tests.serving.streams.world import KEYS, OnlineWorld, event, events, random_events


@pytest.fixture
def world(tmp_path: Path, valkey: str) -> OnlineWorld:
    """Users whose events have ids; the batch tiles of five days, without any event."""
    world = purchases_world(tmp_path, valkey)
    world.land(0, 5)
    world.sync(at(days=6))
    return world


def rows_1h(world: OnlineWorld, time: datetime, user: int = 1):
    return world.value("rows_1h", time, (user,))[0]


def test_an_event_with_an_id_counts_once_however_often_it_is_delivered(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5))
    hour = at(days=5, hours=4)
    first = [
        purchase(hour, "a", 1, 2.0),
        purchase(hour, "b", 1, 3.0),
        purchase(hour, "a", 1, 2.0),
        purchase(hour, "a", 2, 5.0),
    ]
    report = world.append(writer, first)
    assert (report.events, report.duplicates, report.entities) == (3, 1, 2)
    again = world.append(writer, [*first, purchase(hour, None, 1, 7.0), purchase(hour, None, 1, 7.0)])
    assert (again.events, again.duplicates) == (2, 4), "events without an id always count"
    assert world.append(writer, first) == AppendReport(0, 0, 0, 0, 4, 0)
    time = hour + timedelta(minutes=5)
    assert world.value("amount_2d", time, (1,)) == (19.0, "PRESENT")
    assert world.value("amount_2d", time, (2,)) == (5.0, "PRESENT")
    restarted = world.writer(hour)
    assert world.append(restarted, first).duplicates == 4, "ids are known to its successor"
    assert rows_1h(world, time) == 4


def test_ids_that_are_whole_numbers_tell_events_apart_too(tmp_path: Path, valkey: str) -> None:
    source = replace(SOURCE, columns={**SOURCE.columns, "id": Int64})
    world = OnlineWorld(tmp_path, valkey, replace(Purchases, source=source), dict(source.columns))
    world.land(0, 5)
    world.sync(at(days=6))
    writer, hour = world.writer(at(days=5)), at(days=5, hours=4)
    rows = [purchase(hour, number) for number in (0, -(2**63), 0, None, None)]
    assert world.append(writer, rows).duplicates == 1
    assert world.append(writer, rows).duplicates == 3
    assert rows_1h(world, hour + timedelta(minutes=1)) == 6


def test_an_id_is_one_of_its_partition(world: OnlineWorld) -> None:
    writer, midnight = world.writer(at(days=5)), at(days=6)
    days = [purchase(midnight - timedelta(microseconds=1), "a", 1, 2.0), purchase(midnight, "a", 1, 3.0)]
    assert world.append(writer, days).events == 2
    assert world.append(writer, days).duplicates == 2
    assert world.value("amount_2d", midnight + timedelta(seconds=1), (1,)) == (5.0, "PRESENT")


def test_the_first_delivered_of_one_id_counts_until_batch_owns_its_time(world: OnlineWorld) -> None:
    writer, hour = world.writer(at(days=5)), at(days=5, hours=4)
    later, earlier = purchase(hour + timedelta(minutes=1), "a", 1, 2.0), purchase(hour, "a", 1, 3.0)
    assert world.append(writer, [later]).events == 1
    # A batch counts the earlier of the two, but a stream cannot take back what it has counted.
    assert world.append(writer, [earlier]).duplicates == 1
    assert world.value("amount_2d", at(days=6, hours=3), (1,)) == (2.0, "PRESENT")
    world.land(5, 6, [later, earlier])
    world.sync(at(days=6, hours=3))
    assert world.value("amount_2d", at(days=6, hours=3), (1,)) == (3.0, "PRESENT")


@pytest.mark.parametrize("rows", [[{"user": 1}], {"user": [1]}, None])
def test_rows_that_are_no_frame_are_refused_with_what_to_give(world: OnlineWorld, rows: object) -> None:
    writer = world.writer(at(days=5))
    with pytest.raises(InputError, match=r"give a Polars frame, pl.DataFrame\(rows\), with id, user, "):
        writer.append(rows)


def test_rows_without_a_key_or_a_time_are_left_out_and_counted(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5))
    hour = at(days=5, hours=4)
    rows = [purchase(hour, "a", None), purchase(None, "b"), purchase(None, "c", None), purchase(hour, "d")]
    assert world.append(writer, rows) == AppendReport(1, 2, 1, 0, 0, 1)
    assert world.append(writer, rows[:3]) == AppendReport(0, 2, 1, 0, 0, 0)
    assert rows_1h(world, hour + timedelta(minutes=1)) == 1


def test_events_from_before_the_stream_are_left_to_the_batch(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5))
    report = world.append(writer, [purchase(at(days=5, microseconds=-1), "a"), purchase(at(days=5), "b")])
    assert (report.events, report.too_late) == (1, 1)
    assert world.value("amount_2d", at(days=5, hours=3), (1,)) == (1.0, "PRESENT")


def test_late_events_change_the_tiles_they_belong_to(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5), exact_for=timedelta(hours=6))
    rows = [purchase(at(days=5, hours=hour), f"{hour}") for hour in (4, 9, 10)]
    for row in rows:
        world.append(writer, [row])
    late = purchase(at(days=5, hours=4.01), "late")
    assert world.append(writer, [late]).too_late == 0, "ten hours less six are four"
    world.rows = [*rows, late]
    for hours in (4.05, 5, 5.02, 9.5, 10, 12):
        world.check([(1,)], at(days=5, hours=hours))
    assert world.append(writer, [purchase(at(days=5, hours=3.99), "too late")]).too_late == 1
    world.check([(1,)], at(days=5, hours=12))


def test_a_time_of_which_the_small_tiles_are_gone_is_not_computed_instead_of_wrong(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5), exact_for=timedelta(hours=1))
    world.append(writer, [purchase(at(days=5, hours=4), "a"), purchase(at(days=5, hours=4), "b", 2)])
    world.append(writer, [purchase(at(days=5, hours=9), "c")])
    read = world.read([(1,), (2,), (3,)], at(days=5, hours=7.99), ["purchases__rows_1h"])
    assert read.status_names("purchases__rows_1h") == ["NOT_COMPUTED", "PRESENT", "EMPTY"]
    assert read.to_dict()["purchases__rows_1h"] == [None, 0, 0]
    world.rows = [purchase(at(days=5, hours=4), "a"), purchase(at(days=5, hours=9), "c")]
    for hours in (8, 8.5, 9.1, 10, 30):
        world.check([(1,)], at(days=5, hours=hours))


def test_an_entity_whose_every_tile_is_gone_is_not_taken_for_one_without_events(tmp_path: Path, valkey: str) -> None:
    world = OnlineWorld(tmp_path, valkey, Sparse)
    world.land(0, 0.5)
    world.sync(at(days=0.5, hours=1))
    writer = world.writer(at(days=0.5), exact_for=timedelta(hours=1))
    world.append(writer, [event(at(hours=13), number=1), event(at(hours=20), number=2)])
    read = world.read([(1,), (2,), (3,)], at(hours=13.1), ["sparse__rows_1h"])
    assert read.status_names("sparse__rows_1h") == ["NOT_COMPUTED", "NOT_COMPUTED", "EMPTY"]
    assert world.value("rows_1h", at(hours=20.1), (1,)) == (0, "EMPTY")
    assert world.value("rows_1h", at(hours=20.1), (2,)) == (1, "PRESENT")


def test_a_clock_that_runs_ahead_does_not_prune_the_present(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5), copy=True, exact_for=timedelta(hours=1))
    far = datetime.now(UTC) + timedelta(days=10)
    soon = datetime.now(UTC)
    world.append(writer, [purchase(far, "far"), purchase(soon, "soon")])
    assert world.value("rows_1h", soon + timedelta(minutes=2), (1,)) == (1, "PRESENT")
    told_until = world.offline.stream_copy(Purchases.full_name).open().writes["end"].max()
    assert told_until <= datetime.now(UTC), "nobody knows yet what happens until then"


@pytest.mark.parametrize("seed", range(2))
def test_tiles_do_not_depend_on_how_events_are_delivered(tmp_path: Path, valkey: str, seed: int) -> None:
    rng = random.Random(seed)
    world = OnlineWorld(tmp_path, valkey)
    world.rows = random_events(rng, 60, 2)
    for row in world.rows:
        row["time"] += timedelta(days=13)
    world.land(0, 13)
    world.sync(at(days=13, hours=3))
    times = [at(days=13 + rng.uniform(0.1, 3)) for _ in range(4)]
    exact = [f"live__{f.name}" for f in Live.stored_features if not f.dtype.is_float]
    served = []
    for pieces in (1, 5):
        order = world.rows.copy()
        rng.shuffle(order)
        with redis.Redis.from_url(valkey) as client:
            client.delete(*client.keys("fs:*stream*"))
        writer = world.writer(at(days=13))
        for piece in range(pieces):
            world.append(writer, order[piece::pieces])
        served.append([world.read(KEYS, time, exact).to_dict() for time in times])
    assert served[0] == served[1]


def test_a_writer_that_another_took_over_from_writes_nothing(world: OnlineWorld) -> None:
    hour = at(days=5, hours=4)
    first = world.writer(at(days=5))
    world.append(first, [purchase(hour, "a")])
    second = world.writer(hour)
    assert second.since == at(days=5), "the stream that is there goes on"
    with pytest.raises(StreamTakenOverError, match="another stream writer took this view over"):
        world.append(first, [purchase(hour, "b"), purchase(hour, "c", 2)])
    assert rows_1h(world, hour + timedelta(minutes=1)) == 1
    world.append(second, [purchase(hour, "b"), purchase(hour, "c", 2)])
    assert rows_1h(world, hour + timedelta(minutes=1)) == 2
    assert rows_1h(world, hour + timedelta(minutes=1), 2) == 1


def test_a_writer_that_begins_after_a_gap_begins_a_stream_of_its_own(world: OnlineWorld) -> None:
    """What happened between 04:00 and 10:00 nobody was told: windows that reach it cannot be known."""
    first = world.writer(at(days=5), copy=True)
    world.append(first, [purchase(at(days=5, hours=4), "a")])
    first.close()
    lost = purchase(at(days=5, hours=9), "b")
    second = world.writer(at(days=5, hours=10), copy=True)
    assert second.since == at(days=6), "tiles of a day are whole from the next day on"
    after = [purchase(at(days=6, hours=1), "c"), purchase(at(days=6, hours=2), "d")]
    world.append(second, after)
    time = at(days=6, hours=2.01)
    assert world.value("amount_2d", time, (1,)) == (None, "NOT_COMPUTED")
    world.check_equals_join([(1,), (2,)], time)
    with redis.Redis.from_url(world.url) as client:
        assert len(list(client.scan_iter(b"\x02*"))) == 1, "the rows of the former stream are gone"
    world.land(5, 6, [purchase(at(days=5, hours=4), "a"), lost])
    world.sync(at(days=6, hours=3))
    world.rows = [purchase(at(days=5, hours=4), "a"), lost, *after]
    world.check([(1,), (2,)], at(days=6, hours=2.01))


def test_a_stream_begun_again_replaces_nothing_in_the_copy_before_it_has_caught_up(world: OnlineWorld) -> None:
    world.rows = [purchase(at(days=5, hours=hour), f"{hour}") for hour in range(24)]
    first = world.writer(at(days=5), copy=True)
    world.append(first, world.rows)
    first.append(events([], world.columns), until=at(days=6, hours=1))
    with redis.Redis.from_url(world.url) as client:
        client.flushdb()
    world.sync(at(days=5, hours=3))
    second, time = world.writer(at(days=5), copy=True), at(days=6, hours=1)

    def trained() -> list[float]:
        return world.joined([(1,)], time)["purchases__amount_2d"].to_list()

    for until in range(3, 24, 10):
        world.append(second, world.rows[:until])
        assert trained() == [24.0]
    world.append(second, [*world.rows, purchase(at(days=5, hours=1), "late")])
    assert trained() == [25.0], "it knows as much of the day as the first did, and was told later"


def test_how_far_a_stream_is_complete_is_told_by_events_or_by_until(world: OnlineWorld) -> None:
    hour = at(days=5, hours=4)
    for since, until in ((at(days=5), hour), (hour, hour), (hour, hour + timedelta(hours=6))):
        writer = world.writer(since)
        assert writer.since == at(days=5), "there is no gap"
        if until == hour:
            world.append(writer, [purchase(hour + timedelta(milliseconds=1), "a")])
        else:
            writer.append(events([], world.columns), until=until)
        writer.close()
    assert world.writer(hour + timedelta(hours=6)).since == at(days=5)
    assert world.writer(hour + timedelta(hours=6, microseconds=1)).since == at(days=6)


def test_an_append_of_many_entities_lets_others_in_between(world: OnlineWorld) -> None:
    writer, hour = world.writer(at(days=5)), at(days=5, hours=4)
    count = 2 * ENTITIES_PER_TRANSACTION + 1
    with redis.Redis.from_url(world.url) as client:
        client.config_resetstat()
        report = world.append(writer, [purchase(hour, f"{user}", user, user) for user in range(count)])
        stats = client.info("commandstats")
    assert report.entities == count
    assert (stats["cmdstat_mset"]["calls"], "cmdstat_eval" in stats) == (4, False), (
        "three with rows, and how far the stream is complete"
    )
    read = world.read([(user,) for user in range(count)], hour + timedelta(minutes=1), ["purchases__amount_2d"])
    assert read.to_dict()["purchases__amount_2d"] == [float(user) for user in range(count)]


def test_an_append_that_failed_half_way_is_made_whole_by_the_same_events(
    world: OnlineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_rows, "ENTITIES_PER_TRANSACTION", 2)
    writer, hour = world.writer(at(days=5), copy=True), at(days=5, hours=4)
    rows = [purchase(hour, f"{user}", user) for user in range(6)]
    send, sent = FencedTransactions.send, 0

    def fail_late(self: FencedTransactions, *transaction: Any) -> list[Any]:
        nonlocal sent
        sent += 1
        if sent == 3:
            raise redis.ConnectionError("gone")
        return send(self, *transaction)

    with monkeypatch.context() as patched:
        patched.setattr(FencedTransactions, "send", fail_late)
        with pytest.raises(StoreUnavailableError):
            world.append(writer, rows)
    time = hour + timedelta(minutes=1)
    seen = world.read([(user,) for user in range(6)], time, ["purchases__rows_1h"]).to_dict()["purchases__rows_1h"]
    assert sum(seen) in (2, 4)
    assert world.append(writer, rows).duplicates == sum(seen)
    assert [rows_1h(world, time, user) for user in range(6)] == [1] * 6
    writer.append(events([], world.columns), until=at(days=6))
    world.check_equals_join([(user,) for user in range(7)], time)


def lose_reply(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Lose the connection after a transaction was done, the ``number``-th from now, before its reply is read."""
    settle, settled = FencedTransactions.settle, 0

    def lose(self: FencedTransactions) -> list[Any]:
        nonlocal settled
        settled += 1
        replies = settle(self)
        if settled == number + 1:  # the first only sees that the fence is ours
            raise redis.TimeoutError("Timeout reading from socket")
        return replies

    monkeypatch.setattr(FencedTransactions, "settle", lose)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_an_append_whose_reply_was_lost_counts_once_when_it_is_repeated(
    tmp_path: Path, valkey: str, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    monkeypatch.setattr(stream_rows, "ENTITIES_PER_TRANSACTION", 2)
    world = OnlineWorld(tmp_path, valkey)
    world.land(0, 5)
    world.sync(at(days=6))
    writer, hour, users = world.writer(at(days=5), copy=True), at(days=5, hours=4), [("1", f"{n}") for n in range(6)]
    world.append(writer, [event(hour, user) for user in users])
    rows = [event(hour + timedelta(minutes=1), user) for user in users]
    with monkeypatch.context() as patched:
        lose_reply(patched, lost)
        with pytest.raises(StoreUnavailableError):
            world.append(writer, rows)
    writer.prune()
    report = world.append(writer, rows)
    assert (report.events, report.duplicates, report.too_late) == (6 - 2 * lost, 2 * lost, 0)
    world.rows = [*(event(hour, user) for user in users), *rows]
    time = hour + timedelta(minutes=2)
    world.check(users, time)
    assert world.append(writer, rows).events == 6, "without ids, equal rows are further events"
    writer.append(events([]), until=at(days=6))
    world.check_equals_join(users, time)


def test_what_was_under_way_when_an_append_failed_comes_to_nothing_afterwards(
    tmp_path: Path, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = OnlineWorld(tmp_path, valkey)
    world.land(0, 5)
    world.sync(at(days=6))
    writer, hour = world.writer(at(days=5)), at(days=5, hours=4)
    stuck: list[tuple[FencedTransactions, tuple[Any, ...]]] = []
    send, leave = FencedTransactions.send, FencedTransactions.__exit__

    def hold_back(self: FencedTransactions, *transaction: Any) -> list[Any]:
        self.settle()
        stuck.append((self, transaction))
        raise redis.TimeoutError("Timeout writing to socket")

    with monkeypatch.context() as patched:
        patched.setattr(FencedTransactions, "send", hold_back)
        patched.setattr(FencedTransactions, "__exit__", lambda *_: None)
        with pytest.raises(StoreUnavailableError):
            world.append(writer, [event(hour)])
    assert world.append(writer, [event(hour)]).events == 1
    ((transactions, transaction),) = stuck
    # The server gets to it only now.
    with monkeypatch.context() as patched:
        patched.setattr(FencedTransactions, "settle", lambda _: [])
        send(transactions, *transaction)
    with pytest.raises(StreamTakenOverError):
        transactions.settle()
    leave(transactions)
    assert world.value("rows_15m", hour + timedelta(minutes=1))[0] == 1


def test_a_server_that_evicts_rows_is_refused(world: OnlineWorld) -> None:
    with redis.Redis.from_url(world.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(StoreError, match="maxmemory-policy is allkeys-lru"):
                world.writer(at(days=5))
        finally:
            client.config_set("maxmemory-policy", "noeviction")


def test_what_a_killed_writer_acknowledged_is_there_and_its_successor_goes_on(world: OnlineWorld) -> None:
    command = [sys.executable, "-m", "tests.serving.streams.writer_process", world.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(12)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().split()]

    def seen_of(user: int) -> float:
        return world.value("amount_2d", at(days=5, hours=3), (user,))[0]

    seen = {user: seen_of(user) for user in (1, 2)}
    assert seen[1] == seen[2], "an append is there for all its entities or for none"
    assert seen[1] in (len(acknowledged), len(acknowledged) + 1), "the last one may not have been told of"
    # The source delivers again from wherever it likes: ids keep events from counting twice.
    rows = [
        purchase(at(days=5) + timedelta(seconds=number), f"{number}", user) for number in range(40) for user in (1, 2)
    ]
    world.append(world.writer(at(days=5)), rows)
    assert {seen_of(user) for user in (1, 2)} == {max(40, seen[1])}


def test_an_append_that_fails_changes_nothing(world: OnlineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, hour = world.writer(at(days=5), copy=True), at(days=5, hours=4)
    world.append(writer, [purchase(hour, "a")])

    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailableError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(RedisStreamRows, "write", refuse)
        with pytest.raises(StoreUnavailableError):
            world.append(writer, [purchase(hour, "b"), purchase(hour, "c", 2)])
    assert rows_1h(world, hour + timedelta(minutes=1)) == 1
    world.append(writer, [purchase(hour, "b"), purchase(hour, "c", 2)])
    assert rows_1h(world, hour + timedelta(minutes=1)) == 2
    writer.append(events([], world.columns), until=at(days=6))
    world.check_equals_join([(1,), (2,), (3,)], hour + timedelta(minutes=1))


def test_rows_keep_two_days_before_the_oldest_live_batch_and_pruning_forgets_the_idle(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5), exact_for=timedelta(hours=1))
    world.rows = [purchase(at(days=5, hours=1), "a"), purchase(at(days=9, hours=1), "b", 2)]
    world.append(writer, world.rows)
    assert writer.prune() == 0
    for day in range(5, 9):
        world.land(day, day + 1)
        world.sync(at(days=day + 1, hours=3))
    # The generations of days 8 and 9 are live: what is older than the sixth belongs to the batch for good.
    assert writer.prune() > 0
    assert writer.prune() == 0
    world.check([(1,), (2,), (3,)], at(days=9, hours=4))
    assert world.append(writer, [purchase(at(days=5, hours=23), "late", 3)]).too_late == 1
    with redis.Redis.from_url(world.url) as client:
        assert [client.scard(key) for key in client.scan_iter(b"fs:*:stream-entities:*")] == [2]
        assert len(list(client.scan_iter(b"\x02*"))) == 1
        for day in range(9, 12):
            world.land(day, day + 1)
            world.sync(at(days=day + 1, hours=3))
        writer.prune()
        # The row of the first user knew from when on it could answer; that lies before what any batch leaves open now.
        assert [client.scard(key) for key in client.scan_iter(b"fs:*:stream-entities:*")] == [1]
    world.append(writer, [purchase(at(days=12, hours=2), "c", 1)])
    world.rows.append(purchase(at(days=12, hours=2), "c", 1))
    world.check([(1,), (2,), (3,)], at(days=12, hours=4))


def test_a_view_that_was_changed_starts_a_stream_of_its_own(tmp_path: Path, world: OnlineWorld) -> None:
    hour = at(days=5, hours=4)
    world.append(world.writer(at(days=5)), [purchase(hour, "a", 1, 4.0)])
    options = {"namespace": "streams", "version": 1, "owner": "engine", "cadence": "1d", "batch_after": "2h"}
    declare = stream_view(entity=USER, source=SOURCE, available_after="0s", freshness="1m", **options)
    largest = max_(col("amount"), over="2d", description="d")
    view = declare(type("Purchases", (), {"__doc__": "Changed.", "largest": largest}))
    changed = OnlineWorld(tmp_path / "changed", world.url, view, dict(SOURCE.columns))
    # The old tiles are still there, and hold no largest amount.
    assert changed.value("largest", hour + timedelta(minutes=1), (1,)) == (None, "NOT_COMPUTED")
    writer = changed.writer(at(days=6))
    assert writer.since == at(days=6)
    assert rows_1h(world, at(days=6, hours=4)) is None, "the new stream does not count rows"
    changed.land(0, 6)
    changed.sync(at(days=6, hours=3))
    changed.append(writer, [purchase(at(days=6, hours=3), "b", 1, 4.0)])
    assert changed.value("largest", at(days=6, hours=4), (1,)) == (4.0, "PRESENT")
    with redis.Redis.from_url(world.url) as client:
        assert len(list(client.scan_iter(b"\x02*"))) == 1, "the rows of the former stream are gone"


def with_rows_10s(folder: Path, world: OnlineWorld) -> OnlineWorld:
    """The view with a feature of a new hop, which servers of ``world`` do not know."""
    options = {"namespace": "streams", "version": 1, "owner": "engine", "cadence": "1d", "batch_after": "2h"}
    declare = stream_view(entity=USER, source=SOURCE, available_after="0s", freshness="1m", **options)
    features = {
        "rows_1h": count(over="1h", description="d"),
        "amount_2d": sum_(col("amount"), over="2d", description="d"),
        "last_amount": last(col("amount"), over="12d", description="d"),
        "rows_10s": count(over="10s", hop="10s", description="d"),
    }
    view = declare(type("Purchases", (), {"__doc__": "Changed.", **features}))
    newer = OnlineWorld(folder, world.url, view, dict(SOURCE.columns), world.rows)
    newer.offline = world.offline
    return newer


HOUR = at(days=5, hours=4)
RACE = [purchase(HOUR + timedelta(seconds=second), f"{second}", 1, 1.0 + second) for second in (0, 7, 12, 40, 65)]
"""Events on both sides of the bounds of ten seconds and of a minute."""


def test_a_feature_with_a_new_hop_takes_nothing_from_the_others(tmp_path: Path, world: OnlineWorld) -> None:
    former = purchase(at(days=4, hours=23), "former")
    world.rows = [former, *RACE]
    world.append(world.writer(at(days=5)), RACE)
    newer = with_rows_10s(tmp_path / "newer", world)
    newer.land(0, 5)
    newer.sync(at(days=5, hours=3))
    early = [HOUR + timedelta(seconds=second, minutes=minute) for minute in (0, 1) for second in (1, 9, 13, 59)]
    late = [HOUR + timedelta(hours=1, seconds=second) for second in (0, 299, 300)]
    for time in (*early, *late):
        world.check([(1,)], time)
    assert newer.value("rows_10s", early[0], (1,)) == (None, "NOT_COMPUTED"), "the stream lacks its tiles"
    assert newer.value("rows_1h", early[0], (1,)) == (1, "PRESENT")
    writer = newer.writer(at(days=5), copy=True)
    newer.append(writer, RACE)
    writer.append(events([], world.columns), until=at(days=6))
    assert newer.value("rows_10s", RACE[-1]["time"], (1,)) == (0, "PRESENT")
    for time in (*early, *late):
        newer.check([(1,)], time)
        world.check([(1,)], time)
        world.check_equals_join([(1,)], time)
        newer.check_equals_join([(1,)], time)


def test_tiles_of_fewer_levels_need_smaller_ones_which_a_stream_may_have_dropped(
    tmp_path: Path, world: OnlineWorld
) -> None:
    newer = with_rows_10s(tmp_path / "newer", world)
    newer.append(newer.writer(at(days=5), exact_for=timedelta(seconds=20)), RACE)
    # Of the batch tiles there are those of an hour only, until they are built again.
    for time in (HOUR + timedelta(seconds=50), HOUR + timedelta(seconds=65)):
        assert rows_1h(newer, time) is None
    assert rows_1h(newer, HOUR + timedelta(hours=1)) == 5
    newer.land(0, 5)
    newer.sync(at(days=5, hours=3))
    assert rows_1h(newer, HOUR + timedelta(seconds=50)) == 4


def test_dropping_a_view_drops_its_stream_and_stops_its_writer(world: OnlineWorld) -> None:
    writer = world.writer(at(days=5))
    world.append(writer, [purchase(at(days=5, hours=4), "a")])
    online = open_loader(world.url)
    online.drop_view(Purchases.full_name)
    online.close()
    with redis.Redis.from_url(world.url) as client:
        assert list(client.scan_iter(b"*")) == [b"fs:generation"]
    with pytest.raises(StreamTakenOverError):
        world.append(writer, [purchase(at(days=5, hours=5), "b")])


def test_wrong_rows_and_wrong_views_are_refused(world: OnlineWorld, valkey: str) -> None:
    writer = world.writer(at(days=5))
    with pytest.raises(InputError, match="lack the column 'id'"):
        writer.append(pl.DataFrame({"user": [1], "time": [at()]}))
    naive = pl.DataFrame({"user": [1], "amount": [1.0], "id": ["a"], "time": [at().replace(tzinfo=None)]})
    with pytest.raises(InputError, match="without a time zone"):
        writer.append(naive)
    with pytest.raises(InputError, match="no stream view"):
        StreamWriter(valkey, Daily, since=at())
    with pytest.raises(StoreUnavailableError):
        StreamWriter("redis://127.0.0.1:1/0", Purchases, since=at())


def test_a_damaged_row_is_null_for_its_entity_and_its_writer_adds_nothing_to_it(world: OnlineWorld) -> None:
    writer, hour = world.writer(at(days=5)), at(days=5, hours=4)
    world.append(writer, [purchase(hour, "a"), purchase(hour, "c", 2)])
    row = encode_keys([Column(np.array([1]), np.array([True]))], [Int64]).keys.to_list()[0]
    with redis.Redis.from_url(world.url) as client:
        (key,) = (key for key in client.scan_iter(b"\x01*") if key.endswith(row))
        whole = client.get(key)
        for damaged in (whole[:-1], b"\0" + whole[1:], b"something else"):
            client.set(key, damaged)
            read = world.read([(1,), (2,)], hour + timedelta(minutes=1), ["purchases__rows_1h"])
            assert read.to_dict()["purchases__rows_1h"] == [None, 1]
            assert read.status_names("purchases__rows_1h") == ["DAMAGED", "PRESENT"]
            with pytest.raises(RowError, match="1 of 1 entities are damaged"):
                world.append(writer, [purchase(hour, "b")])
        client.set(key, whole)
    assert rows_1h(world, hour + timedelta(minutes=1)) == 1


def test_batch_rows_of_another_as_of_are_damaged(world: OnlineWorld) -> None:
    world.land(0, 6, [purchase(at(days=4, hours=1), "a")])
    world.sync(at(days=5, hours=3))
    world.writer(at(days=5))
    with redis.Redis.from_url(world.url) as client:
        keys = sorted(key for key in client.scan_iter(b"\x01*") if len(key) > 5)
        assert len(keys) == 2, "the rows of the fifth and the sixth day"
        fifth, sixth = client.mget(keys)
        client.mset({keys[0]: sixth, keys[1]: fifth})
    assert world.value("rows_1h", at(days=5, hours=4), (1,)) == (None, "DAMAGED")
    assert world.value("rows_1h", at(days=6, hours=4), (1,)) == (None, "DAMAGED")


def test_events_of_keys_that_collide_as_text_stay_apart(tmp_path: Path, valkey: str) -> None:
    world = OnlineWorld(tmp_path, valkey)
    world.land(0, 5)
    world.sync(at(days=6))
    writer = world.writer(at(days=5))
    keys = [("1", "12"), ("11", "2"), ("", "112"), ("é", ""), ("", "é")]
    rows = [event(at(days=5, hours=4), key, number=place) for place, key in enumerate(keys)]
    writer.append(events(rows, COLUMNS))
    read = world.read(keys, at(days=5, hours=4.1), ["live__number_12d"])
    assert read.to_dict()["live__number_12d"] == [0, 1, 2, 3, 4]
