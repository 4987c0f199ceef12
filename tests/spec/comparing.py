"""Values of an engine or a store beside those of the oracle, within the stated tolerances."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from feature_store import DType, FeatureView, Float32
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.oracle.snapshots import Snapshot, derived_value, float_scale, keys_of, snapshot
from feature_store.oracle.tables import table_snapshot
from tests.spec.worlds import Row, World

SMALLEST_NORMAL = sys.float_info.min
"""Smaller floats have fewer digits."""


def values_by_key(view: FeatureView, values: pl.DataFrame) -> Snapshot:
    """Return a frame as a snapshot; fails on a key that stands there twice, and on a wrong type."""
    schema = {**view.entity.keys, **{feature.name: feature.dtype for feature in view.stored_features}}
    assert values.schema == {name: polars_dtype(dtype) for name, dtype in schema.items()}
    found = {tuple(row[key] for key in view.keys): row for row in values.iter_rows(named=True)}
    assert len(found) == values.height, "an entity stands in a snapshot twice"
    return {keys: {feature.name: row[feature.name] for feature in view.stored_features} for keys, row in found.items()}


def wanted_snapshot(view: FeatureView, rows: Sequence[Row], as_of: datetime, available_at: datetime) -> Snapshot:
    """Return what the oracle says, of views of events and of tables."""
    return table_snapshot(view, rows, as_of, available_at) if view.is_table else snapshot(view, rows, as_of)


def assert_world(view: FeatureView, found: Snapshot, world: World, as_of: datetime, available_at: datetime) -> None:
    """Fail where the snapshot of a world is not what the oracle says."""
    wanted = wanted_snapshot(view, world.rows, as_of, available_at)
    where = f"{view.name} of world {world.number} at {as_of}"
    assert found.keys() == wanted.keys(), where
    for keys, row in found.items():
        own = [event for event in world.rows if keys_of(view, event) == keys]
        assert_row(view, row, wanted[keys], own, as_of, f"{where}, {keys}")


def assert_row(
    view: FeatureView,
    row: Mapping[str, Any],
    wanted: Mapping[str, Any],
    rows: Sequence[Row],
    as_of: datetime,
    where: str,
    names: Collection[str] | None = None,
) -> None:
    """Fail where the values of an entity, of some or all stored features, are not those wanted."""
    for feature in view.stored_features:
        if names is not None and feature.name not in names:
            continue
        value, expected = row[feature.name], wanted[feature.name]
        if value == expected and not feature.dtype.element.is_float:
            continue
        if feature.kind == "derived":
            # From the row's own values: those it reads may differ by rounding, which a ratio enlarges.
            expected = derived_value(view, feature, {read: row[read] for read in feature.reads})
        scale = float_scale(view, feature, rows, as_of) if feature.kind == "aggregate" and value != expected else 0.0
        assert_value(value, expected, feature.dtype, scale, f"{where}: {feature.name}")


def assert_value(value: Any, wanted: Any, dtype: DType, scale: float, where: str) -> None:
    """Fail where a value is not the one wanted: equal, or for floats within 1e-9 x scale."""
    if isinstance(value, list) and isinstance(wanted, list) and dtype.is_array:
        assert len(value) == len(wanted), where
        for place, (slot, expected) in enumerate(zip(value, wanted, strict=True)):
            assert_value(slot, expected, dtype.element, scale, f"{where}[{place}]")
    elif not dtype.is_float or value is None or wanted is None:
        assert value == wanted, f"{where}: {value!r} is not {wanted!r}"
    else:
        tolerance = 1e-9 * scale + SMALLEST_NORMAL + (half_ulp32(wanted) if dtype == Float32 else 0.0)
        assert abs(value - wanted) <= tolerance, f"{where}: {value} is not {wanted} (+- {tolerance})"
        assert math.copysign(1.0, value) == 1.0 or value != 0.0, f"{where} is -0.0"


def half_ulp32(value: float) -> float:
    """Return half a unit in the last place of a Float32."""
    return 2.0 ** (max(math.frexp(value)[1] - 1, -126) - 24)
