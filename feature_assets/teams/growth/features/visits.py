"""When a household comes, how often, and what it bought last."""

from __future__ import annotations

from feature_assets.raw.entities import household
from feature_assets.raw.sources import purchases
from feature_assets.teams.growth.department_vectors import department_vectors
from feature_store import (
    Float32,
    approx_median,
    col,
    day_of_week,
    days_since,
    derive,
    embed,
    feature_view,
    last,
    last_k,
    n_unique,
    sum_,
    top_k,
)

DEPARTMENTS = ("GROCERY", "DRUG GM", "FUEL", "PRODUCE", "MEAT", "MEAT-PCKGD", "DELI")

HOUR, DAY = col("purchased_at").hour(), col("purchased_at").weekday()
EVENING = (HOUR >= 23) | (HOUR < 5)
WEEKEND = ((DAY == 5) & (HOUR >= 5)) | (DAY == 6) | ((DAY == 0) & (HOUR < 5))
"""Times are UTC; the clocks of the shops are five hours behind."""


@feature_view(
    entity=household,
    source=purchases,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["merchandising"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
    ttl="3d",
)
class HouseholdVisits:
    """How often and when a household shops. A basket is one receipt."""

    baskets_14d = n_unique(col("basket_id"), over="14d", description="Baskets, last 14 days")
    baskets_90d = n_unique(col("basket_id"), over="90d", description="Baskets, last 90 days")
    weekend_baskets_90d = n_unique(
        col("basket_id"),
        where=WEEKEND,
        over="90d",
        description="Baskets on Saturdays and Sundays by the shops' clocks (UTC-5), last 90 days",
    )
    evening_baskets_90d = n_unique(
        col("basket_id"),
        where=EVENING,
        over="90d",
        description="Baskets from 18:00 to midnight by the shops' clocks (UTC-5), last 90 days",
    )
    last_purchase = last(col("purchased_at"), over="90d", description="When the household last bought anything")
    last_department = last(col("department"), over="90d", description="Department of the last line it bought")
    last_departments = last_k(
        col("department"), 3, over="90d", description="Departments of the last three lines it bought, the latest first"
    )
    department_spend_90d = sum_(
        col("sales_value"),
        by=col("department"),
        buckets=DEPARTMENTS,
        over="90d",
        dtype=Float32,
        description="Sales value in each of the departments that sell most, last 90 days, USD",
    )
    median_line_90d = approx_median(
        col("sales_value"), over="90d", description="Median sales value of a line, last 90 days, to 1 percent, USD"
    )
    largest_lines_90d = top_k(
        col("sales_value"), 3, over="90d", description="Its three largest lines, last 90 days, the largest first, USD"
    )
    last_department_vector = derive(
        embed(last_department.lower(), department_vectors),
        description="What that department is about: fresh, pantry, ready to eat, home and body",
    )
    days_since_last_purchase = days_since(last_purchase, description="Days since the last purchase")
    weekday = day_of_week(description="Day of the week when the features are read, Monday being 0")
