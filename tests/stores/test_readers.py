"""Any store: what is read, by a thread and by an event loop alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from serving.stores.errors import StoreError, StoreUnavailableError
from tests.stores.sample import DAY, HOUR, VIEW, baskets, decoded_baskets, encoded, load, now, snapshot, wanted
from tests.stores.under_test import LoopReader, StoreUnderTest, ThreadReader


@pytest.fixture(params=[ThreadReader, LoopReader], ids=["thread", "loop"])
def reader(request: pytest.FixtureRequest, store: StoreUnderTest) -> Iterator[ThreadReader | LoopReader]:
    reader = request.param(store.url)
    yield reader
    reader.close()


def test_an_entity_is_its_own_empty_or_of_no_generation(store: StoreUnderTest, reader: ThreadReader) -> None:
    (read,) = reader.read([wanted([1, 2])], now())
    assert (read.generation, list(read.rows)) == (None, [None, None])
    load(store.url, [1, 3], snapshot(now() - DAY, available_at=now() - HOUR), factor=4, view="a/b/v1")
    assert decoded_baskets(reader.read([wanted([3, 2, 1, 1], "a/b/v1")], now())[0], [3, 2, 1, 1]) == [12, None, 4, 4]
    (read,) = reader.read([wanted([1], "a/b/v1")], now() - 2 * HOUR)
    assert read.generation is None


def test_many_entities_of_many_views_come_back_in_order(store: StoreUnderTest, reader: ThreadReader) -> None:
    views = [f"a/v{number}/v1" for number in range(3)]
    for factor, view in enumerate(views, 1):
        load(store.url, range(12_000), snapshot(now() - DAY), factor, view)
    asked = [wanted(range(11_990, 12_010), views[0]), wanted(range(12_000), views[1]), wanted([], views[2])]
    reads = reader.read([*asked, wanted([7], views[0])], now())
    assert decoded_baskets(reads[0], range(11_990, 12_010)) == [*range(11_990, 12_000), *[None] * 10]
    assert decoded_baskets(reads[1], range(12_000)) == [2 * each for each in range(12_000)]
    assert (reads[2].generation.rows, list(reads[2].rows)) == (12_000, [])
    assert decoded_baskets(reads[3], [7]) == [7]


def test_an_old_pointer_never_makes_dropped_rows_empty(store: StoreUnderTest, reader: ThreadReader) -> None:
    start = now() - 10 * DAY
    load(store.url, [1], snapshot(start))
    assert baskets(reader, [1]) == [1]
    for day in range(1, 4):
        load(store.url, [1], snapshot(start + day * DAY), factor=day + 1)
    assert baskets(reader, [1]) == [4], "the reader knows of the first one only, and that is gone"


def test_a_view_that_lost_its_rows_fails_alone(store: StoreUnderTest, reader: ThreadReader) -> None:
    load(store.url, [1], snapshot(now() - DAY), view="a/whole/v1")
    report = load(store.url, [1], snapshot(now() - DAY))
    store.lose_rows(report.generation)
    for _ in range(2):
        whole, lost, again = reader.read([wanted([1], "a/whole/v1"), wanted([1]), wanted([2])], now())
        assert decoded_baskets(whole, [1]) == [1]
        assert all(isinstance(each, StoreError) and VIEW in str(each) for each in (lost, again))
    load(store.url, [1], snapshot(now() - DAY + HOUR), factor=3)
    assert baskets(reader, [1]) == [3]


def test_a_store_that_lost_everything_serves_nothing_rather_than_empty(
    store: StoreUnderTest, reader: ThreadReader
) -> None:
    load(store.url, [1], snapshot(now() - DAY))
    assert baskets(reader, [1]) == [1]
    store.empty()
    (read,) = reader.read([wanted([1])], now())
    assert isinstance(read, StoreError) or read.generation is None


@pytest.mark.parametrize("kind", [ThreadReader, LoopReader])
def test_a_store_that_does_not_answer_is_named_without_its_password(
    store: StoreUnderTest, kind: type[ThreadReader]
) -> None:
    with (
        closing(kind(store.unreachable)) as reader,
        pytest.raises(StoreUnavailableError, match="online store") as caught,
    ):
        reader.read([wanted([1])], now())
    assert "secret" not in str(caught.value)


def test_a_loop_can_ask_whether_the_store_can_be_relied_on(store: StoreUnderTest) -> None:
    with closing(LoopReader(store.url)) as reader:
        reader.check()
    with closing(LoopReader(store.unreachable)) as reader, pytest.raises(StoreUnavailableError):
        reader.check()


def test_a_damaged_row_costs_its_own_entity_alone(store: StoreUnderTest, reader: ThreadReader) -> None:
    report = load(store.url, range(10), snapshot(now() - DAY))
    keys = encoded(range(10)).to_list()
    seven = store.replace_row(report.generation, keys[7], None)
    assert baskets(reader, range(10)) == [*range(7), None, 8, 9], "a row that is not there is an entity without events"
    three = store.replace_row(report.generation, keys[3], seven)
    store.replace_row(report.generation, keys[4], b"")
    store.replace_row(report.generation, keys[7], seven)
    assert baskets(reader, range(10)) == [0, 1, 2, "damaged", "damaged", 5, 6, 7, 8, 9]
    store.replace_row(report.generation, keys[3], three)
    assert baskets(reader, [3]) == [3]
