"""Tiles from raw rows: partial aggregates of every entity in every span of event time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from feature_store.dtypes import Float64
from feature_store.engines.polars.dtypes import TIMESTAMP
from feature_store.engines.polars.expressions import compile_expression
from feature_store.engines.polars.groups import GROUP, by_group, heads, number_groups
from feature_store.engines.polars.merging import check_sums
from feature_store.engines.polars.parts import PARTS
from feature_store.engines.polars.source_rows import known_time, read_rows
from feature_store.engines.polars.states import tile_schema
from feature_store.errors import InputError
from feature_store.expressions.nodes import ColumnRef, column_names
from feature_store.model import kinds
from feature_store.model.aggregations import StateInput
from feature_store.model.sources import EventSource
from feature_store.model.states import State, state_inputs, view_states
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Tiles:
    """Tiles of some partitions.

    Attributes:
        frame: ``partition_start``, ``tile_start``, the keys, and the state columns of ``states.tile_schema``; one row
            per tile and entity with a counted row; sorted by tile and keys. Where the source declares ``known_at``, the
            partition is that of the time at which events are known: a row per tile, entity and partition.
        excluded: rows left out for a null key, by partition start (UTC); partitions without any are not listed.
        without_time: rows left out for a null time, or a null ``known_at``.
    """

    frame: pl.DataFrame
    excluded: dict[datetime, int]
    without_time: int


def build_tiles(view: FeatureView, rows: pl.LazyFrame, start: datetime, end: datetime) -> Tiles:
    """Return the tiles of the partitions in [start, end); see ``build_levels``."""
    return next(build_levels(view, rows, start, end, [view.tile]))


def build_levels(
    view: FeatureView, rows: pl.LazyFrame, start: datetime, end: datetime, spans: Sequence[int]
) -> Iterator[Tiles]:
    """Yield the tiles of the partitions in [start, end) of each span; rows are read and sorted once.

    The result depends neither on the order of the rows nor on how they are chunked, to the last bit.

    Args:
        view: a view of an event source.
        rows: rows of its source; those not known in [start, end) are left out, those without a key or a time also
            counted.
        start: start of the first partition, with a zone.
        end: end of the last.
        spans: of a tile, microseconds.

    Raises:
        InputError: the rows do not have the declared columns, a bound is not on the cadence, or a sum of integers does
            not fit Int64.
    """
    for bound in (start, end):
        if to_microseconds(bound) % view.cadence:
            raise InputError(f"{view.full_name}: {bound} is not a bound of its partitions. Give a partition's start.")
    states = view_states(view)
    inputs = state_inputs(view)
    prepared = _prepare(view, inputs, rows, (start, end))
    timed = prepared.filter(pl.col(_known(view)).is_not_null())
    null_key = pl.any_horizontal(pl.col(key).is_null() for key in view.keys)
    excluded = _count_by_partition(view, timed.filter(null_key))
    events = timed.filter(~null_key, _passes_any(inputs))
    apart = _apart(view)
    order = [*apart, *view.keys, "__time", *_ties(view), *_summed(events, states)]
    events = events.sort(order)
    for span in spans:
        tiled = events.with_columns(floor_time(pl.col("__time"), span).alias("__tile"))
        numbered = number_groups(tiled, [*apart, *view.keys, "__tile"])
        yield Tiles(_finish(view, _aggregate(view, numbered, states)), excluded, prepared.height - timed.height)


def columns_read(view: FeatureView) -> tuple[str, ...]:
    """Return the columns of its source that the tiles of a view of events are made of."""
    return tuple(dict.fromkeys([*view.key_columns, *_used(view)]))


def _used(view: FeatureView) -> list[str]:
    source = _source(view)
    parts = [part for each in state_inputs(view).values() for part in (each.value, each.where) if part is not None]
    used = [name for part in parts for name in column_names(part)]
    if source.event_id is not None:
        used = _deciding(source, [*view.key_columns, source.event_id, *used])
    roles = [name for name in (source.event_time, source.sequence, source.known_at) if name is not None]
    return [*roles, *used]


def _prepare(
    view: FeatureView, inputs: Mapping[str, StateInput], rows: pl.LazyFrame, within: tuple[datetime, datetime]
) -> pl.DataFrame:
    """Return keys, ``__time``, ``__sequence`` and the inputs, null where the filter fails.

    Where events are known later than they happen, also ``__known`` and ``__partition``, that in which they are known.
    """
    source = _source(view)
    known = known_time(source)
    inside = known.is_null() | ((known >= within[0]) & (known < within[1]))
    typed = _once(view, read_rows(source, rows, [*view.keys, *_used(view)]).filter(inside))
    # No name of a key starts with an underscore, so these cannot hide one.
    added = {"__time": pl.col(source.event_time)}
    added |= {_input(digest): _masked(view, each) for digest, each in inputs.items()}
    if source.known_at is not None:
        added |= {"__known": known, "__partition": floor_time(known, view.cadence)}
    if source.sequence is not None:
        added["__sequence"] = _column(source, source.sequence)
    return typed.with_columns(**added).select(*view.keys, *added).collect()


def _once(view: FeatureView, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows of which each event counts: of those of one entity, id and partition the first in their order.

    That is by time, sequence, and every other column as it is declared. A partition's tiles are made of the rows that
    are known in it alone, whichever partitions are built with it; and which row counts does not depend on what a
    feature reads.
    """
    source = _source(view)
    if source.event_id is None:
        return rows
    partition = floor_time(known_time(source), view.cadence).alias("__partition")
    held = rows.with_columns(partition).collect()
    identity = [*view.keys, source.event_id, "__partition"]
    told_apart = pl.all_horizontal(pl.col(name).is_not_null() for name in identity)
    # Few rows repeat an id: only those are sorted.
    repeats = held.select(told_apart & pl.struct(identity).is_duplicated()).to_series()
    order = [source.event_time, *([] if source.sequence is None else [source.sequence]), *source.columns]
    first = (
        held.filter(repeats)
        .sort([_column(source, name) for name in dict.fromkeys(order) if name in held.columns], nulls_last=False)
        .unique(identity, keep="first", maintain_order=True)
    )
    return pl.concat([held.filter(~repeats), first]).lazy()


def _known(view: FeatureView) -> str:
    """Return the prepared column that says when events are known."""
    return "__time" if _source(view).known_at is None else "__known"


def _apart(view: FeatureView) -> list[str]:
    """Return what tells tiles of one entity and tile start apart: the partition, if events are known later."""
    return [] if _source(view).known_at is None else ["__partition"]


def _deciding(source: EventSource, used: list[str]) -> list[str]:
    """Return the columns up to the last one used: rows that are equal in these are alike, whichever counts."""
    names = list(source.columns)
    return names[: max(map(names.index, used)) + 1]


def _column(source: EventSource, name: str) -> pl.Expr:
    return compile_expression(ColumnRef(name), source.columns)


def _source(view: FeatureView) -> EventSource:
    assert isinstance(view.source, EventSource)
    return view.source


def floor_time(time: pl.Expr, span: int) -> pl.Expr:
    """Return instants rounded down to multiples of a span (microseconds) since the Unix epoch."""
    return (time.cast(pl.Int64) // span * span).cast(TIMESTAMP)


def _input(digest: str) -> str:
    return f"__in_{digest}"


def _masked(view: FeatureView, state: StateInput) -> pl.Expr:
    """Return the value of the rows that pass the filter, else null; of counts of rows, true."""
    columns = view.source.columns
    value = pl.lit(True) if state.value is None else compile_expression(state.value, columns)
    return value if state.where is None else pl.when(compile_expression(state.where, columns)).then(value)


def _passes_any(inputs: Mapping[str, StateInput]) -> pl.Expr:
    counts = [_input(digest) for digest, each in inputs.items() if each.value is None]
    return pl.any_horizontal(pl.col(count).is_not_null() for count in counts)


def _count_by_partition(view: FeatureView, rows: pl.DataFrame) -> dict[datetime, int]:
    partition = floor_time(pl.col(_known(view)), view.cadence).cast(pl.Int64).alias("start")
    counts = rows.group_by(partition).len().sort("start")
    return {from_microseconds(start): count for start, count in counts.iter_rows()}


def _aggregate(view: FeatureView, events: pl.DataFrame, states: tuple[State, ...]) -> pl.DataFrame:
    reduced = [_reduced(events, state) for state in states]
    simple = [each for each in reduced if each is not None]
    frame = heads(events).select(*_apart(view), *view.keys, "__tile").hstack(by_group(events, simple))
    frame = check_sums(view, frame, states)
    for state in states:
        build = PARTS[state.part].build
        if build is not None:
            built = build(_present(view, events, state), state)
            frame = frame.join(built, on=GROUP, how="left", maintain_order="left")
    return frame


def _present(view: FeatureView, events: pl.DataFrame, state: State) -> pl.DataFrame:
    """Return group, ``time``, ``sequence`` if there is one, and ``value``, where that is not null."""
    sequence = {"sequence": "__sequence"} if _ties(view) else {}
    columns = {"time": "__time", **sequence}
    fields = {field: pl.col(column) for field, column in columns.items()}
    value = pl.col(_input(state.digest))
    if _exceeds(events, state):
        value = pl.when(value.abs() > kinds.PARTS[state.part].largest_input).then(pl.lit(math.inf)).otherwise(value)
    present = events.select(GROUP, **fields, value=value)
    return present.filter(pl.col("value").is_not_null())


def _reduced(events: pl.DataFrame, state: State) -> pl.Expr | None:
    reduce = PARTS[state.part].reduce
    if reduce is None:
        return None
    column = pl.col(_input(state.digest))
    value = reduce(column, state)
    if _exceeds(events, state):
        too_large = (column.abs() > kinds.PARTS[state.part].largest_input).any()
        value = pl.when(too_large).then(pl.lit(math.inf)).otherwise(value)
    return value.alias(state.column)


def _exceeds(events: pl.DataFrame, state: State) -> bool:
    """Whether some input is too large to be added up: an infinite state, which merging keeps, then says so."""
    largest, values = kinds.PARTS[state.part].largest_input, events.get_column(_input(state.digest))
    if largest is None or values.dtype != pl.Float64:
        return False
    # A look at the whole column is faster than one per group.
    return any(isinstance(each, float) and abs(each) > largest for each in (values.min(), values.max()))


def _summed(events: pl.DataFrame, states: tuple[State, ...]) -> list[str]:
    """Return the inputs whose order must be fixed: sums of floats depend on the order of their terms."""
    floats = {name for name, dtype in events.schema.items() if dtype == pl.Float64}
    summed = {_input(state.digest) for state in states if kinds.PARTS[state.part].value == Float64}
    return sorted(name for name in events.columns if name.startswith("__in_") and name in floats | summed)


def _ties(view: FeatureView) -> list[str]:
    return [] if _source(view).sequence is None else ["__sequence"]


def _finish(view: FeatureView, frame: pl.DataFrame) -> pl.DataFrame:
    schema = tile_schema(view)
    apart = _apart(view)
    # Where nothing is known later, a tile lies in the partition of its own time.
    partition = pl.col("__partition") if apart else floor_time(pl.col("__tile"), view.cadence)
    columns = [
        pl.col(name).cast(dtype) for name, dtype in schema.items() if name not in ("partition_start", "tile_start")
    ]
    tiles = frame.select(partition.alias("partition_start"), pl.col("__tile").alias("tile_start"), *columns)
    return tiles.sort("tile_start", *view.keys, *(["partition_start"] if apart else []))
