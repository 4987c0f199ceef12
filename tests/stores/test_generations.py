"""Any store: whole snapshots, switched by clock, dropped and restored."""

from __future__ import annotations

import time

import numpy as np
import pytest

from feature_store.codec.key_codec import encode_keys
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Int64, String
from feature_store.errors import InputError
from serving.stores.errors import StoreError
from serving.stores.generations import READER_LAG
from serving.stores.open_store import open_loader, open_reader
from serving.stores.rows import RowsWanted
from tests.stores.sample import (
    DAY,
    HOUR,
    LAYOUT,
    TEXT_LAYOUT,
    VIEW,
    baskets,
    chunk,
    decoded_baskets,
    encoded,
    load,
    now,
    snapshot,
    wanted,
)
from tests.stores.under_test import StoreUnderTest


@pytest.mark.parametrize("layout", [LAYOUT, TEXT_LAYOUT])
@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 40_000])
def test_what_was_loaded_is_read(store: StoreUnderTest, layout: RowLayout, count: int) -> None:
    steps: list[int] = []
    writer = open_loader(store.url)
    pieces = [chunk(range(count // 3), 2), chunk([]), chunk(range(count // 3, count), 2)]
    report = writer.load(VIEW, snapshot(now() - DAY, layout=layout), pieces, steps.append)
    assert (report.rows, report.skipped, steps[-1] if count else 0) == (count, False, count)
    assert store.row_count() == count
    (read,) = open_reader(store.url).read([wanted(range(count + 1))], now())
    assert read.generation is not None
    decoded = read.generation.layout.decode(read.rows, encoded(range(count + 1)), read.generation.as_of)
    assert decoded.present.tolist() == [True] * count + [False]
    assert decoded.columns["baskets"].values[:count].tolist() == [2 * household for household in range(count)]
    if layout is TEXT_LAYOUT:
        assert decoded.columns["segment"].values[:count].tolist() == [f"s{i % 1000}é" for i in range(count)]


def test_string_and_composite_keys_of_unequal_lengths(store: StoreUnderTest) -> None:
    names = [f"shop{'x' * (i % 7)}{i}" for i in range(3000)]
    every = np.ones(3000, np.bool_)
    keys = [Column(np.array(names, object), every), Column(np.arange(3000), every)]
    writer = open_loader(store.url)
    writer.load(VIEW, snapshot(now() - DAY), [(keys, chunk(range(3000))[1])])
    entities = encode_keys(keys, [String, Int64]).keys
    (read,) = open_reader(store.url).read([RowsWanted(VIEW, entities)], now())
    assert read.generation is not None
    decoded = read.generation.layout.decode(read.rows, entities, read.generation.as_of)
    assert decoded.columns["baskets"].values.tolist() == list(range(3000))
    writer.drop_view(VIEW)
    assert store.row_count() == 0


def test_readers_flip_by_clock_strictly_after_available_at(store: StoreUnderTest) -> None:
    as_of = now() - 2 * DAY
    load(store.url, [1], snapshot(as_of))
    load(store.url, [1], snapshot(as_of + DAY, available_at=now() + HOUR), factor=5)
    flip = open_loader(store.url).generations(VIEW)[-1].available_at
    reader = open_reader(store.url)
    assert baskets(reader, [1]) == [1]
    assert baskets(reader, [1], flip) == [1]
    assert baskets(reader, [1], flip + 1) == [5]
    (read,) = reader.read([wanted([1])], as_of)
    assert read.generation is None


def test_an_entity_that_dropped_out_reads_empty(store: StoreUnderTest) -> None:
    load(store.url, [1, 2], snapshot(now() - 2 * DAY))
    load(store.url, [2], snapshot(now() - DAY), factor=3)
    assert baskets(open_reader(store.url), [1, 2]) == [None, 6]


def test_loading_the_same_snapshot_again_does_nothing(store: StoreUnderTest) -> None:
    taken = snapshot(now() - DAY)
    first = load(store.url, [1, 2], taken)
    again = load(store.url, [9], taken)
    assert (again.generation, again.rows, again.skipped) == (first.generation, 2, True)
    assert again.published_at == first.published_at
    assert baskets(open_reader(store.url), [1, 2, 9]) == [1, 2, None]
    changed = load(store.url, [1], snapshot(taken.as_of, "b"))
    assert not changed.skipped
    added = RowLayout((*LAYOUT.features, LayoutField("more", Int64, "m")))
    keys, features = chunk([1])
    more = open_loader(store.url).load(
        VIEW, snapshot(taken.as_of, "b", layout=added), [(keys, {**features, "more": features["baskets"]})]
    )
    assert not more.skipped


def test_content_that_was_replaced_can_be_loaded_again(store: StoreUnderTest) -> None:
    as_of = now() - DAY
    load(store.url, [1], snapshot(as_of, "a"), factor=1)
    load(store.url, [1], snapshot(as_of, "b"), factor=2)
    assert not load(store.url, [1], snapshot(as_of, "a"), factor=1).skipped
    assert baskets(open_reader(store.url), [1]) == [1]


def test_a_snapshot_older_than_the_served_one_is_not_loaded(store: StoreUnderTest) -> None:
    served = load(store.url, [1], snapshot(now() - DAY))
    report = load(store.url, [1], snapshot(now() - 2 * DAY), factor=2)
    assert (report.skipped, report.generation) == (True, served.generation)
    assert store.row_count() == 1


def test_one_previous_generation_is_kept_and_a_dropped_view_leaves_no_rows(store: StoreUnderTest) -> None:
    start = now() - 10 * DAY
    counts: list[int] = []
    writer = open_loader(store.url)
    for day in range(4):
        during: list[int] = []
        taken, rows = snapshot(start + day * DAY), [chunk(range(20_000), day)]
        writer.load(VIEW, taken, rows, lambda _, during=during: during.append(store.row_count()))
        assert max(during) <= 40_000
        counts.append(store.row_count())
    assert counts == [20_000] + [40_000] * 3
    writer.drop_view(VIEW)
    assert (store.row_count(), writer.generations(VIEW)) == (0, ())


def test_generations_that_wait_for_their_time_are_kept(store: StoreUnderTest) -> None:
    start = now() - 10 * DAY
    for day in range(3):
        load(store.url, [1], snapshot(start + day * DAY), factor=day)
    for day in range(3, 6):
        load(store.url, [1], snapshot(start + day * DAY, available_at=now() + day * HOUR), factor=day)
    live = open_loader(store.url).generations(VIEW)
    assert [each.as_of for each in live] == [start + day * DAY for day in (2, 3, 4, 5)]
    reader = open_reader(store.url)
    assert [baskets(reader, [1], now() + hours * HOUR) for hours in (0, 3, 4, 5)] == [[2], [3], [4], [5]]


def test_a_waiting_generation_loaded_again_replaces_the_first(store: StoreUnderTest) -> None:
    later = now() + HOUR
    load(store.url, [1], snapshot(now() - 2 * DAY))
    as_of = now() - DAY
    for content, factor in (("a", 2), ("b", 3), ("c", 4)):
        load(store.url, [1], snapshot(as_of, content, later), factor)
    assert baskets(open_reader(store.url), [1], later + 1) == [4]
    assert baskets(open_reader(store.url), [1]) == [1]
    assert store.row_count() == 3


def test_restore_puts_the_previous_generation_back_and_drops_the_newer(store: StoreUnderTest) -> None:
    before = load(store.url, [1, 2], snapshot(now() - 2 * DAY))
    rejected = load(store.url, [1, 2], snapshot(now() - DAY, "b"), factor=7)
    reader = open_reader(store.url)
    assert baskets(reader, [1]) == [7]
    writer = open_loader(store.url)
    restored = writer.restore(VIEW)
    assert restored.served.id == before.generation
    assert [each.id for each in restored.rejected] == [rejected.generation]
    assert baskets(reader, [1]) == [1], "a reader with the old pointer in its cache must not read an emptied generation"
    assert [each.id for each in writer.generations(VIEW)] == [before.generation]
    assert store.row_count() == 2
    with pytest.raises(StoreError, match=r"no generation before the one as of .* is kept"):
        writer.restore(VIEW)
    with pytest.raises(StoreError, match="generation 99 is not live"):
        writer.restore(VIEW, 99)
    with pytest.raises(StoreError, match="a/none/v1: nothing is served"):
        writer.restore("a/none/v1")


def test_restore_rejects_what_waits_for_its_time_too(store: StoreUnderTest) -> None:
    served = load(store.url, [1], snapshot(now() - DAY))
    waiting = snapshot(now() - HOUR, "b", available_at=now() + HOUR)
    load(store.url, [1], waiting, factor=8)
    writer = open_loader(store.url)
    writer.restore(VIEW, served.generation)
    assert load(store.url, [1], waiting, factor=8).skipped
    assert baskets(open_reader(store.url), [1], now() + 2 * HOUR) == [1]


def test_what_was_rejected_is_not_loaded_again_until_its_content_changes(store: StoreUnderTest) -> None:
    yesterday, today = snapshot(now() - 2 * DAY), snapshot(now() - DAY, "bad")
    before = load(store.url, [1], yesterday)
    load(store.url, [1], today, factor=7)
    writer = open_loader(store.url)
    writer.restore(VIEW)
    again = load(store.url, [1], today, factor=7)
    assert (again.skipped, again.generation) == (True, before.generation)
    assert baskets(open_reader(store.url), [1]) == [1]
    assert writer.rejected(VIEW) == {(today.as_of, "bad")}
    assert not load(store.url, [1], snapshot(today.as_of, "mended"), factor=5).skipped
    assert baskets(open_reader(store.url), [1]) == [5]
    assert writer.rejected(VIEW) == set()


def test_a_rejection_can_be_taken_back_and_does_not_outlive_what_it_stands_behind(store: StoreUnderTest) -> None:
    today = snapshot(now() - DAY, "today")
    load(store.url, [1], snapshot(now() - 2 * DAY))
    load(store.url, [1], today, factor=7)
    writer = open_loader(store.url)
    writer.restore(VIEW)
    assert writer.accept(VIEW) == {(today.as_of, "today")}
    assert not load(store.url, [1], today, factor=7).skipped
    assert baskets(open_reader(store.url), [1]) == [7]
    writer.restore(VIEW)
    for hours in (2, 4, 6):
        load(store.url, [1], snapshot(today.as_of + hours * HOUR), factor=hours)
    assert writer.rejected(VIEW) == set(), "older than everything live"


def test_without_anything_served_in_its_place_nothing_is_rejected(store: StoreUnderTest) -> None:
    before = load(store.url, [1], snapshot(now() - 2 * DAY))
    today = snapshot(now() - DAY, "today")
    load(store.url, [1], today, factor=7)
    open_loader(store.url).restore(VIEW)
    store.lose_rows(before.generation)
    assert not load(store.url, [1], today, factor=7).skipped
    assert baskets(open_reader(store.url), [1]) == [7]


def test_loading_again_repairs_a_generation_that_lost_its_rows(store: StoreUnderTest) -> None:
    taken = snapshot(now() - DAY)
    report = load(store.url, [1, 2], taken)
    store.lose_rows(report.generation)
    writer = open_loader(store.url)
    assert writer.generations(VIEW) == (), "what nobody can read is not live"
    again = load(store.url, [1, 2], taken)
    assert not again.skipped
    assert baskets(open_reader(store.url), [1, 2]) == [1, 2]
    assert store.row_count() == 2


def test_an_entity_twice_in_a_snapshot_is_refused(store: StoreUnderTest) -> None:
    load(store.url, [1], snapshot(now() - 2 * DAY))
    for chunks in ([chunk([5, 6, 5])], [chunk(range(5000)), chunk([6])], [chunk([*range(3000), 7])]):
        with pytest.raises(InputError, match="an entity comes twice"):
            open_loader(store.url).load(VIEW, snapshot(now() - DAY), chunks)
    assert baskets(open_reader(store.url), [1, 6]) == [1, None]


@pytest.mark.parametrize("ahead", [-3 * DAY, 3 * DAY])
def test_the_clock_of_the_loader_decides_nothing(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    start = now()
    monkeypatch.setattr(time, "time_ns", lambda: (start + ahead) * 1000)
    load(store.url, [1], snapshot(start - 2 * DAY), factor=1)
    report = load(store.url, [1], snapshot(start - DAY, available_at=start + HOUR), factor=2)
    load(store.url, [1], snapshot(start - DAY + HOUR, available_at=start + 2 * HOUR), factor=3)
    reader = open_reader(store.url)
    assert [baskets(reader, [1], start + hours * HOUR) for hours in (0.5, 1.5, 2.5)] == [[1], [2], [3]]
    assert report.published_at == start + HOUR


def test_a_generation_is_kept_for_readers_whose_clock_is_behind(store: StoreUnderTest) -> None:
    start = now() - 10 * DAY
    recently = now() - READER_LAG // 2
    for day, available_at in enumerate((start, recently, recently + 1)):
        load(store.url, [1], snapshot(start + day * HOUR, available_at=available_at), factor=day + 1)
    load(store.url, [1], snapshot(start + 4 * HOUR, available_at=now() + HOUR), factor=9)
    reader = open_reader(store.url)
    assert [baskets(reader, [1], time) for time in (recently, recently + 1, now())] == [[1], [2], [3]]


@pytest.mark.parametrize(("later", "layout"), [(0, TEXT_LAYOUT), (HOUR, LAYOUT)], ids=["same as-of", "another"])
def test_a_store_that_was_emptied_and_loaded_anew_is_not_mistaken_for_the_old_one(
    store: StoreUnderTest, later: int, layout: RowLayout
) -> None:
    as_of = now() - DAY
    first = load(store.url, [1, 2], snapshot(as_of))
    reader = open_reader(store.url)
    assert baskets(reader, [1, 2]) == [1, 2]
    store.empty()
    second = load(store.url, [1], snapshot(as_of - later, layout=layout), factor=3)
    assert second.generation == first.generation, "counted from 1 again"
    assert baskets(reader, [1, 2]) == [3, None]


def test_several_views_come_in_one_read_and_roles_may_share_a_view(store: StoreUnderTest) -> None:
    load(store.url, [1, 2], snapshot(now() - DAY), factor=2, view="a/b/v1")
    load(store.url, [1, 2], snapshot(now() - DAY), factor=3, view="a/c/v1")
    reader = open_reader(store.url)
    asked = [wanted([1], "a/b/v1"), wanted([2, 3], "a/c/v1"), wanted([2], "a/b/v1"), wanted([1], "a/none/v1")]
    reads = reader.read(asked, now())
    found = [
        decoded_baskets(each, asked) if each.generation else None
        for each, asked in zip(reads, ([1], [2, 3], [2], [1]), strict=True)
    ]
    assert found == [[2], [6, None], [4], None]


def test_null_keys_and_wrong_columns_are_refused_and_nothing_is_served(store: StoreUnderTest) -> None:
    keys, features = chunk([1, 2])
    nulled = [Column(keys[0].values, np.array([True, False]))]
    with pytest.raises(InputError, match="null key"):
        open_loader(store.url).load(VIEW, snapshot(now() - DAY), [(nulled, features)])
    with pytest.raises(InputError, match="spend"):
        open_loader(store.url).load(VIEW, snapshot(now() - DAY), [chunk([3]), (keys, {"baskets": features["baskets"]})])
    (read,) = open_reader(store.url).read([wanted([1, 3])], now())
    assert read.generation is None
    load(store.url, [5], snapshot(now() - DAY))
    assert store.row_count() == 1, "the rows of loads that failed are dropped by the next"
