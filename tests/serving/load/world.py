"""A small view that is written offline and loaded online, and what the tests of loads ask of both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import redis

from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import to_microseconds
from serving.load.sync import is_synced, sync_view
from serving.load.verify import OnlineStores, OnlineVerification, verify_online
from serving.stores.generations import Generation
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import row_prefix
from tests.offline.definitions import ShopperSpend, day, spend_values

NOW = day(9)
SHOPPERS = 300
VIEW = ShopperSpend.full_name


@dataclass
class World:
    """An offline store, an online one, and harm done behind their backs."""

    offline: OfflineStore
    url: str
    view: FeatureView = ShopperSpend

    def write(self, number: int, pieces: int = 1, shoppers: int = SHOPPERS) -> None:
        rows = [(day(number), shopper, pieces + shopper) for shopper in range(shoppers)]
        self.offline.values(ShopperSpend).write(spend_values(rows), day(number), day(number + 1), run_id="r")

    def sync(self, now: datetime = NOW) -> None:
        with closing(open_loader(self.url)) as loader:
            sync_view(self.offline, self.view, loader, now)

    def is_synced(self) -> bool:
        with closing(open_loader(self.url)) as loader:
            return is_synced(self.offline, self.view, loader, NOW)

    def generations(self) -> dict[datetime, Generation]:
        with closing(open_inspector(self.url)) as inspector:
            return {
                day((each.as_of - to_microseconds(day(0))) // 86_400_000_000): each
                for each in inspector.generations(self.view.full_name)
            }

    def verify(self, sample: int | None = None, now: datetime = NOW) -> OnlineVerification:
        with closing(open_inspector(self.url)) as inspector, closing(open_loader(self.url)) as loader:
            counts = None if sample is not None else inspector.row_counts()
            return verify_online(self.offline, self.view, OnlineStores(inspector, loader, counts, sample), now)

    def problems(self, sample: int | None = None) -> list[str]:
        return [str(damage) for damage in self.verify(sample=sample).damages]

    def noted(self) -> list[tuple[datetime, int]]:
        found = self.offline.values(ShopperSpend).open().damaged_generations
        return found.select("partition_start", "generation").rows()

    def entities(self, generation: Generation) -> list[bytes]:
        with closing(open_inspector(self.url)) as inspector:
            return sorted(entity for piece in inspector.entities(VIEW, generation) for entity in piece.to_list())

    def change(self, generation: Generation, place: int, changed: Callable[[bytes], bytes] | None) -> None:
        """Change, or delete, the row of the entity at a place."""
        key = row_prefix(generation.id) + self.entities(generation)[place]
        with redis.Redis.from_url(self.url) as client:
            before = client.get(key)
            assert isinstance(before, bytes)
            if changed is None:
                client.delete(key)
            else:
                client.set(key, changed(before))


def flipped(row: bytes) -> bytes:
    return row[:-1] + bytes([row[-1] ^ 1])
