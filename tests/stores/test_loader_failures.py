"""Any store: loaders that die, sleep or collide; what is served stays whole."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serving.stores.errors import IncompleteLoadError, LeaseHeldError, LeaseLostError
from serving.stores.open_store import open_loader, open_reader
from serving.stores.snapshot import Chunk
from tests.stores.sample import DAY, VIEW, baskets, chunk, load, now, snapshot
from tests.stores.under_test import StoreUnderTest

SPAWN = multiprocessing.get_context("spawn")
HALF = 20_000


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def load_half_then_stall(url: str, as_of: int, reached: Any, lease_seconds: float) -> None:
    def chunks() -> Iterator[Chunk]:
        yield chunk(range(HALF), 9)
        # The second chunk is asked for when the first was sent; one more row makes sure that the server has it.
        yield chunk([HALF], 9)
        reached.set()
        time.sleep(600)
        yield chunk([HALF + 1], 9)

    open_loader(url, lease_seconds=lease_seconds).load(VIEW, snapshot(as_of, "half"), chunks())


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGSTOP])
def test_a_loader_killed_half_way_changes_nothing_and_its_rows_go(store: StoreUnderTest, kill: signal.Signals) -> None:
    load(store.url, range(100), snapshot(now() - 2 * DAY))
    reached = SPAWN.Event()
    loader = SPAWN.Process(target=load_half_then_stall, args=(store.url, now() - DAY, reached, 4.0))
    loader.start()
    try:
        assert reached.wait(60)
        assert loader.pid is not None
        os.kill(loader.pid, kill)
        assert store.row_count() >= 100 + HALF
        assert baskets(open_reader(store.url), range(100)) == list(range(100))
        writer = open_loader(store.url, lease_seconds=4.0)
        report = writer.load(VIEW, snapshot(now() - DAY, "whole"), [chunk(range(50), 3)])
        assert report.rows == 50
        assert baskets(open_reader(store.url), range(100)) == [3 * each for each in range(50)] + [None] * 50
        assert store.row_count() == 150, "the rows of the loader that died are dropped, the previous snapshot is kept"
    finally:
        loader.kill()
        loader.join()


def test_a_fenced_loader_that_wakes_up_writes_nothing_and_never_flips(store: StoreUnderTest) -> None:
    load(store.url, range(10), snapshot(now() - 3 * DAY))
    outcome: list[BaseException] = []
    asleep, wake = threading.Event(), threading.Event()

    def chunks() -> Iterator[Chunk]:
        yield chunk(range(10), 5)
        asleep.set()
        assert wake.wait(60)
        yield chunk(range(10, 30_000), 5)

    def old_loader() -> None:
        try:
            open_loader(store.url).load(VIEW, snapshot(now() - DAY, "old"), chunks())
        except LeaseLostError as error:
            outcome.append(error)

    thread = threading.Thread(target=old_loader)
    thread.start()
    assert asleep.wait(60)
    store.end_lease(VIEW)
    taken = load(store.url, range(10), snapshot(now() - DAY, "new"), factor=7)
    wake.set()
    thread.join()
    assert len(outcome) == 1
    assert "lost its lease" in str(outcome[0])
    assert [each.id for each in open_loader(store.url).generations(VIEW)][-1] == taken.generation
    assert baskets(open_reader(store.url), range(11)) == [7 * each for each in range(10)] + [None]
    assert store.row_count() == 20


def test_a_loader_fenced_off_after_its_last_row_cannot_flip(store: StoreUnderTest) -> None:
    def chunks() -> Iterator[Chunk]:
        yield chunk(range(10), 5)
        store.end_lease(VIEW)

    with pytest.raises(LeaseLostError):
        open_loader(store.url).load(VIEW, snapshot(now() - DAY), chunks())
    assert open_loader(store.url).generations(VIEW) == ()


def test_a_take_over_between_check_and_write_aborts_the_write(store: StoreUnderTest) -> None:
    """Between two chunks the loader has already seen its lease; the watch on the fence still stops the write."""

    def chunks() -> Iterator[Chunk]:
        yield chunk(range(10), 5)
        store.end_lease(VIEW)
        load(store.url, [1], snapshot(now() - DAY, "new"), factor=7)
        yield chunk(range(10, 20), 5)

    with pytest.raises(LeaseLostError):
        open_loader(store.url).load(VIEW, snapshot(now() - DAY, "old"), chunks())
    assert baskets(open_reader(store.url), [1, 15]) == [7, None]
    assert store.row_count() == 1


def test_a_second_loader_is_refused_while_the_first_is_at_work(store: StoreUnderTest) -> None:
    def chunks() -> Iterator[Chunk]:
        with pytest.raises(LeaseHeldError, match="another loader is at work"):
            open_loader(store.url, lease_seconds=0.3).load(VIEW, snapshot(now() - DAY, "b"), [chunk([1], 9)])
        yield chunk([1], 2)

    open_loader(store.url).load(VIEW, snapshot(now() - DAY, "a"), chunks())
    assert baskets(open_reader(store.url), [1]) == [2]


def test_a_slow_source_does_not_cost_the_lease(store: StoreUnderTest) -> None:
    def chunks() -> Iterator[Chunk]:
        yield chunk([1])
        time.sleep(4)
        yield chunk([2])

    report = open_loader(store.url, lease_seconds=3).load(VIEW, snapshot(now() - DAY), chunks())
    assert (report.rows, report.skipped) == (2, False)


def test_restore_stops_a_load_at_work(store: StoreUnderTest) -> None:
    before = load(store.url, [1], snapshot(now() - 3 * DAY))
    load(store.url, [1], snapshot(now() - 2 * DAY), factor=2)

    def chunks() -> Iterator[Chunk]:
        yield chunk([1], 3)
        open_loader(store.url).restore(VIEW, open_loader(store.url).generations(VIEW)[0].id)
        yield chunk([2], 3)

    with pytest.raises(LeaseLostError):
        open_loader(store.url).load(VIEW, snapshot(now() - DAY), chunks())
    # The load had dropped the first generation already, so the one restored is the second.
    assert before.generation not in [each.id for each in open_loader(store.url).generations(VIEW)]
    assert baskets(open_reader(store.url), [1, 2]) == [2, None]
    assert store.row_count() == 1


def test_readers_see_whole_snapshots_while_others_are_loaded_and_dropped(store: StoreUnderTest) -> None:
    start = now() - 20 * DAY
    load(store.url, range(1, 301), snapshot(start), factor=1)
    done = threading.Event()
    seen: set[int] = set()
    torn: list[list[int | None]] = []

    def read() -> None:
        reader = open_reader(store.url)
        while not done.is_set():
            values = baskets(reader, range(1, 301))
            factors = {value / household if value else None for household, value in enumerate(values, 1)}
            if len(factors) != 1 or None in factors:
                torn.append(values)
            seen.add(values[0] or 0)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    wait_until(lambda: 1 in seen)
    for day in range(1, 12):
        load(store.url, range(1, 301), snapshot(start + day * DAY), factor=day + 1)
    wait_until(lambda: 12 in seen)
    done.set()
    for thread in readers:
        thread.join()
    assert torn == []
    assert {1, 12} <= seen


@pytest.mark.parametrize("loaded", [0, 2, 4])
def test_a_load_of_other_rows_than_the_snapshot_has_is_not_published(store: StoreUnderTest, loaded: int) -> None:
    """As when a file is cut and whoever reads it says nothing."""
    before = load(store.url, range(10), snapshot(now() - 2 * DAY))
    today = snapshot(now() - DAY, "today", rows=3)
    with pytest.raises(IncompleteLoadError, match=f"{VIEW} as of .*: {loaded} rows were read .* promises 3"):
        load(store.url, range(loaded), today, factor=5)
    loader = open_loader(store.url)
    assert [each.id for each in loader.generations(VIEW)] == [before.generation]
    assert baskets(open_reader(store.url), range(10)) == list(range(10))
    assert loader.needs(VIEW, today)
    assert load(store.url, range(3), today, factor=5).rows == 3
    assert baskets(open_reader(store.url), range(3)) == [0, 5, 10]
    assert not loader.needs(VIEW, today)


def test_a_generation_with_fewer_rows_than_its_snapshot_is_no_copy_of_it(store: StoreUnderTest) -> None:
    """One that a release loaded which did not compare them: the same content is loaded again."""
    as_of = now() - DAY
    load(store.url, [1, 2], snapshot(as_of))
    whole = snapshot(as_of, rows=3)
    assert open_loader(store.url).needs(VIEW, whole)
    report = load(store.url, [1, 2, 3], whole)
    assert (report.skipped, report.rows) == (False, 3)
    assert baskets(open_reader(store.url), [1, 2, 3]) == [1, 2, 3]
