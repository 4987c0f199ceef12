"""How single products sell."""

from __future__ import annotations

from feature_assets.raw.entities import product
from feature_assets.raw.purchases import IS_FUEL, UNIT_PRICE
from feature_assets.raw.sources import purchases
from feature_store import col, feature_view, last, mean, min_, n_unique, ratio, sum_, variance


@feature_view(
    entity=product,
    source=purchases,
    namespace="retail",
    version=1,
    owner="merchandising",
    readers=["stores"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
    ttl="7d",
)
class ProductDemand:
    """How often and at what price a product sells. Fuel is not sold by the unit: it has neither units nor prices."""

    units_7d = sum_(col("quantity"), where=~IS_FUEL, over="7d", description="Units sold, last 7 days")
    units_28d = sum_(col("quantity"), where=~IS_FUEL, over="28d", description="Units sold, last 28 days")
    buyers_28d = n_unique(col("household_id"), over="28d", description="Households that bought it, last 28 days")
    mean_price_28d = mean(UNIT_PRICE, where=~IS_FUEL, over="28d", description="Mean price of a unit, last 28 days, USD")
    lowest_price_28d = min_(
        UNIT_PRICE, where=~IS_FUEL, over="28d", description="Lowest price of a unit, last 28 days, USD"
    )
    price_variance_28d = variance(
        UNIT_PRICE, where=~IS_FUEL, over="28d", description="Variance of the price of a unit, last 28 days, USD squared"
    )
    last_discounted = last(col("retail_disc") > 0, over="28d", description="Whether it was on offer when last sold")
    demand_trend = ratio(
        units_7d * 4, units_28d, description="Sales of the last 7 days against an average week of the last 28 days"
    )
