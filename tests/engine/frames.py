"""Rows as frames, frames as oracle snapshots, and the tolerances of the specification."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl

from feature_store import DType, FeatureView, Float32
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.oracle.snapshots import Snapshot, derived_value, float_scale, keys_of

START = datetime(2024, 1, 4, tzinfo=UTC)
"""A Thursday: partitions of seven days start on it, as the Unix epoch was one."""


def at(days: float = 0, hours: float = 0, microseconds: int = 0) -> datetime:
    return START + timedelta(days=days, hours=hours, microseconds=microseconds)


def frame(rows: list[dict], columns: dict[str, DType], chunks: int = 1) -> pl.DataFrame:
    """The rows in one or several Arrow chunks, some of them maybe empty."""
    schema = {name: polars_dtype(dtype) for name, dtype in columns.items()}
    bounds = [len(rows) * place // chunks for place in range(chunks + 1)]
    parts = [pl.DataFrame(rows[a:b], schema=schema, strict=False) for a, b in pairwise(bounds)]
    return pl.concat(parts, rechunk=False)


def values_by_key(view: FeatureView, values: pl.DataFrame) -> Snapshot:
    """The frame as an oracle snapshot; fails on a key that stands there twice, and on a wrong type."""
    schema = {**view.entity.keys, **{feature.name: feature.dtype for feature in view.stored_features}}
    assert values.schema == {name: polars_dtype(dtype) for name, dtype in schema.items()}
    found = {tuple(row[key] for key in view.keys): row for row in values.to_dicts()}
    assert len(found) == values.height
    return {keys: {feature.name: row[feature.name] for feature in view.stored_features} for keys, row in found.items()}


def assert_snapshot(view: FeatureView, actual: pl.DataFrame, rows: list[dict], as_of: datetime, expected: Snapshot):
    found = values_by_key(view, actual)
    assert list(found) == sorted(expected)
    for keys, row in found.items():
        own = [event for event in rows if keys_of(view, event) == keys]
        for feature in view.stored_features:
            if feature.kind == "derived":
                # From the engine's own values: those it reads may differ by rounding, which a ratio enlarges.
                wanted = derived_value(view, feature, {read: row[read] for read in feature.reads})
            else:
                wanted = expected[keys][feature.name]
            scale = float_scale(view, feature, own, as_of)
            where = f"{view.full_name}.{feature.name} of {keys} at {as_of}"
            assert_value(row[feature.name], wanted, feature.dtype, scale, where)


def assert_array(actual, wanted, dtype: DType, scale: float, where: str) -> None:
    assert (actual is None) == (wanted is None), where
    for place, slots in enumerate(zip(actual or [], wanted or [], strict=True)):
        assert_value(*slots, dtype.element, scale, f"{where}, slot {place}")


def assert_value(actual, wanted, dtype: DType, scale: float, where: str) -> None:
    if dtype.is_array:
        assert_array(actual, wanted, dtype, scale, where)
        return
    if not dtype.is_float or actual is None or wanted is None:
        assert actual == wanted, where
        return
    tolerance = 1e-9 * scale + (half_ulp32(wanted) if dtype == Float32 else 0.0)
    assert abs(actual - wanted) <= tolerance, f"{where}: {actual} is not {wanted} (+- {tolerance})"
    assert math.copysign(1.0, actual) == 1.0 or actual != 0.0, f"{where} is -0.0"


def half_ulp32(value: float) -> float:
    return 2.0 ** (max(math.frexp(value)[1] - 1, -126) - 24)
