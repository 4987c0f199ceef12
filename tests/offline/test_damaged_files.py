"""W1, W2: no file is believed. What is cut, changed or missing is an error that says where, and how to heal."""

import pickle
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import DamagedError, DamagedRecordError
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, load_training_set, write_training_set
from tests.offline.damage import DAMAGES, change_ledger, damage_day, files_of, flip, forget_checksums
from tests.offline.definitions import (
    INSTANT,
    ShopperEver,
    ShopperHourly,
    ShopperSpend,
    day,
    purchase_rows,
    service,
    spend_values,
)

PURCHASES = [(n % 7, day(n % 4, n % 23), f"b{n}", n / 8, n) for n in range(400)]


def values_of(store: OfflineStore, days: int = 3) -> PartitionedTable:
    rows = [(day(number), shopper, number * 1000 + shopper) for number in range(days) for shopper in range(200)]
    table = store.values(ShopperSpend)
    table.write(spend_values(rows), day(0), day(days), run_id="r")
    return table


def landed_purchases(store: OfflineStore) -> PartitionedTable:
    source = store.source("raw/shop_purchases")
    source.write(purchase_rows(PURCHASES), day(0), day(4), time_column="bought_at", run_id="r")
    return source


def read_whole(table: PartitionedTable, number: int) -> pl.DataFrame:
    opened = table.open()
    return opened.read(opened.between(day(number), day(number + 1)))


def read_pruned(table: PartitionedTable, number: int) -> pl.DataFrame:
    opened = table.open()
    return opened.scan_some(opened.between(day(number), day(number + 1))).collect()


LOOKS: dict[str, Callable[[PartitionedTable, int], pl.DataFrame]] = {"whole": read_whole, "pruned": read_pruned}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_an_error_that_names_view_partition_file_and_cure(
    store: OfflineStore, damage: str, look: str
) -> None:
    table = values_of(store)
    before = LOOKS[look](table, 0)
    file = damage_day(table, 1, DAMAGES[damage])
    with pytest.raises(DamagedError) as raised:
        LOOKS[look](table, 1)
    told = str(raised.value)
    assert "views/shop/shopper_spend/v1/values: partition 2024-01-02 00:00:00+00:00" in told
    assert f"day=2024-01-02/{file.name}" in told
    assert "materializing all partitions of 2024-01-02 again" in told
    assert_frame_equal(LOOKS[look](table, 0), before, check_row_order=False)
    healed = spend_values([(day(1), 7, 7)])
    table.write(healed, day(1), day(2), run_id="again")
    assert LOOKS[look](table, 1)["pieces_3d"].to_list() == [7]


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_checksums_of_files_whole_partitions_are_compared_by_their_sums(
    store: OfflineStore, damage: str
) -> None:
    table = values_of(store)
    forget_checksums(table)
    before = read_whole(table, 1)
    damage_day(table, 1, DAMAGES[damage])
    try:
        after = read_whole(table, 1)
    except DamagedError:
        return
    # A bit may be flipped where it says nothing, e.g. in a statistic.
    assert "bit flipped" in damage
    assert_frame_equal(after, before, check_row_order=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_bit_flipped_anywhere_serves_no_other_value(store: OfflineStore, at: float, bit: int) -> None:
    table = store.values(ShopperSpend)
    if table.delta_version() is None:
        values_of(store)
        forget_checksums(table)
    before = read_whole(table, 1)
    (file,) = files_of(table, 1)
    written = file.read_bytes()
    flipped = bytearray(written)
    flipped[int(at * len(written))] ^= 1 << bit
    file.write_bytes(flipped)
    try:
        assert_frame_equal(read_whole(table, 1), before, check_row_order=False)
    except DamagedError:
        pass
    finally:
        file.write_bytes(written)


def test_a_file_that_became_longer_since_its_bytes_were_compared_is_noticed(store: OfflineStore) -> None:
    table = values_of(store)
    read_pruned(table, 1)
    (file,) = files_of(table, 1)
    file.write_bytes(file.read_bytes() + b"\0")
    opened = table.open()
    for scan in (opened.scan, opened.scan_some):
        with pytest.raises(DamagedError, match=r"it has \d+ bytes, \d+ were written"):
            scan(opened.between(day(1), day(2)))


def test_an_older_file_of_the_same_size_is_noticed(store: OfflineStore) -> None:
    table = values_of(store)
    (old,) = files_of(table, 1)
    kept = old.read_bytes()
    table.write(
        spend_values([(day(1), shopper, 1001 + shopper) for shopper in range(200)]), day(1), day(2), run_id="new"
    )
    (new,) = files_of(table, 1)
    padded = kept[: new.stat().st_size].ljust(new.stat().st_size, b"\0")
    for look in LOOKS.values():
        damage_day(table, 1, lambda file: file.write_bytes(padded))
        with pytest.raises(DamagedError):
            look(table, 1)
    forget_checksums(table)
    damage_day(table, 1, lambda file: file.write_bytes(kept))
    with pytest.raises(DamagedError):
        read_whole(table, 1)


def test_files_of_two_days_that_were_exchanged_are_noticed(store: OfflineStore) -> None:
    table = values_of(store)
    (one,), (other,) = files_of(table, 0), files_of(table, 1)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    damage_day(table, 1, lambda file: file.write_bytes(kept))
    for number in (0, 1):
        for look in LOOKS.values():
            with pytest.raises(DamagedError):
                look(table, number)


def test_a_log_restored_from_before_a_write_is_noticed(store: OfflineStore, tmp_path: Path) -> None:
    table = values_of(store)
    log = Path(table.uri) / "_delta_log"
    shutil.copytree(log, tmp_path / "log")
    table.write(spend_values([(day(1), 7, 7)]), day(1), day(2), run_id="new")
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "log", log)
    write_again = lambda: table.write(spend_values([(day(1), 8, 8)]), day(1), day(2), run_id="lost")  # noqa: E731
    for use in (table.open, table.ledger.partitions, write_again):
        with pytest.raises(DamagedRecordError, match=r"ends with version \d+, but the ledger lists version \d+"):
            use()
    table.ledger.forget_lost(DeltaTable(table.uri).version())
    assert read_whole(table, 1).height == 200
    write_again()
    assert read_whole(table, 1)["pieces_3d"].to_list() == [8]


def test_a_file_that_the_log_lists_no_more_is_noticed(store: OfflineStore) -> None:
    table = values_of(store)
    commits = (Path(table.uri) / "_delta_log").glob("*.json")
    (line,) = (commit for commit in commits if "day=2024-01-02" in commit.read_text())
    actions = line.read_text().splitlines()
    lost = [action for action in actions if not ('"add"' in action and "day=2024-01-02" in action)]
    assert len(lost) == len(actions) - 1
    line.write_text("\n".join(lost))
    for look in LOOKS.values():
        with pytest.raises(DamagedError, match="its files have 0 rows, 200 were written"):
            look(table, 1)


def test_a_training_set_is_not_built_from_a_damaged_file(store: OfflineStore) -> None:
    table = values_of(store)
    damage_day(table, 2, flip)
    spine = pl.DataFrame({"shopper_id": [1, 2]}).with_columns(pl.lit(day(3, 3), INSTANT).alias("time"))
    plan = compile_plan(service)
    with pytest.raises(DamagedError, match="shopper_spend"):
        point_in_time_join(store, plan, spine, "time", allow_missing=True)
    # It did not fall back to an older partition; rows that read those are answered.
    earlier = spine.with_columns(pl.lit(day(2, 3), INSTANT).alias("time"))
    joined = point_in_time_join(store, plan, earlier, "time", allow_missing=True)
    assert joined["shopper_spend__pieces_3d"].to_list() == [1001, 1002]


def test_a_stored_training_set_is_not_read_from_a_damaged_file(store: OfflineStore) -> None:
    values_of(store)
    spine = pl.DataFrame({"shopper_id": [1, 2] * 50}).with_columns(pl.lit(day(2, 3), INSTANT).alias("time"))
    built = build_training_set(store, service, spine, allow_missing=True)
    write_training_set(store, "set", built, run_id="r")
    table = PartitionedTable(f"{store.root}/training/set", {})
    damage_day(table, 2, flip)
    for as_ in ("polars", "arrow"):
        with pytest.raises(DamagedError, match="training/set"):
            load_training_set(store, "set", as_=as_)


def test_nothing_is_computed_from_damaged_rows_tiles_or_states(store: OfflineStore) -> None:
    source = landed_purchases(store)
    compute_tiles(store, ShopperEver, day(0), day(4), "r")
    (file,) = files_of(source, 1)
    whole = file.read_bytes()
    damage_day(source, 1, flip)
    with pytest.raises(DamagedError, match="raw/shop_purchases"):
        compute_tiles(store, ShopperEver, day(0), day(4), "r")
    file.write_bytes(whole)
    compute_tiles(store, ShopperEver, day(0), day(4), "r")
    damage_day(store.tiles(ShopperEver), 2, flip)
    with pytest.raises(DamagedError, match="shopper_ever/v1/tiles"):
        compute_values(store, ShopperEver, day(3), day(4), "r")
    compute_tiles(store, ShopperEver, day(2), day(3), "r")
    compute_values(store, ShopperEver, day(0), day(4), "r")
    assert read_whole(store.values(ShopperEver), 3).height == 7


def hourly(store: OfflineStore) -> PartitionedTable:
    landed_purchases(store)
    compute_tiles(store, ShopperHourly, day(0), day(1), "r")
    return store.tiles(ShopperHourly)


def test_an_hour_that_is_written_again_does_not_carry_a_damaged_neighbour_into_a_new_file(store: OfflineStore) -> None:
    table = hourly(store)
    forget_checksums(table)
    (file,) = files_of(table, 0)
    # As a bit does where a page has no checksum: the file is as long as it was, and can be read.
    rows = pl.read_parquet(file, hive_partitioning=False)
    damage_day(
        table,
        0,
        lambda file: rows.with_columns(pl.lit(9).cast(rows["shopper_id"].dtype).alias("shopper_id")).write_parquet(
            file
        ),
    )
    before = table.open().version
    with pytest.raises(DamagedError):
        compute_tiles(store, ShopperHourly, day(0, 5), day(0, 6), "r")
    assert table.open().version == before
    compute_tiles(store, ShopperHourly, day(0), day(1), "r")
    assert read_whole(table, 0).height


def test_upkeep_leaves_a_damaged_day_as_it_is(store: OfflineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    source = store.source("raw/shop_purchases")

    def land(hour: int) -> None:
        rows = purchase_rows([(1, day(0, hour), "b", 1.0, hour)] * 50)
        start: datetime = day(0, hour)
        source.write(rows, start, day(0, hour + 1), time_column="bought_at", run_id="r", cadence=3_600_000_000)

    for hour in range(20):
        land(hour)
    damage_day(source, 0, flip)
    damaged = set(files_of(source, 0))
    monkeypatch.setattr("feature_store.offline.tables.partitioned_table.COMMITS_BETWEEN_UPKEEPS", 1)
    land(20)
    assert damaged < set(files_of(source, 0))
    with pytest.raises(DamagedError):
        read_whole(source, 0)


def test_the_error_survives_being_sent_to_another_process(store: OfflineStore) -> None:
    table = values_of(store)
    damage_day(table, 1, DAMAGES["missing"])
    with pytest.raises(DamagedError) as raised:
        read_whole(table, 1)
    sent = pickle.loads(pickle.dumps(raised.value))
    assert (str(sent), vars(sent)) == (str(raised.value), vars(raised.value))


def test_a_partition_written_before_there_were_sums_is_read_by_its_number_of_rows(store: OfflineStore) -> None:
    table = values_of(store)
    change_ledger(table, lambda listed: listed.filter(pl.col("kind") != "files").drop("column_sums", "files"))
    assert read_whole(table, 1).height == read_pruned(table, 1).height == 200
    damage_day(table, 1, DAMAGES["cut to half"])
    with pytest.raises(DamagedError):
        read_whole(table, 1)


def test_columns_that_are_read_are_compared_and_no_others(store: OfflineStore) -> None:
    table = values_of(store)
    other = pl.col("column_sums").str.replace(r'"pieces_3d":"[0-9a-f]{16}"', '"pieces_3d":"0123456789abcdef"')
    change_ledger(table, lambda listed: listed.with_columns(other))
    opened = table.open()
    partitions = opened.between(day(1), day(2))
    assert opened.read(partitions, ["shopper_id", "share"]).height == 200
    with pytest.raises(DamagedError, match="pieces_3d differ from what was written"):
        opened.read(partitions, ["pieces_3d"])
