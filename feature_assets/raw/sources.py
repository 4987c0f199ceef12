"""The sources that views read: what lands, in which columns, from when on. Importable without Dagster."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from feature_assets.raw.clock import clock
from feature_store import EventSource, Float64, Int64, KafkaTopic, String, TableSource, Timestamp

FIRST_CAMPAIGN: Final = datetime(2016, 11, 14, tzinfo=UTC)
"""Start of the first campaign, on the original dates: before the first transaction."""

_PRODUCT: Final = {
    "product_id": Int64,
    "manufacturer_id": Int64,
    "department": String,
    "brand": String,
    "product_category": String,
    "product_type": String,
    "package_size": String,
}

_PURCHASE: Final = {
    "purchased_at": Timestamp,
    "household_id": Int64,
    "store_id": Int64,
    "basket_id": Int64,
    "quantity": Int64,
    "sales_value": Float64,
    "retail_disc": Float64,
    "coupon_disc": Float64,
    "coupon_match_disc": Float64,
    **_PRODUCT,
}

purchases = EventSource(
    "purchases",
    asset="raw/transactions",
    event_time="purchased_at",
    columns={**_PURCHASE, "line_id": String},
    start=clock().history_start,
    description="Lines of receipts, with the product's place in the hierarchy (null for products that it lacks)",
    allowed_lateness="2d",
    stream=KafkaTopic("purchases"),
)

live_purchases = replace(
    purchases,
    name="live_purchases",
    description="The same lines, live: a stream may deliver one twice, so their ids tell them apart",
    event_id="line_id",
)

recent_purchases = EventSource(
    "recent_purchases",
    asset="raw/transactions_hourly",
    event_time="purchased_at",
    columns=_PURCHASE,
    start=clock().hourly_start,
    description="The same lines of the last days, landed every hour",
    allowed_lateness="6h",
    truncated=True,
    stream=KafkaTopic("purchases"),
)

coupon_redemptions = EventSource(
    "coupon_redemptions",
    asset="raw/coupon_redemptions",
    event_time="redeemed_at",
    columns={"redeemed_at": Timestamp, "household_id": Int64, "coupon_upc": Int64, "campaign_id": Int64},
    start=clock().history_start,
    description="Coupons that households handed in; only the day is known",
    allowed_lateness="2d",
)

demographics = TableSource(
    "demographics",
    asset="raw/demographics",
    time="recorded_at",
    columns={
        "recorded_at": Timestamp,
        "household_id": Int64,
        "age": String,
        "income": String,
        "home_ownership": String,
        "marital_status": String,
        "household_size": String,
        "household_comp": String,
        "kids_count": String,
    },
    start=clock().history_start,
    description="What a third of the households told of themselves; since when is unknown, so it counts from the start",
)

products = TableSource(
    "products",
    asset="raw/products",
    time="recorded_at",
    columns={"recorded_at": Timestamp, **_PRODUCT},
    start=clock().history_start,
    description="The product hierarchy: manufacturer, department, category, type",
)

campaigns = TableSource(
    "campaigns",
    asset="raw/campaigns",
    time="started_at",
    columns={
        "started_at": Timestamp,
        "ends_at": Timestamp,
        "household_id": Int64,
        "campaign_id": Int64,
        "campaign_type": String,
    },
    start=FIRST_CAMPAIGN + clock().shift,
    description="Which household was added to which campaign, until when",
    sequence="campaign_id",
    valid_to="ends_at",
)
