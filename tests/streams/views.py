"""A stream view with every aggregation, and its tiles as the merge takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from feature_store import (
    EventSource,
    FeatureView,
    Float32,
    KafkaTopic,
    approx_n_unique,
    col,
    count,
    count_ratio,
    days_since,
    decayed_sum,
    derive,
    first,
    last,
    max_,
    mean,
    min_,
    one_hot,
    ratio,
    skew,
    std,
    stream_view,
    sum_,
    variance,
    when,
)
from feature_store.codec.stream_tiles import StreamTiles
from feature_store.engines.numpy.stream_merge import Merged, merge
from feature_store.engines.polars.columns import to_series
from feature_store.engines.polars.stream_tiles import build_stream_tiles, tile_states
from feature_store.plans.compile_stream import compile_stream_plan
from feature_store.plans.stream_plan import StreamPlan
from feature_store.temporal.instants import from_microseconds
from tests.engine.frames import START, frame
from tests.engine.views import COLUMNS, NUMBER, PAIR, POSITIVE

LIVE = EventSource(
    "live",
    asset="raw/events",
    event_time="time",
    sequence="sequence",
    columns=COLUMNS,
    start=START,
    description="d",
    stream=KafkaTopic("events"),
)
PLAIN_LIVE = EventSource(
    "plain_live",
    asset="raw/events",
    event_time="time",
    columns=COLUMNS,
    start=START,
    description="d",
    stream=KafkaTopic("events"),
)
OPTIONS = {"namespace": "streams", "version": 1, "owner": "engine", "freshness": "1m"}


@stream_view(entity=PAIR, source=LIVE, cadence="1d", batch_after="2h", available_after="5s", **OPTIONS)
class Live:
    """Every aggregation, with hops of a second, a minute, five minutes, an hour and a day."""

    rows_15m = count(over="15m", description="d")
    rows_10s = count(over="10s", hop="1s", where=POSITIVE, description="d")
    values_1h = count(col("value"), over="1h", description="d")
    sum_1h = sum_(col("value"), over="1h", dtype=Float32, description="d")
    sum_36h = sum_(col("value"), over="36h", where=POSITIVE & col("flag"), default=-1, description="d")
    number_12d = sum_(col("number"), over="12d", default=5, description="d")
    mean_24h = mean(col("value"), over="24h", default=0.1, dtype=Float32, description="d")
    mean_number = mean(col("number"), over="12d", description="d")
    std_24h = std(col("value"), over="24h", default=-1.0, description="d")
    std_12d = std(col("number"), over="12d", where=~col("flag"), description="d")
    min_1h = min_(col("value"), over="1h", description="d")
    min_narrow = min_(col("narrow"), over="24h", default=1, description="d")
    max_text = max_(col("text").lower(), over="12d", default="none", description="d")
    max_moment = max_(col("moment"), over="36h", default=datetime(2000, 1, 1, tzinfo=UTC), description="d")
    first_value = first(col("value"), over="15m", description="d")
    last_value = last(col("value"), over="24h", description="d")
    first_text = first(col("text"), over="36h", where=POSITIVE, default="", description="d")
    last_flag = last(col("flag"), over="12d", default=True, description="d")
    last_time = last(col("time"), over="12d", description="d")
    variance_24h = variance(col("value"), over="24h", description="d")
    skew_24h = skew(col("value"), over="24h", dtype=Float32, description="d")
    distinct_12d = approx_n_unique(col("text"), over="12d", where=POSITIVE, description="d")
    distinct_1h = approx_n_unique(col("value"), over="1h", description="d")
    decayed_24h = decayed_sum(col("value"), half_life="1h", over="24h", description="d")
    positive_share = count_ratio(POSITIVE, col("flag"), over="1h", description="d")
    rows_by_text = count(by=col("text"), buckets=["a", "b"], over="36h", description="d")
    last_by_flag = last(col("text"), by=col("flag"), buckets=[True, False], over="1h", default="-", description="d")
    mean_by_text = mean(col("value"), by=col("text"), buckets=["a"], over="12d", dtype=Float32, description="d")
    trend = ratio(sum_36h, sum_1h, description="d")
    half_trend = derive(when(col("trend") > 0.5).then(trend * 2).otherwise(None), description="d", dtype=Float32)
    text_vector = derive(one_hot(max_text, ["a", "none"]), description="d")
    days = days_since(last_time, description="d")


@stream_view(entity=NUMBER, source=PLAIN_LIVE, cadence="1h", batch_after="10m", available_after="0s", **OPTIONS)
class Sparse:
    """Only filtered features, without a sequence and a lag; tiles of a second and of one hop."""

    rows_1h = count(over="1h", hop="30m", where=col("text") == "a", description="d")
    last_2h = last(col("value"), over="2h", hop="30m", where=col("flag"), description="d")


STREAM_VIEWS = [Live, Sparse]


def plan_of(view: FeatureView) -> StreamPlan:
    return compile_stream_plan(view, [feature.name for feature in view.stored_features])


def stream_tiles(view: FeatureView, rows: list[dict], entities: Sequence[tuple], end: datetime) -> StreamTiles:
    """Build the tiles of all levels; the row of a tile is the place of its entity among ``entities``."""
    frame_ = build_stream_tiles(view, frame(rows, COLUMNS).lazy(), START, end).frame
    places = {entity: place for place, entity in enumerate(entities)}
    row = [places.get(tuple(keys), -1) for keys in frame_.select(view.keys).rows()]
    kept = frame_.with_columns(row=pl.Series(row, dtype=pl.Int64)).filter(pl.col("row") >= 0)
    return StreamTiles(
        kept["row"].to_numpy(),
        kept["span"].to_numpy(),
        kept["tile_start"].to_physical().to_numpy(),
        tile_states(kept, plan_of(view).states),
    )


def merged(view: FeatureView, tiles: StreamTiles, as_of: Sequence[int]) -> Merged:
    return merge(plan_of(view), tiles, np.array(as_of, np.int64))


def values_of(view: FeatureView, result: Merged) -> list[dict[str, Any]]:
    """The values of every row as Python objects."""
    columns = {f.name: to_series(result.values[f.name], f.dtype) for f in view.stored_features}
    return pl.DataFrame(columns).to_dicts()


def instant(microseconds: int) -> datetime:
    return from_microseconds(microseconds)
