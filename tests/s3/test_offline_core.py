"""What holds of an offline store on a disk holds of one on S3: the same tests, each with a bucket of its own."""

import pytest

from feature_store.errors import DamagedError
from feature_store.offline.delta.stages import delete_folder
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.repair import damaged_days_of, repair_day
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import tables_of, verify_table
from tests.fixtures.servers.aws import Aws
from tests.offline.damage import DAMAGES, damage_day
from tests.offline.definitions import ShopperSpend, day, purchase_rows
from tests.offline.test_ledger import test_publishing_is_recorded_for_landed_partitions_only  # noqa: F401
from tests.offline.test_materialize import (  # noqa: F401
    test_a_table_view_takes_the_latest_row_and_sees_its_corrections,
)
from tests.offline.test_partitioned_tables import (  # noqa: F401
    test_hours_of_one_day_do_not_touch_each_other,
    test_only_landed_partitions_are_read,
    test_values_are_stored_with_their_as_of_and_read_back,
    test_writing_again_changes_nothing_and_an_empty_frame_empties_the_range,
)
from tests.offline.test_training_sets import (  # noqa: F401
    filled,
    test_writing_is_by_day_and_idempotent,
)


@pytest.fixture
def store(s3_server: Aws) -> OfflineStore:
    """Give an empty offline store on S3."""
    return OfflineStore(f"s3://{s3_server.new_bucket()}/offline", s3_server.storage_options)


@pytest.mark.parametrize("damage", ["missing", pytest.param("a bit flipped near the start", marks=pytest.mark.full)])
def test_damage_is_found_and_repaired(store: OfflineStore, damage: str) -> None:
    rows = [(n % 7, day(n % 6, n % 11), f"b{n}", n / 8, n) for n in range(40)]
    store.source("raw/shop_purchases").write(purchase_rows(rows), day(0), day(6), time_column="bought_at", run_id="r")
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    compute_values(store, ShopperSpend, day(5), day(6), "r")
    table = tables_of(store, ShopperSpend)["values"]
    written = table.ledger.partitions()["content_hash"].to_list()
    damage_day(table, 5, DAMAGES[damage])
    with pytest.raises(DamagedError):
        table.scan()
    (found,) = damaged_days_of(store, ShopperSpend)
    assert repair_day(store, ShopperSpend, found, "repair") > 0
    assert verify_table(table).damages == ()
    assert table.ledger.partitions()["content_hash"].to_list() == written


def test_a_folder_is_deleted_with_all_below_it_and_nothing_beside_it(store: OfflineStore) -> None:
    for name in ("raw/some", "raw/someone"):
        rows = purchase_rows([(1, day(0, 1), "b", 1.0, 1)])
        store.source(name).write(rows, day(0), day(1), time_column="bought_at", run_id="r")
    delete_folder(f"{store.root}/raw/some", store.storage_options)
    assert store.source("raw/some").delta_version() is None
    assert store.source("raw/someone").scan().collect().height == 1
