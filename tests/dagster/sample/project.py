"""The sample project as a code location, with raw assets that land made-up receipts."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl

from feature_assets import TrainingSet, build_feature_assets, source_asset
from resources.offline import DeltaIOManager, OfflineStoreResource
from resources.online import OnlineStoreResource
from tests.dagster.sample.declarations import START, churn, profiles, purchases, recent_purchases, services, views

HOUSEHOLDS = 40
INSTANT = pl.Datetime("us", "UTC")


def receipts(start: datetime, end: datetime) -> pl.DataFrame:
    """Rows of receipts, the same every time: a few households buy in every hour."""
    hours = int((end - start).total_seconds() // 3600)
    first = int((start - START).total_seconds() // 3600)
    frames = []
    for hour in range(first, first + hours):
        random = np.random.default_rng(hour)
        rows = 5
        at = START + timedelta(hours=hour)
        frames.append(
            pl.DataFrame(
                {
                    "household_id": random.integers(0, HOUSEHOLDS, rows),
                    "basket_id": random.integers(0, 1000, rows),
                    "sales_value": random.random(rows).round(2) * 10,
                    "purchased_at": [at + timedelta(seconds=int(s)) for s in random.integers(0, 3600, rows)],
                }
            ).with_columns(pl.col("purchased_at").cast(INSTANT))
        )
    return pl.concat(frames)


def profile_rows(start: datetime, end: datetime) -> pl.DataFrame:
    """Profiles: all on the first day, some changes later."""
    days = [start + timedelta(days=i) for i in range((end - start).days)]
    ids = {day: range(HOUSEHOLDS) if day == START else [day.day % HOUSEHOLDS] for day in days}
    rows = [(i, "high" if i % 2 else None, i % 3 == 0, day + timedelta(hours=1)) for day in days for i in ids[day]]
    schema = {"household_id": pl.Int64, "income": pl.String, "is_member": pl.Boolean, "changed_at": INSTANT}
    return pl.DataFrame(rows, schema=schema, orient="row")


@source_asset(purchases)
def daily_receipts(context: dg.AssetExecutionContext) -> pl.DataFrame:
    return receipts(*context.partition_time_window)


@source_asset(recent_purchases, cadence="1h")
def hourly_receipts(context: dg.AssetExecutionContext) -> pl.DataFrame:
    return receipts(*context.partition_time_window)


@source_asset(profiles)
def all_profiles(context: dg.AssetExecutionContext) -> pl.DataFrame:
    return profile_rows(*context.partition_time_window)


raw_assets = [daily_receipts, hourly_receipts, all_profiles]


def spine(_store, start: datetime, end: datetime) -> pl.DataFrame:
    days = [start + timedelta(days=i, hours=6) for i in range((end - start).days)]
    times = pl.DataFrame({"time": days}, schema={"time": INSTANT})
    keys = pl.DataFrame({"household_id": [1, 2, 3]}, schema={"household_id": pl.Int64})
    return keys.join(times, how="cross").with_columns(label=pl.lit(value=True))


training = TrainingSet(churn, spine, start=datetime(2024, 1, 9, tzinfo=UTC))


def feature_definitions() -> dg.Definitions:
    return build_feature_assets(views, services, training_sets=[training])


def resources(root, team="growth", online_url="redis://127.0.0.1:1/0"):
    offline = OfflineStoreResource(root=str(root), team=team)
    return {
        "offline_store": offline,
        "delta_io": DeltaIOManager(offline_store=offline),
        "online_store": OnlineStoreResource(url=online_url),
    }


def definitions(root, team="growth", online_url="redis://127.0.0.1:1/0") -> dg.Definitions:
    raw = dg.Definitions(assets=raw_assets, resources=resources(root, team, online_url))
    return dg.Definitions.merge(feature_definitions(), raw)
