"""The rules by example: a few rows, what is asked of them, and the answer in plain numbers.

Every example is of one subject, in a world of its own, so that all of them run in one store; those of events are asked
as of ``AS_OF``, those of tables too. What an answer must be is written here by hand, not computed by the oracle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from feature_store import (
    EmbeddingTable,
    EventSource,
    FeatureView,
    Float32,
    Int64,
    String,
    approx_median,
    approx_n_unique,
    approx_percentile,
    bucketise,
    col,
    count,
    count_ratio,
    day_of_week,
    days_since,
    decayed_sum,
    derive,
    embed,
    feature_view,
    first,
    first_k,
    histogram,
    hour_of_day,
    last,
    last_k,
    max_,
    mean,
    min_,
    n_unique,
    one_hot,
    ordinal,
    ratio,
    skew,
    std,
    stream_view,
    sum_,
    top_k,
    variance,
    when,
)
from feature_store import field as table_field
from feature_store.declare.drafts import FeatureDraft
from tests.spec.declarations import COLUMNS, EVENTS, OPTIONS, TABLE_COLUMNS, TABLE_ROWS, at
from tests.spec.paths_of_rules import SNAPSHOT_PATHS
from tests.spec.worlds import MICROSECOND, Row

AS_OF: Final = at(9)
END: Final = at(10)
WEEK: Final = {"over": "7d", "hop": "1d", "description": "d"}
"""A window whose tail at ``AS_OF`` is ``at(2)``."""
HOUR: Final = {"over": "1h", "description": "d"}
"""A window with a hop of five minutes."""
SUBJECT: Final = {"left": "a", "right": "b"}

Drafts = Callable[[], Mapping[str, FeatureDraft]]


@dataclass(frozen=True)
class Example:
    """One rule on a few rows.

    Attributes:
        rule: its name in ``tests.spec.rules``.
        rows: of the source; of the subject, if a row says nothing else.
        drafts: gives the features that are asked for, in a class body of its own each time.
        answer: by feature, at ``AS_OF``.
        read: answers of on-read features just after ``AS_OF``, which snapshots do not hold.
        at: answers at other T, of examples of streams.
        streams: whether a stream view can declare the features.
        is_empty: whether the subject is EMPTY.
    """

    rule: str
    rows: Sequence[Row]
    drafts: Drafts
    answer: Mapping[str, Any] = field(default_factory=dict)
    read: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[datetime, Mapping[str, Any]] = field(default_factory=dict)
    streams: bool = True
    is_empty: bool = False


def row(time: datetime, **values: Any) -> Row:
    """Return a row of events of the subject."""
    return {**dict.fromkeys(COLUMNS), **SUBJECT, "time": time, **values}


def numbers(
    *values: float | int | None, column: str = "value", start: datetime = AS_OF - timedelta(days=1)
) -> list[Row]:
    """Return a row per value, an hour apart."""
    return [row(start + timedelta(hours=place), **{column: value}) for place, value in enumerate(values)]


def _derived() -> Mapping[str, FeatureDraft]:
    narrow = sum_(col("value"), dtype=Float32, **WEEK)
    missing = sum_(col("number"), default=-1, **WEEK)
    return {
        "narrow": narrow,
        "missing": missing,
        "doubled": derive(narrow * 2, description="d"),
        "over_missing": ratio(narrow, missing, description="d"),
        "over_zero": ratio(narrow, missing + 1, description="d"),
        "vector": derive(one_hot((missing + 1).cast(String), ["1", "0"]), description="d"),
    }


def _of_nobody() -> Mapping[str, FeatureDraft]:
    default = mean(col("value"), default=-1.0, **WEEK)
    return {
        "rows_of_nobody": count(**WEEK),
        "default_of_nobody": default,
        "derived_of_nobody": derive(default * 2, description="d"),
        "last_of_nobody": last(col("text"), **WEEK),
    }


def _read_later() -> Mapping[str, FeatureDraft]:
    last_time, nothing = last(col("time"), **WEEK), last(col("moment"), **WEEK)
    return {
        "last_time": last_time,
        "last_moment": nothing,
        "days": days_since(last_time, description="d"),
        "days_of_nothing": days_since(nothing, description="d"),
        "hour_of_last": hour_of_day(last_time, description="d"),
        "hour_of_reading": hour_of_day(description="d"),
        "weekday_of_reading": day_of_week(description="d"),
    }


def _encoded() -> Mapping[str, FeatureDraft]:
    word, number = last(col("text"), **WEEK), last(col("number"), **WEEK)
    table = EmbeddingTable("spec", {1: [1.0, 2.0], 2: [3.0, 4.0]})
    return {
        "word": word,
        "number_of_word": number,
        "known_word": derive(one_hot(word, ["a", "z"]), description="d"),
        "unknown_word": derive(one_hot(word, ["a", "b"]), description="d"),
        "place": derive(ordinal(word, ["a", "z"]), description="d"),
        "no_place": derive(ordinal(word, ["a", "b"]), description="d"),
        "bucket": derive(bucketise(number, [1.0, 2.0, 3.0]), description="d"),
        "known_key": derive(embed(number, table), description="d"),
        "unknown_key": derive(embed(number + 1, table), description="d"),
    }


def _logical() -> Mapping[str, FeatureDraft]:
    null, true = col("number") > 0, col("flag")
    return {
        "null_or_true": count(where=null | true, **WEEK),
        "null_or_false": count(where=(null | ~true).is_null(), **WEEK),
        "null_and_true": count(where=(null & true).is_null(), **WEEK),
        "null_and_false": count(where=~(null & ~true), **WEEK),
        "not_null": count(where=(~null).is_null(), **WEEK),
    }


def _of_rows() -> Mapping[str, FeatureDraft]:
    return {
        "product_of_rows": sum_(col("value") * col("number"), **WEEK),
        "ratio_of_rows": sum_(col("value") / col("number"), **WEEK),
        "too_large": count(col("number") * 2**62, **WEEK),
        "parsed": sum_(col("text").cast(Int64), **WEEK),
        "otherwise": sum_(when(col("number") > 0).then(col("value")).otherwise(100.0), **WEEK),
        "filled": sum_(col("number").fill_null(10), **WEEK),
    }


EVENT_EXAMPLES: Final = [
    Example(
        "window.tail",
        [row(at(2) - MICROSECOND, number=1), row(at(2), number=2)],
        lambda: {"from_tail": sum_(col("number"), **WEEK)},
        {"from_tail": 2},
    ),
    Example(
        "window.as_of",
        [row(AS_OF - MICROSECOND, number=1), row(AS_OF, number=2)],
        lambda: {"to_as_of": sum_(col("number"), **WEEK)},
        {"to_as_of": 1},
    ),
    Example(
        "window.hop",
        [row(at(0), number=4), row(at(1), number=2), row(at(3), number=1)],
        lambda: {"by_weeks": sum_(col("number"), over="7d", hop="7d", description="d")},
        {"by_weeks": 7},
        streams=False,
    ),
    Example(
        "window.all_history",
        [row(at(0), number=1), row(at(4), number=2), row(AS_OF, number=4)],
        lambda: {"ever": sum_(col("number"), description="d")},
        {"ever": 3},
        streams=False,
    ),
    Example(
        "input.null",
        numbers(1.0, None, 2.0),
        lambda: {
            "null_rows": count(**WEEK),
            "null_values": count(col("value"), **WEEK),
            "null_mean": mean(col("value"), **WEEK),
        },
        {"null_rows": 3, "null_values": 2, "null_mean": 1.5},
    ),
    Example(
        "input.not_finite",
        numbers(1.0, math.nan, math.inf, -math.inf, -0.0),
        lambda: {
            "finite": count(col("value"), **WEEK),
            "finite_sum": sum_(col("value"), **WEEK),
            "finite_min": min_(col("value"), **WEEK),
        },
        {"finite": 2, "finite_sum": 1.0, "finite_min": 0.0},
    ),
    Example(
        "input.filter",
        [row(at(8), flag=True), row(at(8), flag=False), row(at(8), flag=None)],
        lambda: {"flagged": count(where=col("flag"), **WEEK), "unflagged": count(where=~col("flag"), **WEEK)},
        {"flagged": 1, "unflagged": 1},
    ),
    Example(
        "input.null_key",
        [row(at(8)), row(at(8), left=None), row(at(8), right=None)],
        lambda: {"with_keys": count(**WEEK)},
        {"with_keys": 1},
    ),
    Example(
        "input.duplicates",
        [row(at(8), number=3), row(at(8), number=3)],
        lambda: {"twice": sum_(col("number"), **WEEK)},
        {"twice": 6},
    ),
    Example(
        "input.event_id",
        [row(at(8), number=3, event=7), row(at(8), number=3, event=7), row(at(8), number=4, event=8)],
        lambda: {"told_apart": sum_(col("number"), **WEEK)},
        {"told_apart": 7},
    ),
    Example(
        "input.null_time",
        [row(at(8), number=1), row(at(8), number=2) | {"time": None}],
        lambda: {"timed": sum_(col("number"), **WEEK), "timed_rows": count(**WEEK)},
        {"timed": 1, "timed_rows": 1},
    ),
    Example(
        "input.expression",
        [row(at(8), value=2.0, number=3, text="4"), row(at(8), value=5.0, number=0, text="no"), row(at(8), value=7.0)],
        _of_rows,
        {
            "product_of_rows": 6.0,
            "ratio_of_rows": 2.0 / 3,
            "too_large": 1,
            "parsed": 4,
            "otherwise": 202.0,
            "filled": 13,
        },
    ),
    Example(
        "expression.logic",
        [row(at(8), number=None, flag=True)],
        _logical,
        {"null_or_true": 1, "null_or_false": 1, "null_and_true": 1, "null_and_false": 1, "not_null": 1},
    ),
    Example(
        "expression.encoding",
        [row(at(8), text="z", number=2)],
        _encoded,
        {
            "known_word": [0.0, 1.0],
            "unknown_word": [0.0, 0.0],
            "place": 1,
            "no_place": None,
            "bucket": 2,
            "known_key": [3.0, 4.0],
            "unknown_key": None,
        },
    ),
    Example(
        "expression.calendar",
        [row(datetime(2024, 4, 1, tzinfo=UTC)), row(datetime(2024, 3, 31, 23, 59, 59, 999999, tzinfo=UTC))],
        lambda: {
            "mondays": count(where=col("time").weekday() == 0, **WEEK),
            "sunday_evenings": count(where=(col("time").weekday() == 6) & (col("time").hour() == 23), **WEEK),
        },
        {"mondays": 1, "sunday_evenings": 1},
    ),
    Example(
        "keys.typed",
        [row(at(8), left="1", right="12"), row(at(8), left="11", right="2"), row(at(8))],
        lambda: {"own_rows": count(**WEEK)},
        {"own_rows": 1},
    ),
    Example(
        "value.sum",
        numbers(2**53, 1, column="number"),
        lambda: {"exact_sum": sum_(col("number"), **WEEK)},
        {"exact_sum": 2**53 + 1},
    ),
    Example(
        "value.rounding",
        numbers(*[1 + 2**-24] * 3),
        lambda: {"narrow_sum": sum_(col("value"), dtype=Float32, **WEEK)},
        {"narrow_sum": 3 + 2**-22},
    ),
    Example(
        "value.empty",
        [row(at(8))],
        lambda: {
            "empty_count": count(col("value"), **WEEK),
            "empty_sum": sum_(col("number"), **WEEK),
            "empty_unique": approx_n_unique(col("text"), **WEEK),
            "empty_mean": mean(col("value"), **WEEK),
            "empty_last": last(col("text"), **WEEK),
        },
        {"empty_count": 0, "empty_sum": 0, "empty_unique": 0, "empty_mean": None, "empty_last": None},
    ),
    Example(
        "value.default",
        [row(at(8), text="a", narrow=2.0)],
        lambda: {
            "default_sum": sum_(col("number"), default=-1, **WEEK),
            "default_mean": mean(col("value"), default=0.1, dtype=Float32, **WEEK),
            "no_default": last(col("text"), default="none", **WEEK),
            "null_result": std(col("narrow"), default=-1.0, **WEEK),
        },
        {"default_sum": -1, "default_mean": 0.10000000149011612, "no_default": "a", "null_result": None},
    ),
    Example(
        "value.ties",
        [
            row(at(8), sequence=1, text="b"),
            row(at(8), sequence=None, text="z"),
            row(at(8), sequence=1, text="c"),
            row(at(8), sequence=0, text="y"),
            row(at(8), sequence=2, text=None),
        ],
        lambda: {"first_text": first(col("text"), **WEEK), "last_text": last(col("text"), **WEEK)},
        {"first_text": "z", "last_text": "c"},
    ),
    Example(
        "value.extremes",
        numbers(3.0, -2.0, 5.0),
        lambda: {"smallest": min_(col("value"), **WEEK), "largest": max_(col("value"), **WEEK)},
        {"smallest": -2.0, "largest": 5.0},
    ),
    Example(
        "value.distinct",
        [row(at(8), text=text) for text in ("a", "A", "a", None)],
        lambda: {"texts": n_unique(col("text"), **WEEK)},
        {"texts": 2},
        streams=False,
    ),
    Example(
        "value.spread",
        [*numbers(1.0, 3.0), *numbers(7, column="number")],
        lambda: {
            "variance_of_2": variance(col("value"), **WEEK),
            "std_of_1": std(col("number"), **WEEK),
            "skew_of_2": skew(col("value"), **WEEK),
        },
        {"variance_of_2": 2.0, "std_of_1": None, "skew_of_2": None},
    ),
    Example(
        "value.skew",
        numbers(0.0, 0.0, 3.0),
        lambda: {"skew_of_3": skew(col("value"), **WEEK)},
        {"skew_of_3": pytest.approx(math.sqrt(0.5))},
    ),
    Example(
        "value.approximate",
        [row(at(8), value=float(value)) for value in range(1, 101)],
        lambda: {
            "p90": approx_percentile(col("value"), 0.9, **WEEK),
            "median": approx_median(col("value"), **WEEK),
        },
        {"p90": pytest.approx(90.0, rel=0.01), "median": pytest.approx(50.0, rel=0.01)},
        streams=False,
    ),
    Example(
        "value.approximate",
        [row(at(8), text=str(value % 7)) for value in range(100)],
        lambda: {"seven": approx_n_unique(col("text"), **WEEK)},
        {"seven": 7},
    ),
    Example(
        "value.lists",
        [row(at(8), sequence=place, value=value) for place, value in enumerate([2.0, 5.0, 5.0, None, 1.0])],
        lambda: {
            "earliest": first_k(col("value"), 2, **WEEK),
            "latest": last_k(col("value"), 3, **WEEK),
            "top": top_k(col("value"), 5, **WEEK),
        },
        {"earliest": [2.0, 5.0], "latest": [1.0, 5.0, 5.0], "top": [5.0, 5.0, 2.0, 1.0, None]},
        streams=False,
    ),
    Example(
        "value.by",
        [row(at(8), text=text, value=value) for text, value in (("a", 1.0), ("b", 2.0), ("a", 4.0), (None, 8.0))],
        lambda: {
            "sums": sum_(col("value"), by=col("text"), buckets=["b", "a", "c"], **WEEK),
            "means": mean(col("value"), by=col("text"), buckets=["c", "a"], **WEEK),
            "nothing": last(col("value"), by=col("text"), buckets=["c"], **WEEK),
            "letters": histogram(col("text"), ["a", "b", "c"], **WEEK),
        },
        {"sums": [2.0, 5.0, 0.0], "means": [None, 2.5], "nothing": None, "letters": [2, 1, 0]},
    ),
    Example(
        "value.decay",
        [row(AS_OF - timedelta(days=2), value=8.0), row(AS_OF - timedelta(days=1), value=2.0)],
        lambda: {"fading": decayed_sum(col("value"), half_life="1d", **WEEK)},
        {"fading": 3.0},
    ),
    Example(
        "value.ratio",
        [row(at(8), flag=flag, value=value) for flag, value in ((True, 1.0), (True, -1.0), (None, 1.0), (False, 1.0))],
        lambda: {
            "positive_share": count_ratio(col("flag") & (col("value") > 0), col("flag"), **WEEK),
            "of_nothing": count_ratio(col("flag"), col("number") > 0, **WEEK),
        },
        {"positive_share": 0.5, "of_nothing": None},
    ),
    Example(
        "value.derived",
        numbers(0.1, 0.2),
        _derived,
        {
            "narrow": 0.30000001192092896,
            "missing": -1,
            "doubled": 2 * 0.30000001192092896,
            "over_missing": -0.30000001192092896,
            "over_zero": None,
            "vector": [0.0, 1.0],
        },
    ),
    Example(
        "status.empty",
        [row(AS_OF, number=2), row(at(8), left="b")],
        _of_nobody,
        {"rows_of_nobody": 0, "default_of_nobody": -1.0, "derived_of_nobody": -2.0, "last_of_nobody": None},
        is_empty=True,
    ),
    Example(
        "read.on_read",
        [row(AS_OF - timedelta(hours=36), text="a")],
        _read_later,
        read={
            "days": 1.5 + MICROSECOND / timedelta(days=1),
            "days_of_nothing": None,
            "hour_of_last": 12,
            "hour_of_reading": AS_OF.hour,
            "weekday_of_reading": 5,
        },
        at={
            AS_OF: {"days": 1.5, "hour_of_reading": AS_OF.hour},
            AS_OF + timedelta(hours=12): {"days": 2.0, "hour_of_last": 12, "hour_of_reading": 12},
        },
    ),
]


def known_row(time: datetime, known: datetime | None, **values: Any) -> Row:
    """Return a row of events of the subject that was known at a time."""
    return {**row(time, **values), "known": known}


KNOWN_EXAMPLES: Final = [
    Example(
        "known.later",
        [
            known_row(at(8), AS_OF - MICROSECOND, number=1),
            known_row(at(8), AS_OF, number=2),
            known_row(at(8), at(7), number=4),
            known_row(AS_OF, at(7), number=8),
        ],
        lambda: {"known_7d": sum_(col("number"), **WEEK), "known_ever": sum_(col("number"), description="d")},
        {"known_7d": 5, "known_ever": 5},
    ),
    Example(
        "known.tail",
        [known_row(at(2) - MICROSECOND, at(5), number=1), known_row(at(2), at(5), number=2)],
        lambda: {"happened_7d": sum_(col("number"), **WEEK), "happened_ever": sum_(col("number"), description="d")},
        {"happened_7d": 2, "happened_ever": 3},
    ),
    Example(
        "known.null",
        [known_row(at(8), None, number=1), known_row(at(8), at(8), number=2)],
        lambda: {"said_to_be_known": sum_(col("number"), **WEEK)},
        {"said_to_be_known": 2},
    ),
    Example(
        "known.event_id",
        [
            known_row(at(5), at(5), event=7, number=1),
            known_row(at(5), at(7), event=7, number=2),
            known_row(at(6), at(8), event=8, number=4),
            known_row(at(5), at(8, hours=1), event=8, number=8),
        ],
        lambda: {"known_apart": sum_(col("number"), **WEEK)},
        {"known_apart": 11},
    ),
]
"""Of events that are known later than they happen."""

STREAM_EXAMPLES: Final = [
    Example(
        "window.hop",
        [row(at(8, hours=4) - MICROSECOND, number=1), row(at(8, hours=4), number=2), row(at(8, hours=5), number=4)],
        lambda: {"by_five_minutes": sum_(col("number"), **HOUR)},
        at={
            at(8, hours=5) + timedelta(minutes=4, seconds=59): {"by_five_minutes": 6},
            at(8, hours=5) + timedelta(minutes=5): {"by_five_minutes": 4},
        },
    ),
    Example(
        "window.hop",
        [row(at(7, hours=17), number=1), row(at(8, hours=5) + timedelta(minutes=49), number=4)],
        lambda: {
            "by_hours": sum_(col("number"), over="12h", description="d"),
            "by_minutes": sum_(col("number"), over="10m", description="d"),
        },
        at={
            at(8, hours=6) - timedelta(seconds=1): {"by_hours": 5, "by_minutes": 4},
            at(8, hours=6): {"by_hours": 4, "by_minutes": 0},
        },
    ),
    Example(
        "stream.second",
        [row(at(8, hours=5) - MICROSECOND, number=1), row(at(8, hours=5), number=2)],
        lambda: {"whole_seconds": sum_(col("number"), **HOUR)},
        at={
            at(8, hours=5): {"whole_seconds": 1},
            at(8, hours=5) + timedelta(seconds=1) - MICROSECOND: {"whole_seconds": 1},
            at(8, hours=5) + timedelta(seconds=1): {"whole_seconds": 3},
        },
    ),
    Example(
        "stream.falls",
        [row(at(8, hours=5), number=1)],
        lambda: {"falling": sum_(col("number"), over="10s", hop="1s", description="d"), "still": count(**WEEK)},
        at={
            at(8, hours=5) + timedelta(seconds=10): {"falling": 1, "still": 1},
            at(8, hours=5) + timedelta(seconds=11): {"falling": 0, "still": 1},
        },
    ),
    Example(
        "value.sum",
        [row(at(7), number=2**60), row(at(8), number=2**60)],
        lambda: {"counted": count(**WEEK), "does_not_fit": sum_(col("number") * 4, **WEEK)},
        at={
            at(8): {"counted": 1, "does_not_fit": 2**62},
            at(8, hours=1): {"counted": 2, "does_not_fit": None},
        },
    ),
]
"""Asked at times between the bounds of partitions."""


def table_row(**values: Any) -> Row:
    """Return a row of the table of the subject, which holds at ``AS_OF``."""
    known = {**SUBJECT, "time": at(8), "landed_at": at(8), "number": 1}
    return {**dict.fromkeys(TABLE_COLUMNS), **known, **values}


@dataclass(frozen=True)
class TableExample:
    """One rule on a few rows of ``Rows``; the answer is the value of ``number``, None where the subject is EMPTY."""

    rule: str
    rows: Sequence[Row]
    answer: int | None
    also: Mapping[str, Any] = field(default_factory=dict)


AVAILABLE_AT: Final = AS_OF + timedelta(hours=2)

TABLE_EXAMPLES: Final = [
    TableExample("window.as_of", [table_row(time=AS_OF - MICROSECOND, number=2), table_row(time=AS_OF)], 2),
    TableExample("table.latest", [table_row(number=2), table_row(time=at(7), number=3)], 2),
    TableExample("value.ties", [table_row(sequence=1, number=9), table_row(sequence=2, number=3)], 3),
    TableExample("input.null_key", [table_row(number=2), table_row(left=None, time=at(8, hours=1))], 2),
    TableExample("keys.typed", [table_row(left="1", right="12", number=5), table_row(number=2)], 2),
    TableExample("table.deleted", [table_row(), table_row(time=at(8, hours=1), is_deleted=True)], None),
    TableExample("table.valid_to", [table_row(valid_to=AS_OF)], 1),
    TableExample("table.valid_to", [table_row(valid_to=AS_OF - MICROSECOND)], None),
    TableExample("table.row_ttl", [table_row(time=AS_OF - timedelta(days=3))], 1),
    TableExample("table.row_ttl", [table_row(time=AS_OF - timedelta(days=3) - MICROSECOND)], None),
    TableExample("table.landed", [table_row(landed_at=AVAILABLE_AT), table_row(landed_at=None, number=9)], 1),
    TableExample("table.landed", [table_row(landed_at=AVAILABLE_AT + MICROSECOND)], None),
    TableExample("input.null", [table_row(number=None)], 7),
    TableExample("value.default", [table_row(number=None)], 7),
    TableExample("input.not_finite", [table_row(value=math.nan)], 1, {"value": None, "half": 0.5}),
    TableExample("value.rounding", [table_row(value=0.2)], 1, {"half": 0.10000000149011612}),
    TableExample("value.derived", [table_row(number=None, value=math.inf)], 7, {"total": 7.5}),
    TableExample("input.null_time", [table_row(time=None)], None),
    TableExample("input.expression", [table_row(value=2.0)], 1, {"half": 1.0}),
    TableExample("expression.logic", [table_row(is_deleted=None, value=2.0)], 1, {"either": True, "both": None}),
    TableExample("expression.encoding", [table_row(text="c")], 1, {"place": None, "vector": [0.0, 0.0]}),
    TableExample("expression.encoding", [table_row(text="b")], 1, {"place": 1, "vector": [0.0, 1.0]}),
    TableExample("expression.calendar", [table_row(valid_to=datetime(2024, 4, 8, tzinfo=UTC))], 1, {"weekday": 0}),
    TableExample("status.empty", [table_row(time=AS_OF)], None),
]


@feature_view(source=TABLE_ROWS, cadence="1d", available_after="2h", freshness="2d", row_ttl="3d", **OPTIONS)
class Rows:
    """What the examples of tables are asked."""

    number = table_field(default=7, description="d")
    value = table_field(description="d")
    half = table_field(col("value") / 2, dtype=Float32, default=0.5, description="d")
    total = derive(col("number") + col("half"), description="d")
    either = table_field(col("is_deleted") | (col("value") > 0), description="d")
    both = table_field(col("is_deleted") & (col("value") > 0), description="d")
    place = table_field(ordinal(col("text"), ["a", "b"]), description="d")
    vector = table_field(one_hot(col("text"), ["a", "b"]), description="d")
    weekday = table_field(col("valid_to").weekday(), description="d")


def view_of(examples: Sequence[Example], *, source: EventSource = EVENTS, is_stream: bool = False) -> FeatureView:
    """Declare all features of some examples in one view."""
    features: dict[str, Any] = {}
    for example in examples:
        features |= example.drafts()
    name = "StreamExamples" if is_stream else "Examples"
    body = type(name, (), {"__doc__": "Every example of events.", **features})
    if is_stream:
        options = {"cadence": "1d", "batch_after": "1h", "available_after": "0s", "freshness": "1m"}
        return stream_view(source=EVENTS, **options, **OPTIONS)(body)
    return feature_view(source=source, cadence="1d", freshness="2d", **OPTIONS)(body)


def answer_on(path: str, example: Example) -> Mapping[str, Any]:
    """Return what an example asserts on a path at ``AS_OF``, of values and of those read; nothing where it has none."""
    return {**example.answer, **example.read} if path in ("point-in-time join", "online read") else example.answer


def asked_of_streams(example: Example) -> Mapping[datetime, Mapping[str, Any]]:
    """Return what an example asserts of a stream view, by T."""
    return {**({AS_OF: example.answer} if example.answer else {}), **example.at}


_EVENT_PATHS: Final = ("tiles", *SNAPSHOT_PATHS, "point-in-time join", "online read")
EVENT_CASES: Final = [
    (path, world) for path in _EVENT_PATHS for world, example in enumerate(EVENT_EXAMPLES) if answer_on(path, example)
]
"""Paths and the examples of events that assert something there."""
KNOWN_CASES: Final = [(path, world) for path in _EVENT_PATHS for world in range(len(KNOWN_EXAMPLES))]
"""Paths and the examples of events that are known later."""
TABLE_CASES: Final = [
    (path, world)
    for path in ("table view", *SNAPSHOT_PATHS, "point-in-time join", "online read")
    for world in range(len(TABLE_EXAMPLES))
]
"""Paths and the examples of tables."""
STREAMED: Final = [example for example in (*EVENT_EXAMPLES, *STREAM_EXAMPLES) if example.streams]
"""The examples that stream views can be asked, in the order of their worlds there."""
STREAM_CASES: Final = [(path, world) for path in ("stream offline", "stream online") for world in range(len(STREAMED))]
"""Paths of streams and the examples that stream views can be asked."""


def numbered(examples: Sequence[Example | TableExample]) -> list[Row]:
    """Return the rows of all examples, each in the world of its place."""
    return [{**row, "world": world} for world, example in enumerate(examples) for row in example.rows]
