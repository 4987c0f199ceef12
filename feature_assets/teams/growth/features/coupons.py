"""Which coupons a household hands in."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.sources import coupon_redemptions
from feature_store import col, count, days_since, feature_view, last, n_unique


@feature_view(
    entity=household,
    source=coupon_redemptions,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["merchandising"],
    cadence="1d",
    available_after="2h",
    freshness="30h",
    ttl="7d",
)
class HouseholdCoupons:
    """The coupons of our campaigns that a household hands in; only the day of it is known."""

    redemptions_90d = count(over="90d", description="Coupons handed in, last 90 days")
    campaigns_90d = n_unique(col("campaign_id"), over="90d", description="Campaigns they were of, last 90 days")
    last_campaign = last(col("campaign_id"), over="90d", description="Campaign of the last coupon, within 90 days")
    last_redemption = last(col("redeemed_at"), over="90d", description="Day of the last coupon, within 90 days")
    days_since_last_redemption = days_since(last_redemption, description="Days since the last coupon was handed in")
