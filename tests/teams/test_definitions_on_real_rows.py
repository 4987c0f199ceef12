"""What the definitions mean to the business, on real rows; the engine itself is tested elsewhere."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from feature_assets.teams.growth.features.visits import DEPARTMENTS
from feature_assets.teams.merchandising.features import HouseholdDepartment
from tests.fixtures.small_store import SmallStore

AS_OF = datetime(2018, 1, 2, tzinfo=UTC)
CLOSE = 1e-6


def values(store: SmallStore, view: str) -> pl.DataFrame:
    rows = store.offline.stored_values(f"retail/{view}/v1").scan().filter(pl.col("as_of") == AS_OF)
    return rows.drop("partition_start", "as_of").collect()


def last_days(store: SmallStore, days: int) -> pl.DataFrame:
    return store.purchases.filter(pl.col("purchased_at") >= AS_OF - timedelta(days=days))


def assert_equal(stored: pl.DataFrame, naive: pl.DataFrame, keys: list[str]) -> None:
    """Every entity of the naive result has these values, and nobody else has any but the empty one."""
    names = [name for name in naive.columns if name not in keys]
    joined = naive.join(stored.select(*keys, *names), on=keys, how="left", suffix="_stored", nulls_equal=False)
    assert joined.height > 10
    for name in names:
        assert joined[f"{name}_stored"].to_list() == pytest.approx(joined[name].to_list(), rel=CLOSE, abs=CLOSE), name
    others = stored.join(naive, on=keys, how="anti")
    assert {value for name in names for value in others[name]} <= {0, None}


def test_fuel_does_not_count_as_units(small_store):
    fuel = pl.col("product_type").fill_null("").str.to_lowercase().str.contains("gasoline", literal=True)
    recent = last_days(small_store, 30)
    assert recent.filter(fuel)["quantity"].sum() > 100_000
    naive = recent.filter(~fuel).group_by("household_id").agg(units_30d=pl.col("quantity").sum())
    assert_equal(values(small_store, "household_spend"), naive, ["household_id"])


def test_own_brands_and_their_share(small_store):
    own = pl.col("sales_value").filter(pl.col("brand") == "Private").sum()
    naive = last_days(small_store, 30).group_by("household_id").agg(
        private_label_30d=own, private_label_share=own / pl.col("sales_value").sum()
    )  # fmt: skip
    assert_equal(values(small_store, "household_spend"), naive, ["household_id"])


def test_baskets_on_weekends_and_in_the_evening(small_store):
    baskets, at = pl.col("basket_id"), pl.col("purchased_at")
    by_the_shops_clock = at.dt.convert_time_zone("Etc/GMT+5")
    naive = last_days(small_store, 90).group_by("household_id").agg(
        baskets_90d=baskets.n_unique(),
        weekend_baskets_90d=baskets.filter(by_the_shops_clock.dt.weekday() >= 6).n_unique(),
        evening_baskets_90d=baskets.filter(by_the_shops_clock.dt.hour() >= 18).n_unique(),
        last_purchase=at.max(),
    )  # fmt: skip
    stored = values(small_store, "household_visits")
    joined = naive.join(stored, on="household_id", suffix="_stored")
    assert joined.height == naive.height
    for name in ("baskets_90d", "weekend_baskets_90d", "evening_baskets_90d", "last_purchase"):
        assert joined[name].to_list() == joined[f"{name}_stored"].to_list()


def test_shops_are_busiest_in_the_afternoon_and_evening_of_their_own_clock(small_store):
    """What the hours of an evening rest on: by UTC, the busiest hours would be those before midnight."""
    hours = small_store.purchases.group_by(pl.col("purchased_at").dt.convert_time_zone("Etc/GMT+5").dt.hour()).len()
    busiest = hours.sort("len", descending=True).head(6)["purchased_at"]
    assert min(busiest) >= 11
    assert max(busiest) <= 19


def test_a_coupon_does_not_lower_the_shelf_price(small_store):
    """Manufacturers pay their coupons: the shop's sales value holds them, so the shelf price has them once."""
    value, retail, coupon, match = map(pl.col, ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"))
    shelf = value + retail + match
    line = pl.when(shelf != 0).then((retail + coupon + match) / shelf)
    naive = last_days(small_store, 30).group_by("household_id").agg(
        discount_rate_30d=line.mean(), discount_30d=(retail + coupon + match).sum()
    )  # fmt: skip
    assert small_store.purchases.filter(coupon > 0).height > 100
    assert_equal(values(small_store, "household_promotions"), naive, ["household_id"])


def test_the_share_of_lines_at_a_loyalty_price_leaves_fuel_out(small_store):
    is_fuel = pl.col("product_type").fill_null("").str.to_lowercase().str.contains("gasoline", literal=True)
    lines = last_days(small_store, 30).filter(~is_fuel)
    naive = lines.group_by("household_id").agg(loyalty_price_share_30d=(pl.col("retail_disc") > 0).mean())
    assert naive["loyalty_price_share_30d"].max() <= 1
    assert_equal(values(small_store, "household_promotions"), naive, ["household_id"])


def test_redemptions_of_coupons(small_store):
    redemptions = small_store.offline.source("raw/coupon_redemptions").scan().collect()
    recent = redemptions.filter(pl.col("redeemed_at") >= AS_OF - timedelta(days=90))
    naive = recent.group_by("household_id").agg(
        redemptions_90d=pl.len(),
        campaigns_90d=pl.col("campaign_id").n_unique(),
        last_redemption=pl.col("redeemed_at").max(),
    )  # fmt: skip
    stored = values(small_store, "household_coupons")
    joined = naive.join(stored, on="household_id", suffix="_stored")
    assert joined.height == naive.height > 10
    for name in ("redemptions_90d", "campaigns_90d", "last_redemption"):
        assert joined[name].to_list() == joined[f"{name}_stored"].to_list()


def test_the_largest_lines(small_store):
    largest = pl.col("sales_value").top_k(3).sort(descending=True)
    naive = last_days(small_store, 90).group_by("household_id").agg(largest_lines_90d=largest)
    joined = naive.join(values(small_store, "household_visits"), on="household_id", suffix="_stored")
    assert joined.height == naive.height > 50
    for mine, stored in joined.select("largest_lines_90d", "largest_lines_90d_stored").iter_rows():
        assert [*mine, *[None] * (3 - len(mine))] == stored


def test_the_catalog_is_the_product_hierarchy(small_store):
    raw = small_store.offline.source("raw/products").scan().collect()
    stored = values(small_store, "product_catalog")
    assert stored.height == raw["product_id"].n_unique() > 90_000
    names = ["product_id", "department", "product_category", "brand"]
    assert set(stored.select(names).iter_rows()) == set(raw.select(names).iter_rows())
    assert stored.filter("is_private_label")["brand"].unique().to_list() == ["Private"]


def test_fuel_has_neither_units_nor_unit_prices(small_store):
    recent = last_days(small_store, 28)
    fuel = recent.filter(pl.col("product_type").str.contains("GASOLINE"))["product_id"].unique().to_list()
    stored = values(small_store, "product_demand").filter(pl.col("product_id").is_in(fuel))
    assert stored.height > 0
    assert stored["units_28d"].unique().to_list() == [0]
    assert stored["mean_price_28d"].null_count() == stored.height
    assert stored["buyers_28d"].min() > 0


def test_departments_of_a_household_are_those_that_sell_most(small_store):
    sold = (
        small_store.purchases.group_by("department").agg(pl.col("sales_value").sum()).drop_nulls().sort("sales_value")
    )
    assert set(DEPARTMENTS) == set(sold["department"].tail(len(DEPARTMENTS)))


def test_lifetime_covers_all_history(small_store):
    value = pl.col("sales_value")
    naive = small_store.purchases.group_by("household_id").agg(
        lines=pl.len(), spend=value.sum(), mean_line=value.mean(), line_std=value.std(), dearest_line=value.max(),
        cheapest_line=value.filter(value > 0).min(), stores=pl.col("store_id").n_unique(),
    )  # fmt: skip
    stored = values(small_store, "household_lifetime")
    assert set(stored["household_id"]) == set(naive["household_id"])
    assert_equal(stored, naive, ["household_id"])
    first = small_store.purchases.group_by("household_id").agg(pl.col("purchased_at").min())
    assert dict(stored.select("household_id", "first_purchase").iter_rows()) == dict(first.iter_rows())


def test_rows_without_a_department_are_left_out_and_counted(small_store):
    ledger = small_store.offline.tiles(HouseholdDepartment).ledger.partitions()
    landed = small_store.purchases.filter(pl.col("purchased_at") >= ledger["partition_start"].min())
    assert ledger["excluded"].sum() == landed["department"].null_count() > 5
    recent = last_days(small_store, 28).drop_nulls("department")
    naive = recent.group_by("household_id", "department").agg(spend_28d=pl.col("sales_value").sum())
    stored = values(small_store, "household_department")
    assert stored.height == naive.height
    assert stored["department"].null_count() == 0
    assert_equal(stored, naive, ["household_id", "department"])


def test_the_profile_reads_plus_signs_and_unknowns(small_store):
    raw = small_store.offline.source("raw/demographics").scan().collect()
    stored = values(small_store, "household_profile").join(raw, on="household_id", suffix="_raw")
    assert stored.height == raw.height
    assert stored.filter(pl.col("household_size") == "5+")["size"].unique().to_list() == [5]
    assert stored.filter(pl.col("household_size") == "3")["size"].unique().to_list() == [3]
    kids = stored.select("has_kids", with_kids=pl.col("kids_count") != "0")
    assert kids["has_kids"].to_list() == kids["with_kids"].to_list()
    assert stored.filter(pl.col("marital_status_raw").is_null())["marital_status"].unique().to_list() == ["Unknown"]
    # No band is left out of the lists that rank them.
    assert stored["age_rank"].null_count() == stored["income_rank"].null_count() == 0
    owners = stored.filter(pl.col("home_ownership") == "Homeowner")["home"].to_list()
    assert {tuple(home) for home in owners} == {(1.0, 0.0, 0.0, 0.0)}


def test_only_running_campaigns_are_shown(small_store):
    raw = small_store.offline.source("raw/campaigns").scan().collect()
    running = raw.filter(pl.col("started_at") < AS_OF, pl.col("ends_at") >= AS_OF)
    stored = values(small_store, "household_campaign")
    assert 0 < stored.height < raw.height
    assert set(stored.iter_rows()) <= set(running.select("household_id", "campaign_id", "campaign_type").iter_rows())


def test_prices_and_traffic(small_store):
    price = pl.col("sales_value") / pl.when(pl.col("quantity") != 0).then(pl.col("quantity"))
    recent = last_days(small_store, 28)
    prices = recent.group_by("product_id").agg(
        lowest_price_28d=price.min(), buyers_28d=pl.col("household_id").n_unique()
    )
    fuel = recent.filter(pl.col("product_type").str.contains("GASOLINE"))["product_id"].unique().to_list()
    prices = prices.with_columns(lowest_price_28d=pl.when(~pl.col("product_id").is_in(fuel)).then("lowest_price_28d"))
    for name in ("lowest_price_28d", "buyers_28d"):
        priced = prices.select("product_id", name).drop_nulls()
        assert_equal(values(small_store, "product_demand"), priced, ["product_id"])
    sales, baskets = pl.col("sales_value").sum(), pl.col("basket_id").n_unique()
    traffic = recent.group_by("store_id").agg(sales_28d=sales, baskets_28d=baskets, sales_per_basket=sales / baskets)
    assert_equal(values(small_store, "store_traffic"), traffic, ["store_id"])


def test_the_hourly_view_covers_the_last_hours(small_store):
    value, at = pl.col("sales_value"), pl.col("purchased_at")
    recent = last_days(small_store, 3)
    day = recent.filter(at >= AS_OF - timedelta(hours=24))
    stored = values(small_store, "store_pulse")
    assert set(stored["store_id"]) == set(recent["store_id"])
    naive = recent.group_by("store_id").agg(baskets_72h=pl.col("basket_id").n_unique())
    assert_equal(stored, naive, ["store_id"])
    sales = dict(day.group_by("store_id").agg(value.sum()).iter_rows())
    for store, sold in stored.select("store_id", "sales_24h").iter_rows():
        assert sold == pytest.approx(sales.get(store, 0.0), rel=CLOSE)
