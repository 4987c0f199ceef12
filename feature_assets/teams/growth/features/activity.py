"""What a household is doing right now: a stream view, whose values fall as purchases leave their windows."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.sources import live_purchases
from feature_store import approx_n_unique, col, count, days_since, last, ratio, stream_view, sum_


@stream_view(
    entity=household,
    source=live_purchases,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["merchandising"],
    cadence="1d",
    batch_after="2h",
    available_after="5s",
    freshness="1m",
)
class HouseholdActivity:
    """How much a household is buying at this moment. Fresh within seconds where the stream runs."""

    lines_15m = count(over="15m", description="Lines of receipts, last 15 minutes")
    spend_15m = sum_(col("sales_value"), over="15m", description="Sales value, last 15 minutes, USD")
    spend_1h = sum_(col("sales_value"), over="1h", description="Sales value, last hour, USD")
    spend_24h = sum_(col("sales_value"), over="24h", description="Sales value, last 24 hours, USD")
    baskets_24h = approx_n_unique(col("basket_id"), over="24h", description="Distinct baskets, last 24 hours")
    last_line = last(col("purchased_at"), over="24h", description="When the last line was bought, within 24 hours")
    spend_rush = ratio(spend_1h, spend_24h, description="Share of the last 24 hours' spend that is of the last hour")
    days_since_last_line = days_since(last_line, description="Days since the last line was bought")
