"""Every rule broken in the oracle, one at a time: an example or a test of a rule is one only if it fails then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

import pytest

from feature_store.dtypes import Float32, Float64
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
from feature_store.status import Status
from tests.spec import comparing

_ORACLE: Final = (aggregates, expressions, on_read, point_in_time, rows, services, snapshots, streams, tables, windows)

Function = Callable[..., Any]


@dataclass(frozen=True)
class Break:
    """A rule, broken.

    Attributes:
        rule: its name.
        broken: what of the oracle says otherwise then: a function, or the mapping and the key that hold one.
        otherwise: gives, of what the oracle says, what is said instead.
    """

    rule: str
    broken: Function | tuple[Mapping[str, Any], str]
    otherwise: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the rule for a while."""
        with pytest.MonkeyPatch.context() as patch:
            if isinstance(self.broken, tuple):
                mapping, key = self.broken
                patch.setitem(cast("MutableMapping[str, Any]", mapping), key, self.otherwise(mapping[key]))
            else:
                instead = self.otherwise(self.broken)
                for module in (*_ORACLE, comparing):
                    for name in [name for name, value in vars(module).items() if value is self.broken]:
                        patch.setattr(module, name, instead)
            yield


def _never(_real: Function) -> Function:
    return lambda *_arguments: False


def _always(_real: Function) -> Function:
    return lambda *_arguments: True


def _not_at_the_tail(real: Function) -> Function:
    return lambda window, time, known, as_of: (
        real(window, time, known, as_of) and (window is None or time != windows.tail(window, as_of))
    )


def _at_the_as_of(real: Function) -> Function:
    return lambda window, time, known, as_of: (
        real(window, time, known, as_of)
        or (time is not None and known == as_of and (window is None or time >= windows.tail(window, as_of)))
    )


def _since_yesterday(real: Function) -> Function:
    return lambda window, time, known, as_of: (
        real(window, time, known, as_of) and (window is not None or time >= as_of - timedelta(days=1))
    )


def _without_a_tail(_real: Function) -> Function:
    return lambda _window, _time, known, as_of: known is not None and known < as_of


def _known_at_once(_real: Function) -> Function:
    return lambda source, row: row[source.event_time]


def _known_without_saying_so(real: Function) -> Function:
    return lambda source, row: row[source.event_time] if (found := real(source, row)) is None else found


def _known_inside(real: Function) -> Function:
    return lambda window, _time, known, as_of: real(window, known, known, as_of)


def _in_no_partition(_real: Function) -> Function:
    return lambda _view, _row: 0


def _where_it_happened(_real: Function) -> Function:
    return lambda view, row: expressions.microseconds(row[view.source.event_time]) // view.cadence


def _not_floored(_real: Function) -> Function:
    return lambda window, as_of: as_of - timedelta(microseconds=window.over)


def _zero_for_null(real: Function) -> Function:
    return lambda *arguments: 0 if (found := real(*arguments)) is None else found


def _as_it_is(real: Function) -> Function:
    return lambda value, dtype: value if isinstance(value, float) and dtype == Float64 else real(value, dtype)


def _wrapped_around(real: Function) -> Function:
    return lambda values: real(values) if isinstance(values[0], float) else (sum(values) + 2**63) % 2**64 - 2**63


def _unless_false(_real: Function) -> Function:
    def passes(view: Any, aggregation: Any, row: Any) -> bool:
        where = aggregation.where
        return where is None or snapshots.evaluate(where, row, view.source.columns) is not False

    return passes


def _null_is_a(_real: Function) -> Function:
    return lambda view, row: tuple("a" if row[key] is None else row[key] for key in view.keys)


def _joined_as_text(_real: Function) -> Function:
    def keys_of(view: Any, row: Any) -> tuple:
        keys = [row[key] for key in view.keys]
        return tuple(keys) if None in keys else (keys[0], "".join(keys[1:]), "")

    return keys_of


def _timed(real: Function) -> Function:
    def events_of(view: Any, own: Any) -> Any:
        time = view.source.event_time
        known = [row[time] for row in own if row[time] is not None]
        return real(view, [row if row[time] is not None else {**row, time: max(known)} for row in own if known])

    return events_of


def _timeless_rows_count(_real: Function) -> Function:
    return lambda source, row, as_of: row[source.time] is None or row[source.time] < as_of


def _each_once(real: Function) -> Function:
    return lambda view, own: list({repr(row): row for row in real(view, own)}.values())


def _all_delivered(_real: Function) -> Function:
    return lambda view, own: [row for row in own if row[view.source.event_time] is not None]


def _rounded_first(real: Function) -> Function:
    def slot_value(view: Any, feature: Any, own: Any, as_of: Any) -> Any:
        if feature.dtype.element == Float32:
            own = [{name: _narrow(value) for name, value in row.items()} for row in own]
        return real(view, feature, own, as_of)

    return slot_value


def _narrow(value: Any) -> Any:
    return expressions.as_type(value, Float32) if isinstance(value, float) else value


def _of_narrow_rows(real: Function) -> Function:
    return lambda view, row: real(view, {name: _narrow(value) for name, value in row.items()})


def _default_for_null(real: Function) -> Function:
    def slot_value(view: Any, feature: Any, own: Any, as_of: Any) -> Any:
        found = real(view, feature, own, as_of)
        return snapshots.as_default(feature) if found is None else found

    return slot_value


def _not_defaulted(real: Function) -> Function:
    def derived_value(view: Any, feature: Any, reads: Any) -> Any:
        defaults = {name: snapshots.as_default(view.feature(name)) for name in reads}
        return real(view, feature, {name: None if value == defaults[name] else value for name, value in reads.items()})

    return derived_value


def _without_sequence(real: Function) -> Function:
    return lambda *arguments: [event._replace(sequence=(False, None)) for event in real(*arguments)]


def _by_time_alone(real: Function) -> Function:
    return lambda source, row: real(source, row)[:1]


def _earliest(real: Function) -> Function:
    def rank(source: Any, row: Any) -> list:
        (is_known, time), *others = real(source, row)
        return [(is_known, -time.timestamp()), *others]

    return rank


def _of_another_row(real: Function) -> Function:
    return lambda view, history, keys, *others: real(view, history, (keys[0], *keys[:0:-1]), *others)


def _empty_for_not_computed(real: Function) -> Function:
    return lambda *arguments: Status.EMPTY if (found := real(*arguments)) == Status.NOT_COMPUTED else found


def _present_for_empty(real: Function) -> Function:
    return lambda *arguments: Status.PRESENT if (found := real(*arguments)) == Status.EMPTY else found


def _one_microsecond_less(real: Function) -> Function:
    return lambda view, subject, time: real(view, subject, time + timedelta(microseconds=1))


def _from_just_before(real: Function) -> Function:
    def usable_from(*arguments: Any) -> Any:
        found = real(*arguments)
        return None if found is None else found - timedelta(microseconds=1)

    return usable_from


def _landed_just_before(real: Function) -> Function:
    return lambda source, row, available_at: real(source, row, available_at - timedelta(microseconds=1))


def _past_just_before(real: Function) -> Function:
    return lambda subject, row, as_of: real(subject, row, as_of + timedelta(microseconds=1))


def _owned_at_once(_real: Function) -> Function:
    def batch_end(view: Any, history: Any, _time: Any) -> Any:
        return max((start + timedelta(microseconds=view.cadence) for start in history.landed), default=None)

    return batch_end


def _every_event(_real: Function) -> Function:
    return lambda view, time: time - timedelta(microseconds=view.available_after)


def _slower(real: Function) -> Function:
    return lambda events, half_life, as_of: real(events, 2 * half_life, as_of)


def _whole(real: Function) -> Function:
    return lambda stored, time: float(math.floor(real(stored, time)))


def _reversed(real: Function) -> Function:
    return lambda value, options: real(value, options)[::-1]


def _null_for_zeros(real: Function) -> Function:
    return lambda value, options: found if any(found := real(value, options)) else None


def _without_default(real: Function) -> Function:
    def inputs_of(service: Any, row: Any) -> Any:
        return {name: value if name in row else None for name, value in real(service, row).items()}

    return inputs_of


def _as_they_come(real: Function) -> Function:
    def inputs_of(service: Any, row: Any) -> Any:
        return {
            name: 1.0 if value is None and row.get(name) is not None else value
            for name, value in real(service, row).items()
        }

    return inputs_of


def _whatever_the_status(real: Function) -> Function:
    def computed_value(output: Any, reads: Any, inputs: Any) -> Any:
        value, _ = real(output, {name: (value, Status.PRESENT) for name, (value, _) in reads.items()}, inputs)
        return value, real(output, reads, inputs)[1]

    return computed_value


def _null_for_empty(real: Function) -> Function:
    def computed_value(output: Any, reads: Any, inputs: Any) -> Any:
        return real(output, {n: (None if s == Status.EMPTY else v, s) for n, (v, s) in reads.items()}, inputs)

    return computed_value


def _mildest(real: Function) -> Function:
    return lambda statuses: min(statuses, default=real(statuses))


BREAKS: Final = (
    Break("window.tail", windows.in_window, _not_at_the_tail),
    Break("window.as_of", windows.in_window, _at_the_as_of),
    Break("window.as_of", tables.is_before, _past_just_before),
    Break("window.hop", windows.tail, _not_floored),
    Break("window.all_history", windows.in_window, _since_yesterday),
    Break("input.null", snapshots.input_value, _zero_for_null),
    Break("input.null", tables.as_default, lambda _real: lambda _feature: None),
    Break("input.not_finite", expressions.as_type, _as_it_is),
    Break("input.filter", snapshots.passes, _unless_false),
    Break("input.expression", (expressions.ARITHMETIC, "multiply"), lambda _real: lambda left, right: left + right),
    Break("input.expression", (expressions.OTHERS, "lower"), lambda _real: lambda value, _options: value),
    Break("input.expression", (expressions.ARITHMETIC, "divide"), lambda _real: lambda left, _right: left),
    Break("input.null_key", rows.keys_of, _null_is_a),
    Break("input.null_time", snapshots.events_of, _timed),
    Break("input.null_time", tables.is_before, _timeless_rows_count),
    Break("input.duplicates", snapshots.events_of, _each_once),
    Break("input.event_id", snapshots.events_of, _all_delivered),
    Break("known.later", rows.known_time, _known_at_once),
    Break("known.later", windows.in_window, _at_the_as_of),
    Break("known.tail", windows.in_window, _known_inside),
    Break("known.null", rows.known_time, _known_without_saying_so),
    Break("known.event_id", snapshots.known_partition, _in_no_partition),
    Break("known.event_id", snapshots.known_partition, _where_it_happened),
    Break("keys.typed", rows.keys_of, _joined_as_text),
    Break("expression.logic", (expressions.SEES_NULLS, "and"), lambda _real: lambda left, right: left and right),
    Break("expression.logic", (expressions.SEES_NULLS, "or"), lambda _real: lambda left, _right: left),
    Break("expression.encoding", (expressions.OTHERS, "one_hot"), _null_for_zeros),
    Break("expression.encoding", (expressions.OTHERS, "one_hot"), _reversed),
    Break("expression.encoding", (expressions.OTHERS, "ordinal"), _zero_for_null),
    Break("expression.encoding", (expressions.OTHERS, "embed"), _zero_for_null),
    Break("expression.calendar", (expressions.OTHERS, "weekday"), lambda _real: lambda value, _o: value.isoweekday()),
    Break("value.sum", (aggregates.OF_VALUES, "sum"), lambda _real: lambda values: int(math.fsum(values))),
    Break("value.sum", (aggregates.OF_VALUES, "sum"), _wrapped_around),
    Break("value.rounding", snapshots.slot_value, _rounded_first),
    Break("value.rounding", tables.row_values, _of_narrow_rows),
    Break("value.rounding", expressions.round_to_float32, lambda _real: float),
    Break("value.empty", (aggregates.EMPTY, "sum"), lambda _zero: None),
    Break("value.default", snapshots.as_default, lambda _real: lambda _feature: None),
    Break("value.default", snapshots.slot_value, _default_for_null),
    Break("value.ties", snapshots.inputs_of, _without_sequence),
    Break("value.ties", rows.rank, _by_time_alone),
    Break("value.extremes", (aggregates.CHOSEN, "min"), lambda _real: aggregates.CHOSEN["max"]),
    Break("value.distinct", (aggregates.OF_VALUES, "n_unique"), lambda _real: len),
    Break("value.spread", aggregates.variance, _zero_for_null),
    Break("value.spread", (aggregates.OF_VALUES, "std"), _zero_for_null),
    Break("value.skew", (aggregates.OF_VALUES, "skew"), lambda real: lambda values: -(real(values) or 0.5)),
    Break("value.approximate", aggregates.percentile, lambda _real: lambda values, _q: float(max(values))),
    Break("value.approximate", (aggregates.OF_VALUES, "approx_n_unique"), lambda _real: len),
    Break("value.lists", aggregates.padded, lambda _real: lambda values, _k: list(values)),
    Break("value.by", snapshots.in_bucket, _always),
    Break(
        "value.decay", aggregates.decayed_sum, lambda real: lambda events, half, as_of: real(events, 2 * half, as_of)
    ),
    Break("value.ratio", (aggregates.OF_VALUES, "count_ratio"), _zero_for_null),
    Break("value.derived", (expressions.ARITHMETIC, "divide"), _zero_for_null),
    Break("value.derived", snapshots.derived_value, _not_defaulted),
    Break("table.latest", tables.rank, _earliest),
    Break("table.deleted", tables.is_deleted, _never),
    Break("table.valid_to", tables.is_past, _past_just_before),
    Break("table.valid_to", tables.is_past, _never),
    Break("table.row_ttl", tables.is_too_old, _past_just_before),
    Break("table.row_ttl", tables.is_too_old, _never),
    Break("table.landed", tables.has_landed, _landed_just_before),
    Break("table.landed", tables.has_landed, _always),
    Break("stream.second", streams.stream_as_of, _every_event),
    Break("stream.falls", windows.in_window, _without_a_tail),
    Break("stream.ownership", streams.batch_end, _owned_at_once),
    Break("status.empty", snapshots.is_present, _always),
    Break("status.empty", tables.is_before, _past_just_before),
    Break("status.empty", point_in_time.status_at, _present_for_empty),
    Break("status.not_computed", point_in_time.status_at, _empty_for_not_computed),
    Break("status.not_computed", streams.is_complete, _always),
    Break("status.expired", point_in_time.is_expired, _one_microsecond_less),
    Break("read.partition", point_in_time.usable_from, _from_just_before),
    Break("read.on_read", (on_read.FUNCTIONS, "days_since"), _whole),
    Break("request.input", services.inputs_of, _without_default),
    Break("request.input", services.inputs_of, _as_they_come),
    Break("request.expression", (expressions.DISTANCES, "cosine"), lambda _real: expressions.dot),
    Break("request.expression", (expressions.OTHERS, "lookup"), _zero_for_null),
    Break("request.expression", services.computed_value, _null_for_empty),
    Break("request.status", services.worst, _mildest),
    Break("request.status", services.computed_value, _whatever_the_status),
    Break("read.rows", point_in_time.read_view, _of_another_row),
)
"""Each is planted alone."""
