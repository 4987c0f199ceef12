"""The raw assets: one per feed, partitioned by the rows' own time."""

# Dagster reads the annotations of asset functions, so they cannot be postponed.
from datetime import timedelta
from typing import Any, Final

import dagster as dg
import polars as pl

from feature_assets.generator import source_asset
from feature_assets.raw.clock import partitions_end
from feature_assets.raw.feeds import FEEDS, Feed
from feature_store.temporal.durations import HOUR, format_duration

OWNERS: Final = ["team:data-platform"]

_HEAL: Final = timedelta(days=7)
"""How far back partitions that were not landed in time are landed without anybody asking."""


def raw_asset(feed: Feed) -> dg.AssetsDefinition:
    """Return the asset that lands a feed."""

    @source_asset(
        feed.source,
        cadence=format_duration(feed.cadence),
        end=partitions_end(),
        group_name="raw",
        owners=OWNERS,
        kinds={"parquet", "polars", "delta"},
        freshness_policy=_freshness(feed),
        automation_condition=_arrives(),
    )
    def arrived(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return feed.arrived(*context.partition_time_window)

    return arrived


def _freshness(feed: Feed) -> dg.FreshnessPolicy:
    promised = timedelta(hours=1) if feed.cadence == HOUR else timedelta(days=1)
    slack = timedelta(minutes=30) if feed.cadence == HOUR else timedelta(hours=2)
    return dg.FreshnessPolicy.time_window(fail_window=promised + slack, warn_window=promised + slack / 2)


def _arrives() -> dg.AutomationCondition[Any]:
    """Return the condition that lands every partition once its time is over; one that failed waits for a person."""
    condition = dg.AutomationCondition
    idle = ~condition.in_progress() & ~condition.execution_failed()
    return (condition.in_latest_time_window(_HEAL) & condition.missing() & idle).with_label("land what has arrived")


raw_assets: Final = [raw_asset(feed) for feed in FEEDS]
"""All raw assets."""
