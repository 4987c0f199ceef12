"""The reach of the demo: days of values, few of hourly and stream views, and all raw rows that have arrived."""

from __future__ import annotations

from datetime import datetime, timedelta

from feature_assets.backfill.backfill import Backfill
from feature_assets.backfill.spans import Span, complete_until, landed_span
from feature_assets.raw.feeds import FEEDS
from feature_store.model.views import FeatureView
from feature_store.temporal.durations import DAY

RECENT_DAYS = 3
"""Days of values of views whose past nobody looks at for long: hourly ones, and stream views."""


def value_span(view: FeatureView, now: datetime, days: int, recent_days: int = RECENT_DAYS) -> Span:
    """Return the partitions of values that the demo backfills: the last ones that are over, where the source ends."""
    end = max(view.start, complete_until(view.cadence, now, view.source.end))
    is_recent = view.is_stream or view.cadence < DAY
    reach = timedelta(days=min(days, recent_days) if is_recent else days)
    return Span(max(view.start, end - reach), end, view.cadence)


def landing_spans(backfill: Backfill, now: datetime) -> dict[str, Span]:
    """Return everything that is over of what the project lands, by asset: the feeds, and what the views read."""
    assets = dict.fromkeys(
        [*(feed.source.asset for feed in FEEDS), *(view.source.asset for view in backfill.views.values())]
    )
    makers = backfill.makers
    return {asset: landed_span(makers.partitions[asset], now) for asset in assets if asset in makers.partitions}
