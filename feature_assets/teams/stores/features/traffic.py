"""How busy a store is, day by day."""

from __future__ import annotations

from feature_assets.raw.entities import store
from feature_assets.raw.sources import purchases
from feature_store import bucketise, col, derive, feature_view, first, histogram, n_unique, ratio, sum_


@feature_view(
    entity=store,
    source=purchases,
    namespace="retail",
    version=1,
    owner="stores",
    readers=["everyone"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
    ttl="3d",
)
class StoreTraffic:
    """Visitors and sales of a store over the last weeks."""

    baskets_7d = n_unique(col("basket_id"), over="7d", description="Baskets, last 7 days")
    baskets_28d = n_unique(col("basket_id"), over="28d", description="Baskets, last 28 days")
    households_28d = n_unique(col("household_id"), over="28d", description="Different households, last 28 days")
    sales_28d = sum_(col("sales_value"), over="28d", description="Sales value, last 28 days, USD")
    lines_by_weekday_28d = histogram(
        col("purchased_at").weekday(),
        range(7),
        over="28d",
        description="Lines scanned on Mondays, Tuesdays, ... Sundays, UTC, last 28 days",
    )
    first_sale_28d = first(
        col("purchased_at"), over="28d", description="First sale of the last 28 days; late for a store that reopened"
    )
    sales_per_basket = ratio(sales_28d, baskets_28d, description="Sales value of a basket, last 28 days, USD")
    size_band = derive(
        bucketise(sales_28d, [500, 2_000, 8_000]), description="Store size by 28-day sales: 0 small to 3 large"
    )
