"""The state columns of a view's tiles as Polars types; see ``feature_store.model.kinds`` for what they hold."""

from __future__ import annotations

import polars as pl

from feature_store.dtypes import dtype_from_name
from feature_store.engines.polars.dtypes import TIMESTAMP, working_dtype
from feature_store.model.kinds import PARTS
from feature_store.model.states import State, view_states
from feature_store.model.views import FeatureView


def state_dtype(state: State) -> pl.DataType:
    """Return the type of a state column: a value, a struct of fields, or a list of either."""
    fields = [working_dtype(dtype_from_name(field.dtype)) for field in state.fields]
    one = pl.Struct(dict(zip(field_names(state), fields, strict=True))) if PARTS[state.part].has_time else fields[0]
    return pl.List(one) if PARTS[state.part].is_list else one


def field_names(state: State) -> list[str]:
    """Return what the fields of a state with times are called in its struct, in order."""
    return [field.name.removeprefix(f"{state.column}.") for field in state.fields]


def read_dtype(state: State) -> pl.DataType:
    """Return the type of a merged state as it is read: without times, and the number where values are counted."""
    part = PARTS[state.part]
    if part.is_counted:
        return pl.Int64()
    value = working_dtype(dtype_from_name(state.fields[-1].dtype))
    return pl.List(value) if part.is_list else value


def tile_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a view's tiles and their types."""
    states = {state.column: state_dtype(state) for state in view_states(view)}
    return {"partition_start": TIMESTAMP, "tile_start": TIMESTAMP, **_keys(view), **states}


def state_schema(view: FeatureView) -> dict[str, pl.DataType]:
    """Return the columns of a view's all-history state and their types."""
    return {**_keys(view), **{state.column: state_dtype(state) for state in view_states(view, all_history_only=True)}}


def _keys(view: FeatureView) -> dict[str, pl.DataType]:
    return {key: working_dtype(dtype) for key, dtype in view.entity.keys.items()}
