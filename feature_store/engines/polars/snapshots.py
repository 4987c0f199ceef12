"""Snapshots: the values of a view at one as-of, merged from tiles; and the running state of all history."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from feature_store.engines.polars.finish import finish
from feature_store.engines.polars.groups import GROUP, heads, number_groups
from feature_store.engines.polars.merging import merge_states
from feature_store.engines.polars.parts import PARTS
from feature_store.engines.polars.slots import merged_column
from feature_store.engines.polars.sorted_tiles import SortedTiles
from feature_store.engines.polars.states import read_dtype, state_schema
from feature_store.errors import InputError
from feature_store.model.states import State, row_counts, view_states, window_states
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import to_microseconds
from feature_store.temporal.windows import Window


def snapshot(view: FeatureView, tiles: SortedTiles, as_of: datetime, state: pl.DataFrame | None) -> pl.DataFrame:
    """Return the values of a view at one as-of: a row for every entity with a counted event in any feature's window.

    Args:
        view: a view of an event source.
        tiles: its tiles from the earliest tail to the as-of; others may be among them and do not count.
        as_of: with a zone; a multiple of the view's tile, or of its cadence where events are known later.
        state: the all-history state of everything before the as-of (``merge_state``); None if the view needs none.

    Returns:
        Keys and stored features, sorted by the keys.

    Raises:
        InputError: the as-of is no bound of a tile, the state is missing, or a sum of integers does not fit Int64.
    """
    if to_microseconds(as_of) % (view.cadence if tiles.known == "partition_start" else view.tile):
        raise InputError(f"{view.full_name}: {as_of} is not a bound of its tiles. Give the end of a partition.")
    if state is None and view.has_all_history:
        raise InputError(f"{view.full_name} covers all history: give the state that merge_state returns.")
    merged = _merge_windows(view, tiles, to_microseconds(as_of))
    if state is not None and view.has_all_history:
        history = _read_state(view, state, to_microseconds(as_of))
        entities = pl.concat([merged.select(view.keys), history.select(view.keys)]).unique()
        merged = entities.join(merged, on=view.keys, how="left").join(history, on=view.keys, how="left")
    return finish(view, merged)


def merge_state(view: FeatureView, state: pl.DataFrame | None, tiles: pl.DataFrame) -> pl.DataFrame:
    """Return the all-history state with tiles added: keys and state columns, sorted by the keys.

    Tiles can be added in any order and in batches of any size, each once.

    Raises:
        InputError: a sum of integers does not fit Int64, or no aggregation of the view covers all history.
    """
    if not view.has_all_history:
        raise InputError(
            f"{view.full_name} has no state: all its aggregations have windows. Snapshot it from tiles alone."
        )
    schema = state_schema(view)
    states = view_states(view, all_history_only=True)
    added = tiles.select(schema.keys()).cast(pl.Schema(schema)).filter(_any_counted(view))
    if state is None or state.is_empty():
        return _merge(view, added, states)
    state = state.select(schema.keys()).cast(pl.Schema(schema))
    # Most entities have no new tile; their state stays as it is.
    touched = state.join(added, on=view.keys, how="semi")
    untouched = state.join(added, on=view.keys, how="anti")
    merged = _merge(view, pl.concat([touched, added]), states)
    return pl.concat([untouched, merged]).sort(*view.keys)


def _merge(view: FeatureView, frame: pl.DataFrame, states: tuple[State, ...]) -> pl.DataFrame:
    numbered = number_groups(frame.sort(*view.keys, maintain_order=True), view.keys)
    keys = heads(numbered).select(GROUP, *view.keys)
    merged = keys.join(merge_states(view, numbered, states), on=GROUP, how="left", maintain_order="left")
    return merged.select(state_schema(view).keys())


def _any_counted(view: FeatureView) -> pl.Expr:
    return pl.any_horizontal(pl.col(column) > 0 for column in row_counts(view, None))


def _merge_windows(view: FeatureView, tiles: SortedTiles, as_of: int) -> pl.DataFrame:
    """Return keys and merged states of every window, for entities with a counted event in one of them."""
    needed = {window: window_states(view, window) for window in view.windows}
    columns = dict.fromkeys(state.column for states in needed.values() for state in states)
    tails = {window: window.tail(as_of) for window in view.windows}
    start = pl.col("tile_start").to_physical()
    reached = tiles.counted(min(tails.values(), default=as_of), as_of)
    frame = reached.select(GROUP, "tile_start", *view.keys, *columns)
    merged = heads(frame).select(GROUP, *view.keys)
    counts: list[str] = []
    for window, states in needed.items():
        part = merge_states(view, frame.filter(start >= tails[window]), states, only_counts=True)
        part = part.select(GROUP, *(_read(part, state, as_of, window) for state in states))
        merged = merged.join(part, on=GROUP, how="left", maintain_order="left")
        counts += [merged_column(column, window) for column in row_counts(view, window)]
    return merged.filter(pl.any_horizontal(pl.col(column) > 0 for column in counts)).drop(GROUP) if counts else merged


def _read_state(view: FeatureView, state: pl.DataFrame, as_of: int) -> pl.DataFrame:
    states = view_states(view, all_history_only=True)
    return state.select(*view.keys, *(_read(state, part, as_of, None) for part in states))


def _read(frame: pl.DataFrame, state: State, as_of: int, window: Window | None) -> pl.Series:
    """Return a merged state as ``finish`` takes it, of ``read_dtype``."""
    column, read = frame.get_column(state.column), PARTS[state.part].read
    found = column if read is None else read(column, state, as_of)
    return found.cast(read_dtype(state)).alias(merged_column(state.column, window))
