"""What households buy in each department."""

from __future__ import annotations

from feature_assets.raw.entities import household_department
from feature_assets.raw.sources import purchases
from feature_store import Float32, col, days_since, feature_view, last, n_unique, sum_


@feature_view(
    entity=household_department,
    source=purchases,
    namespace="retail",
    version=1,
    owner="merchandising",
    readers=["growth"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
    ttl="3d",
)
class HouseholdDepartment:
    """What a household buys in a department. Lines of products without a department are left out, and counted."""

    spend_28d = sum_(col("sales_value"), over="28d", dtype=Float32, description="Sales value, last 28 days, USD")
    baskets_28d = n_unique(col("basket_id"), over="28d", description="Baskets with the department, last 28 days")
    last_purchase = last(col("purchased_at"), over="28d", description="When it last bought from the department")
    days_since_last_purchase = days_since(last_purchase, description="Days since it last bought from the department")
