"""The rules of the specification: what each is called, which code says it, and where it does not apply, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from feature_store.oracle import (
    aggregates,
    expressions,
    on_read,
    point_in_time,
    rows,
    snapshots,
    streams,
    tables,
    windows,
)
from tests.spec.paths_of_rules import PATH_NAMES, SNAPSHOT_PATHS


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: as tests are marked with it.
        says: the rule in a sentence.
        code: the functions of the oracle that say it.
    """

    name: str
    says: str
    code: Sequence[Callable[..., Any]]


RULES: Final = [
    Rule("window.tail", "An event exactly at the tail of a window counts.", [windows.in_window]),
    Rule("window.as_of", "An event exactly at the as-of does not count; nor does a table's row.", [windows.in_window]),
    Rule("window.hop", "The tail moves in hops that are aligned to the Unix epoch.", [windows.tail]),
    Rule("window.all_history", "Without a window, everything before the as-of counts.", [windows.in_window]),
    Rule("input.null", "A null input is skipped; `count()` counts rows.", [snapshots.inputs_of, snapshots.input_value]),
    Rule("input.not_finite", "NaN and infinities are null, and -0.0 is 0.0.", [expressions.as_type]),
    Rule("input.filter", "A row counts where its filter is true: not false, not null.", [snapshots.passes]),
    Rule("input.null_key", "Rows with a null key are left out (and counted).", [snapshots.snapshot]),
    Rule(
        "input.duplicates",
        "Equal rows are rows like any others: none is dropped, none is multiplied.",
        [snapshots.counted],
    ),
    Rule(
        "input.event_id",
        "Where a source declares `event_id=`, an event delivered twice counts once: of the rows with one id, of an "
        "entity in a partition, the first. A stream, which cannot take an event back, counts the first delivered until "
        "batch tiles own its time.",
        [snapshots.events_of],
    ),
    Rule("keys.typed", 'Keys are compared as typed columns: ("1", "12") is not ("11", "2").', [rows.keys_of]),
    Rule("value.sum", "Sums of integers are exact; one that does not fit Int64 is an error.", [aggregates.exact_sum]),
    Rule(
        "value.rounding",
        "Float32 is rounded once, after aggregating.",
        [snapshots.slot_value, expressions.round_to_float32],
    ),
    Rule("value.empty", "Where nothing was counted, counts and sums are 0, all else is null.", [aggregates.aggregate]),
    Rule(
        "value.default",
        "`default=` stands where nothing was counted, not where the result is null.",
        [snapshots.slot_value],
    ),
    Rule(
        "value.ties",
        "Of events at one instant the larger (sequence, value) is the later; null is the lowest sequence.",
        [aggregates.Event],
    ),
    Rule("value.extremes", "`min_` and `max_` are the smallest and largest value.", [aggregates.aggregate]),
    Rule("value.distinct", "`n_unique` is exact.", [aggregates.aggregate]),
    Rule(
        "value.spread",
        "Variance and standard deviation are those of a sample: of one value they are null.",
        [aggregates.variance, aggregates.std],
    ),
    Rule("value.skew", "Skewness is biased; of equal values, and of fewer than three, it is null.", [aggregates.skew]),
    Rule(
        "value.approximate",
        "Approximate percentiles are within 1% of the exact one, distinct counts exact up to 4,096.",
        [aggregates.percentile],
    ),
    Rule("value.lists", "`first_k`, `last_k` and `top_k` are filled up with null.", [aggregates.padded]),
    Rule(
        "value.by",
        "With `by=` there is one value per bucket; an array whose slots are all null is null.",
        [snapshots.aggregate_value, snapshots.in_bucket],
    ),
    Rule("value.decay", "In a decayed sum a value counts half as much every half-life.", [aggregates.decayed_sum]),
    Rule("value.ratio", "A ratio of counts is null where its denominator is 0.", [aggregates.count_ratio]),
    Rule(
        "value.derived",
        "Derived features read values that are cast and defaulted; x/0 is null.",
        [snapshots.with_derived, snapshots.derived_value, expressions.divide],
    ),
    Rule(
        "table.latest",
        "Of a key the row of the latest own time counts; ties: larger sequence, then larger values.",
        [tables.table_snapshot, rows.rank],
    ),
    Rule("table.deleted", "A deleted row ends its key, and brings back no older one.", [tables.holds]),
    Rule("table.valid_to", "A row holds up to and including its `valid_to`.", [tables.holds]),
    Rule("table.row_ttl", "A row older than `row_ttl` does not hold; one exactly as old does.", [tables.holds]),
    Rule("table.landed", "A row that landed after the available-at is not known.", [tables.has_landed]),
    Rule(
        "stream.second",
        "The value at T is that of T rounded down to a second, less the stream's lag.",
        [streams.stream_as_of, streams.stream_values],
    ),
    Rule("stream.falls", "Values fall as events leave the window, though nothing arrives.", [streams.stream_values]),
    Rule(
        "stream.ownership",
        "Batch owns the time before its newest available end, the stream the time after.",
        [streams.batch_end, streams.lacking, streams.read_stream],
    ),
    Rule(
        "status.empty",
        "An entity without a counted event is EMPTY; so are one never seen and a null key.",
        [snapshots.is_present, snapshots.empty_values],
    ),
    Rule(
        "status.not_computed",
        "Where no usable partition holds a feature it is NOT_COMPUTED, and null.",
        [point_in_time.status_at],
    ),
    Rule(
        "status.expired",
        "A value whose as-of is more than `ttl` before T is EXPIRED, and null.",
        [point_in_time.is_expired],
    ),
    Rule(
        "read.partition",
        "At T the newest partition is read that was available strictly before T.",
        [point_in_time.partition_at, point_in_time.usable_from],
    ),
    Rule(
        "read.on_read",
        "On-read features are computed from stored values and T; null in, null out.",
        [on_read.on_read_value, point_in_time.with_on_read],
    ),
    Rule(
        "read.rows",
        "There is one answer per row asked, in the order asked, and its other columns are untouched.",
        [point_in_time.service_row],
    ),
]

_NO_TABLE: Final = "a table's rows are not aggregated"
_NO_EVENTS: Final = "only tables have such rows"
_NO_CADENCE: Final = "only stream views have a value between partitions"
_NO_READ: Final = "a snapshot is one partition: which one is used, and whether it may be, is decided when it is read"
_NO_HISTORY: Final = "a stream view needs a window"
_STREAMS: Final = ("stream offline", "stream online")
_CADENCE: Final = ("tiles", *SNAPSHOT_PATHS, "point-in-time join", "online read")
_WRITTEN: Final = ("tiles", *SNAPSHOT_PATHS, "table view")

EXPLAINED: Final[dict[tuple[str, str], str]] = {
    **{
        (rule.name, "table view"): _NO_TABLE
        for rule in RULES
        if rule.name.startswith(("window.", "input.filter", "input.event_id", "value.")) and rule.name != "window.as_of"
    },
    **{
        (rule.name, path): _NO_EVENTS
        for rule in RULES
        if rule.name.startswith("table.")
        for path in ("tiles", *_STREAMS)
    },
    **{
        (rule.name, path): _NO_CADENCE
        for rule in RULES
        if rule.name.startswith("stream.")
        for path in (*_CADENCE, "table view")
    },
    **{
        (rule.name, path): _NO_READ
        for rule in RULES
        if rule.name in ("status.not_computed", "status.expired", "read.partition", "read.on_read", "read.rows")
        for path in _WRITTEN
    },
    **{("window.all_history", path): _NO_HISTORY for path in _STREAMS},
    **{
        ("value.distinct", path): "exact distinct counts are refused: `approx_n_unique` takes their place"
        for path in _STREAMS
    },
    **{("value.lists", path): "refused in stream views: their tiles would grow without bound" for path in _STREAMS},
    **{("status.expired", path): "a stream view has no `ttl`: its as-of is T" for path in _STREAMS},
    **{("read.partition", path): "a stream view has a value at every T" for path in _STREAMS},
}
"""Why a rule does not apply to a path."""

assert {path for _rule, path in EXPLAINED} <= set(PATH_NAMES)
