from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_assets.landing import Landed, land, problems_of, time_column
from feature_assets.raw import sources
from feature_assets.raw.completejourney import RawData
from feature_assets.raw.feeds import FEEDS, Feed, land_feed
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import InputError
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY

DEMOGRAPHICS = "raw/demographics"
START = datetime(2017, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)


def rows_of(store: OfflineStore, asset: str) -> pl.DataFrame:
    found = store.source(asset).scan().collect()
    return found.sort(found.columns)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.source.asset)
def test_every_feed_has_exactly_the_declared_columns_and_types(feed: Feed) -> None:
    frame = feed.arrived(feed.source.start, feed.source.start + 3 * A_DAY)
    assert frame.height > 0
    assert frame.schema == {name: polars_dtype(dtype) for name, dtype in feed.source.columns.items()}


def test_landing_by_day_or_by_range_is_the_same_and_repeating_it_changes_nothing(tmp_path: Path) -> None:
    by_range, by_day = OfflineStore(str(tmp_path / "range")), OfflineStore(str(tmp_path / "day"))
    asset = "raw/coupon_redemptions"
    land_feed(by_range, asset, START, START + 4 * A_DAY, "run")
    for day in range(4):
        land_feed(by_day, asset, START + day * A_DAY, START + (day + 1) * A_DAY, "run")
    land_feed(by_day, asset, START + A_DAY, START + 2 * A_DAY, "again")
    assert rows_of(by_range, asset).height > 0
    assert rows_of(by_range, asset).equals(rows_of(by_day, asset))
    assert len(by_day.source(asset).ledger.partitions()) == 4


def test_hours_of_a_day_hold_the_rows_of_the_day(tmp_path: Path) -> None:
    store = OfflineStore(str(tmp_path))
    day = datetime(2017, 12, 31, tzinfo=UTC)
    daily = land_feed(store, "raw/transactions", day, day + A_DAY, "run")
    hourly = land_feed(store, "raw/transactions_hourly", day, day + A_DAY, "run")
    assert daily == hourly > 0
    ledger = store.source("raw/transactions_hourly").ledger.partitions()
    assert ledger["rows"].sum() == hourly
    assert len(ledger) == 24
    daily, hourly = (rows_of(store, asset) for asset in ("raw/transactions", "raw/transactions_hourly"))
    assert daily.drop("partition_start", "line_id").equals(hourly.drop("partition_start"))
    assert daily["line_id"].is_unique().all()


def test_rows_without_a_time_are_left_out_and_counted(store: OfflineStore) -> None:
    def some_timeless(data: RawData) -> pl.LazyFrame:
        rows = data.coupon_redemptions().with_row_index()
        return rows.with_columns(redeemed_at=pl.when(pl.col("index") < 3).then(pl.col("redeemed_at"))).drop("index")

    feed = next(each for each in FEEDS if each.source is sources.coupon_redemptions)
    first, last = START, START + 365 * A_DAY

    def landed(each: Feed) -> Landed:
        return land(store, each.source, each.arrived(first, last), first, last, run_id="run")

    complete = landed(feed)
    timeless = landed(replace(feed, rows=some_timeless))
    assert (complete.without_time, timeless.without_time) == (0, complete.total - 3)
    assert timeless.total == rows_of(store, "raw/coupon_redemptions").height == 3


def test_rows_from_now_on_have_not_arrived(store: OfflineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2017, 3, 1, 12, tzinfo=UTC)
    monkeypatch.setenv("FEATURES_NOW", at.isoformat())
    midnight = at.replace(hour=0)
    written = land_feed(store, "raw/transactions", midnight, midnight + A_DAY, "run")
    all_day = RawData.current().transactions().filter(pl.col("purchased_at").dt.date() == at.date()).collect()
    assert written == all_day.filter(pl.col("purchased_at") < at).height
    assert 0 < written < all_day.height


def test_corrected_raw_data_replaces_what_was_landed(
    store: OfflineStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_feed(store, DEMOGRAPHICS, START, START + A_DAY, "run")
    before = rows_of(store, DEMOGRAPHICS)
    original = RawData.current()._scan("demographics").collect()
    original.with_columns(age=pl.lit("65+")).write_parquet(tmp_path / "demographics.parquet")
    monkeypatch.setenv("FEATURES_DATA_FOLDER", str(tmp_path))
    land_feed(store, DEMOGRAPHICS, START, START + A_DAY, "again")
    after = rows_of(store, DEMOGRAPHICS)
    corrected = before.with_columns(age=pl.lit("65+"))
    assert not after.equals(before)
    assert after.equals(corrected.sort(corrected.columns))


def test_rows_that_are_not_as_declared_are_not_written(store: OfflineStore) -> None:
    def wrong(data: RawData) -> pl.LazyFrame:
        return data.demographics().drop("age").with_columns(pl.col("household_id").cast(pl.String))

    feed = replace(next(each for each in FEEDS if each.source is sources.demographics), rows=wrong)
    frame = feed.arrived(START, START + A_DAY)
    first, second = problems_of(feed.source, frame)
    assert "column 'household_id' of source demographics is declared as Int64 but its rows hold String" in first
    assert "rows of source demographics lack the column 'age'" in second
    with pytest.raises(InputError, match="lack the column 'age'"):
        land(store, feed.source, frame, START, START + A_DAY, run_id="run")
    assert store.source(DEMOGRAPHICS).delta_version() is None


def test_an_unknown_asset_is_refused_with_what_there_is(store: OfflineStore) -> None:
    with pytest.raises(InputError, match="'raw/nothing' is not landed here: use one of raw/transactions"):
        land_feed(store, "raw/nothing", START, START + A_DAY, "run")


def test_partitions_of_every_feed_begin_where_its_source_does() -> None:
    for feed in FEEDS:
        first = feed.rows(RawData.current()).select(pl.col(time_column(feed.source)).min()).collect().item()
        if feed.source is not sources.recent_purchases:
            assert feed.source.start <= first < feed.source.start + timedelta(microseconds=DAY)
