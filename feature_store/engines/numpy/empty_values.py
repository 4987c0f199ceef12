"""The values of an entity without events or rows, which plans hold: readers give them where nothing is stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from feature_store.columns import Column
from feature_store.constants import default_json
from feature_store.dtypes import Boolean, DType, String
from feature_store.engines.numpy.finish import add_derived, to_dtype
from feature_store.model.features import Feature
from feature_store.model.kinds import KINDS
from feature_store.model.views import FeatureView
from feature_store.plans.compile_stream import derived_features
from feature_store.plans.service_plan import Value


def empty_values(view: FeatureView) -> dict[str, Value]:
    """Return the stored features of an entity without events or rows, as JSON; timestamps are integer microseconds."""
    given = [feature for feature in view.stored_features if feature.kind != "derived"]
    dtypes = {feature.name: feature.dtype for feature in given}
    columns = add_derived(derived_features(view), {f.name: _column(f) for f in given}, dtypes, count=1)
    return {feature.name: _json(columns[feature.name], feature.dtype) for feature in view.stored_features}


def _column(feature: Feature) -> Column:
    """Return the default or empty value of a feature that is not derived, as one row."""
    dtype, element, empty = feature.dtype, feature.dtype.element, default_json(feature.default)
    if empty is None and feature.aggregation is not None:
        empty = KINDS[feature.aggregation.kind].empty
    shape = (1, dtype.length) if dtype.is_vector or dtype.is_array else (1,)
    valid = np.full(shape if dtype.is_array else (1,), empty is not None)
    none: Any = "" if element == String else 0
    values = np.full(shape, none if empty is None else empty, np.dtype(np.float64 if element.is_float else dtype.numpy))
    return to_dtype(Column(values, valid), element)


def _json(column: Column, dtype: DType) -> Value:
    if not column.has_value[0]:
        return None
    if dtype.is_array:
        slots = zip(column.values[0], column.valid[0], strict=True)
        return [_scalar(value, dtype.element) if valid else None for value, valid in slots]
    return [float(each) for each in column.values[0]] if dtype.is_vector else _scalar(column.values[0], dtype)


def _scalar(value: Any, dtype: DType) -> Any:
    if dtype == Boolean:
        return bool(value)
    return value if dtype == String else value.item()
