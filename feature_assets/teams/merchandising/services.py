"""What the merchandising team's models read."""

from __future__ import annotations

from feature_assets.teams.growth.features import HouseholdSpend, HouseholdVisits
from feature_assets.teams.merchandising.features import HouseholdDepartment
from feature_store import FeatureService

department_affinity = FeatureService(
    "department_affinity",
    version=1,
    owner="merchandising",
    readers=["growth"],
    description="How likely is this household to buy from this department on its next visit?",
    features=[
        HouseholdDepartment.all(),
        HouseholdSpend["spend_30d", "spend_level", "private_label_share"],
        HouseholdVisits["baskets_14d", "days_since_last_purchase"],
    ],
)

services = (department_affinity,)
