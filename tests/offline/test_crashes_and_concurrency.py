"""Writers that die half way, and writers that write at once: readers never see a half-written or unlisted state."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from feature_store.offline.delta.compaction import keep_up
from feature_store.offline.tables import partitioned_table
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from tests.offline.definitions import INSTANT, ShopperHourly, ShopperSpend, day, spend_values

DEATHS = ("before the Delta commit", "after the Delta commit")


def start_writer(
    store: OfflineStore, run_id: str, days: tuple[int, int], pieces: int, death: str = ""
) -> subprocess.Popen:
    arguments = [store.root, run_id, *map(str, days), str(pieces), death]
    return subprocess.Popen([sys.executable, "-m", "tests.offline.writer_process", *arguments])


def finish(writers: Sequence[subprocess.Popen]) -> None:
    assert [writer.wait(timeout=120) for writer in writers] == [0] * len(writers)


def pieces_by_day(store: OfflineStore) -> list[tuple[int, int]]:
    rows = store.values(ShopperSpend).scan().filter(pl.col("shopper_id") == 1).sort("partition_start").collect()
    return [((at - day(0)).days, pieces) for at, pieces in rows.select("partition_start", "pieces_3d").iter_rows()]


def state(store: OfflineStore) -> pl.DataFrame:
    return store.values(ShopperSpend).ledger.partitions().drop("landed_at", "run_id", "delta_version")


@pytest.mark.parametrize("death", DEATHS)
def test_a_killed_writer_has_written_all_or_nothing_and_a_rerun_completes_it(
    store: OfflineStore, tmp_path, death: str
) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(n), s, 1) for n in range(2) for s in (1, 2)]), day(0), day(2), run_id="good")
    before = state(store)
    writer = start_writer(store, "killed", (1, 3), pieces=2, death=death)
    assert writer.wait(timeout=60) == -signal.SIGKILL
    is_written = death == "after the Delta commit"
    expected = [(0, 1), (1, 2), (2, 2)] if is_written else [(0, 1), (1, 1)]
    assert pieces_by_day(store) == expected
    assert is_written or state(store).equals(before)
    listed = pl.scan_delta(values.ledger.uri).filter(pl.col("run_id") == "killed").collect()
    assert listed.is_empty()
    # Others go on writing meanwhile, and list what the dead writer did.
    values.write(spend_values([(day(5), s, 3) for s in (1, 2)]), day(5), day(6), run_id="other")
    assert pieces_by_day(store) == [*expected, (5, 3)]
    listed = pl.scan_delta(values.ledger.uri).filter(pl.col("run_id") == "killed").collect()
    assert listed.height == (2 if is_written else 0)
    finish([start_writer(store, "again", (1, 3), pieces=2)])
    assert pieces_by_day(store) == [(0, 1), (1, 2), (2, 2), (5, 3)]
    untouched = OfflineStore(str(tmp_path / "never_killed"))
    for days, pieces in (((0, 2), 1), ((5, 6), 3), ((1, 3), 2)):
        rows = [(day(n), s, pieces) for n in range(*days) for s in (1, 2)]
        untouched.values(ShopperSpend).write(spend_values(rows), day(days[0]), day(days[1]), run_id="x")
    assert state(store).equals(state(untouched))


@pytest.mark.parametrize("death", DEATHS)
def test_a_writer_killed_at_its_first_write_has_written_all_or_nothing(store: OfflineStore, death: str) -> None:
    assert start_writer(store, "killed", (0, 2), pieces=1, death=death).wait(timeout=60) == -signal.SIGKILL
    is_written = death == "after the Delta commit"
    assert store.values(ShopperSpend).ledger.partitions().height == (2 if is_written else 0)
    assert pieces_by_day(store) == ([(0, 1), (1, 1)] if is_written else [])
    finish([start_writer(store, "again", (0, 2), pieces=1)])
    assert pieces_by_day(store) == [(0, 1), (1, 1)]


def test_writers_of_other_partitions_create_and_write_at_once(store: OfflineStore) -> None:
    spans = [(0, 3), (3, 4), (4, 8), (10, 11)]
    finish([start_writer(store, f"run {first}", (first, last), pieces=first) for first, last in spans])
    expected = [(number, first) for first, last in spans for number in range(first, last)]
    assert pieces_by_day(store) == expected
    ledger = store.values(ShopperSpend).ledger.partitions()
    assert ledger["run_id"].to_list() == [f"run {first}" for _, first in expected]
    commits = {c["version"]: c.get("run_id") for c in DeltaTable(store.values(ShopperSpend).uri).history()}
    assert all(commits[version] == run for version, run in ledger.select("delta_version", "run_id").iter_rows())


def test_of_writers_of_one_partition_one_wins_whole(store: OfflineStore) -> None:
    finish([start_writer(store, f"run {pieces}", (0, 2), pieces=pieces) for pieces in (1, 2, 3)])
    ledger = store.values(ShopperSpend).ledger.partitions()
    assert ledger["run_id"].n_unique() == 1
    winner = int(ledger["run_id"][0].removeprefix("run "))
    assert pieces_by_day(store) == [(0, winner), (1, winner)]
    rows = [(day(n), s, winner) for n in range(2) for s in (1, 2)]
    store.values(ShopperSpend).write(spend_values(rows), day(0), day(2), run_id="same")
    assert store.values(ShopperSpend).ledger.partitions()["content_hash"].equals(ledger["content_hash"])


def test_of_two_that_merge_the_same_files_one_does(store: OfflineStore) -> None:
    values = store.values(ShopperHourly)
    schema = {"partition_start": INSTANT, "shopper_id": pl.Int64, "purchases_6h": pl.Int64}
    frames = [pl.DataFrame([(day(0, hour), 1, hour)], schema=schema, orient="row") for hour in range(4)]
    for hour, frame in enumerate(frames):
        values.write(frame, *day_hour(hour), run_id="r")
    one, other = DeltaTable(values.uri), DeltaTable(values.uri)
    keep_up(one, ["shopper_id"], partial(values._read_day, one))
    keep_up(other, ["shopper_id"], partial(values._read_day, other))
    assert len(DeltaTable(values.uri).file_uris()) == 1
    assert values.scan().collect()["purchases_6h"].sort().to_list() == [0, 1, 2, 3]
    # Nor does merging undo a write that it did not see.
    for hour in (1, 2):
        values.write(frames[hour].with_columns(purchases_6h=pl.lit(9, pl.Int64)), *day_hour(hour), run_id="r")
        keep_up(one, ["shopper_id"], partial(values._read_day, one))
    assert values.scan().collect()["purchases_6h"].sort().to_list() == [0, 3, 9, 9]


def day_hour(hour: int) -> tuple[datetime, datetime]:
    return day(0, hour), day(0, hour + 1)


def test_a_table_that_is_open_does_not_change_under_its_reader(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(1), run_id="a")
    opened = values.open()
    values.write(spend_values([(day(0), 1, 2)]), day(0), day(1), run_id="b")
    assert opened.scan(opened.partitions).collect()["pieces_3d"].to_list() == [1]
    assert values.scan().collect()["pieces_3d"].to_list() == [2]


def test_what_landed_after_the_rows_were_opened_is_not_seen(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(1), run_id="a")
    early = values.open().table
    values.write(spend_values([(day(0), 1, 2), (day(1), 1, 3)]), day(0), day(2), run_id="b")
    opened = OpenTable(values.uri, {}, early, values.ledger.entries(early))
    assert opened.scan(opened.partitions).collect()["pieces_3d"].to_list() == [1]
    assert opened.partitions["run_id"].to_list() == ["a"]


def test_a_write_that_fails_leaves_nothing_to_settle(store: OfflineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(n), 1, n) for n in range(4)]), day(0), day(4), run_id="good")
    before = values.ledger.partitions()

    def fail(*_arguments: object, **_options: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(partitioned_table, "overwrite_range", fail)
    with pytest.raises(OSError, match="disk full"):
        values.write(spend_values([(day(1), 1, 9)]), day(1), day(2), run_id="failed")
    assert values.ledger.partitions().equals(before)
    # Months later, when Delta has forgotten the commits of those days, everything is read as before.
    DeltaTable(values.uri).create_checkpoint()
    for commit in Path(values.uri).glob("_delta_log/*.json"):
        commit.unlink()
    assert pieces_by_day(store) == [(n, n) for n in range(4)]
