"""Mistakes that could be made in the product, and the path of the specification that must notice each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Mutant:
    """A mistake.

    Attributes:
        name: what is wrong.
        file: where it is planted.
        old: text of the file, which occurs exactly once.
        new: what it is replaced by.
        path: of the specification (``python -m tests.spec.run``).
        view: the view that shows it, in snake case.
    """

    name: str
    file: str
    old: str
    new: str
    path: str
    view: str


MUTANTS: Final[Sequence[Mutant]] = (
    Mutant(
        "the event at the as-of counts",
        "feature_store/engines/polars/sorted_tiles.py",
        "as_of > self._known",
        "as_of >= self._known",
        "tiles",
        "daily",
    ),
    Mutant(
        "the event at the tail does not count",
        "feature_store/engines/polars/snapshots.py",
        "frame.filter(start >= tails[window])",
        "frame.filter(start > tails[window])",
        "tiles",
        "daily",
    ),
    Mutant(
        "the row at its valid_to does not hold",
        "feature_store/engines/polars/tables.py",
        "(at <= pl.col(source.valid_to))",
        "(at < pl.col(source.valid_to))",
        "tables",
        "table",
    ),
    Mutant(
        "the hop is twice as long",
        "feature_store/temporal/windows.py",
        "return (as_of - self.over) // self.hop * self.hop",
        "return (as_of - self.over) // (2 * self.hop) * (2 * self.hop)",
        "tiles",
        "daily",
    ),
    Mutant(
        "a repeated row is dropped",
        "feature_store/engines/polars/tiles.py",
        "return typed.with_columns(**added).select(*view.keys, *added).collect()",
        "return typed.with_columns(**added).select(*view.keys, *added).unique().collect()",
        "tiles",
        "daily",
    ),
    Mutant(
        "a tie goes the other way",
        "feature_store/engines/polars/ordered.py",
        'picked = pick(present, fields, last=state.part == "last")',
        'picked = pick(present, [*fields[:1], *reversed(fields[1:])], last=state.part == "last")',
        "tiles",
        "daily",
    ),
    Mutant(
        "values expire at their ttl, offline",
        "feature_store/offline/join/partition_choice.py",
        "is_expired(as_ofs[index], time, view.ttl)",
        "is_expired(as_ofs[index], time + 1, view.ttl)",
        "point-in-time",
        "daily",
    ),
    Mutant(
        "values expire at their ttl, online",
        "serving/read/snapshot_decoder.py",
        "is_expired(generation.as_of, time, self._ttl)",
        "is_expired(generation.as_of, time + 1, self._ttl)",
        "online",
        "daily",
    ),
    Mutant(
        "null is counted",
        "feature_store/engines/polars/parts.py",
        "reduce=lambda column, _state: column.count().cast(pl.Int64)",
        "reduce=lambda column, _state: column.len().cast(pl.Int64)",
        "tiles",
        "daily",
    ),
    Mutant(
        "available-at is ignored",
        "feature_store/offline/join/partition_choice.py",
        'usable_from="available_at"',
        'usable_from="as_of"',
        "point-in-time",
        "daily",
    ),
    Mutant(
        "what was corrected later was served already",
        "feature_store/offline/join/partition_choice.py",
        'pl.col("read_at").fill_null(pl.col("delta_version")),',
        'pl.col("read_at").fill_null(newest),',
        "point-in-time",
        "daily",
    ),
    Mutant(
        "EMPTY stands for NOT_COMPUTED",
        "feature_store/offline/join/partition_choice.py",
        "status = np.where(index < 0, Status.NOT_COMPUTED, Status.PRESENT)",
        "status = np.where(index < 0, Status.EMPTY, Status.PRESENT)",
        "point-in-time",
        "daily",
    ),
    Mutant(
        "a tile is counted twice",
        "feature_store/engines/polars/snapshots.py",
        "merged = _merge(view, pl.concat([touched, added]), states)",
        "merged = _merge(view, pl.concat([touched, added, added]), states)",
        "tiles",
        "weekly",
    ),
    Mutant(
        "a stale generation is read",
        "serving/stores/generations.py",
        "return max(usable",
        "return min(usable",
        "online",
        "daily",
    ),
    Mutant(
        "a generation is read at its available-at",
        "feature_store/temporal/availability.py",
        "return available_at < time",
        "return available_at <= time",
        "online",
        "daily",
    ),
    Mutant(
        "a partition is joined at its available-at",
        "feature_store/temporal/availability.py",
        'time, side="left")',
        'time, side="right")',
        "point-in-time",
        "daily",
    ),
    Mutant(
        "Float32 is rounded before summing",
        "feature_store/engines/polars/parts.py",
        "(column.cast(pl.Int128) if is_integer_sum(state) else column).sum()",
        "(column.cast(pl.Int128) if is_integer_sum(state) else column.cast(pl.Float32).cast(pl.Float64)).sum()",
        "tiles",
        "daily",
    ),
    Mutant(
        "the default comes after the derived features",
        "feature_store/engines/polars/finish.py",
        "    return add_derived(view, values).sort(*view.keys)\n\n\ndef add_derived",
        "    plain = {f.name: f for f in aggregates if f.default is not None and not f.dtype.is_array}\n"
        "    late = values.with_columns(\n"
        "        pl.when(pl.col(name) != default_expr(f)).then(pl.col(name)).alias(name) for name, f in plain.items()\n"
        "    )\n"
        "    found = add_derived(view, late).drop(plain)\n"
        "    found = found.join(values.select(*view.keys, *plain), on=view.keys, nulls_equal=True)\n"
        "    return found.select(*view.keys, *(f.name for f in view.stored_features)).sort(*view.keys)\n\n\n"
        "def add_derived",
        "tiles",
        "daily",
    ),
    Mutant(
        "squares are divided by n",
        "feature_store/engines/polars/slots.py",
        ".then(m2 / (n - 1))",
        ".then(m2 / n)",
        "tiles",
        "daily",
    ),
    Mutant(
        "a filter that is null passes",
        "feature_store/engines/polars/tiles.py",
        "pl.when(compile_expression(state.where, columns)).then(value)",
        "pl.when(compile_expression(state.where, columns).fill_null(True)).then(value)",
        "tiles",
        "daily",
    ),
    Mutant(
        "the head of a stream view is not floored",
        "feature_store/plans/stream_plan.py",
        "return floor_to(time, SECOND) - self.lag",
        "return time - self.lag",
        "stream-offline",
        "live",
    ),
    Mutant(
        "the lag of a stream view is ignored",
        "feature_store/plans/stream_plan.py",
        "return floor_to(time, SECOND) - self.lag",
        "return floor_to(time, SECOND)",
        "stream-offline",
        "live",
    ),
    Mutant(
        "tiles of batch and stream count both",
        "serving/read/stream_decoder.py",
        "_only(live.tiles, mergeable.of_levels(live.tiles, live.tiles.start >= generation.as_of))",
        "live.tiles",
        "stream-online",
        "live",
    ),
    Mutant(
        "the stream owns the newest day of the batch",
        "feature_store/offline/join/stream_choice.py",
        "return (start >= self.batch_end[row]) & known &",
        "return (start >= self.batch_end[row] - self.slots.cadence) & known &",
        "stream-offline",
        "live",
    ),
    Mutant(
        "an event reported twice counts twice",
        "feature_store/engines/polars/tiles.py",
        "pl.concat([held.filter(~repeats), first])",
        "pl.concat([held.filter(~repeats), held.filter(repeats)])",
        "tiles",
        "daily",
    ),
    Mutant(
        "buckets stand in each other's slots",
        "feature_store/model/aggregations.py",
        "for bucket in self.buckets]\n        filters",
        "for bucket in reversed(self.buckets)]\n        filters",
        "tiles",
        "more",
    ),
    Mutant(
        "a window that reaches a hole is known, online",
        "serving/read/stream_decoder.py",
        "is_known = as_of >= mergeable.features[feature.name]",
        "is_known = True",
        "stream-online",
        "live",
    ),
    Mutant(
        "what happened in a window that reaches a hole makes an entity PRESENT, online",
        "serving/read/stream_decoder.py",
        "if as_of >= since)",
        "if as_of >= 0 * since)",
        "stream-online",
        "live",
    ),
    Mutant(
        "a hole is known as soon as the tail has reached it",
        "feature_store/plans/known_spans.py",
        "np.arange(1, len(held) + 1)",
        "np.arange(len(held))",
        "stream-online",
        "live",
    ),
    Mutant(
        "what the stream says of the time before the end of the batch counts, online",
        "serving/read/stream_decoder.py",
        "live.tiles.start >= generation.as_of",
        "live.tiles.start >= 0 * generation.as_of",
        "stream-online",
        "live",
    ),
    Mutant(
        "a row of a table that landed after the available-at is known",
        "feature_store/engines/polars/tables.py",
        "pl.col(source.landed_at) <= constant(available_at, Timestamp)",
        "pl.col(source.landed_at) <= constant(available_at, Timestamp) + timedelta(microseconds=1)",
        "tables",
        "table",
    ),
    Mutant(
        "an event counts before it is known",
        "feature_store/engines/polars/tiles.py",
        "    known = known_time(source)\n    inside",
        "    known = pl.col(source.event_time)\n    inside",
        "tiles",
        "settled",
    ),
    Mutant(
        "an event that is known at the as-of counts",
        "feature_store/engines/polars/sorted_tiles.py",
        "as_of > self._known",
        "as_of >= self._known",
        "tiles",
        "settled",
    ),
    Mutant(
        "the tail is tested against the known time",
        "feature_store/engines/polars/tiles.py",
        'floor_time(pl.col("__time"), span)',
        "floor_time(pl.col(_known(view)), span)",
        "tiles",
        "settled",
    ),
    Mutant(
        "tiles lie in the partition in which their events happened",
        "feature_store/engines/polars/tiles.py",
        '"__partition": floor_time(known, view.cadence)',
        '"__partition": floor_time(pl.col(source.event_time), view.cadence)',
        "tiles",
        "settled",
    ),
    Mutant(
        "rows land in the partition in which they happened",
        "feature_store/offline/tables/source_table.py",
        "partition = (known.cast(pl.Int64)",
        "partition = (pl.col(time_column).cast(INSTANT).cast(pl.Int64)",
        "snapshots",
        "settled",
    ),
    Mutant(
        "an event counts of which nobody says when it was known",
        "feature_store/engines/polars/source_rows.py",
        "return pl.when(time.is_not_null() & other.is_not_null()).then(pl.max_horizontal(time, other))",
        "return pl.when(time.is_not_null()).then(pl.max_horizontal(time, other))",
        "tiles",
        "settled",
    ),
    Mutant(
        "an event that is known in two partitions counts once",
        "feature_store/engines/polars/tiles.py",
        'identity = [*view.keys, source.event_id, "__partition"]',
        "identity = [*view.keys, source.event_id]",
        "tiles",
        "settled",
    ),
    Mutant(
        "an event is told apart in the partition in which it happened",
        "feature_store/engines/polars/tiles.py",
        "floor_time(known_time(source), view.cadence)",
        "floor_time(pl.col(source.event_time), view.cadence)",
        "tiles",
        "settled",
    ),
    Mutant(
        "tiles of one time that were known in two partitions lie apart",
        "feature_store/engines/polars/tiles.py",
        '[*apart, *view.keys, "__time",',
        '[*view.keys, "__time",',
        "tiles",
        "settled",
    ),
    Mutant(
        "the state of all history takes tiles by when they happened",
        "feature_store/engines/polars/sorted_tiles.py",
        "start <= self._known, end > self._known",
        "start <= _AT, end > _AT",
        "snapshots",
        "settled_ever",
    ),
    Mutant(
        "a request feature says something where its features have no value, online",
        "feature_store/engines/numpy/request_features.py",
        "(Column(value.values, value.valid & ~lost) if lost.any() else value), worst",
        "value, worst",
        "requests-client",
        "bought",
    ),
    Mutant(
        "a request feature says something where its features have no value, offline",
        "feature_store/engines/polars/request_features.py",
        "kept = pl.when(~pl.Series(is_lost(status))).then(value)",
        "kept = value",
        "requests-offline",
        "bought",
    ),
    Mutant(
        "the input of the first entity is that of all",
        "serving/read/assembly.py",
        "typed_column(question.keys.inputs[name], dtype)",
        "typed_column(question.keys.inputs[name][:1] * count, dtype)",
        "requests-client",
        "bought",
    ),
    Mutant(
        "an entity gets the input of another request of its micro-batch",
        "serving/server/batching.py",
        "_chained([each.inputs for each in requests])",
        "_chained([each.inputs for each in reversed(requests)])",
        "requests-http",
        "bought",
    ),
    Mutant(
        "an unknown input is let pass",
        "serving/read/requests.py",
        "        if name not in declared:\n            known",
        "        if name not in declared:\n            continue\n            known",
        "requests-http",
        "bought",
    ),
    Mutant(
        "an input that is missing is null",
        "serving/read/requests.py",
        "    if declared.default is None:\n",
        "    if False:\n",
        "requests-client",
        "bought",
    ),
    Mutant(
        "a request feature is EMPTY where any of its features is",
        "feature_store/engines/numpy/statuses.py",
        "np.maximum.reduce",
        "np.minimum.reduce",
        "requests-offline",
        "bought",
    ),
    Mutant(
        "EXPIRED is worse than NOT_COMPUTED",
        "feature_store/engines/numpy/statuses.py",
        "Status.EXPIRED, Status.NOT_COMPUTED,",
        "Status.NOT_COMPUTED, Status.EXPIRED,",
        "requests-offline",
        "bought",
    ),
    Mutant(
        "a request feature reads the entity of another role",
        "feature_store/engines/numpy/compile_service.py",
        "places[read.selection.prefix], stored",
        "places[read.selection.view.name], stored",
        "requests-offline",
        "bought",
    ),
    Mutant(
        "the default of an input stands for null, offline",
        "feature_store/offline/join/spine_inputs.py",
        "        return _typed(spine[name], dtype)",
        "        return _typed(spine[name].fill_null(declared.default), dtype)",
        "requests-offline",
        "bought",
    ),
)
"""Each is planted alone."""
