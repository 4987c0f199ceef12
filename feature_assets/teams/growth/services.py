"""What the growth team's models read."""

from __future__ import annotations

from feature_assets.teams.growth.department_vectors import department_vectors
from feature_assets.teams.growth.features import (
    HouseholdActivity,
    HouseholdCoupons,
    HouseholdLifetime,
    HouseholdProfile,
    HouseholdPromotions,
    HouseholdSpend,
    HouseholdVisits,
)
from feature_store import (
    FeatureService,
    Float64,
    LookupTable,
    RequestInput,
    String,
    bucketise,
    cosine,
    embed,
    lookup,
    ratio,
    request,
    request_feature,
)

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

MARGINS = LookupTable(
    "margins", {"grocery": 0.22, "produce": 0.31, "meat": 0.25, "deli": 0.38, "drug gm": 0.27, "fuel": 0.05}
)
"""Share of the sales value that is left to us, by department."""

DEPARTMENT = request("department").lower()

offer_value = FeatureService(
    "offer_value",
    version=1,
    owner="growth",
    description="What is this offer, of this value and this department, worth to this household right now?",
    inputs={
        "amount": RequestInput(Float64, description="Value of the offer, USD"),
        "department": RequestInput(String, default="GROCERY", description="What it is an offer for"),
    },
    features=[
        HouseholdSpend["spend_30d", "spend_level"],
        HouseholdActivity["spend_24h"],
        request_feature(
            "offer_share",
            ratio(
                request("amount"),
                HouseholdSpend.spend_30d,
                description="The offer's value as a share of what the household spends in 30 days",
            ),
        ),
        request_feature(
            "offer_beside_line",
            bucketise(request("amount"), HouseholdVisits.median_line_90d),
            description="Whether the offer is worth at least as much as the household's median line: 1 or 0",
        ),
        request_feature(
            "offer_beyond_today",
            request("amount") - HouseholdActivity.spend_24h,
            description="How much more the offer is worth than what the household bought in the last 24 hours, USD",
        ),
        request_feature(
            "offer_nearness",
            cosine(embed(DEPARTMENT, department_vectors), HouseholdVisits.last_department_vector),
            description="How near the offer's department is to the one the household bought from last, -1 to 1",
        ),
        request_feature(
            "offer_margin",
            request("amount") * lookup(DEPARTMENT, MARGINS),
            description="What the offer leaves to us, USD; null for a department whose margin nobody told",
        ),
    ],
)

services = (churn, live_offer, offer_value)
