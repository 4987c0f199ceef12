"""From merged states to values: cast, empty value or default, derived features, order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from feature_store.aggregations import KINDS, Aggregation
from feature_store.dtypes import DType, Timestamp
from feature_store.engines.polars.dtypes import constant, polars_dtype, to_microseconds, working_dtype
from feature_store.engines.polars.expressions import compile_expression
from feature_store.engines.polars.states import State, aggregation_states
from feature_store.engines.polars.typed import finite
from feature_store.features import Feature
from feature_store.plans import Value
from feature_store.views import FeatureView
from feature_store.windows import Window


def merged_column(state_column: str, window: Window | None) -> str:
    """Return the column of a state merged over a window (None: all history) in the frame that ``finish`` takes."""
    return f"{state_column}@{'all' if window is None else f'{window.over}/{window.hop}'}"


def merged_dtype(state: State) -> pl.DataType:
    """Return the type of a merged state: of ``first`` and ``last`` only the value is left, of ``unique`` the number."""
    if isinstance(state.dtype, pl.Struct):
        return next(pl.Series(dtype=field.dtype).dtype for field in state.dtype.fields if field.name == "value")
    return pl.Int64() if state.part == "unique" else state.dtype


def finish(view: FeatureView, merged: pl.DataFrame) -> pl.DataFrame:
    """Return a view's values from its merged states.

    Args:
        view: a view of an event source.
        merged: keys and one ``merged_column`` per state and window, one row per entity; null where nothing was counted.

    Returns:
        Keys and stored features in their dtypes, sorted by the keys. Vectors are Array(Float32, n).
    """
    aggregates = [f for f in view.features if f.aggregation is not None]
    values = merged.select(*view.keys, *(_aggregate(feature).alias(feature.name) for feature in aggregates))
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
    """Return the declared default in the feature's dtype; None if there is none."""
    if feature.default is None:
        return None
    return to_dtype(constant(feature.default, feature.dtype), feature.dtype)


def empty_values(view: FeatureView) -> dict[str, Value]:
    """Return the stored features of an entity without events or rows, as JSON; timestamps are integer microseconds."""
    keys = {key: working_dtype(dtype) for key, dtype in view.entity.keys.items()}
    if view.is_table:
        nothing = pl.DataFrame({key: [None] for key in keys}, schema=keys)
        fields = [feature for feature in view.stored_features if feature.kind == "field"]
        defaults = {f.name: _or_null(default_expr(f), f.dtype) for f in fields}
        row = add_derived(view, nothing.with_columns(**defaults))
    else:
        schema = {**keys, **_merged_schema(view)}
        row = finish(view, pl.DataFrame({name: [None] for name in schema}, schema=schema))
    return {f.name: _json(row.get_column(f.name).to_list()[0], f.dtype) for f in view.stored_features}


def _aggregate(feature: Feature) -> pl.Expr:
    assert feature.aggregation is not None
    aggregation = feature.aggregation
    value, counted = _value(aggregation)
    empty = KINDS[aggregation.kind].empty
    default = default_expr(feature)
    if default is None:
        default = pl.lit(empty, dtype=pl.Int64).cast(polars_dtype(feature.dtype))
    return pl.when(counted).then(to_dtype(value, feature.dtype)).otherwise(default)


def _value(aggregation: Aggregation) -> tuple[pl.Expr, pl.Expr]:
    """Return the value and whether anything was counted."""
    parts = {
        part: pl.col(merged_column(column, aggregation.window))
        for part, column in zip(KINDS[aggregation.kind].states, aggregation.state_columns(), strict=True)
    }
    if aggregation.kind == "std":
        n = parts["n"]
        return pl.when(n > 1).then((parts["m2"] / (n - 1)).sqrt()), n > 0
    value = parts["n" if aggregation.kind == "count" else KINDS[aggregation.kind].states[-1]]
    return value, (parts["n"] > 0 if "n" in parts else value.is_not_null())


def _merged_schema(view: FeatureView) -> dict[str, pl.DataType]:
    return {
        merged_column(state.column, feature.aggregation.window): merged_dtype(state)
        for feature in view.features
        if feature.aggregation is not None
        for state in aggregation_states(view, feature, feature.aggregation)
    }


def _or_null(expr: pl.Expr | None, dtype: DType) -> pl.Expr:
    return pl.lit(None).cast(polars_dtype(dtype)) if expr is None else expr


def _json(value: Any, dtype: DType) -> Value:
    if value is None:
        return None
    if dtype == Timestamp:
        assert isinstance(value, datetime)
        return to_microseconds(value)
    return [float(element) for element in value] if dtype.is_vector else value
