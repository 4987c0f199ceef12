"""Purchases that are played live: each counts once, whoever plays and however often, and both stores agree."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_assets.demo.live_stream import LivePurchases, stream_start
from feature_assets.parity.served import check_parity
from feature_assets.teams.growth.features import HouseholdActivity
from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan, write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from tests.fixtures.small_store import HOUSEHOLDS, SmallStore, small_store

__all__ = ["small_store"]

BATCH_END = datetime(2017, 12, 31, tzinfo=UTC)
"""End of the newest batch tiles online; what was bought later arrives live."""

SERVICE = FeatureService("activity", version=1, owner="growth", description="Live", features=[HouseholdActivity.all()])


class Shop:
    """A small store of which the last hours arrive live, at a time that the test sets."""

    def __init__(self, folder: Path, url: str, small: SmallStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in small.environment.items():
            monkeypatch.setenv(name, value)
        self._monkeypatch = monkeypatch
        self.url, self.plans, self.purchases = url, folder / "plans", small.purchases
        self.store = OfflineStore(str(folder / "offline"))
        shutil.copytree(f"{small.offline.root}/raw", f"{self.store.root}/raw")
        compute_tiles(self.store, HouseholdActivity, BATCH_END - timedelta(days=3), BATCH_END, "test")
        writer = open_loader(url)
        sync_view(self.store, HouseholdActivity, writer, BATCH_END + timedelta(hours=3))
        writer.close()
        self.plan: ServicePlan = compile_plan(SERVICE)
        write_plan(self.plans, self.plan)

    def open(self) -> LivePurchases:
        return LivePurchases(self.url, HouseholdActivity, self.store)

    def arrive(self, until: datetime) -> int:
        """Let the time pass; return how many purchases there were since the end of the batch tiles."""
        self._monkeypatch.setenv("FEATURES_NOW", until.isoformat())
        at = pl.col("purchased_at")
        return self.purchases.filter(at >= BATCH_END, at < until).height

    def check(self, at: datetime) -> int:
        """Compare what is served with raw and with training rows; return how many households bought within an hour."""
        with FeatureClient(self.plans, self.url) as client:
            served = client.get_features("activity", {"household_id": list(HOUSEHOLDS)}, time=at)
        assert {int(code) for codes in served.status.values() for code in codes} <= {Status.PRESENT, Status.EMPTY}
        assert check_parity(self.store, self.plan, served).different.is_empty()
        head = at - timedelta(seconds=5)
        # Windows of an hour begin on whole 5 minutes, those of a day on whole hours.
        tails = {"household_activity__spend_1h": (1, 5), "household_activity__spend_24h": (24, 60)}
        for name, (hours, minutes) in tails.items():
            tail = (head - timedelta(hours=hours)).replace(second=0, microsecond=0)
            tail -= timedelta(minutes=tail.minute % minutes)
            counted = self.purchases.filter(pl.col("purchased_at") >= tail, pl.col("purchased_at") < head)
            spent = dict(counted.group_by("household_id").agg(pl.col("sales_value").sum()).iter_rows())
            wanted = [spent.get(household, 0.0) for household in HOUSEHOLDS]
            assert served.columns[name].values.tolist() == pytest.approx(wanted), name
        return sum(value > 0 for value in served.columns["household_activity__spend_1h"].values.tolist())


@pytest.fixture
def shop(tmp_path: Path, valkey: str, small_store: SmallStore, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, valkey, small_store, monkeypatch)


def test_every_purchase_counts_once_whoever_plays(shop: Shop) -> None:
    first, second = BATCH_END + timedelta(hours=21), BATCH_END + timedelta(hours=23, minutes=50)
    until_first = shop.arrive(first)
    assert until_first > 10
    assert stream_start(shop.url, HouseholdActivity) == BATCH_END
    with shop.open() as live:
        assert live.play() == until_first
        assert live.play() == 0
        assert not live.is_due()
        assert shop.check(first) > 0
        until_second = shop.arrive(second)
        assert live.is_due()
        assert live.play() == until_second - until_first > 0
        shop.check(second)
    with shop.open() as live:
        assert live.play() == 0, "another one begins with the first purchase, and the stream knows all"
    shop.check(second)
    shop.check(second + timedelta(minutes=50))


def test_a_player_that_died_between_two_portions_is_continued(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    last = BATCH_END + timedelta(hours=23)
    everything = shop.arrive(last)
    with shop.open() as live:
        shop.arrive(BATCH_END + timedelta(hours=18, minutes=30))
        some = live.play()
    assert 0 < some < everything
    shop.arrive(last)
    with shop.open() as live:
        assert live.play() == everything - some
    shop.check(last)
