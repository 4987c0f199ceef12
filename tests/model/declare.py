"""Short declarations for tests: one event source, one table source, one entity, and views made of keyword arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from feature_store import (
    Boolean,
    DefinitionError,
    Entity,
    EventSource,
    FeatureService,
    FeatureView,
    Float64,
    Int64,
    String,
    TableSource,
    Timestamp,
    col,
    count,
    feature_view,
    field,
    last,
    sum_,
)

Cases = dict[str, tuple[Callable[[], object], str]]
"""By a name: a wrong declaration and the exact message it must raise."""

START = datetime(2017, 1, 1, tzinfo=UTC)

HOUSEHOLD = Entity("household", keys={"household_id": Int64}, description="A loyalty-card household")

EVENT_COLUMNS = {
    "household_id": Int64,
    "basket_id": Int64,
    "sales_value": Float64,
    "quantity": Int64,
    "department": String,
    "is_private": Boolean,
    "purchased_at": Timestamp,
}
TABLE_COLUMNS = {
    "household_id": Int64,
    "updated_at": Timestamp,
    "landed_at": Timestamp,
    "valid_to": Timestamp,
    "is_deleted": Boolean,
    "income": String,
    "size": Int64,
}


def event_source(**options: Any) -> EventSource:
    given = {
        "name": "purchases",
        "asset": "raw/transactions",
        "event_time": "purchased_at",
        "columns": EVENT_COLUMNS,
        "start": START,
        "description": "What households bought",
    }
    return EventSource(**{**given, **options})


def table_source(**options: Any) -> TableSource:
    given = {
        "name": "demographics",
        "asset": "raw/demographics",
        "time": "updated_at",
        "columns": TABLE_COLUMNS,
        "start": START,
        "description": "Who households are",
    }
    return TableSource(**{**given, **options})


VIEW_OPTIONS = {
    "entity": HOUSEHOLD,
    "namespace": "retail",
    "version": 1,
    "owner": "growth",
    "cadence": "1d",
    "freshness": "27h",
    "available_after": "2h",
}


def view_of(features: dict[str, Any], **options: Any) -> FeatureView:
    """Declare the view ``retail/spend/v1`` over the event source, unless the options say otherwise."""
    body = type("Spend", (), {"__doc__": "What households spend.", **features})
    return feature_view(**{**VIEW_OPTIONS, "source": event_source(), **options})(body)


def events(**features: Any) -> FeatureView:
    return view_of(features)


def table(**features: Any) -> FeatureView:
    return view_of(features, source=table_source())


def purchases(**options: Any) -> FeatureView:
    """Declare a right view over events with other options."""
    features = {
        "spend": sum_(col("sales_value"), over="7d", description="Spend"),
        "baskets": count(over="7d", description="Purchases"),
        "last_purchase": last(col("purchased_at"), over="90d", description="Last purchase"),
    }
    return view_of(features, **options)


def demographics(**options: Any) -> FeatureView:
    """Declare a right view over a table with other options."""
    return view_of({"income": field(description="Income")}, **{"source": table_source(), "name": "about", **options})


def service(*features: Any, **options: Any) -> FeatureService:
    given = {"name": "churn", "version": 1, "owner": "growth", "description": "Will it churn?", "features": features}
    return FeatureService(**{**given, **options})


def check(cases: Cases, name: str) -> None:
    """Assert that a wrong declaration raises exactly its message, there and then."""
    declare, message = cases[name]
    with pytest.raises(DefinitionError) as caught:
        declare()
    assert str(caught.value) == message
