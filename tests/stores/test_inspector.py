"""Any store: all that lies in it of a view is seen, served or not, listed or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from feature_store.codec.byte_strings import from_list
from serving.stores.errors import StoreUnavailableError
from serving.stores.open_store import open_inspector
from serving.stores.store import OnlineInspector
from tests.stores.sample import DAY, VIEW, encoded, load, now, snapshot
from tests.stores.test_stream_rows import NAMES, begin
from tests.stores.under_test import StoreUnderTest


@pytest.fixture
def inspector(store: StoreUnderTest) -> Iterator[OnlineInspector]:
    with closing(open_inspector(store.url)) as inspector:
        yield inspector


def test_every_listed_generation_is_seen_with_its_rows_and_entities(
    store: StoreUnderTest, inspector: OnlineInspector
) -> None:
    assert (inspector.generations(VIEW), inspector.stream(VIEW), dict(inspector.row_counts())) == ((), None, {})
    for past in (3, 2, 1):
        load(store.url, range(3000), snapshot(now() - past * DAY), factor=past)
    older, served = inspector.generations(VIEW)
    assert older.as_of < served.as_of
    rows = inspector.rows(served, encoded([2999, 7, 3000, 0]))
    assert rows is not None
    assert [row is None for row in rows] == [False, False, True, False]
    assert rows != inspector.rows(older, encoded([2999, 7, 3000, 0]))
    listed = [entity for piece in inspector.entities(VIEW, served) for entity in piece.to_list()]
    assert listed == encoded(range(3000)).to_list()
    assert {entity for piece in inspector.entities_with_rows(served) for entity in piece} == set(listed)
    told: list[tuple[int, int]] = []
    counts = inspector.row_counts(lambda seen, of: told.append((seen, of)))
    assert (counts[older.id] >= 3000, counts[served.id] >= 3000, set(counts)) == (True, True, {older.id, served.id})
    assert told[-1][0] >= 6000


def test_rows_are_none_at_all_where_nothing_vouches_for_them(store: StoreUnderTest, inspector: OnlineInspector) -> None:
    report = load(store.url, range(10_000), snapshot(now() - DAY))
    (generation,) = inspector.generations(VIEW)
    store.lose_rows(report.generation)
    assert inspector.generations(VIEW) == (generation,), "it is listed, whatever became of its rows"
    assert inspector.rows(generation, encoded(range(10_000))) is None
    assert inspector.rows(generation, encoded([])) is None


def test_rows_and_entities_of_a_stream_are_seen(store: StoreUnderTest, inspector: OnlineInspector) -> None:
    rows = begin(store)
    rows.write(from_list(NAMES), [b"1", b"2", b"3"], [b"x", b"", b"z"], new=NAMES)
    stream = inspector.stream(VIEW)
    assert stream == rows.stream
    assert inspector.rows(stream, from_list([*NAMES, b"none"])) == [b"1", b"2", b"3", None]
    assert {entity for piece in inspector.entities(VIEW, stream) for entity in piece.to_list()} == set(NAMES)
    assert inspector.row_counts()[stream.id] == 3, "the ids of its events are no rows"


def test_a_row_that_nobody_wrote_is_seen(store: StoreUnderTest, inspector: OnlineInspector) -> None:
    report = load(store.url, [1, 2], snapshot(now() - DAY))
    (generation,) = inspector.generations(VIEW)
    store.replace_row(report.generation, b"stranger*[", b"row")
    found = {entity for piece in inspector.entities_with_rows(generation) for entity in piece}
    assert found == {*encoded([1, 2]).to_list(), b"stranger*["}


@pytest.mark.parametrize("number", [42, 63, 91, 92, 93, 10, 0x2A3F5B5C])
def test_an_id_whose_bytes_mean_something_in_a_pattern_is_taken_as_it_is(
    store: StoreUnderTest, inspector: OnlineInspector, number: int
) -> None:
    load(store.url, [1, 2], snapshot(now() - DAY))
    (generation,) = inspector.generations(VIEW)
    other = type(generation)(**{**vars(generation), "id": number})
    store.replace_row(number, b"own", b"row")
    assert [entity for piece in inspector.entities_with_rows(other) for entity in piece] == [b"own"]


def test_a_store_that_does_not_answer_is_told(store: StoreUnderTest) -> None:
    with closing(open_inspector(store.unreachable)) as inspector, pytest.raises(StoreUnavailableError) as caught:
        inspector.row_counts()
    assert "secret" not in str(caught.value)
