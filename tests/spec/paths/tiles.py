"""Tiles, merged in any order and split in any way, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from random import Random

import polars as pl
from polars.testing import assert_frame_equal

from feature_store import FeatureView
from feature_store.engines.polars.snapshots import merge_state, snapshot
from feature_store.engines.polars.sorted_tiles import sort_tiles
from feature_store.engines.polars.tiles import build_tiles
from tests.spec.comparing import assert_world, values_by_key
from tests.spec.worlds import Range, World, frame_of, rows_of


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where a snapshot merged from tiles is not what the oracle says, or depends on how they were built."""
    rows = rows_of(worlds)
    whole = build_tiles(span.view, frame_of(span.view, rows).lazy(), span.start, span.end).frame
    pieces = _in_pieces(span, frame_of(span.view, rows, rng), rng)
    assert_frame_equal(pieces.sort("tile_start", *span.view.keys, "partition_start"), whole, check_exact=True)
    for as_of in sorted({world.as_of for world in worlds}):
        values = snapshot(span.view, sort_tiles(span.view, pieces), as_of, _history(span.view, pieces, as_of, rng))
        if not span.view.has_all_history:  # whose sums are those of the portions
            assert_frame_equal(values, snapshot(span.view, sort_tiles(span.view, whole), as_of, None), check_exact=True)
        found = values_by_key(span.view, values)
        for world in worlds:
            if world.as_of == as_of:
                own = {keys: row for keys, row in found.items() if keys[0] == world.number}
                assert_world(span.view, own, world, as_of, as_of)


def _in_pieces(span: Range, rows: pl.DataFrame, rng: Random) -> pl.DataFrame:
    """Build partitions in a few runs, and shuffle the tiles."""
    starts = [span.start + span.cadence * place for place in range((span.end - span.start) // span.cadence)]
    cuts = sorted({span.start, span.end, rng.choice(starts), rng.choice(starts)})
    bounds = list(pairwise(cuts))
    rng.shuffle(bounds)
    tiles = pl.concat([build_tiles(span.view, rows.lazy(), start, end).frame for start, end in bounds])
    return tiles.sample(fraction=1, shuffle=True, seed=rng.choice(range(9)))


def _history(view: FeatureView, tiles: pl.DataFrame, as_of: datetime, rng: Random) -> pl.DataFrame | None:
    """Return the all-history state, merged from portions in any order."""
    if not view.has_all_history:
        return None
    before = tiles.filter(pl.col("partition_start") < as_of)
    state = None
    for part in rng.sample(range(3), 3):
        state = merge_state(view, state, before.filter(pl.int_range(pl.len()) % 3 == part))
    return state
