"""Any store: what it lists of a view is damaged, of a former time, of another view, or gone. Nothing is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final, NamedTuple

import pytest

from feature_store.codec.byte_strings import from_list
from serving.stores.errors import DamagedListError, StoreError
from serving.stores.open_store import open_inspector, open_loader, open_reader, open_stream_rows
from serving.stores.rows import RowsWanted
from tests.stores.sample import DAY, HOUR, VIEW, baskets, decoded_baskets, load, now, snapshot, wanted
from tests.stores.test_stream_rows import NAMES, TILES
from tests.stores.under_test import LoopReader, StoreUnderTest, ThreadReader

OTHER: Final = "a/whole/v1"


class Stands(NamedTuple):
    """What is listed of a view now, what was before, and what is of another view."""

    now: bytes
    before: bytes
    other: bytes


Harm = Callable[[Stands], bytes | None]
"""Returns what stands in the place of what is listed now; None: nothing."""


def with_other_instants(record: bytes) -> bytes:
    return record.replace(b'_at": 1', b'_at": 2', 1).replace(b'"since": 4', b'"since": 1')


HARMS: Final[dict[str, Harm]] = {
    "nothing left of it": lambda _: b"",
    "gone": lambda _: None,
    "cut": lambda lists: lists.now[:-3],
    "no JSON": lambda lists: b"\xff" + lists.now,
    "an earlier one": lambda lists: lists.before,
    "of another view": lambda lists: lists.other,
    "an instant changed": lambda lists: with_other_instants(lists.now),
}


@pytest.fixture(params=[ThreadReader, LoopReader], ids=["thread", "loop"])
def reader(request: pytest.FixtureRequest, store: StoreUnderTest) -> Iterator[ThreadReader | LoopReader]:
    reader = request.param(store.url)
    yield reader
    reader.close()


def pointer_of(store: StoreUnderTest, view: str = VIEW) -> bytes:
    pointer = store.replace_pointer(view, None)
    assert pointer is not None
    store.replace_pointer(view, pointer)
    return pointer


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_damaged_pointer_fails_its_view_alone_until_the_next_load(
    store: StoreUnderTest, reader: ThreadReader, harm: Harm
) -> None:
    began = now()
    load(store.url, [1], snapshot(began - 3 * DAY))
    former = pointer_of(store)
    load(store.url, [1], snapshot(began - 2 * DAY), factor=2)
    load(store.url, [1], snapshot(began - 2 * DAY), view=OTHER)
    store.replace_pointer(VIEW, harm(Stands(pointer_of(store), former, pointer_of(store, OTHER))))
    for _ in range(2):
        (found, whole) = reader.read([wanted([1]), wanted([1], OTHER)], now())
        assert isinstance(found, StoreError)
        assert f"{VIEW}: its record in the online store" in str(found)
        assert "load the view again" in str(found)
        assert decoded_baskets(whole, [1]) == [1]
    with closing(open_inspector(store.url)) as inspector, pytest.raises(DamagedListError):
        inspector.generations(VIEW)
    with closing(open_loader(store.url)) as loader:
        assert loader.needs(VIEW, snapshot(began - 2 * DAY)), "nobody takes it for loaded"
    load(store.url, [1], snapshot(began - 2 * DAY), factor=2)
    with closing(ThreadReader(store.url)) as fresh:
        assert baskets(fresh, [1]) == [2]
    assert store.row_count() == 2, "of what was listed no row is left behind"


def test_a_view_that_was_never_loaded_or_was_dropped_is_of_no_generation(
    store: StoreUnderTest, reader: ThreadReader
) -> None:
    (never,) = reader.read([wanted([1])], now())
    assert never.generation is None
    load(store.url, [1], snapshot(now() - DAY), view=OTHER)
    with closing(open_loader(store.url)) as loader:
        loader.drop_view(OTHER)
    (dropped,) = reader.read([wanted([1], OTHER)], now())
    assert dropped.generation is None


@pytest.mark.parametrize("harm", [b"{", b'{"a": 1}', b"[[1]]", b"[7]", b"\xff"])
def test_a_list_of_rejected_snapshots_that_cannot_be_read_loads_nothing_that_may_be_one(
    store: StoreUnderTest, harm: bytes
) -> None:
    for days in (3, 2):
        load(store.url, [1], snapshot(now() - days * DAY), factor=days)
    with closing(open_loader(store.url)) as loader:
        loader.restore(VIEW)
        assert store.replace_rejected(VIEW, harm) is not None
        with pytest.raises(DamagedListError, match=f"{VIEW}: .*rejected.*delete"):
            loader.load(VIEW, snapshot(now() - DAY), [])
        assert baskets(open_reader(store.url), [1]) == [3]
        store.replace_rejected(VIEW, None)
    load(store.url, [1], snapshot(now() - DAY), factor=4)
    assert baskets(open_reader(store.url), [1]) == [4]


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_damaged_record_of_a_stream_fails_its_view_alone_until_its_writer_starts_again(
    store: StoreUnderTest, reader: ThreadReader, harm: Harm
) -> None:
    def begin(view: str, since: int) -> None:
        with closing(open_stream_rows(store.url, view, TILES, since=since, whole_from=since)) as rows:
            rows.write(from_list(NAMES), [b"1", b"2", b"3"], None, new=NAMES)

    def record_of(view: str) -> bytes:
        record = store.replace_stream(view, None)
        assert record is not None
        store.replace_stream(view, record)
        return record

    for view in (VIEW, OTHER):
        load(store.url, [1], snapshot(now() - DAY), view=view)
    begin(VIEW, 4 * DAY)
    former = record_of(VIEW)
    for view in (VIEW, OTHER):
        begin(view, 5 * DAY)
    store.replace_stream(VIEW, harm(Stands(record_of(VIEW), former, record_of(OTHER))))
    asked = [RowsWanted(view, from_list(NAMES), is_stream=True) for view in (VIEW, OTHER)]
    for _ in range(2):
        found, whole = reader.read(asked, now())
        assert isinstance(found, StoreError)
        assert f"{VIEW}: its record in the online store" in str(found)
        assert "restart its stream writer" in str(found)
        assert whole.stream is not None
    begin(VIEW, 6 * DAY)
    (healed,) = open_reader(store.url).read(asked[:1], now() + HOUR)
    assert healed.stream is not None
    assert healed.stream.since == 6 * DAY
