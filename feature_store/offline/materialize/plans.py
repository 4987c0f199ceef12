"""Plans of what an engine is to compute, made from the ledgers: all that is decided is decided here, once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import polars as pl

from feature_store.engines.engine import AsOfs, HistoryPlan, StoredRows, Target, TilePlan, ValuePlan
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.inputs import Inputs
from feature_store.offline.materialize.reach import floor_to, reach_start
from feature_store.offline.materialize.value_inputs import ValueInputs
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.overlaid_table import OverlaidTable
from feature_store.offline.tables.view_tables import CHECKPOINT_SPAN, tile_fingerprints
from feature_store.temporal.instants import from_microseconds, to_microseconds


def plan_tiles(view: FeatureView, source: OpenTable, start: int, end: int, target: Target) -> TilePlan:
    """Return the plan of the tiles of ``[start, end)``; microseconds.

    Args:
        view: a view of events.
        source: the rows of its source, of which all of the range landed.
        start: start of the first partition.
        end: end of the last.
        target: for which tiles are staged.
    """
    # A source partition may be longer than one of the view, and begin before the range.
    return TilePlan(view, start, end, stored_rows(source).overlapping(start, end), target)


def plan_values(
    inputs: ValueInputs, as_ofs: Sequence[int], target: Target, states: OpenTable, state_targets: Sequence[Target]
) -> ValuePlan:
    """Return the plan of the values at some as-ofs.

    Args:
        inputs: what they are computed from.
        as_ofs: ends of contiguous partitions, microseconds, ascending.
        target: for which values are staged.
        states: the all-history states of the view.
        state_targets: for which those that are passed are staged; one for each range of as-ofs with the same computable
            features, if any of them covers all history.
    """
    ranges: list[AsOfs] = []
    targets = iter(state_targets)
    for view, group in groupby(as_ofs, inputs.computable.view_at):
        instants = tuple(group)
        history = None
        if view.has_all_history:
            history = _history(view, inputs.landed, states, instants[0], next(targets))
        ranges.append(AsOfs(view, instants, history))
    first = min(_first_input(inputs, each) for each in ranges)
    return ValuePlan(inputs.view, tuple(ranges), stored_rows(inputs.opened).beginning_in(first, as_ofs[-1]), target)


def stored_rows(opened: OpenTable, partitions: pl.DataFrame | None = None) -> StoredRows:
    """Return partitions of a table as a plan names them; None: all."""
    found = opened.partitions if partitions is None else partitions
    spans = found.select("partition_start", "as_of").with_columns(pl.all().to_physical()).rows()
    shared = None
    if isinstance(opened, OverlaidTable):
        assert opened.shared.version is not None
        shared = opened.shared.uri, opened.shared.version
    return StoredRows(opened.uri, opened.options, opened.version, tuple(spans), shared)


def state_hash(view: FeatureView, landed: Inputs, as_of: int) -> str:
    """Return a hash of all the tiles that a state holds: once one of them is corrected, the state is used no more."""
    return landed.hash_of(to_microseconds(view.source.start), as_of, ["state", tile_fingerprints(view)])


def first_state(view: FeatureView) -> int:
    """Return the instant before which there is nothing to be held by a state; microseconds."""
    return floor_to(to_microseconds(view.source.start), CHECKPOINT_SPAN)


def _history(view: FeatureView, landed: Inputs, states: OpenTable, as_of: int, target: Target) -> HistoryPlan:
    latest = from_microseconds(floor_to(as_of, CHECKPOINT_SPAN))
    # A state is a cache: one that is damaged is computed again from tiles, on the way to what is asked for.
    sound = ~pl.col("partition_start").dt.date().is_in(states.damaged["day"].implode())
    for state in states.between(None, latest).filter(sound).reverse().iter_slices(1):
        at = to_microseconds(state["as_of"][0])
        if state["inputs_hash"][0] == state_hash(view, landed, at):
            return HistoryPlan(at, CHECKPOINT_SPAN, stored_rows(states, state), target)
    return HistoryPlan(first_state(view), CHECKPOINT_SPAN, None, target)


def _first_input(inputs: ValueInputs, as_ofs: AsOfs) -> int:
    """Return the start of the first partition that a range of as-ofs reads."""
    view, first = as_ofs.view, as_ofs.instants[0]
    if view.is_table:
        return inputs.landed.begin(reach_start(view, first))
    tails = [window.tail(first) for window in view.windows]
    histories = [] if as_ofs.history is None else [as_ofs.history.at]
    return floor_to(min([*tails, *histories, first]), view.cadence)
