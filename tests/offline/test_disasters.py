"""A disk that fills up in the middle of a commit, an apply that is killed, times at the end of all: nothing is lost."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import InputError
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, write_training_set
from feature_store.offline.verify import tables_of, verify_table
from feature_store.plans.service_plan import read_plan, write_plan
from serving.read.plan_folder import PlanFolder
from tests.offline.definitions import INSTANT, ShopperSpend, ShopperTown, day, purchase_rows, service, spend_values

LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
ROWS = [(n % 7, day(n % 6, n % 11), f"b{n}", n / 8, n) for n in range(200)]


def crippled(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.offline.crippled_writer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pieces(store: OfflineStore) -> list[int]:
    rows = store.values(ShopperSpend).scan().filter(pl.col("shopper_id") == 3).sort("partition_start").collect()
    return rows["pieces_3d"].to_list()


@pytest.mark.parametrize("size", [0, 1_500, 4_096])
def test_a_disk_that_is_full_in_the_middle_of_a_write_leaves_what_was_or_all_that_is_new(
    store: OfflineStore, size: int
) -> None:
    values = store.values(ShopperSpend)
    values.write(
        spend_values([(day(n), shopper, 1) for n in range(2) for shopper in range(60)]), day(0), day(2), run_id="a"
    )
    done = crippled("write", store.root, str(size))
    assert done.returncode != 0, "nothing failed: the limit is too high to try anything"
    assert pieces(store) in ([1, 1], [1, 9, 9])
    assert verify_table(values).is_sound
    assert crippled("write", store.root, str(1 << 30)).returncode == 0
    assert pieces(store) == [1, 9, 9]
    assert verify_table(values).is_sound


@pytest.mark.parametrize("size", [0, 2_500, 6_000])
def test_a_disk_that_is_full_while_values_are_computed_leaves_a_store_that_is_sound(
    store: OfflineStore, size: int, tmp_path: Path
) -> None:
    store.source("raw/shop_purchases").write(purchase_rows(ROWS), day(0), day(6), time_column="bought_at", run_id="r")
    done = crippled("compute", store.root, str(size))
    assert done.returncode != 0, "nothing failed: the limit is too high to try anything"
    for table in tables_of(store, ShopperSpend).values():
        assert verify_table(table).is_sound
    assert crippled("compute", store.root, str(1 << 30)).returncode == 0
    other = OfflineStore(str(tmp_path / "other"))
    other.source("raw/shop_purchases").write(purchase_rows(ROWS), day(0), day(6), time_column="bought_at", run_id="r")
    compute_tiles(other, ShopperSpend, day(0), day(6), "r")
    compute_values(other, ShopperSpend, day(4), day(6), "r")
    for name, table in tables_of(store, ShopperSpend).items():
        assert verify_table(table).is_sound
        same = tables_of(other, ShopperSpend)[name].ledger.partitions()["content_hash"]
        assert table.ledger.partitions()["content_hash"].equals(same)


@pytest.mark.parametrize("deaths", [0, 1])
def test_an_apply_that_is_killed_leaves_the_plan_that_was_or_the_new_one(tmp_path: Path, deaths: int) -> None:
    old = replace(compile_plan(service), owner="others")
    path = write_plan(tmp_path, old)
    assert crippled("apply", str(tmp_path), str(deaths)).returncode == -signal.SIGKILL
    expected = (old, compile_plan(service))[deaths]
    assert read_plan(path) == expected
    folder = PlanFolder(tmp_path)
    folder.refresh()
    assert (folder.plans, folder.problems) == ([expected], {})
    assert read_plan(write_plan(tmp_path, compile_plan(service))) == compile_plan(service)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_events_of_the_year_9999_land_are_counted_and_joined(store: OfflineStore) -> None:
    def late(number: int, hour: int = 0) -> datetime:
        return datetime(9999, 12, number, hour, tzinfo=UTC)

    rows = purchase_rows([(1, late(n, 5), "b", 1.0, n) for n in range(20, 31)])
    source = store.source("raw/shop_purchases")
    source.write(rows, late(20), late(31), time_column="bought_at", run_id="r")
    compute_tiles(store, ShopperSpend, late(20), late(31), "r")
    compute_values(store, ShopperSpend, late(26), late(31), "r")
    spine = pl.DataFrame({"shopper_id": [1, 1], "time": [late(29, 3), LAST]}).with_columns(pl.col("time").cast(INSTANT))
    plan = compile_plan(service)
    joined = point_in_time_join(store, plan, spine, "time", allow_missing=True)
    assert joined["shopper_spend__pieces_3d"].to_list() == [26 + 27 + 28, 28 + 29 + 30]
    assert verify_table(store.values(ShopperSpend)).is_sound
    with pytest.raises(InputError, match="1 rows are in no partition of"):
        source.write(purchase_rows([(1, LAST, "b", 1.0, 1)]), day(0), day(1), time_column="bought_at", run_id="r")
    built = build_training_set(store, service, spine, allow_missing=True)
    with pytest.raises(InputError, match="the last day of all"):
        write_training_set(store, "set", built, run_id="r")


def test_a_row_that_holds_until_the_end_of_all_time_holds(store: OfflineStore) -> None:
    rows = pl.DataFrame({"shopper_id": [1, 2], "moved_at": [day(0, 1), LAST], "town": ["york", "leeds"]})
    landed = rows.with_columns(pl.col("moved_at").cast(INSTANT))
    source = store.source("raw/shop_addresses")
    with pytest.raises(InputError, match="1 rows are in no partition of"):
        source.write(landed, day(0), day(1), time_column="moved_at", run_id="r")
    source.write(landed.head(1), day(0), day(1), time_column="moved_at", run_id="r")
    compute_values(store, ShopperTown, day(0), day(1), "r")
    assert store.values(ShopperTown).scan().collect()["town"].to_list() == ["york"]
