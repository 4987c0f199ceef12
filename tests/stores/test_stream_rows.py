"""Any store: the rows of a stream, and who may write them."""

from __future__ import annotations

import pytest

from feature_store.codec.byte_strings import from_list
from feature_store.codec.tile_codec import TileLayout
from feature_store.dtypes import String
from feature_store.model.states import State, StateField
from serving.stores.errors import StoreUnavailableError, StreamTakenOverError
from serving.stores.open_store import open_loader, open_reader, open_stream_rows
from serving.stores.rows import RowsRead, RowsWanted
from serving.stores.store import StreamRows
from tests.stores.sample import DAY, HOUR, VIEW, load, now, snapshot
from tests.stores.under_test import StoreUnderTest

SECOND = 1_000_000
TILES = TileLayout((SECOND,), (State("id", "id", (StateField("id", String.name),), "fp"),))
OTHER = TileLayout((SECOND,), (State("id", "id", (StateField("id", String.name),), "changed"),))
NAMES = [b"a", b"bb", b"ccc"]


def begin(store: StoreUnderTest, since: int = 5 * DAY, layout: TileLayout = TILES) -> StreamRows:
    return open_stream_rows(store.url, VIEW, layout, since=since, whole_from=since)


def read(store: StoreUnderTest, names: list[bytes]) -> RowsRead:
    (found,) = open_reader(store.url).read([RowsWanted(VIEW, from_list(names), is_stream=True)], now())
    assert isinstance(found, RowsRead)
    return found


def test_rows_and_events_are_what_was_written_last(store: StoreUnderTest) -> None:
    rows = begin(store)
    rows.write(from_list(NAMES), [b"1", b"2", b"3"], [b"x", b"", b"z"], new=NAMES)
    assert rows.read(from_list([b"bb", b"none", b"a"])) == [b"2", None, b"1"]
    assert rows.read_events(from_list(NAMES)) == [b"x", None, b"z"]
    rows.write(from_list(NAMES[:2]), [b"", b"20"], [b"", b"y"])
    assert rows.read(from_list(NAMES)) == [None, b"20", b"3"]
    assert rows.read_events(from_list(NAMES)) == [None, b"y", b"z"]
    assert {name for piece in rows.entities() for name in piece} == set(NAMES)
    rows.forget([b"a"])
    rows.forget([])
    assert {name for piece in rows.entities() for name in piece} == {b"bb", b"ccc"}


def test_many_entities_are_written_and_found(store: StoreUnderTest) -> None:
    rows, names = begin(store), [b"%d" % number for number in range(5000)]
    rows.write(from_list(names), [name * 3 for name in names], None, new=names)
    assert rows.read(from_list(names)) == [name * 3 for name in names]
    assert {name for piece in rows.entities() for name in piece} == set(names)


def test_readers_see_a_stream_beside_its_generation_and_never_one_without_the_other(store: StoreUnderTest) -> None:
    rows = begin(store)
    rows.write(from_list(NAMES), [b"1", b"2", b"3"], None, new=NAMES)
    assert (read(store, NAMES).generation, read(store, NAMES).stream) == (None, None)
    load(store.url, [1], snapshot(now() - DAY))
    found = read(store, [b"ccc", b"none"])
    assert found.generation is not None
    assert (found.stream, found.stream_rows, found.rows) == (rows.stream, [b"3", None], [None, None])


def test_a_stream_goes_on_where_the_next_writer_knows_of_no_gap(store: StoreUnderTest) -> None:
    first = begin(store)
    first.write(from_list(NAMES), [b"1", b"2", b"3"], None, new=NAMES)
    first.complete(6 * DAY)
    first.complete(5 * DAY)
    assert first.until == 6 * DAY, "it never goes back"
    second = begin(store, since=6 * DAY)
    assert (second.stream, second.until) == (first.stream, 6 * DAY)
    assert second.read(from_list(NAMES)) == [b"1", b"2", b"3"]


@pytest.mark.parametrize(("since", "layout"), [(6 * DAY + 1, TILES), (6 * DAY, OTHER)], ids=["gap", "definition"])
def test_after_a_gap_or_another_definition_a_new_stream_begins(
    store: StoreUnderTest, since: int, layout: TileLayout
) -> None:
    load(store.url, [1], snapshot(now() - DAY))
    first = begin(store)
    first.write(from_list(NAMES), [b"1", b"2", b"3"], [b"x"] * 3, new=NAMES)
    first.complete(6 * DAY)
    second = begin(store, since, layout)
    assert (second.stream.since, second.until, second.stream.id > first.stream.id) == (since, since, True)
    assert second.read(from_list(NAMES)) == [None] * 3
    assert second.read_events(from_list(NAMES)) == [None] * 3
    assert list(second.entities()) == []
    assert (read(store, NAMES).stream, read(store, NAMES).stream_rows) == (second.stream, [None] * 3)


def test_a_writer_that_was_taken_over_from_changes_nothing_any_more(store: StoreUnderTest) -> None:
    first = begin(store)
    first.write(from_list(NAMES), [b"1", b"2", b"3"], None, new=NAMES, append=1)
    second = begin(store)
    for attempt in (
        lambda: first.write(from_list(NAMES), [b"9"] * 3, None, append=2),
        lambda: first.settle(1),
        lambda: first.complete(9 * DAY),
    ):
        with pytest.raises(StreamTakenOverError, match=f"{VIEW}.*one writer per view"):
            attempt()
    assert second.read(from_list(NAMES)) == [b"1", b"2", b"3"]
    assert begin(store).until == 5 * DAY


def test_an_append_can_be_asked_how_far_it_came(store: StoreUnderTest) -> None:
    rows = begin(store)
    assert rows.settle(1) == 0
    rows.write(from_list(NAMES), [b"1", b"2", b"3"], None, new=NAMES, append=1)
    assert (rows.settle(1), rows.settle(2)) == (3, 0)
    rows.write(from_list(NAMES), [b"9", b"9", b"4"], None, append=2, first=2)
    assert rows.read(from_list(NAMES)) == [b"1", b"2", b"4"], "the first two were written already"
    assert rows.settle(2) == 3
    assert begin(store).settle(2) == 0, "the append of another writer is none of ours"


def test_a_writer_knows_what_batch_tiles_own(store: StoreUnderTest) -> None:
    rows, start = begin(store), now() - 3 * DAY
    assert rows.oldest_live() is None
    load(store.url, [1], snapshot(start))
    load(store.url, [1], snapshot(start + DAY))
    assert rows.oldest_live() == start
    assert abs(rows.now() - now()) < HOUR


def test_a_view_that_is_dropped_stops_its_writer(store: StoreUnderTest) -> None:
    rows = begin(store)
    rows.write(from_list(NAMES), [b"1", b"2", b"3"], [b"x"] * 3, new=NAMES)
    open_loader(store.url).drop_view(VIEW)
    with pytest.raises(StreamTakenOverError):
        rows.write(from_list(NAMES), [b"9"] * 3, None)
    assert rows.read(from_list(NAMES)) == [None] * 3
    assert read(store, NAMES).stream is None


def test_a_store_that_does_not_answer_takes_no_stream(store: StoreUnderTest) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_stream_rows(store.unreachable, VIEW, TILES, since=0, whole_from=0)
    assert "secret" not in str(caught.value)
