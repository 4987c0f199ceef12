"""Who lives in a household."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.sources import demographics
from feature_store import Int64, col, feature_view, field, one_hot, ordinal, when

AGES = ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"]
INCOMES = [
    "Under 15K",
    "15-24K",
    "25-34K",
    "35-49K",
    "50-74K",
    "75-99K",
    "100-124K",
    "125-149K",
    "150-174K",
    "175-199K",
    "200-249K",
    "250K+",
]


@feature_view(
    entity=household,
    source=demographics,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["merchandising", "stores"],
    cadence="1d",
    available_after="2h",
    freshness="51h",
)
class HouseholdProfile:
    """What a household told us about itself: the latest row of the demographics table. One in three did."""

    age_rank = field(ordinal(col("age"), AGES), description="Age of the head of household in six bands, 0 the youngest")
    income_rank = field(ordinal(col("income"), INCOMES), description="Yearly income in twelve bands, 0 the lowest")
    home = field(
        one_hot(col("home_ownership"), ["Homeowner", "Probable Homeowner", "Renter", "Probable Renter"]),
        description="Home ownership: owner, probable owner, renter, probable renter; zeros if unknown",
    )
    size = field(
        when(col("household_size") == "5+").then(5).otherwise(col("household_size").cast(Int64)),
        description="People in the household, 5 standing for five or more",
    )
    has_kids = field(col("kids_count").is_in(["1", "2", "3+"]), description="Whether children live in the household")
    marital_status = field(col("marital_status"), default="Unknown", description="Married, Unmarried or Unknown")
