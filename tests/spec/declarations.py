"""The views that the specification is checked on: every aggregation, window shape, filter, default and kind of view."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from feature_store import (
    Boolean,
    Entity,
    EventSource,
    Float32,
    Float64,
    Int64,
    KafkaTopic,
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
    stream_view,
    sum_,
    top_k,
    variance,
)
from tests.fixtures import view_bodies
from tests.fixtures.view_bodies import POSITIVE

START: Final = datetime(2024, 3, 28, tzinfo=UTC)
"""A Thursday, on which weeks of seven days begin; three days later Europe puts its clocks forward."""

Team("spec", slack_channel="#spec", email="spec@example.com")

SUBJECT = Entity(
    "subject",
    keys={"world": Int64, "left": String, "right": String},
    description="Two strings, in a world of their own so that many worlds share a store",
)

COLUMNS = {
    "world": Int64,
    "left": String,
    "right": String,
    "time": Timestamp,
    "sequence": Int64,
    "number": Int64,
    "value": Float64,
    "narrow": Float32,
    "flag": Boolean,
    "text": String,
    "moment": Timestamp,
    "event": Int64,
}
EVENTS = EventSource(
    "spec_events",
    asset="raw/spec_events",
    event_time="time",
    sequence="sequence",
    event_id="event",
    columns=COLUMNS,
    start=START,
    allowed_lateness="2d",
    stream=KafkaTopic("spec_events"),
    description="Events of every kind",
)
UNSEQUENCED = EventSource(
    "spec_unsequenced", asset="raw/spec_events", event_time="time", columns=COLUMNS, start=START, description="d"
)
DELIVERED = EventSource(
    "spec_delivered",
    asset="raw/spec_events",
    event_time="time",
    event_id="event",
    columns=COLUMNS,
    start=START,
    description="Events that are told apart by their ids alone",
)
KNOWN_COLUMNS = {**COLUMNS, "known": Timestamp}
"""With the time at which events are known, which decides last of equal ones."""
KNOWN_LATER = EventSource(
    "spec_known_later",
    asset="raw/spec_known_later",
    event_time="time",
    sequence="sequence",
    event_id="event",
    known_at="known",
    columns=KNOWN_COLUMNS,
    start=START,
    description="Events that are known later than they happen, and told apart",
)
KNOWN_REPEATED = EventSource(
    "spec_known_repeated",
    asset="raw/spec_known_later",
    event_time="time",
    known_at="known",
    columns=KNOWN_COLUMNS,
    start=START,
    description="Events that are known later than they happen, some of them twice",
)
OPTIONS: Final[dict[str, Any]] = {"entity": SUBJECT, "namespace": "spec", "version": 1, "owner": "spec"}


Daily = feature_view(source=EVENTS, cadence="1d", available_after="2h", freshness="3d", ttl="3d", **OPTIONS)(
    view_bodies.Daily
)


@feature_view(source=EVENTS, cadence="1d", available_after="2h", freshness="3d", **OPTIONS)
class More:
    """The aggregations of which each keeps more than a number, daily."""

    variance_7d = variance(col("value"), over="7d", hop="1d", default=-1.0, description="d")
    skew_7d = skew(col("value"), over="7d", hop="1d", description="d")
    skew_number = skew(col("number"), over="36h", hop="12h", dtype=Float32, description="d")
    p90_7d = approx_percentile(col("value"), 0.9, over="7d", hop="1d", description="d")
    median_36h = approx_median(col("number"), over="36h", hop="12h", default=0.5, description="d")
    texts_7d = approx_n_unique(col("text"), over="7d", hop="1d", description="d")
    values_36h = approx_n_unique(col("value"), over="36h", hop="12h", where=POSITIVE, default=-1, description="d")
    first_3 = first_k(col("text"), 3, over="7d", hop="1d", description="d")
    last_2 = last_k(col("value"), 2, over="7d", hop="1d", where=POSITIVE, description="d")
    top_2 = top_k(col("value"), 2, over="36h", hop="12h", dtype=Float32, description="d")
    top_texts = top_k(col("text"), 3, over="7d", hop="1d", description="d")
    letters = histogram(col("text"), ["a", "b", "z"], over="7d", hop="1d", description="d")
    decayed = decayed_sum(col("value"), half_life="1d", over="7d", hop="1d", description="d")
    decayed_number = decayed_sum(col("number"), half_life="90m", over="36h", hop="12h", default=-1, description="d")
    share = count_ratio(POSITIVE, col("flag"), over="7d", hop="1d", description="d")
    share_of_a = count_ratio(
        POSITIVE, col("number") > 0, where=col("text") == "a", over="36h", hop="12h", description="d"
    )
    neither = count(where=~(POSITIVE | col("flag")), over="7d", hop="1d", description="d")
    not_both = count(where=~(POSITIVE & col("flag")), over="36h", hop="12h", description="d")
    rows_by_flag = count(by=col("flag"), buckets=[True, False], over="7d", hop="1d", description="d")
    sum_by_text = sum_(
        col("value"), by=col("text"), buckets=["a", "A", "b"], over="7d", hop="1d", dtype=Float32, description="d"
    )
    number_by_text = sum_(
        col("number"), by=col("text").lower(), buckets=["a", "é"], over="36h", hop="12h", default=3, description="d"
    )
    mean_by_number = mean(
        col("value"), by=col("number"), buckets=[0, 7], where=POSITIVE, over="7d", hop="1d", description="d"
    )
    std_by_flag = std(col("value"), by=col("flag"), buckets=[False], over="7d", hop="1d", description="d")
    last_by_text = last(col("flag"), by=col("text"), buckets=["b", "a"], over="7d", hop="1d", description="d")
    unique_by_value = n_unique(col("text"), by=col("value"), buckets=[0.0, 0.1], over="7d", hop="1d", description="d")


@feature_view(source=EVENTS, cadence="1d", available_after="2h", freshness="2d", ttl="2d", **OPTIONS)
class Bought:
    """What request features read of one view: a value of every type that an expression takes."""

    sum_7d = sum_(col("value"), over="7d", hop="1d", dtype=Float32, description="d")
    mean_36h = mean(col("value"), over="36h", hop="12h", default=0.1, description="d")
    last_text = last(col("text"), over="7d", hop="1d", description="d")
    last_time = last(col("time"), over="7d", hop="1d", description="d")
    last_flag = last(col("flag"), over="36h", hop="12h", description="d")
    text_vector = derive(one_hot(last_text, ["a", "b"]), description="d")
    number_7d = sum_(col("number"), over="7d", hop="1d", default=5, description="d")
    rows_7d = count(over="7d", hop="1d", description="d")
    days = days_since(last_time, description="d")


@feature_view(source=EVENTS, cadence="1d", freshness="3d", **OPTIONS)
class Noticed:
    """What request features read of another view, which is available sooner and never expires."""

    rows_36h = count(over="36h", hop="12h", description="d")
    value = last(col("value"), over="7d", hop="1d", description="d")
    number = max_(col("number"), over="7d", hop="1d", description="d")
    text = max_(col("text"), over="36h", hop="12h", default="none", description="d")


@stream_view(source=EVENTS, cadence="1d", batch_after="2h", available_after="5s", freshness="1m", **OPTIONS)
class Live:
    """A value at every T, with hops of a second, five minutes, an hour and a day."""

    rows_10s = count(over="10s", hop="1s", description="d")
    rows_1h = count(over="1h", hop="5m", where=POSITIVE, description="d")
    values_36h = count(col("value"), over="36h", hop="1h", description="d")
    sum_1h = sum_(col("value"), over="1h", hop="5m", dtype=Float32, description="d")
    sum_36h = sum_(col("value"), over="36h", hop="1h", where=POSITIVE & col("flag"), default=-1, description="d")
    number_3d = sum_(col("number"), over="3d", hop="1d", default=5, description="d")
    mean_36h = mean(col("value"), over="36h", hop="1h", default=0.1, dtype=Float32, description="d")
    std_3d = std(col("value"), over="3d", hop="1d", default=-1.0, description="d")
    variance_1h = variance(col("value"), over="1h", hop="5m", description="d")
    min_1h = min_(col("value"), over="1h", hop="5m", description="d")
    max_text = max_(col("text").lower(), over="3d", hop="1d", default="none", description="d")
    first_value = first(col("value"), over="1h", hop="5m", description="d")
    last_value = last(col("value"), over="36h", hop="1h", description="d")
    last_time = last(col("time"), over="3d", hop="1d", description="d")
    share = count_ratio(POSITIVE, col("flag"), over="36h", hop="1h", description="d")
    trend = ratio(sum_36h, sum_1h, description="d")
    text_vector = derive(one_hot(max_text, ["a", "none"]), description="d")
    days = days_since(last_time, description="d")


Hourly = feature_view(source=UNSEQUENCED, cadence="1h", freshness="2h", **OPTIONS)(view_bodies.Hourly)


@feature_view(source=DELIVERED, cadence="1d", freshness="3d", **OPTIONS)
class Filtered:
    """Each feature with a filter: of events delivered twice, the one that counts may pass none of them."""

    positive_7d = count(where=POSITIVE, over="7d", hop="1d", description="d")
    last_text = last(col("text"), where=POSITIVE, over="36h", hop="12h", description="d")
    number_7d = sum_(col("number"), where=col("flag"), over="7d", hop="1d", description="d")
    by_text = count(where=col("flag"), by=col("text"), buckets=["a", "b"], over="7d", hop="1d", description="d")


Weekly = feature_view(source=EVENTS, cadence="7d", freshness="14d", **OPTIONS)(view_bodies.Weekly)


@feature_view(source=KNOWN_LATER, cadence="1d", available_after="2h", freshness="3d", ttl="3d", **OPTIONS)
class Settled:
    """Daily, of events that are known later than they happen."""

    rows_7d = count(over="7d", hop="1d", description="d")
    rows_36h = count(over="36h", hop="12h", where=POSITIVE, description="d")
    sum_36h = sum_(col("value"), over="36h", hop="12h", default=-1, dtype=Float32, description="d")
    number_7d = sum_(col("number"), over="7d", hop="1d", description="d")
    std_7d = std(col("value"), over="7d", hop="1d", description="d")
    first_value = first(col("value"), over="7d", hop="1d", description="d")
    last_text = last(col("text"), over="36h", hop="12h", where=POSITIVE, description="d")
    last_time = last(col("time"), over="7d", hop="1d", description="d")
    last_known = last(col("known"), over="7d", hop="1d", description="d")
    last_2 = last_k(col("value"), 2, over="7d", hop="1d", description="d")
    decayed = decayed_sum(col("value"), half_life="1d", over="36h", hop="12h", description="d")
    unique_text = n_unique(col("text"), over="36h", hop="12h", description="d")
    trend = ratio(sum_36h, rows_7d, description="d")
    days = days_since(last_time, description="d")


@feature_view(source=KNOWN_REPEATED, cadence="7d", freshness="14d", **OPTIONS)
class SettledEver:
    """Weekly: all history beside windows, of events that are known later than they happen."""

    rows = count(where=POSITIVE, description="d")
    sum_number = sum_(col("number"), description="d")
    mean_value = mean(col("value"), description="d")
    std_value = std(col("value"), where=col("text") != "a", description="d")
    first_value = first(col("value"), description="d")
    last_text = last(col("text"), where=POSITIVE, description="d")
    last_2 = last_k(col("text"), 2, where=POSITIVE, description="d")
    unique_text = n_unique(col("text"), description="d")
    decayed = decayed_sum(col("value"), half_life="7d", description="d")
    rows_7d = count(over="7d", hop="1d", where=col("flag"), description="d")
    last_10d = last(col("number"), over="10d", hop="1d", description="d")


TABLE_COLUMNS = {
    "world": Int64,
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
TABLE_ROWS = TableSource(
    "spec_table",
    asset="raw/spec_table",
    time="time",
    sequence="sequence",
    landed_at="landed_at",
    deleted="is_deleted",
    valid_to="valid_to",
    columns=TABLE_COLUMNS,
    start=START,
    description="d",
)
BARE_ROWS = TableSource(
    "spec_bare", asset="raw/spec_table", time="time", columns=TABLE_COLUMNS, start=START, description="d"
)


Table = feature_view(
    source=TABLE_ROWS, cadence="1d", available_after="2h", freshness="3d", row_ttl="3d", ttl="3d", **OPTIONS
)(view_bodies.Table)


BareTable = feature_view(source=BARE_ROWS, cadence="1h", freshness="2h", **OPTIONS)(view_bodies.BareTable)


def at(days: float = 0, hours: float = 0, microseconds: int = 0) -> datetime:
    """Return an instant after the start of the sources."""
    return START + timedelta(days=days, hours=hours, microseconds=microseconds)
