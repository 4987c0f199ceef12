from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_assets.raw import sources
from feature_assets.raw.completejourney import RawData
from feature_assets.raw.landing import LANDINGS, Landing, land
from feature_store.durations import DAY
from feature_store.errors import InputError
from feature_store.offline.store import OfflineStore

DEMOGRAPHICS = "raw/demographics"
START = datetime(2017, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)


def rows_of(store: OfflineStore, asset: str) -> pl.DataFrame:
    found = store.source(asset).scan().collect()
    return found.sort(found.columns)


@pytest.mark.parametrize("landing", LANDINGS, ids=lambda landing: landing.source.asset)
def test_every_landing_has_exactly_the_declared_columns(landing: Landing) -> None:
    frame = landing.arrived(RawData.current(), landing.source.start, landing.source.start + 3 * A_DAY)
    assert frame.height > 0
    assert landing.problems(frame) == []
    assert frame.columns == list(landing.source.columns)


def test_landing_by_day_or_by_range_is_the_same_and_repeating_it_changes_nothing(tmp_path: Path) -> None:
    by_range, by_day = OfflineStore(str(tmp_path / "range")), OfflineStore(str(tmp_path / "day"))
    asset = "raw/coupon_redemptions"
    land(by_range, asset, START, START + 4 * A_DAY, "run")
    for day in range(4):
        land(by_day, asset, START + day * A_DAY, START + (day + 1) * A_DAY, "run")
    land(by_day, asset, START + A_DAY, START + 2 * A_DAY, "again")
    assert rows_of(by_range, asset).height > 0
    assert rows_of(by_range, asset).equals(rows_of(by_day, asset))
    assert len(by_day.source(asset).ledger.partitions()) == 4


def test_hours_of_a_day_hold_the_rows_of_the_day(tmp_path: Path) -> None:
    store = OfflineStore(str(tmp_path))
    day = datetime(2017, 12, 31, tzinfo=UTC)
    daily = land(store, "raw/transactions", day, day + A_DAY, "run")
    hourly = land(store, "raw/transactions_hourly", day, day + A_DAY, "run")
    assert daily == hourly > 0
    ledger = store.source("raw/transactions_hourly").ledger.partitions()
    assert ledger["rows"].sum() == hourly
    assert len(ledger) == 24
    same = [rows_of(store, asset).drop("partition_start") for asset in ("raw/transactions", "raw/transactions_hourly")]
    assert same[0].equals(same[1])


def test_rows_without_a_time_are_left_out_and_counted(store: OfflineStore) -> None:
    def some_timeless(data: RawData) -> pl.LazyFrame:
        rows = data.coupon_redemptions().with_row_index()
        return rows.with_columns(redeemed_at=pl.when(pl.col("index") >= 3).then(pl.col("redeemed_at"))).drop("index")

    landing = next(each for each in LANDINGS if each.source is sources.coupon_redemptions)
    timeless = replace(landing, rows=some_timeless)
    data = RawData.current()
    assert (landing.rows_without_time(data), timeless.rows_without_time(data)) == (0, 3)
    first, last = START, START + 365 * A_DAY
    assert timeless.arrived(data, first, last).height == landing.arrived(data, first, last).height - 3


def test_rows_from_now_on_have_not_arrived(store: OfflineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2017, 3, 1, 12, tzinfo=UTC)
    monkeypatch.setenv("FEATURES_NOW", at.isoformat())
    midnight = at.replace(hour=0)
    written = land(store, "raw/transactions", midnight, midnight + A_DAY, "run")
    all_day = RawData.current().transactions().filter(pl.col("purchased_at").dt.date() == at.date()).collect()
    assert written == all_day.filter(pl.col("purchased_at") < at).height
    assert 0 < written < all_day.height


def test_corrected_raw_data_replaces_what_was_landed(
    store: OfflineStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(store, DEMOGRAPHICS, START, START + A_DAY, "run")
    before = rows_of(store, DEMOGRAPHICS)
    original = RawData.current()._scan("demographics").collect()
    original.with_columns(age=pl.lit("65+")).write_parquet(tmp_path / "demographics.parquet")
    monkeypatch.setenv("FEATURES_DATA_FOLDER", str(tmp_path))
    land(store, DEMOGRAPHICS, START, START + A_DAY, "again")
    after = rows_of(store, DEMOGRAPHICS)
    corrected = before.with_columns(age=pl.lit("65+"))
    assert not after.equals(before)
    assert after.equals(corrected.sort(corrected.columns))


def test_rows_that_are_not_as_declared_are_not_written(store: OfflineStore) -> None:
    def wrong(data: RawData) -> pl.LazyFrame:
        return data.demographics().drop("age").with_columns(pl.col("household_id").cast(pl.Int32))

    landing = replace(next(each for each in LANDINGS if each.source is sources.demographics), rows=wrong)
    frame = landing.arrived(RawData.current(), START, START + A_DAY)
    assert landing.problems(frame) == [
        "column 'household_id' is a Int32, declared as Int64",
        "column 'age' is missing",
    ]
    with pytest.raises(InputError, match="'age' is missing"):
        landing.write(store, frame, START, START + A_DAY, "run")
    assert store.source(DEMOGRAPHICS).delta_version() is None


def test_an_unknown_asset_is_refused_with_what_there_is(store: OfflineStore) -> None:
    with pytest.raises(InputError, match="'raw/nothing' is not landed here: use one of raw/transactions"):
        land(store, "raw/nothing", START, START + A_DAY, "run")


def test_partitions_of_every_landing_begin_where_its_source_does() -> None:
    for landing in LANDINGS:
        first = landing.rows(RawData.current()).select(pl.col(landing.time_column).min()).collect().item()
        if landing.source is not sources.recent_purchases:
            assert landing.source.start <= first < landing.source.start + timedelta(microseconds=DAY)
