"""A small stream view of purchases that have ids, and its rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from feature_store import (
    Entity,
    EventSource,
    Float64,
    Int64,
    KafkaTopic,
    String,
    Timestamp,
    col,
    count,
    last,
    stream_view,
    sum_,
)
from tests.fixtures.frames import START
from tests.serving.streams.world import OnlineWorld

COLUMNS = {"id": String, "user": Int64, "amount": Float64, "time": Timestamp}
USER = Entity("user", keys={"user": Int64}, description="d")
SOURCE = EventSource(
    "purchases",
    asset="raw/purchases_with_ids",
    event_time="time",
    event_id="id",
    columns=COLUMNS,
    start=START,
    description="d",
    stream=KafkaTopic("purchases"),
)


@stream_view(
    entity=USER,
    source=SOURCE,
    namespace="streams",
    version=1,
    owner="engine",
    cadence="1d",
    batch_after="2h",
    available_after="0s",
    freshness="1m",
)
class Purchases:
    """Purchases of users, each with an id of its own."""

    rows_1h = count(over="1h", description="d")
    amount_2d = sum_(col("amount"), over="2d", description="d")
    last_amount = last(col("amount"), over="12d", description="d")


def purchases_world(folder: Path, url: str) -> OnlineWorld:
    return OnlineWorld(folder, url, Purchases, dict(COLUMNS))


def purchase(
    time: datetime | None, name: str | int | None = None, user: int | None = 1, amount: float = 1.0
) -> dict[str, Any]:
    return {"id": name, "user": user, "amount": amount, "time": time}
