"""What happens in a store right now, hour by hour."""

from __future__ import annotations

from datetime import timedelta

from feature_assets.raw.entities import store
from feature_assets.raw.sources import recent_purchases
from feature_store import Float32, col, count, feature_view, hour_of_day, last, max_, n_unique, ratio, sum_

LONGEST_WINDOW = timedelta(hours=72)


@feature_view(
    entity=store,
    source=recent_purchases,
    namespace="retail",
    version=1,
    owner="stores",
    readers=["everyone"],
    cadence="1h",
    available_after="10m",
    freshness="2h",
    ttl="6h",
    # The hourly source keeps the last days only: begin when the longest window is full.
    start=recent_purchases.start + LONGEST_WINDOW + timedelta(days=1),
)
class StorePulse:
    """Traffic of the last hours against that of the last three days."""

    lines_3h = count(over="3h", description="Lines scanned, last 3 hours")
    baskets_24h = n_unique(col("basket_id"), over="24h", description="Baskets, last 24 hours")
    baskets_72h = n_unique(col("basket_id"), over="72h", description="Baskets, last 72 hours")
    sales_24h = sum_(col("sales_value"), over="24h", dtype=Float32, description="Sales value, last 24 hours, USD")
    dearest_line_24h = max_(col("sales_value"), over="24h", description="Largest line of a receipt, last 24 hours, USD")
    last_sale = last(col("purchased_at"), over="72h", description="When something was last sold", freshness="90m")
    traffic_trend = ratio(
        baskets_24h * 3, baskets_72h, description="The last 24 hours against an average day of the last 72 hours"
    )
    last_sale_hour = hour_of_day(last_sale, description="Hour of the day of the last sale, UTC")
    hour = hour_of_day(description="Hour of the day when the features are read, UTC")
