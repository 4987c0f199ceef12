"""The mergeable part of a stream plan, from tiles that may be of another state of the view's definition."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain

from feature_store.codec.tile_codec import TileLayout
from feature_store.plans.stream_plan import StreamDerived, StreamPlan


def restrict_plan(plan: StreamPlan, layouts: Sequence[TileLayout], wanted: Collection[str]) -> StreamPlan:
    """Return the plan with those features only whose states every layout holds, as the same definition makes them.

    A feature that was added since lacks its states there. Where it brought a new level, in the plan or in a layout, the
    levels that all layouts have are enough for the others: with fewer levels, more small tiles make up a window's head.

    Args:
        plan: of a service.
        layouts: of the tiles that are to be merged.
        wanted: the features to compute; those that they read are computed too.
    """
    levels = [span for span in layouts[0].levels if all(span in layout.levels for layout in layouts)]
    held = {state.column for state in plan.states if all(state in layout.states for layout in layouts)}
    aggregates = tuple(
        each for each in plan.aggregates if each.hop in levels and held.issuperset(chain.from_iterable(each.slots))
    )
    names = {each.name for each in aggregates}
    derived: list[StreamDerived] = []
    for each in plan.derived:
        if names.issuperset(each.reads):
            names.add(each.name)
            derived.append(each)
    counts = tuple(count for count in plan.row_counts if count.column in held and count.hop in levels)
    needed = set(wanted)
    for each in reversed(derived):
        needed |= each.reads if each.name in needed else set()
    return replace(
        plan,
        levels=tuple(levels),
        row_counts=counts,
        aggregates=tuple(each for each in aggregates if each.name in needed),
        derived=tuple(each for each in derived if each.name in needed),
    )


def feature_names(plan: StreamPlan) -> set[str]:
    """Return the features that a plan computes."""
    return {each.name for each in (*plan.aggregates, *plan.derived)}


def used_fields(plan: StreamPlan) -> frozenset[str]:
    """Return the fields of the states that merging reads: those of one digest belong together."""
    columns = [column for each in plan.aggregates for slot in each.slots for column in slot]
    columns += [count.column for count in plan.row_counts]
    digests = {_digest(column) for column in columns}
    return frozenset(field.name for state in plan.states if state.digest in digests for field in state.fields)


def _digest(column: str) -> str:
    return column.rpartition("_")[2]
