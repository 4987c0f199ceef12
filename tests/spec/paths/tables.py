"""Snapshots of table views, in memory, from rows in any order and chunks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from polars.testing import assert_frame_equal

from feature_store.engines.polars.tables import table_snapshot
from tests.spec.comparing import assert_world, values_by_key
from tests.spec.worlds import Range, World, frame_of, rows_of


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where a snapshot of a table is not what the oracle says, or depends on the order of its rows."""
    in_order = frame_of(span.view, rows_of(worlds)).lazy()
    mixed = frame_of(span.view, rows_of(worlds), rng).lazy()
    delay = timedelta(microseconds=span.view.available_after)
    for as_of in sorted({world.as_of for world in worlds}):
        values = table_snapshot(span.view, mixed, as_of, as_of + delay)
        assert_frame_equal(values, table_snapshot(span.view, in_order, as_of, as_of + delay), check_exact=True)
        found = values_by_key(span.view, values)
        for world in worlds:
            if world.as_of == as_of:
                own = {keys: row for keys, row in found.items() if keys[0] == world.number}
                assert_world(span.view, own, world, as_of, as_of + delay)
