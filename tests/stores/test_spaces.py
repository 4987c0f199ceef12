"""The space of a branch: the same names, other keys; what is done in it reaches nothing outside."""

from contextlib import closing

import pytest

from feature_store.codec.tile_codec import TileLayout
from feature_store.errors import InputError
from serving.stores.open_store import open_async_reader, open_inspector, open_loader, open_reader, open_stream_rows
from serving.stores.spaces import in_space
from tests.stores.sample import DAY, VIEW, baskets, encoded, load, now, snapshot
from tests.stores.under_test import StoreUnderTest

TILES = TileLayout((1_000_000,), ())


def test_a_branch_has_its_own_generations_and_production_keeps_its(store: StoreUnderTest) -> None:
    branch, older, newer = in_space(store.url, "late6"), snapshot(now() - 2 * DAY), snapshot(now() - DAY)
    load(store.url, range(100), older)
    for taken in (older, newer):
        load(branch, range(50), taken, factor=3)
    with closing(open_reader(store.url)) as reader, closing(open_reader(branch)) as in_it:
        assert baskets(reader, [7, 70]) == [7, 70]
        assert baskets(in_it, [7, 70]) == [21, None]
        with closing(open_loader(branch)) as loader:
            restored = loader.restore(VIEW)
            assert (restored.served.as_of, len(loader.rejected(VIEW)), len(loader.accept(VIEW))) == (older.as_of, 1, 1)
            with closing(open_inspector(branch)) as inspector, closing(open_inspector(store.url)) as outside:
                (own,) = inspector.generations(VIEW)
                assert sum(map(len, inspector.entities(VIEW, own))) == 50
                assert inspector.stream(VIEW) is None
                assert {each.id for each in outside.generations(VIEW)}.isdisjoint({own.id})
            loader.drop_view(VIEW)
            assert loader.generations(VIEW) == ()
        assert baskets(reader, [7, 70]) == [7, 70]
    assert store.row_count() == 100


def test_the_stream_of_a_branch_is_another_one(store: StoreUnderTest) -> None:
    branch = in_space(store.url, "late6")
    with closing(open_stream_rows(store.url, VIEW, TILES, since=0, whole_from=0)) as rows:
        with closing(open_stream_rows(branch, VIEW, TILES, since=0, whole_from=0)) as own:
            own.write(encoded([1]), [b"row"], None, set(encoded([1]).to_list()))
            assert own.read(encoded([1])) == [b"row"]
            assert own.stream.id != rows.stream.id
        assert rows.read(encoded([1])) == [None]  # and it was not taken over


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0#late6", "redis://127.0.0.1:6379/0#branch=Late/6"])
def test_what_is_no_branch_is_refused_wherever_a_store_is_opened(url: str) -> None:
    for open_it in (open_reader, open_async_reader, open_loader, open_inspector):
        with pytest.raises(InputError, match="branch"):
            open_it(url)


def test_the_url_of_a_branch_is_not_taken_for_that_of_another() -> None:
    url = in_space("redis://127.0.0.1:6379/0", "late6")
    assert in_space(url, "late6") == url
    for other in ("", "early5"):
        with pytest.raises(InputError, match="is that of branch 'late6'"):
            in_space(url, other)
