"""How much a household spends, and on what."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.purchases import IS_FUEL, UNIT_PRICE
from feature_assets.raw.sources import purchases
from feature_store import Float32, bucketise, col, derive, feature_view, ratio, std, sum_


@feature_view(
    entity=household,
    source=purchases,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["merchandising", "stores"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
    ttl="3d",
)
class HouseholdSpend:
    """How much a household spends, over sliding windows."""

    spend_7d = sum_(
        col("sales_value"), over="7d", dtype=Float32, description="Sales value, last 7 days, USD", freshness="26h"
    )
    spend_30d = sum_(col("sales_value"), over="30d", dtype=Float32, description="Sales value, last 30 days, USD")
    spend_90d = sum_(col("sales_value"), over="90d", dtype=Float32, description="Sales value, last 90 days, USD")
    units_30d = sum_(
        col("quantity"), where=~IS_FUEL, over="30d", description="Units bought, excluding fuel, last 30 days"
    )
    unit_price_std_90d = std(
        UNIT_PRICE,
        where=~IS_FUEL,
        over="90d",
        default=0.0,
        description="Standard deviation of the price of a unit, excluding fuel, last 90 days, USD; 0 below two lines",
    )
    private_label_30d = sum_(
        col("sales_value"),
        where=col("brand") == "Private",
        over="30d",
        dtype=Float32,
        description="Spend on our own brands, last 30 days, USD",
    )
    private_label_share = ratio(private_label_30d, spend_30d, description="Our own brands' share of the 30-day spend")
    spend_trend = ratio(spend_7d, spend_90d, description="Share of the 90-day spend that is of the last 7 days")
    spend_level = derive(
        bucketise(spend_30d, [25, 75, 150, 300, 600]), description="30-day spend in six levels, 0 the lowest"
    )
