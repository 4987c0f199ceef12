import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from feature_assets.raw.completejourney import RawData

ORIGINAL = RawData(timedelta(0))


def test_no_transaction_is_lost_or_multiplied_by_the_join() -> None:
    rows = ORIGINAL.transactions()
    facts = rows.select(
        rows=pl.len(),
        households=pl.col("household_id").n_unique(),
        baskets=pl.col("basket_id").n_unique(),
        stores=pl.col("store_id").n_unique(),
        without_department=pl.col("department").null_count(),
        first=pl.col("purchased_at").min(),
        last=pl.col("purchased_at").max(),
    ).collect()
    assert facts.row(0) == (
        1_469_307,
        2_469,
        155_848,
        457,
        4_836,
        datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC),
        datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC),
    )


def test_the_shift_moves_every_time_and_nothing_else() -> None:
    shift = timedelta(weeks=7)
    for name in ("demographics", "products", "campaigns", "coupon_redemptions"):
        before, after = (getattr(data, name)().collect() for data in (ORIGINAL, RawData(shift)))
        times = [column for column, dtype in before.schema.items() if dtype == pl.Datetime("us", "UTC")]
        assert times
        moved = before.with_columns(pl.col(times) + shift)
        assert after.sort(after.columns).equals(moved.sort(moved.columns))


def test_a_campaign_holds_through_its_last_day() -> None:
    rows = ORIGINAL.campaigns().filter(pl.col("campaign_id") == 1).collect()
    assert rows["started_at"].unique().to_list() == [datetime(2017, 3, 3, tzinfo=UTC)]
    assert rows["ends_at"].unique().to_list() == [datetime(2017, 4, 9, 23, 59, 59, 999_999, tzinfo=UTC)]


def test_files_of_another_folder_replace_those_of_the_package(tmp_path: Path) -> None:
    corrected = ORIGINAL._scan("demographics").head(3).collect()
    corrected.write_parquet(tmp_path / "demographics.parquet")
    data = RawData(timedelta(0), tmp_path)
    assert data.demographics().collect().height == 3
    assert data.products().select(pl.len()).collect().item() == 92_331


def test_reading_the_data_does_not_load_pandas() -> None:
    code = (
        "import sys; from datetime import timedelta; from feature_assets.raw.completejourney import RawData;"
        "RawData(timedelta(0)).demographics().collect();"
        "sys.exit(f'loaded: {loaded}' if (loaded := {'pandas', 'dagster'} & set(sys.modules)) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
