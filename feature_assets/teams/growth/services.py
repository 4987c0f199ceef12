"""What the growth team's models read."""

from __future__ import annotations

from feature_assets.teams.growth.features import (
    HouseholdActivity,
    HouseholdCoupons,
    HouseholdLifetime,
    HouseholdProfile,
    HouseholdPromotions,
    HouseholdSpend,
    HouseholdVisits,
)
from feature_store import FeatureService

churn = FeatureService(
    "churn",
    version=1,
    owner="growth",
    description="Will this household buy nothing in the next 14 days?",
    features=[
        HouseholdSpend.all(),
        HouseholdVisits[
            "baskets_14d",
            "baskets_90d",
            "weekend_baskets_90d",
            "evening_baskets_90d",
            "last_department_vector",
            "days_since_last_purchase",
            "weekday",
        ],
        HouseholdPromotions[
            "discount_30d", "discount_rate_30d", "coupon_lines_90d", "deal_seeker", "days_since_last_coupon"
        ],
        HouseholdLifetime["lines", "spend", "mean_line", "line_std", "stores", "days_as_customer"].alias(
            spend="lifetime_spend"
        ),
        HouseholdProfile.all(),
    ],
)

live_offer = FeatureService(
    "live_offer",
    version=1,
    owner="growth",
    description="Which offer should this household see right now?",
    features=[
        HouseholdActivity.all(),
        HouseholdSpend["spend_30d", "private_label_share", "spend_level"],
        HouseholdVisits["last_department", "days_since_last_purchase"],
        HouseholdPromotions["loyalty_price_share_30d", "deal_seeker"],
        HouseholdCoupons["redemptions_90d", "days_since_last_redemption"],
    ],
)

services = (churn, live_offer)
