"""A small offline store with everything that can be damaged, and the questions that are asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from deltalake import DeltaTable

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import (
    build_training_set,
    load_manifest,
    load_training_set,
    write_training_set,
)
from feature_store.plans.service_plan import write_plan
from serving.read.plan_folder import PlanFolder
from tests.offline.definitions import INSTANT, ShopperSpend, day, purchase_rows, service

DAYS: Final = 6
Question = Callable[["World"], Any]
"""Asks for what a target holds; the answer can be compared."""


@dataclass(frozen=True)
class World:
    """Where everything lies: the folder may be a copy of that in which it was made."""

    root: Path

    @property
    def store(self) -> OfflineStore:
        """The offline store."""
        return OfflineStore(str(self.root / "offline"))

    @property
    def values(self) -> PartitionedTable:
        """The values of the view."""
        return self.store.values(ShopperSpend)


def build(root: Path) -> World:
    """Land, compute, correct and train, so that there are older files, commits and entries of everything."""
    world = World(root)
    store = world.store
    for pieces in (3, 4):
        rows = [(n % 5, day(n % DAYS, n % 11), f"b{n}", n / 8, n % 7 + pieces) for n in range(60)]
        source = store.source("raw/shop_purchases")
        source.write(purchase_rows(rows), day(0), day(DAYS), time_column="bought_at", run_id=f"r{pieces}")
        compute_tiles(store, ShopperSpend, day(0), day(DAYS), f"r{pieces}")
        compute_values(store, ShopperSpend, day(4), day(DAYS), f"r{pieces}")
        for table in (source, store.tiles(ShopperSpend), store.values(ShopperSpend)):
            if pieces == 3:
                DeltaTable(table.uri).create_checkpoint()
        spine = pl.DataFrame({"shopper_id": [1, 2, 3]}).with_columns(pl.lit(day(DAYS, 3), INSTANT).alias("time"))
        training_set = build_training_set(store, service, spine, allow_missing=True)
        write_training_set(store, "set", training_set, run_id=f"r{pieces}")
    plan = compile_plan(service)
    write_plan(root / "plans", plan)
    return world


def _rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    columns = sorted(frame.columns)
    return sorted(frame.select(columns).rows(), key=repr)


def _whole(table: PartitionedTable) -> Any:
    return _rows(table.scan().collect())


def _some(opened: OpenTable) -> Any:
    return _rows(opened.scan_some(opened.partitions).filter(pl.col("shopper_id") == 2).collect())


def source_rows(world: World) -> Any:
    """Return all rows of the source."""
    return _whole(world.store.source("raw/shop_purchases"))


def tiles(world: World) -> Any:
    """Return all tiles, and one entity's, as ``explain`` reads them."""
    table = world.store.tiles(ShopperSpend)
    return _whole(table), _some(table.open())


def values(world: World) -> Any:
    """Return all values, and those of one entity."""
    return _whole(world.values), _some(world.values.open())


def joined(world: World) -> Any:
    """Return a point-in-time join."""
    spine = pl.DataFrame({"shopper_id": [0, 1, 2, 3, 9]})
    times = [spine.with_columns(pl.lit(day(n, 3), INSTANT).alias("time")) for n in (3, 5, DAYS)]
    plan = compile_plan(service)
    return _rows(point_in_time_join(world.store, plan, pl.concat(times), "time", allow_missing=True, with_status=True))


def trained(world: World) -> Any:
    """Return the stored training set and its manifest."""
    manifest = load_manifest(world.store, "set")
    return _rows(load_training_set(world.store, "set").collect()), manifest.id, manifest.to_json()


def plan(world: World) -> Any:
    """Return the service plan as a reader finds it."""
    folder = PlanFolder(world.root / "plans")
    folder.refresh()
    return folder.find("shop_model/v1").plan


@dataclass(frozen=True)
class Target:
    """A sort of file.

    Attributes:
        name: what it is called.
        files: of a world that may be damaged.
        question: of which the answer depends on them.
        must_be_noticed: whether no damage of it may pass, even one that changes no answer.
    """

    name: str
    files: Callable[[World], Sequence[Path]]
    question: Question
    must_be_noticed: bool = False


def _live(part: str) -> Callable[[World], list[Path]]:
    def files(world: World) -> list[Path]:
        return [Path(uri.removeprefix("file://")) for uri in DeltaTable(str(world.root / "offline" / part)).file_uris()]

    return files


def _glob(pattern: str) -> Callable[[World], list[Path]]:
    return lambda world: sorted((world.root / "offline").glob(pattern))


_VIEW: Final = "views/shop/shopper_spend/v1"

TARGETS: Final[Sequence[Target]] = (
    Target("data of a source", _live("raw/shop_purchases"), source_rows, must_be_noticed=True),
    Target("data of tiles", _live(f"{_VIEW}/tiles"), tiles, must_be_noticed=True),
    Target("data of values", _live(f"{_VIEW}/values"), values, must_be_noticed=True),
    Target("data of values, joined", _live(f"{_VIEW}/values"), joined),
    Target("data of a training set", _live("training/set"), trained, must_be_noticed=True),
    Target("log of values", _glob(f"{_VIEW}/values/_delta_log/*.json"), values),
    Target("log of values, joined", _glob(f"{_VIEW}/values/_delta_log/*.json"), joined),
    Target("log of tiles", _glob(f"{_VIEW}/tiles/_delta_log/*.json"), tiles),
    Target("log of a source", _glob("raw/shop_purchases/_delta_log/*.json"), source_rows),
    Target("checkpoint of values", _glob(f"{_VIEW}/values/_delta_log/*.parquet"), values),
    Target("checkpoint of tiles", _glob(f"{_VIEW}/tiles/_delta_log/*.parquet"), tiles),
    Target("pointer to a checkpoint", _glob(f"{_VIEW}/values/_delta_log/_last_checkpoint"), values),
    Target("ledger of values", _live(f"{_VIEW}/values.ledger"), joined),
    Target("ledger of a source", _live("raw/shop_purchases.ledger"), source_rows),
    Target("log of a ledger", _glob(f"{_VIEW}/values.ledger/_delta_log/*.json"), joined),
    Target("manifests", _live("training/set.manifests"), trained),
    Target("log of manifests", _glob("training/set.manifests/_delta_log/*.json"), trained),
    Target("plans", lambda world: sorted((world.root / "plans").glob("*.json")), plan),
)


def damage_statistics(log: Path, wrong: Callable[[str], str]) -> None:
    """Change what a commit says of the rows of its files."""
    lines = log.read_text().splitlines()
    log.write_text("\n".join(wrong(line) if line.startswith('{"add"') else line for line in lines))
