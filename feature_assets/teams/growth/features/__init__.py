"""Features of households."""

from feature_assets.teams.growth.features.activity import HouseholdActivity
from feature_assets.teams.growth.features.campaign import HouseholdCampaign
from feature_assets.teams.growth.features.coupons import HouseholdCoupons
from feature_assets.teams.growth.features.lifetime import HouseholdLifetime
from feature_assets.teams.growth.features.profile import HouseholdProfile
from feature_assets.teams.growth.features.promotions import HouseholdPromotions
from feature_assets.teams.growth.features.spend import HouseholdSpend
from feature_assets.teams.growth.features.visits import HouseholdVisits

views = (
    HouseholdSpend,
    HouseholdVisits,
    HouseholdPromotions,
    HouseholdLifetime,
    HouseholdProfile,
    HouseholdCampaign,
    HouseholdCoupons,
    HouseholdActivity,
)

__all__ = [
    "HouseholdActivity",
    "HouseholdCampaign",
    "HouseholdCoupons",
    "HouseholdLifetime",
    "HouseholdProfile",
    "HouseholdPromotions",
    "HouseholdSpend",
    "HouseholdVisits",
    "views",
]
