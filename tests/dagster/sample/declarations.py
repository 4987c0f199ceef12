"""A small project: two teams, three views (daily over windows and all history, hourly, table), one service."""

from dataclasses import replace
from datetime import UTC, datetime

from feature_store import (
    Boolean,
    Entity,
    EventSource,
    FeatureService,
    Float32,
    Float64,
    Int64,
    KafkaTopic,
    String,
    TableSource,
    Team,
    Timestamp,
    col,
    count,
    days_since,
    derive,
    feature_view,
    field,
    last,
    mean,
    n_unique,
    ratio,
    stream_view,
    sum_,
)

START = datetime(2024, 1, 1, tzinfo=UTC)

growth = Team("growth", slack_channel="#growth-features", email="growth@example.com")
pricing = Team("pricing", slack_channel="#pricing-features", email="pricing@example.com")

household = Entity("household", keys={"household_id": Int64}, description="A loyalty-card household")

EVENTS = {"household_id": Int64, "basket_id": Int64, "sales_value": Float64, "purchased_at": Timestamp}

purchases = EventSource(
    "purchases",
    asset="raw/transactions",
    event_time="purchased_at",
    columns=EVENTS,
    start=START,
    description="Rows of receipts",
    allowed_lateness="2d",
)
live_purchases = replace(
    purchases, name="live_purchases", description="Rows of receipts, live too", stream=KafkaTopic("receipts")
)
recent_purchases = EventSource(
    "recent_purchases",
    asset="raw/transactions_hourly",
    event_time="purchased_at",
    columns=EVENTS,
    start=START,
    description="Rows of receipts, by the hour",
)
profiles = TableSource(
    "profiles",
    asset="raw/profiles",
    time="changed_at",
    columns={"household_id": Int64, "income": String, "is_member": Boolean, "changed_at": Timestamp},
    start=START,
    description="What households told us",
)


@feature_view(
    entity=household,
    source=purchases,
    namespace="retail",
    version=1,
    owner="growth",
    readers=["pricing"],
    cadence="1d",
    available_after="2h",
    freshness="27h",
)
class HouseholdSpend:
    """How much a household spends, over sliding windows."""

    spend_7d = sum_(col("sales_value"), over="7d", dtype=Float32, description="Sales value, last 7 days, USD")
    spend_3d = sum_(
        col("sales_value"), over="3d", where=col("sales_value") > 0, freshness="30h", description="Sales, last 3 days"
    )
    lines = count(description="Rows of receipts, ever")
    baskets_7d = n_unique(col("basket_id"), over="7d", description="Distinct baskets, last 7 days")
    last_purchase = last(col("purchased_at"), over="7d", description="When the household last bought anything")
    spend_trend = ratio(spend_3d, spend_7d, description="Share of the weekly spend that is recent")
    is_big = derive(spend_trend > 0.5, description="Whether most of the spend is recent")
    days_since_last_purchase = days_since(last_purchase, description="Days since the last purchase")


@feature_view(
    entity=household,
    source=recent_purchases,
    namespace="retail",
    version=2,
    owner="growth",
    readers=["everyone"],
    cadence="1h",
    freshness="3h",
    assets="view",
)
class HouseholdHours:
    """What a household buys within hours."""

    spend_6h = sum_(col("sales_value"), over="6h", description="Sales value, last 6 hours, USD")
    mean_1h = mean(col("sales_value"), over="1h", description="Mean line, last hour, USD")


@feature_view(
    entity=household, source=profiles, namespace="retail", version=1, owner="growth", cadence="1d", freshness="2d"
)
class HouseholdProfile:
    """What a household told us."""

    income = field(description="Income bracket", default="unknown")
    is_member = field(description="Whether it is a member")


@feature_view(
    entity=household, source=purchases, namespace="retail", version=1, owner="pricing", cadence="1d", freshness="2d"
)
class HouseholdPrices:
    """What a household pays. Owned by another team."""

    dearest_7d = sum_(col("sales_value"), over="7d", description="Sales value, last 7 days, USD")


@stream_view(
    entity=household,
    source=live_purchases,
    namespace="retail",
    version=1,
    owner="growth",
    cadence="1d",
    batch_after="2h",
    available_after="5s",
    freshness="1m",
)
class HouseholdActivity:
    """What a household is doing right now."""

    lines_15m = count(over="15m", description="Rows of receipts, last 15 minutes")
    spend_24h = sum_(col("sales_value"), over="24h", description="Sales value, last 24 hours, USD")
    last_seen = last(col("purchased_at"), over="14d", description="When the household last bought anything")
    days_unseen = days_since(last_seen, description="Days since the last purchase")


churn = FeatureService(
    "churn",
    version=1,
    owner="growth",
    description="Will this household buy nothing in the next 14 days?",
    features=[HouseholdSpend["spend_7d", "spend_trend", "days_since_last_purchase"], HouseholdProfile.all()],
)

views = (HouseholdSpend, HouseholdHours, HouseholdProfile)
services = (churn,)
