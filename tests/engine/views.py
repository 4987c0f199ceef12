"""Views that together use every aggregation, window shape, key shape and option."""

from __future__ import annotations

from datetime import UTC, datetime

from feature_store import (
    Boolean,
    Entity,
    EventSource,
    Float32,
    Float64,
    Int64,
    String,
    TableSource,
    Team,
    Timestamp,
    Vector,
    approx_median,
    approx_n_unique,
    approx_percentile,
    col,
    count,
    count_ratio,
    days_since,
    decayed_sum,
    derive,
    feature_view,
    field,
    first,
    first_k,
    histogram,
    last,
    last_k,
    max_,
    mean,
    min_,
    n_unique,
    one_hot,
    ratio,
    skew,
    std,
    sum_,
    top_k,
    variance,
    when,
)
from tests.engine.frames import START

Team("engine", slack_channel="#engine", email="engine@example.com")

COLUMNS = {
    "time": Timestamp,
    "sequence": Int64,
    "number": Int64,
    "value": Float64,
    "narrow": Float32,
    "flag": Boolean,
    "text": String,
    "moment": Timestamp,
    "left": String,
    "right": String,
}
PAIR = Entity("pair", keys={"left": String, "right": String}, description="Two strings")
NUMBER = Entity("number", keys={"number": Int64}, description="An integer")

SEQUENCED = EventSource(
    "sequenced",
    asset="raw/events",
    event_time="time",
    sequence="sequence",
    columns=COLUMNS,
    start=START,
    description="d",
)
PLAIN = EventSource("plain", asset="raw/events", event_time="time", columns=COLUMNS, start=START, description="d")
OPTIONS = {"namespace": "engine", "version": 1, "owner": "engine"}

POSITIVE = col("value") > 0


@feature_view(entity=PAIR, source=SEQUENCED, cadence="1d", freshness="2d", **OPTIONS)
class Daily:
    """The plain aggregations, daily, over windows whose tails lie on days, half days and weeks."""

    rows_7d = count(over="7d", hop="1d", description="d")
    rows_36h = count(over="36h", hop="12h", description="d")
    rows_14d = count(over="14d", hop="7d", description="d")
    values_7d = count(col("value"), over="7d", hop="1d", description="d")
    positive_7d = count(over="7d", hop="1d", where=POSITIVE, description="d")
    sum_7d = sum_(col("value"), over="7d", hop="1d", dtype=Float32, description="d")
    sum_36h = sum_(col("value"), over="36h", hop="12h", where=POSITIVE & col("flag"), default=-1, description="d")
    number_7d = sum_(col("number"), over="7d", hop="1d", default=5, description="d")
    mean_7d = mean(col("value"), over="7d", hop="1d", default=0.1, dtype=Float32, description="d")
    mean_number = mean(col("number"), over="14d", hop="7d", description="d")
    std_7d = std(col("value"), over="7d", hop="1d", default=-1.0, description="d")
    std_14d = std(col("number"), over="14d", hop="7d", where=~col("flag"), description="d")
    min_7d = min_(col("value"), over="7d", hop="1d", description="d")
    min_narrow = min_(col("narrow"), over="36h", hop="12h", default=1, description="d")
    max_text = max_(col("text").lower(), over="7d", hop="1d", default="none", description="d")
    max_moment = max_(col("moment"), over="36h", hop="12h", default=datetime(2000, 1, 1, tzinfo=UTC), description="d")
    first_value = first(col("value"), over="7d", hop="1d", description="d")
    last_value = last(col("value"), over="7d", hop="1d", description="d")
    first_text = first(col("text"), over="36h", hop="12h", where=POSITIVE, default="", description="d")
    last_flag = last(col("flag"), over="36h", hop="12h", default=True, description="d")
    last_time = last(col("time"), over="14d", hop="7d", description="d")
    unique_text = n_unique(col("text"), over="7d", hop="1d", description="d")
    unique_value = n_unique(col("value"), over="36h", hop="12h", default=-1, description="d")
    unique_flag = n_unique(col("flag"), over="14d", hop="7d", where=POSITIVE, description="d")
    trend = ratio(sum_36h, sum_7d, description="d")
    half_trend = derive(when(col("trend") > 0.5).then(trend * 2).otherwise(None), description="d", dtype=Float32)
    text_vector = derive(one_hot(max_text, ["a", "none"]), description="d")
    days = days_since(last_time, description="d")


@feature_view(entity=NUMBER, source=PLAIN, cadence="1h", freshness="2h", **OPTIONS)
class Hourly:
    """Hourly, with tails in minutes, hours and days; without a sequence."""

    rows_1h = count(over="1h", description="d")
    rows_2h = count(over="2h", hop="30m", where=POSITIVE, description="d")
    sum_1h = sum_(col("value"), over="1h", description="d")
    std_2d = std(col("value"), over="2d", hop="1d", description="d")
    mean_15m = mean(col("value"), over="15m", description="d")
    last_2d = last(col("text"), over="2d", hop="1d", description="d")
    first_15m = first(col("value"), over="15m", description="d")
    unique_1h = n_unique(col("text"), over="1h", description="d")


@feature_view(entity=PAIR, source=SEQUENCED, cadence="7d", freshness="14d", **OPTIONS)
class Weekly:
    """Weekly: all history beside windows, with filters that differ."""

    rows = count(where=POSITIVE, description="d")
    sum_value = sum_(col("value"), description="d")
    sum_number = sum_(col("number"), where=POSITIVE, description="d")
    mean_value = mean(col("value"), description="d")
    std_value = std(col("value"), where=col("text") != "a", description="d")
    min_text = min_(col("text"), description="d")
    max_number = max_(col("number"), description="d")
    first_value = first(col("value"), description="d")
    last_text = last(col("text"), where=POSITIVE, description="d")
    last_moment = last(col("moment"), description="d")
    unique_text = n_unique(col("text"), description="d")
    unique_moment = n_unique(col("moment"), where=POSITIVE, default=-1, description="d")
    rows_7d = count(over="7d", hop="1d", where=col("flag"), description="d")
    last_7d = last(col("number"), over="7d", hop="1d", description="d")


@feature_view(entity=NUMBER, source=PLAIN, cadence="1d", freshness="2d", **OPTIONS)
class Filtered:
    """Only filtered features, all history and windows; most events count for none."""

    rows = count(where=col("text") == "a", description="d")
    rows_7d = count(over="7d", where=POSITIVE, description="d")
    last_36h = last(col("value"), over="36h", where=col("flag"), description="d")


@feature_view(entity=PAIR, source=SEQUENCED, cadence="1d", freshness="2d", **OPTIONS)
class Spread:
    """Moments, sketches, lists, decay and ratios, over windows."""

    variance_7d = variance(col("value"), over="7d", hop="1d", description="d")
    variance_36h = variance(col("number"), over="36h", hop="12h", default=-1.0, dtype=Float32, description="d")
    skew_7d = skew(col("value"), over="7d", hop="1d", where=col("flag"), description="d")
    skew_14d = skew(col("number"), over="14d", hop="7d", default=0.5, dtype=Float32, description="d")
    median_7d = approx_median(col("value"), over="7d", hop="1d", description="d")
    low_7d = approx_percentile(col("value"), 0.1, over="7d", hop="1d", default=-1.0, description="d")
    high_36h = approx_percentile(col("number"), 1, over="36h", hop="12h", where=POSITIVE, description="d")
    low_14d = approx_percentile(col("narrow"), 0, over="14d", hop="7d", dtype=Float32, description="d")
    unique_text = approx_n_unique(col("text"), over="7d", hop="1d", description="d")
    unique_value = approx_n_unique(col("value"), over="36h", hop="12h", default=-1, description="d")
    unique_flag = approx_n_unique(col("flag"), over="14d", hop="7d", where=POSITIVE, description="d")
    unique_number = approx_n_unique(col("number"), over="7d", hop="1d", description="d")
    unique_moment = approx_n_unique(col("moment"), over="7d", hop="1d", description="d")
    first_texts = first_k(col("text"), 3, over="7d", hop="1d", description="d")
    last_values = last_k(col("value"), 2, over="7d", hop="1d", dtype=Float32, description="d")
    last_flags = last_k(col("flag"), 1, over="36h", hop="12h", description="d")
    last_times = last_k(col("time"), 4, over="14d", hop="7d", where=POSITIVE, description="d")
    top_values = top_k(col("value"), 3, over="7d", hop="1d", description="d")
    top_texts = top_k(col("text"), 2, over="36h", hop="12h", where=col("flag"), description="d")
    top_moments = top_k(col("moment"), 2, over="7d", hop="1d", description="d")
    decayed_7d = decayed_sum(col("value"), "36h", over="7d", hop="1d", description="d")
    decayed_number = decayed_sum(
        col("number"), "1d", over="14d", hop="7d", where=POSITIVE, default=-1, dtype=Float32, description="d"
    )
    share_7d = count_ratio(POSITIVE, col("value").is_null(), over="7d", hop="1d", where=col("flag"), description="d")
    share_36h = count_ratio(POSITIVE, ~col("flag"), over="36h", hop="12h", default=0.25, description="d")
    spread_ratio = ratio(variance_7d, decayed_7d, description="d")


@feature_view(entity=NUMBER, source=PLAIN, cadence="1d", freshness="2d", **OPTIONS)
class Bucketed:
    """Every aggregation that can be kept apart by the value of an expression."""

    texts = histogram(col("text"), ["a", "b", ""], over="7d", hop="1d", description="d")
    rows_7d = count(by=col("flag"), buckets=[True, False], over="7d", hop="1d", where=POSITIVE, description="d")
    values_7d = count(
        col("value"), by=col("narrow"), buckets=[0.5, 0, 3], over="7d", hop="1d", default=7, description="d"
    )
    sum_7d = sum_(col("value"), by=col("text"), buckets=["a", "é"], over="7d", hop="1d", dtype=Float32, description="d")
    mean_36h = mean(col("value"), by=col("text").lower(), buckets=["b", "a"], over="36h", hop="12h", description="d")
    min_14d = min_(col("moment"), by=col("flag"), buckets=[False], over="14d", hop="7d", description="d")
    max_text = max_(
        col("text"), by=col("flag"), buckets=[True, False], over="7d", hop="1d", default="", description="d"
    )
    std_7d = std(col("value"), by=col("text"), buckets=["a", "b"], over="7d", hop="1d", default=-1.0, description="d")
    variance_7d = variance(col("narrow"), by=col("flag"), buckets=[True, False], over="7d", hop="1d", description="d")
    first_7d = first(col("flag"), by=col("text"), buckets=["A", "b", "a"], over="7d", hop="1d", description="d")
    last_7d = last(col("time"), by=col("moment"), buckets=[START], over="7d", hop="1d", where=POSITIVE, description="d")
    unique_7d = n_unique(col("text"), by=col("sequence"), buckets=[1, 0, -1], over="7d", hop="1d", description="d")


@feature_view(entity=PAIR, source=SEQUENCED, cadence="7d", freshness="14d", **OPTIONS)
class Grown:
    """The aggregations of ``Spread`` and ``Bucketed`` over all history."""

    variance_value = variance(col("value"), description="d")
    skew_value = skew(col("value"), where=POSITIVE, description="d")
    median = approx_median(col("value"), description="d")
    unique_text = approx_n_unique(col("text"), description="d")
    unique_value = approx_n_unique(col("value"), where=POSITIVE, default=-1, description="d")
    first_values = first_k(col("value"), 3, description="d")
    last_texts = last_k(col("text"), 2, description="d")
    top_numbers = top_k(col("number"), 3, where=POSITIVE, description="d")
    decayed = decayed_sum(col("value"), "3d", description="d")
    share = count_ratio(col("flag"), POSITIVE, description="d")
    texts = histogram(col("text"), ["a", ""], description="d")
    last_by_flag = last(col("value"), by=col("flag"), buckets=[True, False], description="d")


EVENT_VIEWS = [Daily, Hourly, Weekly, Filtered, Spread, Bucketed, Grown]

TABLE_COLUMNS = {
    "left": String,
    "right": String,
    "time": Timestamp,
    "sequence": Int64,
    "landed_at": Timestamp,
    "valid_to": Timestamp,
    "is_deleted": Boolean,
    "value": Float64,
    "text": String,
    "number": Int64,
    "vector": Vector(2),
}
TABLE = TableSource(
    "table",
    asset="raw/table",
    time="time",
    sequence="sequence",
    landed_at="landed_at",
    deleted="is_deleted",
    valid_to="valid_to",
    columns=TABLE_COLUMNS,
    start=START,
    description="d",
)
BARE_TABLE = TableSource("bare", asset="raw/table", time="time", columns=TABLE_COLUMNS, start=START, description="d")


@feature_view(entity=PAIR, source=TABLE, cadence="1d", freshness="2d", row_ttl="3d", **OPTIONS)
class Table:
    """Everything a table source can declare."""

    value = field(description="d")
    text = field(col("number").cast(String), description="d")
    number = field(default=7, description="d")
    half = field(col("value") / 2, dtype=Float32, default=0.5, description="d")
    filled = field(col("value").fill_null(1.0), description="d")
    vector = field(description="d")
    total = derive(col("number") + col("half"), description="d")
    seen = derive(col("text").is_null(), description="d")


@feature_view(entity=PAIR, source=BARE_TABLE, cadence="1h", freshness="2h", **OPTIONS)
class BareTable:
    """A table that declares nothing but its time."""

    number = field(description="d")
    text = field(default="", description="d")
    vector = field(default=[0.1, -0.0], description="d")
    moment = field(col("valid_to"), description="d")


TABLE_VIEWS = [Table, BareTable]
