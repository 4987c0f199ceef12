"""Online rows are compared with what they were loaded from; what differs is listed, loaded again, and then whole."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import redis

from feature_store.codec.byte_strings import from_list
from feature_store.codec.row_codec import RowLayout
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import to_microseconds
from serving.load.verify import OnlineStores, damaged_loads, verify_online
from serving.stores.generations import Generation, encode_generations
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import pointer_keys, row_prefix
from tests.codec.format_one import former_rows
from tests.offline.damage import DAMAGES, damage_day
from tests.offline.definitions import ShopperSpend, day
from tests.serving.load.world import NOW, SHOPPERS, VIEW, World, flipped


@pytest.fixture
def world(tmp_path: Path, valkey: str) -> World:
    made = World(OfflineStore(str(tmp_path / "offline")), valkey)
    made.write(0)
    made.sync(day(1, 5))
    made.write(1, pieces=2)
    made.sync()
    return made


def test_what_was_loaded_is_sound_and_every_row_was_looked_at(world: World) -> None:
    found = world.verify()
    assert (found.generations, found.rows, found.unverifiable, found.damages, found.due) == (2, 600, 0, (), ())
    assert world.noted() == []


def test_of_a_sample_about_as_many_rows_are_compared(world: World) -> None:
    found = world.verify(sample=50)
    assert found.damages == ()
    assert 40 < found.rows < 180


def test_a_damaged_row_is_told_apart_from_one_that_is_missing_or_of_other_values(world: World) -> None:
    served = world.generations()[day(2)]
    neighbour = world.entities(served)[8]
    world.change(served, 3, flipped)
    world.change(served, 4, None)
    world.change(served, 5, None)
    rows = served.layout
    older = world.generations()[day(1)]
    with redis.Redis.from_url(world.url) as client:
        # A whole row of the same entity, of the day before: its checksum says nothing against it.
        client.set(row_prefix(served.id) + neighbour, client.get(row_prefix(older.id) + neighbour))
    assert rows == older.layout
    (problem,) = world.problems()
    assert problem == (
        f"as of 2024-01-03 00:00 UTC (generation {served.id}): 1 of 300 rows are damaged, so their entities read as "
        "DAMAGED; 2 of 300 rows are missing, so their entities read as EMPTY; 1 of 300 rows are of other values than "
        "their partition"
    )


def test_damage_is_listed_once_and_the_next_load_replaces_it(world: World) -> None:
    served = world.generations()[day(2)]
    world.change(served, 3, None)
    assert world.is_synced(), "nobody has seen it yet"
    for _ in range(2):
        assert len(world.problems()) == 1
    assert world.noted() == [(day(1), served.id)]
    listed = world.offline.values(ShopperSpend).ledger.listed()
    assert listed.filter(pl.col("kind") == "damaged").height == 1
    assert list(damaged_loads(world.offline, ShopperSpend, NOW)) == [day(2)]
    assert world.offline.values(ShopperSpend).ledger.damaged().is_empty(), "the day offline is sound"
    assert not world.is_synced()
    world.sync()
    assert (world.noted(), world.is_synced(), world.problems()) == ([], True, [])
    assert damaged_loads(world.offline, ShopperSpend, NOW) == {}
    replaced = world.generations()
    assert served.id not in [each.id for each in replaced.values()], "it can never be restored"
    assert replaced[day(2)].rows == SHOPPERS


def test_damage_that_is_there_no_more_is_sound_again(world: World) -> None:
    served = world.generations()[day(2)]
    world.change(served, 0, flipped)
    assert len(world.problems()) == 1
    world.change(served, 0, flipped)
    assert (world.problems(sample=300), len(world.noted())) == ([], 1), "a sample acquits nobody"
    assert (world.problems(), world.noted()) == ([], [])


def test_a_damaged_generation_that_only_waits_to_be_restored_goes_with_the_next_load(world: World) -> None:
    older = world.generations()[day(1)]
    world.change(older, 0, None)
    assert len(world.problems()) == 1
    assert world.noted() == [(day(0), older.id)]
    assert damaged_loads(world.offline, ShopperSpend, NOW) == {}, "no load mends it"
    world.write(2)
    world.sync(day(9))
    assert (world.noted(), world.problems()) == ([], [])


def test_a_row_of_an_entity_that_was_never_loaded_is_found(world: World) -> None:
    older, served = (world.generations()[day(number)] for number in (1, 2))
    entity = world.entities(served)[0][:-4] + b"\x00\x01\x02\x03"
    row = b"of nobody"
    with redis.Redis.from_url(world.url) as client:
        client.set(row_prefix(older.id) + entity, row)
        client.set(row_prefix(served.id) + entity, row)
        client.set(row_prefix(served.id) + entity + b"!", row)
        client.delete(row_prefix(served.id) + world.entities(served)[1])
    first, second = world.problems()
    assert "1 rows are of entities that were never loaded" in first
    assert "1 of 300 rows are missing" in second
    assert "2 rows are of entities that were never loaded" in second


def test_a_record_that_says_another_number_of_rows_is_found(world: World) -> None:
    live = world.generations()
    changed = {**vars(live[day(2)]), "rows": 299}
    with redis.Redis.from_url(world.url) as client:
        pointer = encode_generations(VIEW, [live[day(1)], Generation(**changed)])
        client.mset(dict(zip(pointer_keys(VIEW), pointer, strict=True)))
    (problem,) = world.problems()
    assert "it was published with 299 rows, its partition has 300" in problem
    world.sync()
    assert world.problems() == []


@pytest.mark.parametrize("pointer", [None, b"", b"{", b"[]"], ids=["gone", "nothing left", "no JSON", "empty list"])
def test_a_list_of_generations_that_is_gone_or_damaged_is_found_and_the_next_load_writes_it_anew(
    world: World, pointer: bytes | None
) -> None:
    with redis.Redis.from_url(world.url) as client:
        if pointer is None:
            client.delete(pointer_keys(VIEW)[0])
        else:
            client.set(pointer_keys(VIEW)[0], pointer)
    problems = world.problems()
    assert any("as of 2024-01-03 00:00 UTC" in each and "does not hold it" in each for each in problems), problems
    assert any("its record in the online store" in each for each in problems) == (pointer != b"[]")
    world.sync()
    assert world.problems() == []


def test_a_generation_whose_rows_are_not_vouched_for_is_found(world: World) -> None:
    served = world.generations()[day(2)]
    with redis.Redis.from_url(world.url) as client:
        client.delete(row_prefix(served.id))
    (problem,) = world.problems()
    assert "its rows are gone" in problem
    assert list(damaged_loads(world.offline, ShopperSpend, NOW)) == [day(2)]
    world.sync()
    assert (world.problems(), world.noted()) == ([], [])


def test_a_store_that_lost_everything_lacks_what_the_ledger_lists(world: World) -> None:
    with redis.Redis.from_url(world.url) as client:
        client.flushall()
    (problem,) = world.problems()
    assert "the ledger lists it as loaded, and the store does not hold it" in problem
    assert list(damaged_loads(world.offline, ShopperSpend, NOW)) == [day(2)]
    world.sync()
    assert (world.problems(), world.noted(), world.is_synced()) == ([], [], True)


def test_what_landed_and_was_not_loaded_yet_is_due_and_no_damage(world: World) -> None:
    world.write(2)
    world.write(3)
    found = world.verify(now=day(3, 5))
    assert (found.damages, found.due) == ((), (day(3), day(4)))


def test_a_rejected_snapshot_is_neither_lost_nor_due(world: World) -> None:
    with closing(open_loader(world.url)) as loader:
        loader.restore(VIEW)
    found = world.verify()
    assert (found.generations, found.damages, found.due) == (1, (), ())


def test_a_generation_of_a_partition_that_was_written_again_is_compared_with_what_it_was_loaded_from(
    world: World,
) -> None:
    served = world.generations()[day(2)]
    world.write(1, pieces=7)
    found = world.verify()
    assert (found.unverifiable, found.damages, found.due) == (0, (), (day(2),))
    world.change(served, 3, None)
    assert len(world.problems()) == 1


def test_a_generation_whose_partition_is_there_no_more_is_compared_by_its_checksums(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(1, pieces=7)
    monkeypatch.setattr("feature_store.offline.tables.open_table.RETENTION", timedelta(0))
    assert world.verify().unverifiable == 1
    served = world.generations()[day(2)]
    world.change(served, 3, flipped)
    world.change(served, 4, None)
    (problem,) = world.problems()
    assert "1 of 300 rows are damaged" in problem
    assert "1 of 300 rows are missing" in problem


def test_rows_of_the_former_format_are_compared_by_their_values(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(2, pieces=5)
    as_of = to_microseconds(day(3))

    def former(layout: RowLayout, columns, keys):
        listed = from_list(former_rows(layout, columns, as_of))
        return type(keys)(listed.buffer, listed.offsets)

    with monkeypatch.context() as patched:
        patched.setattr(RowLayout, "encode", former)
        world.sync()
    served = world.generations()[day(3)]
    with redis.Redis.from_url(world.url) as client:
        assert client.get(row_prefix(served.id) + world.entities(served)[0])[0] != 2
    assert world.problems() == []
    # A row of the former format under the key of another entity: no checksum tells.
    world.change(served, 7, lambda _: client.get(row_prefix(served.id) + world.entities(served)[8]))
    (problem,) = world.problems()
    assert "1 of 300 rows are of other values than their partition" in problem


def test_a_partition_that_is_damaged_itself_is_told_and_its_copy_is_checked_by_its_checksums(world: World) -> None:
    damage_day(world.offline.values(ShopperSpend), 1, DAMAGES["cut to half"])
    (problem,) = world.problems()
    assert "it cannot be compared with its partition, which is damaged itself" in problem
    assert world.noted() == []
    served = world.generations()[day(2)]
    world.change(served, 3, flipped)
    assert any("1 of 300 rows are damaged" in problem for problem in world.problems())
    assert world.noted() == [(day(1), served.id)]


def test_a_generation_that_is_replaced_while_it_is_verified_is_no_damage(world: World) -> None:
    class Replacing:
        def __init__(self) -> None:
            self._inspector = open_inspector(world.url)
            self._done = False

        def __getattr__(self, name: str) -> object:
            return getattr(self._inspector, name)

        def rows(self, owner, entities):
            if not self._done:
                self._done = True
                for number in (2, 3):
                    world.write(number)
                    world.sync()
            return self._inspector.rows(owner, entities)

    inspector = Replacing()
    with closing(open_loader(world.url)) as loader:
        stores = OnlineStores(inspector, loader, inspector.row_counts())  # type: ignore[arg-type]
        assert verify_online(world.offline, ShopperSpend, stores, NOW).damages == ()
    assert world.noted() == []


def test_progress_reaches_its_end(world: World) -> None:
    told: list[tuple[int, int]] = []
    with closing(open_inspector(world.url)) as inspector, closing(open_loader(world.url)) as loader:
        stores = OnlineStores(inspector, loader, inspector.row_counts(lambda seen, of: told.append((seen, of))))
        assert told[-1][0] >= 600
        told.clear()
        verify_online(world.offline, ShopperSpend, stores, NOW, lambda done, of: told.append((done, of)))
    assert told[-1] == (600, 600)


@pytest.fixture(autouse=True)
def _few_rows_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several steps of a generation, and several commands of a step."""
    monkeypatch.setattr("serving.stores.snapshot.ROWS_PER_STEP", 128)
    monkeypatch.setattr("serving.stores.redis.read.inspector.KEYS_PER_COMMAND", 50)
