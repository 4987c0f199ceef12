"""Writing partitions: idempotent, in any order, one commit per range, and nothing that readers could misread."""

import json
import os
import re
from collections import Counter
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store import Vector, col, feature_view, sum_
from feature_store.errors import FingerprintError, InputError, NotComputedError
from feature_store.offline.delta.commits import RETENTION
from feature_store.offline.tables import partitioned_table
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY, HOUR
from tests.offline.definitions import (
    INSTANT,
    START,
    ShopperHourly,
    ShopperSpend,
    ShopperTown,
    day,
    purchase_rows,
    purchases,
    shopper,
    spend_values,
)

STATE = ["partition_start", "as_of", "available_at", "rows", "fingerprints", "content_hash", "inputs_hash"]


def contents(table) -> pl.DataFrame:
    return table.scan().sort("partition_start", "shopper_id").collect()


def test_values_are_stored_with_their_as_of_and_read_back(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    assert values.write(spend_values([(day(1), 7, 3), (day(0), 9, 5), (day(0), 7, 1)]), day(0), day(2), run_id="r") == 3
    frame = contents(values)
    assert frame.columns == ["partition_start", "as_of", "shopper_id", *ShopperSpend.fingerprints]
    assert frame.select("partition_start", "as_of", "shopper_id", "pieces_3d").rows() == [
        (day(0), day(1), 7, 1),
        (day(0), day(1), 9, 5),
        (day(1), day(2), 7, 3),
    ]
    ledger = values.ledger.partitions()
    assert ledger["available_at"].to_list() == [day(1, 2), day(2, 2)]
    assert ledger["rows"].to_list() == [2, 1]
    assert json.loads(ledger["fingerprints"][0]) == ShopperSpend.fingerprints


def test_a_range_is_one_tagged_commit(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1), (day(2), 1, 1)]), day(0), day(3), run_id="run-7")
    (commit,) = [c for c in DeltaTable(values.uri).history() if c["operation"] == "WRITE" and "run_id" in c]
    assert commit["run_id"] == "run-7"
    assert commit["range"] == f"{day(0).isoformat()}/{day(3).isoformat()}"
    assert json.loads(commit["fingerprints"]) == ShopperSpend.fingerprints
    assert values.delta_version() == commit["version"] == values.ledger.partitions()["delta_version"].unique().item()


def test_writing_again_changes_nothing_and_an_empty_frame_empties_the_range(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    frame = spend_values([(day(n), shopper_id, n) for n in range(3) for shopper_id in range(4)])
    values.write(frame, day(0), day(3), run_id="a")
    before, state = contents(values), values.ledger.partitions().select(STATE)
    values.write(frame.sample(fraction=1.0, shuffle=True, seed=1), day(0), day(3), run_id="b")
    assert_frame_equal(contents(values), before)
    assert_frame_equal(values.ledger.partitions().select(STATE), state)
    values.write(frame.head(0), day(1), day(2), run_id="c")
    assert_frame_equal(contents(values), before.filter(pl.col("partition_start") != day(1)))
    assert values.ledger.partitions()["rows"].to_list() == [4, 0, 4]
    assert values.ledger.missing(day(0), day(4), ShopperSpend.cadence) == [day(3)]


@settings(max_examples=6)
@given(order=st.permutations(range(4)), cut=st.integers(1, 3))
def test_a_range_equals_its_partitions_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int
) -> None:
    frame = spend_values([(day(n), shopper_id, n * shopper_id) for n in range(4) for shopper_id in range(n)])
    whole = OfflineStore(str(tmp_path_factory.mktemp("whole"))).values(ShopperSpend)
    parts = OfflineStore(str(tmp_path_factory.mktemp("parts"))).values(ShopperSpend)
    whole.write(frame, day(0), day(4), run_id="whole")
    for number in order:
        parts.write(frame.filter(pl.col("partition_start") == day(number)), day(number), day(number + 1), run_id="part")
    parts.write(frame.filter(pl.col("partition_start") < day(cut)), day(0), day(cut), run_id="again")
    assert_frame_equal(contents(whole), contents(parts))
    assert_frame_equal(whole.ledger.partitions().select(STATE), parts.ledger.partitions().select(STATE))


def test_hours_of_one_day_do_not_touch_each_other(store: OfflineStore) -> None:
    values = store.values(ShopperHourly)
    schema = {"partition_start": INSTANT, "shopper_id": pl.Int64, "purchases_6h": pl.Int64}
    frame = pl.DataFrame([(day(0, hour), 1, hour) for hour in range(24)], schema=schema, orient="row")
    values.write(frame, day(0), day(1), run_id="a")
    values.write(frame[5:7].with_columns(purchases_6h=pl.lit(99, pl.Int64)), day(0, 5), day(0, 7), run_id="b")
    expected = [99 if hour in (5, 6) else hour for hour in range(24)]
    assert contents(values)["purchases_6h"].to_list() == expected
    assert values.scan(day(0, 5), day(0, 8)).collect()["purchases_6h"].sort().to_list() == [7, 99, 99]


def write_hours(store: OfflineStore, first: int, last: int, value: int = 0) -> None:
    schema = {"partition_start": INSTANT, "shopper_id": pl.Int64, "purchases_6h": pl.Int64}
    for hour in range(first, last):
        rows = [(day(0, hour), shopper_id, hour + value) for shopper_id in (1, 2)]
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        store.values(ShopperHourly).write(frame, day(0, hour), day(0, hour + 1), run_id="r")


def hours(opened: OpenTable) -> list[tuple[datetime, int]]:
    rows = opened.scan(opened.partitions).filter(pl.col("shopper_id") == 1).sort("as_of").collect()
    return rows.select("partition_start", "purchases_6h").rows()


def data_files(uri: str) -> set[str]:
    return {path.name for path in Path(uri).rglob("*.parquet") if "_delta_log" not in path.parts}


def test_hours_are_merged_by_day_and_read_as_before_also_at_versions_that_were_replaced(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioned_table, "COMMITS_BETWEEN_UPKEEPS", 7)
    values = store.values(ShopperHourly)
    write_hours(store, 18, 28)
    early, written = values.open(), data_files(values.uri)
    write_hours(store, 28, 34)
    write_hours(store, 19, 20, value=100)
    table = DeltaTable(values.uri)
    assert len(table.file_uris()) <= 2 + 7
    assert max(count for count in Counter(uri.split("day=")[1][:10] for uri in table.file_uris()).values()) <= 7
    expected = [(day(0, hour), hour + 100 * (hour == 19)) for hour in range(18, 34)]
    assert hours(values.open()) == expected
    assert values.ledger.partitions()["rows"].to_list() == [2] * 16
    # Nothing that was replaced is gone: what read or pinned a version reads it again.
    assert written <= data_files(values.uri)
    assert hours(early) == hours(values.open().at(early.version)) == [(day(0, hour), hour) for hour in range(18, 28)]


def test_what_was_replaced_is_deleted_when_nobody_may_read_it_any_more(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioned_table, "COMMITS_BETWEEN_UPKEEPS", 5)
    monkeypatch.setattr(partitioned_table, "RETENTION", timedelta(0))
    for value in range(4):
        write_hours(store, 0, 5, value)
    values = store.values(ShopperHourly)
    table = DeltaTable(values.uri)
    live = {uri.rsplit("/", 1)[1] for uri in table.file_uris()}
    assert live <= data_files(values.uri)
    assert len(data_files(values.uri)) < len(live) + 6
    assert hours(values.open()) == [(day(0, hour), hour + 3) for hour in range(5)]
    assert values.ledger.partitions()["rows"].to_list() == [2] * 5


def test_the_log_of_a_version_outlives_its_files(store: OfflineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned_table, "COMMITS_BETWEEN_UPKEEPS", 5)
    write_hours(store, 0, 12)
    values = store.values(ShopperHourly)
    pinned = values.open()
    log = Path(values.uri) / "_delta_log"
    long_ago = (datetime.now(UTC) - RETENTION * 2).timestamp()
    for path in log.iterdir():
        os.utime(path, (long_ago, long_ago))
    write_hours(store, 0, 12, value=1)
    assert not (log / f"{0:020d}.json").exists()
    # It was committed long ago, but replaced just now.
    assert hours(values.open().at(pinned.version)) == [(day(0, hour), hour) for hour in range(12)]
    assert hours(values.open()) == [(day(0, hour), hour + 1) for hour in range(12)]


def test_only_landed_partitions_are_read(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    with pytest.raises(NotComputedError, match="was never written"):
        values.scan()
    assert values.delta_version() is None
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(1), run_id="a")
    values.write(spend_values([(day(3), 1, 1)]), day(3), day(4), run_id="a")
    assert contents(values)["partition_start"].to_list() == [day(0), day(3)]
    assert values.scan(day(1), day(3)).collect().height == 0
    assert values.scan(day(3)).collect().height == 1
    assert values.scan(day(3).astimezone(timezone(timedelta(hours=2)))).collect().height == 1
    for bounds in ((datetime(2024, 1, 1), None), (None, datetime(2024, 1, 1))):
        with pytest.raises(InputError, match=r"2024-01-01 00:00:00 has no time zone: write datetime"):
            values.scan(*bounds)
    with pytest.raises(InputError, match="has no time zone"):
        values.ledger.partition(datetime(2024, 1, 1))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (spend_values([(day(2), 1, 1)]), "are in no partition of"),
        (spend_values([(day(0, 1), 1, 1)]), "are in no partition of"),
        (
            spend_values([(day(0), 1, 1), (day(0), 1, 2)]),
            r"1 rows have the same \(partition_start, shopper_id\) as another row: keep one",
        ),
        (spend_values([(day(0), None, 1)]), "null key"),
        (spend_values([(day(0), 1, 1)]).drop("share"), r"\['share'\] are missing"),
        (spend_values([(day(0), 1, 1)]).with_columns(last_time=datetime(2024, 1, 1)), "declared as Timestamp: cast it"),
        (spend_values([(day(0), 1, 1)]).with_columns(share=None), "'share' has type Null, but is declared as Float64"),
    ],
)
def test_values_that_nobody_could_read_are_refused(store: OfflineStore, frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.values(ShopperSpend).write(frame, day(0), day(2), run_id="r")
    assert store.values(ShopperSpend).ledger.partitions().is_empty()


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (day(1), day(1), "is not a range of partitions: the end must be after"),
        (day(0, 1), day(1), "not where a partition of 1d begins"),
        (datetime(2024, 1, 1), day(1), "has no time zone"),
    ],
)
def test_ranges_are_whole_partitions(store: OfflineStore, start: datetime, end: datetime, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.values(ShopperSpend).write(spend_values([]), start, end, run_id="r")


def test_a_feature_can_be_added_and_removed(store: OfflineStore) -> None:
    def view(**features):
        body = type("Growing", (), {"__doc__": "A view that grows.", **features})
        options = {"entity": shopper, "namespace": "shop", "version": 1, "owner": "storekeepers", "freshness": "2d"}
        return feature_view(**options, source=purchases, cadence="1d")(body)

    def rows(number: int, **values):
        return pl.DataFrame(
            {"partition_start": [day(number)], "shopper_id": [1], **{k: [v] for k, v in values.items()}}
        ).cast({"partition_start": INSTANT})

    a = sum_(col("pieces"), over="2d", description="a")
    b = sum_(col("amount"), over="2d", description="b")
    store.values(view(a=a)).write(rows(0, a=1), day(0), day(1), run_id="1")
    store.values(view(a=a, b=b)).write(rows(1, a=2, b=0.5), day(1), day(2), run_id="2")
    store.values(view(b=b)).drop_feature("a")
    store.values(view(b=b)).write(rows(2, b=1.5), day(2), day(3), run_id="3")
    table = store.values(view(a=a, b=b))
    assert contents(table).select("a", "b").rows() == [(1, None), (2, 0.5), (None, 1.5)]
    assert [sorted(json.loads(text)) for text in table.ledger.partitions()["fingerprints"]] == [
        ["a"],
        ["a", "b"],
        ["b"],
    ]
    changed = sum_(col("amount"), over="2d", description="a")
    with pytest.raises(FingerprintError, match="'a' is stored as Int64, but is Float64 now: declare a new version"):
        store.values(view(a=changed)).write(rows(3, a=0.5), day(3), day(4), run_id="4")


def test_vectors_are_lists_in_delta_and_arrays_when_read(store: OfflineStore) -> None:
    town = next(feature for feature in ShopperTown.features if feature.name == "is_north")
    assert town.dtype == Vector(2)
    frame = pl.DataFrame(
        {
            "partition_start": [day(0), day(0)],
            "shopper_id": [1, 2],
            "town": ["york", None],
            "is_north": [[1.0, 0.0], None],
        },
        schema={
            "partition_start": INSTANT,
            "shopper_id": pl.Int64,
            "town": pl.String,
            "is_north": pl.Array(pl.Float32, 2),
        },
    )
    values = store.values(ShopperTown)
    values.write(frame, day(0), day(1), run_id="r")
    assert pl.scan_delta(values.uri).collect_schema()["is_north"] == pl.List(pl.Float32)
    assert_frame_equal(contents(values).select(frame.columns), frame)


def test_times_are_stored_in_utc_microseconds_and_unsigned_numbers_signed(store: OfflineStore) -> None:
    source = store.source("raw/odd")
    berlin = timezone(timedelta(hours=1))
    frame = pl.DataFrame({"at": [datetime(2024, 1, 1, 0, 30, tzinfo=berlin)], "n": [200]}).with_columns(
        pl.col("at").dt.convert_time_zone("Europe/Berlin").cast(pl.Datetime("ms", "Europe/Berlin")),
        pl.col("n").cast(pl.UInt8),
    )
    start = datetime.fromisoformat("2023-12-31T00:00:00+00:00")
    source.write(frame, start, START, time_column="at", run_id="r")
    stored = source.scan().collect()
    assert stored.schema == {"at": INSTANT, "n": pl.Int64, "partition_start": INSTANT}
    assert stored.rows() == [(datetime.fromisoformat("2023-12-31T23:30:00+00:00"), 200, start)]
    assert DeltaTable(source.uri).protocol().min_reader_version == 1


def test_rows_of_a_source_without_a_time_are_left_out_and_counted(store: OfflineStore) -> None:
    source = store.source(purchases.asset)
    rows = purchase_rows([(1, None, "a", 1.0, 1), (None, None, "b", 1.0, 1), (1, day(2), "c", 1.0, 1)])
    assert source.write(rows, day(1), day(3), time_column="bought_at", run_id="r") == 1
    assert source.scan().collect()["basket"].to_list() == ["c"]
    # They have no partition: the first of the write counts them.
    assert source.ledger.partitions().select("partition_start", "rows", "excluded").rows() == [
        (day(1), 0, 2),
        (day(2), 1, 0),
    ]


def test_rows_of_a_source_belong_to_the_partition_of_their_time(store: OfflineStore) -> None:
    source = store.source(purchases.asset)
    rows = purchase_rows([(1, day(0), "a", 1.0, 1), (None, day(1, 23.9), "b", 1.0, 1), (1, day(0), "a", 1.0, 1)])
    source.write(rows, day(0), day(3), time_column="bought_at", run_id="r")
    assert source.ledger.partitions()["rows"].to_list() == [2, 1, 0]
    assert source.scan(day(1), day(2)).collect()["basket"].to_list() == ["b"]
    with pytest.raises(InputError, match="in no partition"):
        source.write(rows, day(0), day(1), time_column="bought_at", run_id="r")
    naive = rows.with_columns(pl.col("bought_at").dt.replace_time_zone(None))
    with pytest.raises(InputError, match="give it a zone"):
        source.write(naive, day(0), day(2), time_column="bought_at", run_id="r")
    for name in ("day", "partition_start", "*"):
        with pytest.raises(InputError, match=rf"column '{re.escape(name)}' is called like .*: rename it"):
            source.write(rows.with_columns(pl.lit(1).alias(name)), day(0), day(2), time_column="bought_at", run_id="r")


ROWS = purchase_rows([(1, day(0), "a", 1.0, 1), (2, day(1), "b", 2.0, 2)])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pl.Series([timedelta(days=1), None]), r"'x' is a Duration\(.*cast it, e.g. .*dt.total_microsec"),
        (pl.Series([time(12), None]), "'x' is a Time, which Delta Lake does not know: cast it"),
        (pl.Series([2**100, None], dtype=pl.Int128), "'x' is a Int128, which Delta Lake does not know: cast it"),
        (pl.Series([[timedelta(days=1)], []]), "'x' is a Duration"),
        (pl.Series([2**63, 1], dtype=pl.UInt64), f"'x' holds {2**63}, which does not fit Int64: cast it"),
        (pl.Series([None, None]), "'x' is all null"),
    ],
)
def test_columns_that_delta_cannot_hold_are_refused(store: OfflineStore, values: pl.Series, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.source("raw/odd").write(
            ROWS.with_columns(values.alias("x")), day(0), day(2), time_column="bought_at", run_id="r"
        )


def test_decimals_are_stored_and_any_change_of_one_is_seen(store: OfflineStore) -> None:
    source = store.source("raw/prices")
    hashes: list[list[str]] = []
    for prices in (["1.50", "-12345678901234567890.01"], ["1.50", "-12345678901234567890.02"]):
        price = pl.Series("x", [Decimal(price) for price in prices], dtype=pl.Decimal(38, 2))
        source.write(ROWS.with_columns(price), day(0), day(2), time_column="bought_at", run_id="r")
        assert source.scan().sort("partition_start").select("x").collect()["x"].equals(price)
        hashes.append(source.ledger.partitions()["content_hash"].to_list())
    assert hashes[0][0] == hashes[1][0]
    assert hashes[0][1] != hashes[1][1]


def test_integers_of_a_source_may_become_wider_and_other_types_may_not_change(store: OfflineStore) -> None:
    source = store.source("raw/widened")
    for n, dtype in enumerate((pl.Int32, pl.Int64, pl.UInt8)):
        rows = ROWS.with_columns(x=pl.lit(n, dtype))
        source.write(rows, day(0), day(2), time_column="bought_at", run_id="r")
    assert source.scan().collect()["x"].to_list() == [2, 2]
    text = ROWS.with_columns(x=pl.lit("2"))
    with pytest.raises(
        FingerprintError, match="'x' is stored as Int64, but is String now: cast it where the rows are made, or give"
    ):
        source.write(text, day(0), day(2), time_column="bought_at", run_id="r")


def test_the_order_of_rows_does_not_count_in_nested_columns_either(store: OfflineStore) -> None:
    same = purchase_rows([(1, day(0), "a", 1.0, 1)] * 3)
    hashes: set[str] = set()
    for nested in ([[2], [1], None], [None, [2], [1]]):
        rows = same.with_columns(pl.Series("x", nested), pl.struct(pl.Series("y", nested)).alias("s"))
        store.source("raw/nested").write(rows, day(0), day(1), time_column="bought_at", run_id="r")
        hashes.add(store.source("raw/nested").ledger.partitions()["content_hash"].item())
    assert len(hashes) == 1


def test_partitions_of_another_length_replace_what_they_cover_and_nothing_else(store: OfflineStore) -> None:
    source = store.source("raw/lengths")
    rows = purchase_rows([(1, day(0, hour), "b", 1.0, hour) for hour in range(48)])

    def write(start: datetime, end: datetime, cadence: int) -> None:
        inside = rows.filter(pl.col("bought_at").is_between(start, end, closed="left"))
        source.write(inside, start, end, time_column="bought_at", run_id="r", cadence=cadence)

    write(day(0), day(0, 10), HOUR)
    write(day(0), day(1), DAY)
    assert source.ledger.partitions().select("partition_start", "as_of", "rows").rows() == [(day(0), day(1), 24)]
    assert source.scan().collect().height == 24
    for start, end in ((day(0), day(0, 3)), (day(0, 20), day(1, 4))):
        with pytest.raises(InputError, match=r"overlaps partition \[2024-01-01 .*, 2024-01-02 .*\): write all of it"):
            write(start, end, HOUR)
    write(day(0), day(1, 4), HOUR)
    assert source.ledger.partitions()["rows"].to_list() == [1] * 28
    assert source.scan().collect()["pieces"].sort().to_list() == list(range(28))


def test_only_files_of_the_asked_days_are_opened(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(n), 1, n) for n in range(10)]), day(0), day(10), run_id="r")
    for path in Path(values.uri).glob("day=*/*.parquet"):
        if f"day={day(4).date()}" not in str(path):
            path.unlink()
    assert values.scan(day(4), day(5)).select("pieces_3d").collect().item() == 4


@pytest.mark.parametrize("folder", ["my data", "a%20b", "caf\u00e9", "a#b"])
def test_a_root_that_is_encoded_in_urls_is_refused(folder: str) -> None:
    with pytest.raises(InputError, match="use a path of plain letters"):
        OfflineStore(f"somewhere/{folder}")


def test_a_root_relative_to_the_working_folder_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = OfflineStore("offline").values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 5)]), day(0), day(1), run_id="r")
    assert values.scan().collect()["pieces_3d"].to_list() == [5]


@pytest.mark.parametrize("root", ["ftp://host/features", "s3:/bucket/features", "redis://host"])
def test_a_root_of_an_unknown_scheme_is_refused(root: str) -> None:
    with pytest.raises(InputError, match="use a folder, or a URI that starts with s3://"):
        OfflineStore(root)


def test_a_root_in_an_object_store_is_accepted() -> None:
    assert OfflineStore("s3://bucket/features").root == "s3://bucket/features"


@pytest.mark.parametrize(
    "root", ["", " ", "\n", "/", "//", "file://", "file:///", "s3://", "gs:///", None, 5, b"store"]
)
def test_a_root_that_names_no_folder_is_refused(root):
    with pytest.raises(InputError, match="the offline store cannot be at"):
        OfflineStore(root)


def test_a_root_of_the_home_folder_is_to_be_written_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for root in ("~", "~/store", "~somebody/store"):
        with pytest.raises(InputError, match="write the home folder out"):
            OfflineStore(root)


def test_a_root_that_is_a_file_or_within_one_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for root in (str(file), f"{file}/below/it", f"file://{file}"):
        with pytest.raises(InputError, match=f"{file} is a file, name a folder"):
            OfflineStore(root)


def test_a_relative_root_stays_where_it_was_when_the_store_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for root, meant in (("offline", tmp_path / "offline"), ("./a/b", tmp_path / "a" / "b"), (".", tmp_path)):
        assert OfflineStore(root).root == str(meant)
    store = OfflineStore("offline")
    monkeypatch.chdir("/")
    assert store.root == str(tmp_path / "offline")
