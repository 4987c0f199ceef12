"""Staged files: one commit lists them, or they go; what another run did meanwhile is never written over."""

import pickle
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_store.errors import ConflictError, InputError
from feature_store.offline.delta import stages
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.staged_values import StagedValues, stage_values
from feature_store.offline.tables.store import OfflineStore
from tests.offline.definitions import ShopperSpend, day, purchase_rows, purchases, spend_values

LAST = 9


@pytest.fixture
def landed(store: OfflineStore) -> OfflineStore:
    """Give a store with tiles of nine days."""
    rows = purchase_rows([(number % 3, day(number, 5), "b", 1.0, 1) for number in range(LAST)])
    store.source(purchases.asset).write(rows, day(0), day(LAST), time_column="bought_at", run_id="land")
    compute_tiles(store, ShopperSpend, day(0), day(LAST), "tiles")
    return store


def runs(store: OfflineStore) -> list[str]:
    return store.values(ShopperSpend).ledger.partitions()["run_id"].to_list()


def staged_files(store: OfflineStore, values: StagedValues) -> list[Path]:
    return [Path(store.values(ShopperSpend).uri) / each.file for each in values.staged if each.file is not None]


def test_of_two_first_writers_of_a_day_one_commits(landed: OfflineStore) -> None:
    with (
        stage_values(landed, ShopperSpend, day(0), day(3), "one") as one,
        stage_values(landed, ShopperSpend, day(2), day(4), "two") as two,
    ):
        one.commit()
        with pytest.raises(ConflictError, match="run one wrote 1 partitions from 2024-01-03"):
            two.commit()
    assert runs(landed) == ["one"] * 3
    assert landed.values(ShopperSpend).scan().collect().height == sum(one.rows.values())


def test_writers_of_other_days_both_commit(landed: OfflineStore) -> None:
    with (
        stage_values(landed, ShopperSpend, day(0), day(3), "one") as one,
        stage_values(landed, ShopperSpend, day(3), day(5), "two") as two,
    ):
        two.commit()
        one.commit()
    assert runs(landed) == ["one"] * 3 + ["two"] * 2


def test_what_another_run_wrote_meanwhile_is_not_written_over(landed: OfflineStore) -> None:
    compute_values(landed, ShopperSpend, day(0), day(3), "good")
    with stage_values(landed, ShopperSpend, day(0), day(3), "slow") as slow:
        rows = spend_values([(day(1), 7, 70)])
        landed.values(ShopperSpend).write(rows, day(1), day(2), run_id="newer")
        with pytest.raises(ConflictError, match="run newer wrote"):
            slow.commit()
    assert runs(landed) == ["good", "newer", "good"]
    assert landed.values(ShopperSpend).scan(day(1), day(2)).collect()["pieces_3d"].to_list() == [70]


def test_a_stage_that_took_too_long_is_not_committed(landed: OfflineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with stage_values(landed, ShopperSpend, day(0), day(3), "late") as values:
        monkeypatch.setattr(stages, "LIFETIME", timedelta(0))
        with pytest.raises(ConflictError, match="older than"):
            values.commit()
    assert runs(landed) == []


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4])


def with_other_rows(file: Path) -> None:
    rows = pl.read_parquet(file, hive_partitioning=False)
    pl.concat([rows, rows]).write_parquet(file)


def with_another_type(file: Path) -> None:
    pl.read_parquet(file, hive_partitioning=False).cast({"pieces_3d": pl.Float64}).write_parquet(file)


@pytest.mark.parametrize("spoil", [Path.unlink, cut, with_other_rows, with_another_type])
def test_a_file_that_is_not_what_was_staged_is_not_committed(landed: OfflineStore, spoil) -> None:
    compute_values(landed, ShopperSpend, day(0), day(3), "good")
    with stage_values(landed, ShopperSpend, day(0), day(3), "spoiled") as values:
        spoil(staged_files(landed, values)[1])
        with pytest.raises(InputError, match="was staged"):
            values.commit()
    assert runs(landed) == ["good"] * 3
    assert landed.values(ShopperSpend).scan().collect().height


def test_partitions_that_were_not_staged_are_not_committed(landed: OfflineStore) -> None:
    with stage_values(landed, ShopperSpend, day(0), day(3), "partly") as values:
        values.staged.pop()
        with pytest.raises(InputError, match="not its 3 partitions were staged, but 2"):
            values.commit()
    assert landed.values(ShopperSpend).delta_version() is None


def test_the_files_of_a_run_that_is_at_work_are_left_alone(landed: OfflineStore) -> None:
    with stage_values(landed, ShopperSpend, day(0), day(3), "slow") as slow:
        compute_values(landed, ShopperSpend, day(5), day(6), "quick")
        assert all(file.exists() for file in staged_files(landed, slow))
        slow.commit()
    assert all(file.exists() for file in staged_files(landed, slow))
    assert runs(landed) == ["slow"] * 3 + ["quick"]


def test_facts_are_plain_data(landed: OfflineStore) -> None:
    with stage_values(landed, ShopperSpend, day(0), day(3), "r") as values:
        assert pickle.loads(pickle.dumps(values.staged)) == values.staged


def test_bounds_of_files_are_those_of_their_footers(landed: OfflineStore) -> None:
    compute_values(landed, ShopperSpend, day(0), day(3), "r")
    table = landed.values(ShopperSpend).open().table
    assert table is not None
    adds = pl.DataFrame(table.get_add_actions(flatten=True)).sort("min.partition_start")
    starts: list[datetime] = [day(number) for number in range(3)]
    assert adds["min.partition_start"].to_list() == adds["max.partition_start"].to_list() == starts
    assert adds["num_records"].sum() == landed.values(ShopperSpend).scan().collect().height
