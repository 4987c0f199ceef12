"""The rules of the specification: what each is called, and which code says it or which tests hold it."""

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
    services,
    snapshots,
    streams,
    tables,
    windows,
)


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
    Rule(
        "window.hop",
        "The tail moves in hops that are aligned to the Unix epoch: `hop=`, or by default 1 day from 12 days, 1 hour "
        "from 12 hours, 5 minutes from 1 hour, else 1 minute.",
        [windows.tail],
    ),
    Rule("window.all_history", "Without a window, everything before the as-of counts.", [windows.in_window]),
    Rule("input.null", "A null input is skipped; `count()` counts rows.", [snapshots.inputs_of, snapshots.input_value]),
    Rule("input.not_finite", "NaN and infinities are null, and -0.0 is 0.0.", [expressions.as_type]),
    Rule("input.filter", "A row counts where its filter is true: not false, not null.", [snapshots.passes]),
    Rule(
        "input.expression",
        "Row expressions are computed before anything is aggregated: null in, null out; what does not fit is null.",
        [expressions.apply, expressions.cast],
    ),
    Rule("input.null_key", "Rows with a null key are left out (and counted).", [snapshots.snapshot]),
    Rule("input.null_time", "Rows with a null time are left out (and counted).", [windows.in_window, tables.is_before]),
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
    Rule(
        "known.later",
        "Where a source declares `known_at=`, an event counts from the time at which it is known, the later of "
        "`event_time` and `known_at`: strictly before the as-of. It changes no snapshot of before.",
        [rows.known_time, windows.in_window],
    ),
    Rule(
        "known.tail",
        "Whether such an event lies in a window is decided by when it happened, not by when it was known.",
        [windows.in_window],
    ),
    Rule("known.null", "Events with a null `known_at` are left out (and counted).", [rows.known_time]),
    Rule(
        "known.event_id",
        "`event_id=` removes duplicates among the events of one id that are known in one partition: one that is "
        "reported again in a later partition counts again, since the earlier one is closed.",
        [snapshots.events_of, snapshots.known_partition],
    ),
    Rule(
        "expression.logic",
        "Logic is three-valued: false wins over null in `&`, true in `|`; `~` of null is null.",
        [expressions.kleene_and, expressions.kleene_or],
    ),
    Rule(
        "expression.encoding",
        "A category outside the declared list is all zeros in one-hot and null in ordinal; an unknown key of an "
        "embedding or a lookup is null.",
        [expressions.one_hot, expressions.ordinal, expressions.embed, expressions.lookup],
    ),
    Rule("expression.calendar", "Days and hours are those of UTC; Monday is 0.", [expressions.weekday]),
    Rule("keys.typed", 'Keys are compared as typed columns: ("1", "12") is not ("11", "2").', [rows.keys_of]),
    Rule(
        "value.sum",
        "Sums of integers are exact; one that does not fit Int64, in a window or in a tile of it, is an error; one "
        "that does not fit when the tiles of a stream are merged is NOT_COMPUTED. Of floats that are so large that "
        "sums of their powers could leave Float64, sums, means and deviations are null.",
        [aggregates.exact_sum, aggregates.is_beyond],
    ),
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
    Rule(
        "value.skew",
        "Skewness is biased; of values that are (all but) equal, and of fewer than three, it is null.",
        [aggregates.skew],
    ),
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
        [services.service_row],
    ),
    Rule(
        "request.input",
        "What comes with a request, in training a column of the spine, is typed as a column of a source is: NaN and "
        "infinities are null. It is the value of one entity; a default stands where the input does not come at all.",
        [services.inputs_of],
    ),
    Rule(
        "request.expression",
        "A service computes from inputs and from features of its views, in any role, as they are read: with their 0 or "
        "default where they are EMPTY. Terms of a distance are added from the first to the last.",
        [services.computed_value, expressions.dot, expressions.cosine, expressions.lookup],
    ),
    Rule(
        "request.status",
        "It is DAMAGED, else NOT_COMPUTED, else EXPIRED where a feature that it reads is, and then null whatever the "
        "expression says; EMPTY where all of them are; else PRESENT, as of inputs alone.",
        [services.worst, services.computed_value],
    ),
]


@dataclass(frozen=True)
class OtherRule:
    """A rule about what is written and refused, not about values: it has no oracle.

    Attributes:
        name: of the rule.
        says: the rule in a sentence.
        tests: that hold it, as ``file::function`` below ``tests``.
    """

    name: str
    says: str
    tests: Sequence[str]


_INPUTS: Final = "serving/read/test_request_inputs.py"
_AUTOMATION: Final = "dagster/test_automation.py"
OTHER_RULES: Final = [
    OtherRule(
        "time.zone",
        "A time without a zone is refused, and so is a spine with a null time; times in other zones are the same "
        "instants.",
        [
            "offline/test_point_in_time.py::test_a_spine_that_cannot_be_used_is_refused",
            "offline/test_point_in_time.py::test_times_in_another_zone_and_unit_are_the_same_instants",
        ],
    ),
    OtherRule(
        "training.missing",
        "A row for which a feature is NOT_COMPUTED is an error when a training set is built, unless "
        "`allow_missing=True`.",
        [
            "offline/test_point_in_time.py::test_rows_without_a_partition_are_an_error_that_says_which",
            "cli/test_data_commands.py::test_rows_before_history_need_allow_missing",
        ],
    ),
    OtherRule(
        "input.excluded",
        "Rows that are left out for a null key or time are counted, and the counts shown with the asset.",
        [
            "offline/test_materialize.py::test_rows_without_a_key_are_counted",
            "offline/test_materialize.py::test_rows_without_a_time_are_counted",
        ],
    ),
    OtherRule(
        "input.late",
        "Rows within `allowed_lateness` compute again exactly the partitions whose windows reach them; later ones "
        "wait for a backfill.",
        [
            f"{_AUTOMATION}::test_an_older_partition_repaired_within_the_allowed_lateness_reaches_all_its_windows",
            f"{_AUTOMATION}::test_what_lies_further_back_is_left_to_a_backfill",
            "offline/test_materialize.py::test_a_corrected_day_changes_exactly_the_windows_that_reach_it",
        ],
    ),
    OtherRule(
        "request.refused",
        "An unknown input is refused, and so is one that lacks a default and is missing, though only those that the "
        "features asked for read have to come; one of another type, a whole number beyond Int64, a time without a "
        "zone, and more or fewer values than entities. In a request that is an answer of 400, in a spine an "
        "InputError.",
        [
            f"{_INPUTS}::test_a_request_that_cannot_be_answered_is_refused",
            f"{_INPUTS}::test_only_inputs_of_the_features_asked_for_are_needed",
            "offline/test_spine_inputs.py::test_a_spine_whose_inputs_cannot_be_used_is_refused",
        ],
    ),
    OtherRule(
        "request.version",
        "The fingerprint of a service is that of its outputs in order and of its inputs. A new input that must be "
        "given, and any other change of an input or an expression, needs a new version; one with a default may be "
        "added.",
        [
            "model/test_request_features.py::test_a_services_fingerprint_is_that_of_its_outputs_and_inputs",
            "cli/test_apply.py::test_an_input_may_be_added_with_a_default_only",
            "catalog/test_changes.py::test_inputs_that_callers_must_give_otherwise_are_refused",
        ],
    ),
    OtherRule(
        "version.fingerprint",
        "Values computed by another definition are an error, offline and online, never a silent mix.",
        [
            "offline/test_point_in_time.py::test_a_feature_computed_by_another_definition_is_an_error",
            "serving/test_feature_client.py::test_values_of_another_definition_are_an_error_not_a_silent_mix",
        ],
    ),
]
