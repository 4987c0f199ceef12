"""A household's whole history with us."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.sources import purchases
from feature_store import (
    col,
    count,
    days_since,
    decayed_sum,
    feature_view,
    first,
    first_k,
    last,
    max_,
    mean,
    min_,
    n_unique,
    std,
    sum_,
)


@feature_view(
    entity=household,
    source=purchases,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["everyone"],
    cadence="1d",
    available_after="3h",
    freshness="30h",
    ttl="14d",
)
class HouseholdLifetime:
    """Everything a household ever bought. Without ``over=``, an aggregate covers all history."""

    lines = count(description="Lines on all its receipts")
    spend = sum_(col("sales_value"), description="Sales value of all its purchases, USD")
    mean_line = mean(col("sales_value"), description="Mean sales value of a line, USD")
    line_std = std(
        col("sales_value"), description="Standard deviation of the sales value of a line, USD; null for one line"
    )
    cheapest_line = min_(
        col("sales_value"), where=col("sales_value") > 0, description="Smallest line that was not free, USD"
    )
    dearest_line = max_(col("sales_value"), description="Largest line, USD")
    decayed_spend = decayed_sum(
        col("sales_value"), half_life="30d", description="Spend that counts half as much every 30 days, USD"
    )
    stores = n_unique(col("store_id"), description="Different stores it ever shopped at")
    first_purchase = first(col("purchased_at"), description="Its first purchase")
    first_departments = first_k(col("department"), 3, description="Departments of the first three lines it bought")
    latest_store = last(col("store_id"), description="The store of its latest purchase")
    days_as_customer = days_since(first_purchase, description="Days since its first purchase")
