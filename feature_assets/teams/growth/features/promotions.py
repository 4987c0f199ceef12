"""How a household answers to discounts and coupons."""

from __future__ import annotations

from feature_assets.entities import household
from feature_assets.raw.sources import purchases
from feature_store import Float32, col, count, days_since, derive, feature_view, last, mean, sum_, when

DISCOUNT = col("retail_disc") + col("coupon_disc") + col("coupon_match_disc")
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
        DISCOUNT / (col("sales_value") + DISCOUNT),
        over="30d",
        dtype=Float32,
        description="Mean discount of a line as a share of its shelf price, last 30 days",
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
        description="What it seeks: 'coupons', 'loyalty prices', or 'no' deals in particular",
    )
