"""A feature service over two views (one of them in two roles), every type and every on-read function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.dtypes import Boolean, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.plans.service_plan import PlanFeature, PlanKey, PlanOutput, PlanView, ServicePlan
from serving.stores.open_store import open_loader
from serving.stores.snapshot import Snapshot
from tests.stores.sample import DAY, HOUR, chunk, column, now

SPEND = "retail/household_spend/v1"
STORE = "retail/store_traffic/v2"

SPEND_FIELDS = {
    "baskets": (Int64, 0),
    "spend": (Float32, 0.0),
    "mean": (Float64, None),
    "loyal": (Boolean, False),
    "segment": (String, "none"),
    "last_seen": (Timestamp, None),
    "first_seen": (Timestamp, 1_000_000),
    "embedding": (Vector(2), [0.5, -0.5]),
}
STORE_FIELDS = {"visits": (Int64, 0)}


def layout_of(fields: dict[str, Any]) -> RowLayout:
    return RowLayout(tuple(LayoutField(name, dtype, f"fp-{name}") for name, (dtype, _) in fields.items()))


def plan_features(fields: dict[str, Any]) -> tuple[PlanFeature, ...]:
    return tuple(PlanFeature(name, dtype.name, f"fp-{name}", empty) for name, (dtype, empty) in fields.items())


def service_plan(version: int = 1, service: str = "churn") -> ServicePlan:
    spend = PlanView(
        SPEND,
        "household_spend",
        (PlanKey("household_id", "Int64", "household_id"),),
        3 * DAY,
        DAY,
        plan_features(SPEND_FIELDS),
    )
    home, work = (
        PlanView(
            STORE,
            f"{role}__store_traffic",
            (PlanKey("chain", "String", "chain"), PlanKey("store_id", "Int64", f"{role}_store")),
            None,
            DAY,
            plan_features(STORE_FIELDS),
        )
        for role in ("home", "work")
    )
    stored = tuple(
        PlanOutput(f"household_spend__{name}", dtype.name, 0, name) for name, (dtype, _) in SPEND_FIELDS.items()
    )
    more = (
        PlanOutput("home__store_traffic__visits", "Int64", 1, "visits"),
        PlanOutput("work__store_traffic__visits", "Int64", 2, "visits"),
        PlanOutput("days_since_last", "Float64", 0, "last_seen", "days_since"),
        PlanOutput("first_hour", "Int64", 0, "first_seen", "hour_of_day"),
        PlanOutput("weekday_now", "Int64", 0, None, "day_of_week"),
    )
    return ServicePlan(service, version, "growth", ("everyone",), (spend, home, work), (*stored, *more))


def with_features_of_spend(plan: ServicePlan, features: tuple[PlanFeature, ...]) -> ServicePlan:
    return replace(plan, views=(replace(plan.views[0], features=features), *plan.views[1:]))


def keys_of(households: list[int | None], home: list[int | None] | None = None) -> dict[str, list[Any]]:
    count = len(households)
    return {
        "household_id": households,
        "chain": ["north"] * count,
        "home_store": home or [1] * count,
        "work_store": [2] * count,
    }


def load_spend(
    url: str, households: list[int], as_of: int | None = None, fields: dict[str, Any] | None = None, factor: int = 1
) -> int:
    """Load the spend view; every value tells its household; a household divisible by 10 has nulls. Return the as-of."""
    as_of = now() - 2 * HOUR if as_of is None else as_of
    null = [household % 10 == 0 for household in households]
    features = {
        "baskets": column([household * factor for household in households]),
        "spend": column([household / 4 for household in households], "<f4"),
        "mean": column(
            [None if gone else household / 8 for household, gone in zip(households, null, strict=True)], "<f8"
        ),
        "loyal": column([household % 2 for household in households], "|u1"),
        "segment": column([None if gone else f"s{h}é" for h, gone in zip(households, null, strict=True)], "O"),
        "last_seen": column([None if gone else as_of - h * DAY for h, gone in zip(households, null, strict=True)]),
        "first_seen": column([(household % 24) * HOUR for household in households]),
    }
    vectors = np.array([[household, -household] for household in households], "<f4").reshape(-1, 2)
    features["embedding"] = type(features["mean"])(vectors, ~np.array(null, np.bool_))
    layout = layout_of(SPEND_FIELDS if fields is None else fields)
    writer = open_loader(url)
    keys = chunk(households)[0]
    writer.load(SPEND, Snapshot(as_of, as_of + HOUR, layout, f"{factor}"), [(keys, features)])
    writer.close()
    return as_of


def load_stores(url: str, stores: list[int], as_of: int | None = None) -> int:
    """Load the traffic of stores of the chain ``north``: visits = store x 100. Return the as-of."""
    as_of = now() - 3 * HOUR if as_of is None else as_of
    keys = [column(["north"] * len(stores), "O"), column(stores)]
    writer = open_loader(url)
    snapshot = Snapshot(as_of, as_of + HOUR, layout_of(STORE_FIELDS), "a")
    writer.load(STORE, snapshot, [(keys, {"visits": column([store * 100 for store in stores])})])
    writer.close()
    return as_of
