"""W1: a damaged day of tiles or values is computed again as a whole, and equals what it was; hours of a day too."""

import pytest

from feature_store.errors import DamagedError
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.repair import damaged_days_of, repair_day
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import tables_of, verify_table
from tests.offline.damage import DAMAGES, damage_day
from tests.offline.definitions import ShopperHourly, ShopperSpend, day, purchase_rows

ROWS = [(n % 7, day(n % 6, n % 11), f"b{n}", n / 8, n) for n in range(400)]


@pytest.mark.parametrize("view", [ShopperSpend, ShopperHourly], ids=lambda view: view.name)
@pytest.mark.parametrize("damage", ["missing", "cut to half", "a bit flipped near the start"])
def test_damaged_days_are_computed_again(store: OfflineStore, view, damage: str) -> None:
    store.source("raw/shop_purchases").write(purchase_rows(ROWS), day(0), day(6), time_column="bought_at", run_id="r")
    # The last day is not over: its hours so far are all there is of it.
    end = day(5, 11) if view is ShopperHourly else day(6)
    compute_tiles(store, view, day(0), end, "r")
    compute_values(store, view, day(5), end, "r")
    tables = tables_of(store, view)
    written = {name: table.ledger.partitions()["content_hash"].to_list() for name, table in tables.items()}
    for name in ("tiles", "values"):
        damage_day(tables[name], 5, DAMAGES[damage])
        assert len(verify_table(tables[name]).damages) == 1
    found = list(damaged_days_of(store, view))
    assert [(each.part, each.start, each.end) for each in found] == [(p, day(5), end) for p in ("tiles", "values")]
    with pytest.raises(DamagedError):
        repair_day(store, view, found[1], "too early")
    for each in found:
        assert repair_day(store, view, each, "repair") > 0
    assert list(damaged_days_of(store, view)) == []
    for name, table in tables.items():
        assert verify_table(table).damages == ()
        assert table.ledger.partitions()["content_hash"].to_list() == written[name]


def test_rows_of_a_source_are_never_landed_again(store: OfflineStore) -> None:
    source = store.source("raw/shop_purchases")
    source.write(purchase_rows(ROWS), day(0), day(6), time_column="bought_at", run_id="r")
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    damage_day(source, 2, DAMAGES["missing"])
    assert len(verify_table(source).damages) == 1
    assert list(damaged_days_of(store, ShopperSpend)) == []
    with pytest.raises(DamagedError, match="raw/shop_purchases"):
        compute_tiles(store, ShopperSpend, day(2), day(3), "r")
