"""W1, W2: damage is listed, told and repaired day by day; what is pinned to it cannot be made again, and says so."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from feature_store.errors import DamagedError, NotReproducibleError, UnknownTableError
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set
from feature_store.offline.verify import tables_of, verify_table
from tests.offline.damage import DAMAGES, change_ledger, damage_day, files_of, flip, forget_checksums
from tests.offline.definitions import INSTANT, ShopperEver, ShopperSpend, ShopperTown, day, service, spend_values


def write(store: OfflineStore, first: int, last: int, pieces: int = 1) -> PartitionedTable:
    table = store.values(ShopperSpend)
    rows = [(day(number), shopper, pieces) for number in range(first, last) for shopper in range(100)]
    table.write(spend_values(rows), day(first), day(last), run_id="r")
    return table


def damaged(table: PartitionedTable) -> list[str]:
    return [str(found) for found in table.ledger.damaged()["day"]]


def test_a_reader_that_fails_lists_the_damage_once_until_the_day_is_written_again(store: OfflineStore) -> None:
    table = write(store, 0, 3)
    file = damage_day(table, 1, DAMAGES["cut to half"])
    for _ in range(3):
        with pytest.raises(DamagedError):
            table.scan(day(1), day(2))
    assert damaged(table) == ["2024-01-02"]
    (found,) = table.ledger.damaged().to_dicts()
    assert found["partition_start"] == day(1)
    assert file.name in found["problem"]
    assert table.ledger.listed().filter(pl.col("kind") == "damaged").height == 1
    write(store, 2, 3)
    assert damaged(table) == ["2024-01-02"]
    write(store, 1, 2)
    assert damaged(table) == []
    assert table.scan(day(1), day(2)).collect().height == 100


def test_a_damaged_partition_stays_listed_as_landed(store: OfflineStore) -> None:
    table = write(store, 0, 3)
    before = table.ledger.partitions()
    damage_day(table, 1, DAMAGES["missing"])
    with pytest.raises(DamagedError):
        table.scan()
    assert table.ledger.partitions().equals(before)


def test_a_reader_that_may_not_write_still_says_what_is_damaged(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write(store, 0, 2)
    damage_day(table, 1, DAMAGES["missing"])
    monkeypatch.setattr("feature_store.offline.delta.commits.ATTEMPTS", 2)
    # The next commit of the ledger fails, as in a bucket that may be read only.
    blocked = Path(table.ledger.uri) / "_delta_log" / f"{DeltaTable(table.ledger.uri).version() + 1:020d}.json"
    blocked.mkdir()
    with pytest.raises(DamagedError, match="it is missing"):
        table.scan(day(1), day(2))
    blocked.rmdir()
    assert damaged(table) == []


def test_verifying_reads_every_day_and_lists_what_is_damaged_or_sound_again(store: OfflineStore) -> None:
    table = write(store, 0, 4)
    kept = {number: files_of(table, number)[0].read_bytes() for number in (1, 3)}
    for number in kept:
        damage_day(table, number, flip)
    told: list[tuple[int, int]] = []
    found = verify_table(table, lambda done, of: told.append((done, of)))
    assert (found.partitions, found.unverifiable, told[-1]) == (4, 0, (4, 4))
    assert [str(damage.day) for damage in found.damages] == ["2024-01-02", "2024-01-04"]
    assert damaged(table) == ["2024-01-02", "2024-01-04"]
    damage_day(table, 1, lambda file: file.write_bytes(kept[1]))
    assert [str(damage.day) for damage in verify_table(table).damages] == ["2024-01-04"]
    assert damaged(table) == ["2024-01-04"]


def test_partitions_written_before_there_were_sums_are_counted_as_unverifiable(store: OfflineStore) -> None:
    table = write(store, 0, 2)
    change_ledger(table, lambda listed: listed.with_columns(column_sums=pl.lit(None, pl.String)))
    write(store, 1, 2)
    found = verify_table(table)
    assert (found.partitions, found.unverifiable, found.damages) == (2, 1, ())


def test_what_is_verified_of_a_view_is_all_that_is_stored_of_it(store: OfflineStore) -> None:
    assert list(tables_of(store, ShopperEver)) == ["source", "tiles", "state", "values"]
    assert list(tables_of(store, ShopperTown)) == ["source", "values"]
    assert verify_table(tables_of(store, ShopperEver)["tiles"]).partitions == 0


def test_a_manifest_pinned_to_damaged_rows_is_not_reproducible_even_when_they_were_written_again(
    store: OfflineStore,
) -> None:
    table = write(store, 0, 2)
    spine = pl.DataFrame({"shopper_id": [1, 2]}).with_columns(pl.lit(day(2, 3), INSTANT).alias("time"))
    built = build_training_set(store, service, spine, allow_missing=True)
    damage_day(table, 1, flip)
    with pytest.raises(DamagedError):
        build_training_set(store, service, spine, allow_missing=True)
    with pytest.raises(NotReproducibleError, match=f"{built.manifest.id} of shop_model/v1 is not reproducible"):
        build_training_set(store, service, spine, allow_missing=True, pinned=built.manifest)
    write(store, 1, 2)
    again = build_training_set(store, service, spine, allow_missing=True)
    assert again.frame.equals(built.frame)
    with pytest.raises(NotReproducibleError, match="shopper_spend/v1/values"):
        build_training_set(store, service, spine, allow_missing=True, pinned=built.manifest)


@pytest.mark.parametrize("feature", ["deletionVectors", "columnMapping"])
def test_a_table_with_a_feature_of_the_protocol_that_we_did_not_set_is_refused_by_name(
    store: OfflineStore, feature: str
) -> None:
    table = write(store, 0, 2)
    log = Path(table.uri) / "_delta_log"
    version = DeltaTable(table.uri).version() + 1
    protocol = (
        '{{"protocol":{{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["{0}"],"writerFeatures":["{0}"]}}}}'
    )
    (log / f"{version:020d}.json").write_text(protocol.format(feature) + "\n")
    for use in (table.scan, table.delta_version, lambda: write(store, 1, 2)):
        with pytest.raises(UnknownTableError, match=f"shopper_spend/v1/values: the table has {feature} of the Delta"):
            use()


def test_unlisted_checksums_leave_sums(store: OfflineStore) -> None:
    table = write(store, 0, 2)
    forget_checksums(table)
    assert verify_table(table).damages == ()
