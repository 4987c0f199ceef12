"""What every engine must do: the values of the specification, complete facts, and files that only a commit shows."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_store.engines.engine import Engine
from feature_store.engines.polars.engine import PolarsEngine
from feature_store.engines.spark.engine import SparkEngine
from feature_store.errors import InputError
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.staged_values import stage_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.oracle import snapshots, tables
from feature_store.temporal.durations import DAY
from tests.engines.engines import ENGINES
from tests.fixtures.frames import assert_snapshot
from tests.offline.definitions import (
    INSTANT,
    START,
    ShopperEver,
    ShopperHourly,
    ShopperSpend,
    ShopperTown,
    addresses,
    day,
    purchase_rows,
    purchases,
)

DAYS = 64
"""Two checkpoints of all-history states lie within."""

FACTS = ["partition_start", "as_of", "available_at", "rows", "excluded", "fingerprints", "column_sums", "inputs_hash"]


MARKS = {"polars, day by day": [pytest.mark.full]}
"""Engines that the specification tries on every kind of view besides."""


@pytest.fixture(
    params=[
        *(pytest.param(name, marks=MARKS.get(name, ())) for name in ENGINES),
        pytest.param("spark", marks=pytest.mark.engines("spark_session")),
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "spark":
        return SparkEngine(request.getfixturevalue("spark_session"), OfflineFrames(), parts=3)
    return ENGINES[request.param]()


@pytest.fixture
def store(tmp_path: Path) -> OfflineStore:
    return OfflineStore(str(tmp_path / "offline"))


def some_purchases(days: int) -> pl.DataFrame:
    """Purchases of five shoppers, and one a week without a shopper."""
    rng = random.Random(days)
    rows = [
        (rng.randrange(5), day(rng.uniform(0, days)), f"b{rng.randrange(9)}", rng.uniform(-9, 9), rng.randrange(9))
        for _ in range(days * 6)
    ]
    return purchase_rows([*rows, *((None, day(number, 3), "b", 1.0, 1) for number in range(0, days, 7))])


def land(store: OfflineStore, rows: pl.DataFrame, days: int) -> None:
    store.source(purchases.asset).write(rows, START, day(days), time_column="bought_at", run_id="land")


def values_of(store: OfflineStore, view: FeatureView) -> pl.DataFrame:
    table = store.values(view)
    return table.scan().sort("partition_start", *view.keys).collect()


def facts_of(store: OfflineStore, view: FeatureView, *names: str) -> list[pl.DataFrame]:
    return [getattr(store, name)(view).ledger.partitions().select(FACTS) for name in names]


def files_of(uri: str) -> set[str]:
    return {path.name for path in Path(uri).rglob("*.parquet")}


def assert_only_committed_files(store: OfflineStore, view: FeatureView, *names: str) -> None:
    """Fail if a file lies there that no version of the table lists, or a note says that some may come."""
    for name in names:
        table = getattr(store, name)(view)
        opened = table.open().table
        listed = set() if opened is None else {add["path"].split("/")[-1] for add in _adds(table.uri)}
        assert files_of(table.uri) <= listed
        assert list(Path(f"{table.uri}.stages").glob("*")) == []


def _adds(uri: str) -> Iterator[dict]:
    for log in sorted(Path(uri).glob("_delta_log/*.json")):
        lines = pl.read_ndjson(log, infer_schema_length=None)
        if "add" in lines.columns:
            yield from (add for add in lines["add"].to_list() if add is not None)


@pytest.mark.parametrize("view", [ShopperSpend, ShopperEver], ids=["windows", "all history"])
def test_values_of_events_are_those_of_the_specification(
    store: OfflineStore, engine: Engine, view: FeatureView
) -> None:
    rows = some_purchases(DAYS)
    land(store, rows, DAYS)
    compute_tiles(store, view, START, day(DAYS), "tiles", engine=engine)
    compute_values(store, view, START, day(DAYS), "values", engine=engine)
    found, events = values_of(store, view), rows.filter(pl.col("shopper_id").is_not_null()).to_dicts()
    for number in (1, 2, 27, 28, 29, 30, DAYS):
        as_of = day(number)
        own = found.filter(pl.col("as_of") == as_of).select(*view.keys, *view.fingerprints)
        assert_snapshot(view, own, events, as_of, snapshots.snapshot(view, events, as_of))


def test_values_of_a_table_are_those_of_the_specification(store: OfflineStore, engine: Engine) -> None:
    rng = random.Random(1)
    rows = [(rng.randrange(5), day(rng.uniform(0, DAYS)), f"town {rng.randrange(4)}") for _ in range(80)]
    schema = {"shopper_id": pl.Int64, "moved_at": INSTANT, "town": pl.String}
    moves = pl.DataFrame(rows, schema=schema, orient="row")
    store.source(addresses.asset).write(moves, START, day(DAYS), time_column="moved_at", run_id="land")
    compute_values(store, ShopperTown, START, day(DAYS), "values", engine=engine)
    found = values_of(store, ShopperTown)
    for number in (1, 8, DAYS):
        as_of = day(number)
        expected = tables.table_snapshot(ShopperTown, moves.to_dicts(), as_of, as_of)
        own = found.filter(pl.col("as_of") == as_of).to_dicts()
        assert {(row["shopper_id"],): row["town"] for row in own} == {k: v["town"] for k, v in expected.items()}


@pytest.mark.parametrize("view", [ShopperSpend, ShopperEver], ids=["windows", "all history"])
def test_what_is_stored_does_not_depend_on_the_engine_nor_on_how_much_is_computed_at_once(
    store: OfflineStore, tmp_path: Path, engine: Engine, view: FeatureView
) -> None:
    whole = OfflineStore(str(tmp_path / "whole"))
    names = ["tiles", "values", *(["state"] if view.has_all_history else [])]
    for each, by in ((store, engine), (whole, PolarsEngine(OfflineFrames(), at_once=1000 * DAY))):
        land(each, some_purchases(DAYS), DAYS)
        compute_tiles(each, view, START, day(DAYS), "tiles", engine=by)
        compute_values(each, view, START, day(DAYS), "values", engine=by)
    for one, other in zip(facts_of(store, view, *names), facts_of(whole, view, *names), strict=True):
        assert one.height
        assert_frame_equal(one, other)
    assert_frame_equal(values_of(store, view), values_of(whole, view), check_exact=True)
    assert_only_committed_files(store, view, *names)


def test_hours_in_the_middle_of_days_leave_the_others_as_they_are(store: OfflineStore, engine: Engine) -> None:
    land(store, some_purchases(3), 3)
    for table, compute, begin in (("tiles", compute_tiles, 6), ("values", compute_values, 12)):
        compute(store, ShopperHourly, day(0, begin), day(3), "first", engine=engine)
        before = facts_of(store, ShopperHourly, table)
        rows = getattr(store, table)(ShopperHourly).scan().collect().height
        compute(store, ShopperHourly, day(0, 17), day(2, 5), "again", engine=engine)
        assert_frame_equal(facts_of(store, ShopperHourly, table)[0], before[0])
        assert getattr(store, table)(ShopperHourly).scan().collect().height == rows
        runs = getattr(store, table)(ShopperHourly).ledger.partitions()["run_id"].value_counts(sort=True).rows()
        assert runs == [("again", 36), ("first", 36 - begin)]
        assert_only_committed_files(store, ShopperHourly, table)


def test_partitions_without_rows_are_written_too(store: OfflineStore, engine: Engine) -> None:
    land(store, some_purchases(1), 20)
    compute_tiles(store, ShopperSpend, START, day(20), "tiles", engine=engine)
    compute_values(store, ShopperSpend, START, day(20), "values", engine=engine)
    tiles, values = facts_of(store, ShopperSpend, "tiles", "values")
    assert (tiles.height, values.height) == (20, 20)
    assert (tiles["rows"] > 0).to_list() == [True] + [False] * 19
    assert (values["rows"] > 0).to_list() == [True] * 5 + [False] * 15


def test_a_range_without_any_row_is_written_and_read(store: OfflineStore, engine: Engine) -> None:
    land(store, purchase_rows([]), 9)
    compute_tiles(store, ShopperSpend, START, day(9), "tiles", engine=engine)
    assert compute_values(store, ShopperSpend, START, day(9), "values", engine=engine) == 0
    assert store.values(ShopperSpend).ledger.partitions().height == 9
    assert values_of(store, ShopperSpend).is_empty()


def test_partitions_that_become_empty_lose_their_rows(store: OfflineStore, engine: Engine) -> None:
    for rows in (some_purchases(9), purchase_rows([])):
        land(store, rows, 9)
        compute_tiles(store, ShopperSpend, START, day(9), "tiles", engine=engine)
        compute_values(store, ShopperSpend, START, day(9), "values", engine=engine)
    assert store.tiles(ShopperSpend).scan().collect().is_empty()
    assert values_of(store, ShopperSpend).is_empty()


def test_rows_that_are_left_out_are_counted_once(store: OfflineStore, engine: Engine) -> None:
    land(store, some_purchases(21), 21)
    report = compute_tiles(store, ShopperSpend, START, day(21), "tiles", engine=engine)
    assert report.excluded == {day(0): 1, day(7): 1, day(14): 1}
    assert facts_of(store, ShopperSpend, "tiles")[0]["excluded"].sum() == 3
    assert report.rows == store.tiles(ShopperSpend).scan().collect().height


def test_what_is_looked_at_and_not_committed_is_nowhere(store: OfflineStore, engine: Engine) -> None:
    land(store, some_purchases(9), 9)
    compute_tiles(store, ShopperEver, START, day(9), "tiles", engine=engine)
    compute_values(store, ShopperEver, START, day(4), "good", engine=engine)
    before, version = facts_of(store, ShopperEver, "values"), store.values(ShopperEver).delta_version()
    files = files_of(store.values(ShopperEver).uri)
    with stage_values(store, ShopperEver, START, day(9), "failed", engine=engine) as values:
        assert sum(frame.height for _, frame in values.frames()) == sum(values.rows.values()) > 0
        assert len(files_of(store.values(ShopperEver).uri)) > len(files)
        assert_frame_equal(facts_of(store, ShopperEver, "values")[0], before[0])
    assert store.values(ShopperEver).delta_version() == version
    assert files_of(store.values(ShopperEver).uri) == files
    assert_only_committed_files(store, ShopperEver, "tiles", "values", "state")


def test_a_mistake_half_way_leaves_nothing(store: OfflineStore, engine: Engine) -> None:
    largest = [(1, day(9, hour), "b", 1.0, 2**62) for hour in (1, 2, 3)]
    land(store, pl.concat([some_purchases(9), purchase_rows(largest)]), 12)
    with pytest.raises(InputError, match="Int64"):
        compute_tiles(store, ShopperSpend, START, day(12), "tiles", engine=engine)
    assert store.tiles(ShopperSpend).delta_version() is None
    assert files_of(store.tiles(ShopperSpend).uri) == set()


def test_writing_again_changes_nothing(store: OfflineStore, engine: Engine) -> None:
    land(store, some_purchases(DAYS), DAYS)
    seen = []
    for run_id in ("first", "again"):
        compute_tiles(store, ShopperEver, START, day(DAYS), run_id, engine=engine)
        compute_values(store, ShopperEver, START, day(DAYS), run_id, engine=engine)
        seen.append((facts_of(store, ShopperEver, "tiles", "values", "state"), values_of(store, ShopperEver)))
    for one, other in zip(*(facts for facts, _ in seen), strict=True):
        assert_frame_equal(one, other)
    assert_frame_equal(seen[0][1], seen[1][1], check_exact=True)


def killed(store: OfflineStore, engine: str, death: str, last: datetime) -> None:
    days = str((last - START) // timedelta(days=1))
    process = subprocess.Popen([sys.executable, "-m", "tests.engines.killed_process", store.root, engine, death, days])
    assert process.wait(timeout=300) == -signal.SIGKILL


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("death", ["between staging and the commit", "after the commit"])
def test_a_run_that_is_killed_leaves_the_last_good_state_and_its_files_go_with_the_next(
    store: OfflineStore, name: str, death: str
) -> None:
    land(store, some_purchases(9), 9)
    compute_tiles(store, ShopperSpend, START, day(9), "tiles")
    compute_values(store, ShopperSpend, START, day(6), "good")
    table = store.values(ShopperSpend)
    before, files = values_of(store, ShopperSpend), files_of(table.uri)
    killed(store, name, death, day(9))
    left = files_of(table.uri) - files
    assert left
    if death == "after the commit":
        assert table.ledger.partitions()["run_id"].to_list() == ["killed"] * 9
    else:
        assert_frame_equal(values_of(store, ShopperSpend), before)
        assert table.ledger.partitions()["run_id"].to_list() == ["good"] * 6
    compute_values(store, ShopperSpend, START, day(1), "next", engine=ENGINES[name]())
    assert left & files_of(table.uri) == (left if death == "after the commit" else set())
    compute_values(store, ShopperSpend, START, day(9), "again", engine=ENGINES[name]())
    assert_frame_equal(values_of(store, ShopperSpend).filter(pl.col("as_of") <= day(6)), before, check_exact=True)
    assert table.ledger.partitions().height == 9
    assert_only_committed_files(store, ShopperSpend, "values")
