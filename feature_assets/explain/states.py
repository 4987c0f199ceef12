"""The columns of a tile that hold the state of one feature, and what people call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from feature_assets.explain.explanation import Tile
from feature_store import Feature
from feature_store.model.aggregations import Aggregation
from feature_store.model.kinds import KINDS
from feature_store.temporal.instants import from_microseconds, to_microseconds

ROWS: Final = "rows"
_RATIO: Final = ("numerator", "denominator")
_UNITS: Final = {"theta": "bytes", "bins": "bins", "bin_counts": "bins", "unique": "values"}
"""The parts of a state that nobody reads one by one, in words."""


def state_names(aggregation: Aggregation) -> dict[str, str]:
    """Return the state columns of an aggregation by name: ``rows`` for the rows that pass the filter, else the part.

    Where it has a slot per bucket, names start with the bucket: ``deli: sum``.
    """
    slots = aggregation.slots()
    if aggregation.by is None:
        return dict(_parts(slots[0]))
    return {
        f"{bucket}: {name}": column
        for bucket, slot in zip(aggregation.buckets, slots, strict=True)
        for name, column in _parts(slot)
    }


def tiles_of(feature: Feature, frame: pl.DataFrame, span: int, origin: str = "batch") -> list[Tile]:
    """Return the tiles that contribute to an aggregate, the newest first.

    Args:
        feature: an aggregate.
        frame: tiles of one entity: ``tile_start`` and state columns.
        span: of a tile, microseconds.
        origin: who wrote them.
    """
    assert feature.aggregation is not None
    names = state_names(feature.aggregation)
    counts = [slot.rows_column() for slot in feature.aggregation.slots()]
    rows = frame.filter(pl.any_horizontal(pl.col(counts) > 0)).sort("tile_start", descending=True)
    return [_tile(row, names, span, origin) for row in rows.iter_rows(named=True)]


def _parts(slot: Aggregation) -> Iterator[tuple[str, str]]:
    labels = _RATIO if slot.kind == "count_ratio" else KINDS[slot.kind].states
    yield from zip(labels, slot.state_columns(), strict=True)
    yield ROWS, slot.rows_column()


def _tile(row: Mapping[str, Any], names: Mapping[str, str], span: int, origin: str) -> Tile:
    start = row["tile_start"]
    state = {name: _shown(column, row[column]) for name, column in names.items()}
    return Tile(start, from_microseconds(to_microseconds(start) + span), origin, state)


def _shown(column: str, value: Any) -> Any:
    """Return a part of a state as people read it; of sketches, and of the values of exact distinct counts, the size."""
    unit = _UNITS.get(column.rpartition("_")[0])
    return value if unit is None or value is None else f"{len(value)} {unit}"
