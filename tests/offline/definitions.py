"""The sources, views and services that the tests of the offline store use, and small helpers for instants."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl

from feature_store import (
    Entity,
    EventSource,
    FeatureService,
    Float64,
    Int64,
    String,
    TableSource,
    Team,
    Timestamp,
    col,
    count,
    days_since,
    feature_view,
    field,
    last,
    n_unique,
    one_hot,
    ratio,
    sum_,
)
from feature_store.offline.tables.store import OfflineStore

INSTANT = pl.Datetime("us", "UTC")
START = datetime(2024, 1, 1, tzinfo=UTC)

Team("storekeepers", slack_channel="#storekeepers", email="storekeepers@example.com")

shopper = Entity("shopper", keys={"shopper_id": Int64}, description="Somebody who buys")

purchases = EventSource(
    "shop_purchases",
    asset="raw/shop_purchases",
    event_time="bought_at",
    columns={"shopper_id": Int64, "bought_at": Timestamp, "basket": String, "amount": Float64, "pieces": Int64},
    start=START,
    description="What was bought",
    allowed_lateness="2d",
)
addresses = TableSource(
    "shop_addresses",
    asset="raw/shop_addresses",
    time="moved_at",
    columns={"shopper_id": Int64, "moved_at": Timestamp, "town": String},
    start=START,
    description="Where somebody lives",
)

_OPTIONS = {"entity": shopper, "namespace": "shop", "version": 1, "owner": "storekeepers", "freshness": "2d"}


@feature_view(**_OPTIONS, source=purchases, cadence="1d", available_after="2h")
class ShopperSpend:
    """What a shopper spends, over windows."""

    pieces_3d = sum_(col("pieces"), over="3d", description="Pieces in three days")
    baskets_5d = n_unique(col("basket"), over="5d", description="Baskets in five days")
    last_basket = last(col("basket"), over="5d", description="The last basket")
    spend_3d = sum_(col("amount"), over="3d", description="Amount in three days")
    share = ratio(pieces_3d, baskets_5d, description="Pieces per basket")
    last_time = last(col("bought_at"), over="5d", description="When something was last bought")
    days = days_since(last_time, description="Days since then")


@feature_view(**_OPTIONS, source=purchases, cadence="1d")
class ShopperEver:
    """What a shopper ever bought."""

    pieces_ever = sum_(col("pieces"), description="Pieces, all history")
    baskets_ever = n_unique(col("basket"), description="Baskets, all history")
    amount_ever = sum_(col("amount"), description="Amount, all history")
    pieces_2d = sum_(col("pieces"), over="2d", description="Pieces in two days")


@feature_view(**_OPTIONS, source=purchases, cadence="1h")
class ShopperHourly:
    """What a shopper bought in the last hours."""

    purchases_6h = count(over="6h", hop="1h", description="Purchases in six hours")


@feature_view(**_OPTIONS, source=addresses, cadence="1d")
class ShopperTown:
    """Where a shopper lives."""

    town = field(description="Town")
    is_north = field(one_hot(col("town"), ["york", "leeds"]), description="Which northern town")


service = FeatureService(
    "shop_model",
    version=1,
    owner="storekeepers",
    description="Everything about a shopper",
    features=[ShopperSpend.all(), ShopperTown.all()],
)


def day(number: int, hour: float = 0) -> datetime:
    """Return an instant some days and hours after the start of the sources."""
    return START + timedelta(days=number, hours=hour)


def purchase_rows(rows: list[tuple[int | None, datetime, str, float, int]]) -> pl.DataFrame:
    """Return rows of the purchases source."""
    schema = {
        "shopper_id": pl.Int64,
        "bought_at": INSTANT,
        "basket": pl.String,
        "amount": pl.Float64,
        "pieces": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def spend_values(rows: list[tuple[datetime, int, int]]) -> pl.DataFrame:
    """Return values of ``ShopperSpend`` as if they had been computed: partition start, shopper, pieces."""
    frame = pl.DataFrame(
        rows, schema={"partition_start": INSTANT, "shopper_id": pl.Int64, "pieces_3d": pl.Int64}, orient="row"
    )
    return frame.with_columns(
        baskets_5d=pl.col("pieces_3d") * 2,
        last_basket=pl.format("b{}", "shopper_id"),
        spend_3d=pl.col("pieces_3d") / 4,
        share=pl.lit(0.5),
        last_time=pl.col("partition_start"),
    )


def fill(store: OfflineStore, shoppers: Iterable[int]) -> OfflineStore:
    """Give a store with values of days 0 to 5 of some shoppers, and the town of shopper 1."""
    rows = [(day(n), shopper_id, n + shopper_id) for n in range(6) for shopper_id in shoppers]
    store.values(ShopperSpend).write(spend_values(rows), day(0), day(6), run_id="r")
    towns = pl.DataFrame(
        {"partition_start": [day(0)], "shopper_id": [1], "town": ["york"], "is_north": [[1.0, 0.0]]},
        schema_overrides={"is_north": pl.Array(pl.Float32, 2)},
    )
    store.values(ShopperTown).write(towns, day(0), day(1), run_id="r")
    return store
