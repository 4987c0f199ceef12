"""Raw data that is corrected, through the real Dagster assets: exactly what it should change changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import polars as pl
import pytest

from feature_assets import build_feature_assets
from feature_assets.backfill.due import partition_key
from feature_assets.backfill.range_runs import RANGE_END, RANGE_START, job_of
from feature_assets.backfill.spans import tile_span
from feature_assets.demo.due import value_span
from feature_assets.project import load_declarations
from feature_assets.raw.assets import raw_assets
from feature_assets.raw.sources import purchases
from feature_store import FeatureView
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY
from resources.offline import DeltaIOManager, OfflineStoreResource
from tests.dagster.conftest import instance_with_batches

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

END = datetime(2018, 1, 1, tzinfo=UTC)
DAYS = 36
"""Days of values: more than the longest window of some views, less than that of others."""

CORRECTED = datetime(2017, 11, 30, tzinfo=UTC)
"""A day within them; the windows of 28 days that hold it end before they do."""

NEWCOMER = 10**6
"""A household that nobody has seen before the correction."""

NAMES = ("household_department", "household_spend", "household_lifetime", "category_demand")
VIEWS = {name: load_declarations().views[f"retail/{name}/v1"] for name in NAMES}


class Project:
    """The real assets on a data folder and a store of the test's own.

    Args:
        folder: gets the store.
        data: the data folder.
        instance: Dagster's.
    """

    def __init__(self, folder: Path, data: Path, instance: dg.DagsterInstance) -> None:
        self.data = data
        self.store = OfflineStore(str(folder / "offline"))
        self._instance = instance

    def land(self, first: datetime, end: datetime) -> None:
        with patch.dict(os.environ, {"FEATURES_DATA_FOLDER": str(self.data)}):
            self._run(dg.Definitions(assets=raw_assets), "", ["raw/transactions"], first, end)

    def build_tiles(self, view: FeatureView, first: datetime, end: datetime) -> None:
        self._run(build_feature_assets([view]), view.owner, [f"{view.full_name}/_tiles"], first, end)

    def compute(self, view: FeatureView, first: datetime, end: datetime) -> None:
        names = ("_table", *(feature.name for feature in view.stored_features))
        keys = [f"{view.full_name}/{name}" for name in names]
        self._run(build_feature_assets([view]), view.owner, keys, first, end)

    def _run(self, assets: dg.Definitions, team: str, keys: list[str], first: datetime, end: datetime) -> None:
        offline = OfflineStoreResource(root=self.store.root, team=team)
        resources = {"offline_store": offline, "delta_io": DeltaIOManager(offline_store=offline), "online_store": None}
        definitions = dg.Definitions.merge(assets, dg.Definitions(resources=resources))
        job = job_of(definitions, [dg.AssetKey(key.split("/")) for key in keys])
        last = end - timedelta(days=1)
        result = job.execute_in_process(
            instance=self._instance,
            tags={RANGE_START: partition_key(first, DAY), RANGE_END: partition_key(last, DAY)},
        )
        assert result.success


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, scaled_data: Path) -> Iterator[Project]:
    """A year of purchases, the tiles of four views, and the last days of their values."""
    folder = tmp_path_factory.mktemp("corrected")
    data = shutil.copytree(scaled_data, folder / "data")
    with instance_with_batches(folder / "events") as instance:
        project = Project(folder, data, instance)
        project.land(purchases.start, END)
        for view in VIEWS.values():
            values = value_span(view, END, DAYS, 0)
            tiles = tile_span(view, values)
            project.build_tiles(view, tiles.start, tiles.end)
            project.compute(view, values.start, values.end)
        yield project


def test_again_changes_nothing(project: Project) -> None:
    before = State.of(project)
    assert all(len(values) == DAYS for values in before.hashes.values())
    assert_nothing_is_stale(project)
    day = CORRECTED, CORRECTED + timedelta(days=1)
    project.land(*day)
    assert_nothing_is_stale(project)
    for view in VIEWS.values():
        project.build_tiles(view, *day)
        project.compute(view, CORRECTED - timedelta(days=2), CORRECTED + timedelta(days=3))
    assert_nothing_is_stale(project)
    assert State.of(project) == before


def test_a_correction_changes_the_windows_that_hold_it_and_nothing_else(project: Project) -> None:
    """A line gets another price and a line of a new household is added; then both are taken back."""
    before = State.of(project)
    file = project.data / "transactions.parquet"
    lines = pl.read_parquet(file)
    line = corrected_line(project)
    is_line = (pl.col("basket_id") == line["basket_id"]) & (pl.col("product_id") == line["product_id"])
    assert lines.filter(is_line).height == 1
    newcomers_line = lines.filter(is_line).with_columns(household_id=pl.lit(NEWCOMER), basket_id=pl.lit(10**12))
    raised = lines.with_columns(
        pl.when(is_line).then(pl.col("sales_value") + 1).otherwise("sales_value").alias("sales_value")
    )
    pl.concat([raised, newcomers_line.cast(lines.schema)]).write_parquet(file)

    project.land(CORRECTED, CORRECTED + timedelta(days=1))
    repair(project)
    after = State.of(project)
    for name, view in VIEWS.items():
        affected = [start for start in before.hashes[name] if start in windows_that_hold_it(view)]
        changed = [start for start in before.hashes[name] if before.hashes[name][start] != after.hashes[name][start]]
        assert changed == affected, name
        assert 0 < len(changed) < DAYS
        wanted = entities(view, line)
        for start in changed:
            assert differing(view, before.rows[name][start], after.rows[name][start]) == wanted, (name, start)

    lines.write_parquet(file)
    project.land(CORRECTED, CORRECTED + timedelta(days=1))
    repair(project)
    assert State.of(project) == before


def corrected_line(project: Project) -> dict[str, Any]:
    """A line of the corrected day, of a product whose place in the hierarchy is known."""
    landed = project.store.source("raw/transactions").scan(CORRECTED, CORRECTED + timedelta(days=1)).collect()
    known = landed.drop_nulls(["department", "product_category"]).sort("purchased_at", "basket_id", "product_id")
    return known.row(0, named=True)


def windows_that_hold_it(view: FeatureView) -> list[datetime]:
    """Starts of the partitions whose longest window holds the corrected day; the as-of is a day later."""
    days = DAYS if view.has_all_history else max(window.over for window in view.windows) // DAY
    return [CORRECTED + timedelta(days=day) for day in range(days)]


def entities(view: FeatureView, line: dict[str, Any]) -> set[tuple[Any, ...]]:
    """Keys of the entities to which the corrected and the added line belong."""
    return {
        tuple({**line, "household_id": each}[key] for key in view.keys) for each in (line["household_id"], NEWCOMER)
    }


def repair(project: Project) -> None:
    """Build again what is stale, which are the tiles of one day and the values that read them."""
    for view in VIEWS.values():
        values = value_span(view, END, DAYS, 0)
        tiles = tile_span(view, values)
        assert stale_tiles(project.store, view, tiles.start, tiles.end) == [CORRECTED]
        project.build_tiles(view, CORRECTED, CORRECTED + timedelta(days=1))
        stale = stale_partitions(project.store, view, values.start, values.end)
        assert stale == [start for start in values.starts if start in windows_that_hold_it(view)]
        project.compute(view, stale[0], stale[-1] + timedelta(days=1))


def assert_nothing_is_stale(project: Project) -> None:
    for view in VIEWS.values():
        values = value_span(view, END, DAYS, 0)
        tiles = tile_span(view, values)
        assert stale_tiles(project.store, view, tiles.start, tiles.end) == []
        assert stale_partitions(project.store, view, values.start, values.end) == []


@dataclass
class State:
    """The values of all views: by view and partition start, content hash and rows."""

    hashes: dict[str, dict[datetime, str]]
    rows: dict[str, dict[datetime, set[tuple[Any, ...]]]]

    @classmethod
    def of(cls, project: Project) -> State:
        hashes: dict[str, dict[datetime, str]] = {}
        rows: dict[str, dict[datetime, set[tuple[Any, ...]]]] = {}
        for name, view in VIEWS.items():
            table = project.store.values(view)
            hashes[name] = dict(table.ledger.partitions().select("partition_start", "content_hash").iter_rows())
            stored = table.scan().collect().partition_by("partition_start", as_dict=True, include_key=False)
            rows[name] = {start: set(map(hashable, frame.iter_rows())) for (start,), frame in stored.items()}
        return cls(hashes, rows)


def hashable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row with its arrays as tuples."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def differing(view: FeatureView, before: set[tuple[Any, ...]], after: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Keys of the entities whose rows are not the same; rows are as-of, keys, features."""
    return {row[1 : 1 + len(view.keys)] for row in before ^ after}
