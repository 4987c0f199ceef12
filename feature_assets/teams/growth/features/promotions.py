"""How a household answers to discounts and coupons."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.purchases import DISCOUNT, IS_FUEL, SHELF_PRICE
from feature_assets.raw.sources import purchases
from feature_store import Float32, col, count, count_ratio, days_since, derive, feature_view, last, mean, sum_, when

USED_COUPON = col("coupon_disc") > 0


@feature_view(
    entity=household,
    source=purchases,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["everyone"],
    cadence="1d",
    available_after="2h",
    freshness="30h",
    ttl="7d",
)
class HouseholdPromotions:
    """How much a household saves by loyalty prices and coupons."""

    discount_30d = sum_(DISCOUNT, over="30d", dtype=Float32, description="All discounts, last 30 days, USD")
    discount_rate_30d = mean(
        DISCOUNT / SHELF_PRICE,
        over="30d",
        dtype=Float32,
        description="Mean discount of a line as a share of its shelf price, last 30 days",
    )
    loyalty_price_share_30d = count_ratio(
        (col("retail_disc") > 0) & ~IS_FUEL,
        ~IS_FUEL,
        over="30d",
        description="Share of its lines, excluding fuel, bought at a loyalty price, last 30 days",
    )
    coupon_lines_90d = count(where=USED_COUPON, over="90d", description="Lines paid with a coupon, last 90 days")
    last_coupon = last(col("purchased_at"), where=USED_COUPON, over="90d", description="When it last used a coupon")
    days_since_last_coupon = days_since(
        last_coupon, description="Days since it last used a coupon; null if not in 90 days"
    )
    deal_seeker = derive(
        when(coupon_lines_90d >= 5)
        .then("coupons")
        .otherwise(when(discount_rate_30d > 0.25).then("loyalty prices").otherwise("no")),
        description="Kind of deal it responds to: 'coupons', 'loyalty prices', or 'no' deals in particular",
    )
