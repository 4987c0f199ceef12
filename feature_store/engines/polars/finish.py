"""From merged states to values: cast, empty value or default, derived features, order."""

from __future__ import annotations

import polars as pl

from feature_store.dtypes import DType
from feature_store.engines.polars.dtypes import constant, polars_dtype
from feature_store.engines.polars.expressions import compile_expression
from feature_store.engines.polars.slots import slot_values
from feature_store.engines.polars.typed import finite
from feature_store.model.features import Feature
from feature_store.model.kinds import KINDS
from feature_store.model.views import FeatureView


def finish(view: FeatureView, merged: pl.DataFrame) -> pl.DataFrame:
    """Return a view's values from its merged states.

    Args:
        view: a view of an event source.
        merged: keys and one ``merged_column`` per state and window, one row per entity; null where nothing was counted.

    Returns:
        Keys and stored features in their dtypes, sorted by the keys. Vectors and arrays are Array(..., n).
    """
    aggregates = [f for f in view.features if f.aggregation is not None]
    values = merged.select(*view.keys, *(_aggregate(merged, feature).alias(feature.name) for feature in aggregates))
    return add_derived(view, values).sort(*view.keys)


def add_derived(view: FeatureView, values: pl.DataFrame) -> pl.DataFrame:
    """Add the derived features, each after those it reads, and return keys and stored features in declared order."""
    waiting = [feature for feature in view.stored_features if feature.name not in values.columns]
    dtypes = {feature.name: feature.dtype for feature in view.stored_features}
    while waiting:
        ready = [feature for feature in waiting if set(feature.reads) <= set(values.columns)]
        assert ready, f"{view.full_name}: {waiting} wait for one another"
        values = values.with_columns(derived(feature, dtypes).alias(feature.name) for feature in ready)
        waiting = [feature for feature in waiting if feature not in ready]
    return values.select(*view.keys, *dtypes)


def derived(feature: Feature, dtypes: dict[str, DType]) -> pl.Expr:
    """Return the value of a feature that is an expression over columns of these types, in the feature's dtype."""
    assert feature.expression is not None
    return to_dtype(compile_expression(feature.expression, dtypes), feature.dtype)


def to_dtype(expr: pl.Expr, dtype: DType) -> pl.Expr:
    """Cast a value of the working type to the feature's dtype; what does not fit Float32 is null."""
    if not dtype.is_float:
        return expr.cast(polars_dtype(dtype))
    # After narrowing, which may give an infinity or -0.0 of its own; those of the value come through it.
    return finite(expr.cast(polars_dtype(dtype)).cast(pl.Float64)).cast(polars_dtype(dtype))


def default_expr(feature: Feature) -> pl.Expr | None:
    """Return the declared default in the feature's dtype, of an array that of a slot; None if there is none."""
    if feature.default is None:
        return None
    return to_dtype(constant(feature.default, feature.dtype.element), feature.dtype.element)


def _aggregate(merged: pl.DataFrame, feature: Feature) -> pl.Expr:
    aggregation = feature.aggregation
    assert aggregation is not None
    slots = [_slot(feature, *value) for value in slot_values(merged, aggregation)]
    return _array(slots) if feature.dtype.is_array else slots[0]


def _slot(feature: Feature, value: pl.Expr, counted: pl.Expr) -> pl.Expr:
    """Return a value in the feature's dtype, or of one slot of its array; where nothing was counted, the empty one."""
    assert feature.aggregation is not None
    dtype = feature.dtype.element
    empty = default_expr(feature)
    if empty is None:
        empty = pl.lit(KINDS[feature.aggregation.kind].empty, dtype=pl.Int64).cast(polars_dtype(dtype))
    return pl.when(counted).then(to_dtype(value, dtype)).otherwise(empty)


def _array(slots: list[pl.Expr]) -> pl.Expr:
    """Return slots as an array, which is null where all of them are."""
    return pl.when(pl.any_horizontal(slot.is_not_null() for slot in slots)).then(pl.concat_arr(slots))
