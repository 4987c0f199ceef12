"""W1, W2: what is damaged is never loaded; the last good snapshot goes on being served, and writing again heals."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from feature_store.errors import DamagedError
from feature_store.offline.tables.store import OfflineStore
from serving.load.sync import is_synced, sync_view
from serving.stores.open_store import open_loader
from serving.stores.store import OnlineLoader
from tests.offline.damage import DAMAGES, damage_day, forget_checksums
from tests.offline.definitions import ShopperSpend, day, spend_values

NOW = day(9)


@pytest.fixture
def store(tmp_path: Path) -> OfflineStore:
    return OfflineStore(str(tmp_path / "offline"))


@pytest.fixture
def writer(valkey: str) -> Iterator[OnlineLoader]:
    writer = open_loader(valkey)
    yield writer
    writer.close()


def write(store: OfflineStore, number: int, pieces: int) -> None:
    rows = [(day(number), shopper, pieces) for shopper in range(2_000)]
    store.values(ShopperSpend).write(spend_values(rows), day(number), day(number + 1), run_id="r")


@pytest.mark.parametrize("damage", [name for name in DAMAGES if "bit" not in name] + ["a bit flipped in the middle"])
def test_a_damaged_partition_is_not_loaded_and_heals_when_it_is_written_again(
    store: OfflineStore, writer: OnlineLoader, damage: str
) -> None:
    write(store, 0, 1)
    sync_view(store, ShopperSpend, writer, NOW)
    served = writer.generations(ShopperSpend.full_name)
    write(store, 1, 2)
    file = damage_day(store.values(ShopperSpend), 1, DAMAGES[damage])
    with pytest.raises(DamagedError, match=f"shop/shopper_spend/v1/values: partition 2024-01-02 .*{file.name}"):
        sync_view(store, ShopperSpend, writer, NOW)
    assert writer.generations(ShopperSpend.full_name) == served
    assert not is_synced(store, ShopperSpend, writer, NOW)
    write(store, 1, 3)
    report = sync_view(store, ShopperSpend, writer, NOW)
    assert report.loads[day(2)].rows == 2_000
    assert is_synced(store, ShopperSpend, writer, NOW)


def test_values_that_another_writer_of_the_file_changed_are_not_published(
    store: OfflineStore, writer: OnlineLoader
) -> None:
    write(store, 0, 1)
    table = store.values(ShopperSpend)
    forget_checksums(table)
    listed = pl.read_delta(table.ledger.uri)
    other = pl.col("column_sums").str.replace(r'"spend_3d":"[0-9a-f]{16}"', '"spend_3d":"0123456789abcdef"')
    listed.with_columns(other).write_delta(table.ledger.uri, mode="overwrite")
    with pytest.raises(DamagedError, match="spend_3d differ from what was written"):
        sync_view(store, ShopperSpend, writer, NOW)
    assert writer.generations(ShopperSpend.full_name) == ()
