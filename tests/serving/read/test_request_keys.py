"""Keys of a request, in every container and with every spelling of what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import ServicePlan
from serving.read.requests import RequestError, read_keys
from tests.offline.definitions import service

PLAN = compile_plan(service)
KEY = "shopper_id"


def plan_of(dtype: str) -> ServicePlan:
    keys = [replace(view, keys=tuple(replace(key, dtype=dtype) for key in view.keys)) for view in PLAN.views]
    return replace(PLAN, views=tuple(keys))


INTEGERS, TEXTS = plan_of("Int64"), plan_of("String")
MISSING = [None, float("nan"), np.float64("nan"), np.float32("nan"), pd.NA, pd.NaT]


def kind_of(values: Any) -> str:
    return f"{type(values).__module__}.{type(values).__name__}-{getattr(values, 'dtype', None) or values.type}"


def keys_of(plan: ServicePlan, values: Any) -> list[Any]:
    return read_keys(plan, {KEY: values}).values[KEY]


@pytest.mark.parametrize("missing", MISSING, ids=lambda each: f"{type(each).__name__}")
def test_missing_keys_are_null_keys(missing):
    for plan, value in ((INTEGERS, 7), (TEXTS, "a")):
        for container in (list, tuple, lambda each: np.array(each, object), lambda each: pd.Series(each, dtype=object)):
            values = container([value, missing, value])
            assert keys_of(plan, values) == [value, None, value]
            assert keys_of(plan, container([missing])) == [None]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([7, None]),
        pd.Series([7, None], dtype="Int64"),
        pd.Series([7, None], dtype="int64[pyarrow]"),
        np.array([7.0, float("nan")]),
        np.ma.masked_array([7, 8], [False, True]),
        pl.Series([7, None]),
        pl.Series([7.0, float("nan")]),
        pa.array([7, None]),
        pa.chunked_array([[7], [None]]),
    ],
    ids=kind_of,
)
def test_whole_numbers_beside_missing_ones_are_keys_in_every_container(values):
    assert keys_of(INTEGERS, values) == [7, None]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["a", None]),
        pd.Series(["a", None], dtype=object),
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None], dtype="category"),
        pd.Index(["a", None]),
        pl.Series(["a", None]),
        pl.Series(["a", None], dtype=pl.Categorical),
        pa.array(["a", None]),
        pa.array(["a", None]).dictionary_encode(),
    ],
    ids=kind_of,
)
def test_texts_beside_missing_ones_are_keys_in_every_container(values):
    assert keys_of(TEXTS, values) == ["a", None]


@pytest.mark.parametrize("plan", [INTEGERS, TEXTS], ids=["Int64", "String"])
@pytest.mark.parametrize(
    "values",
    [
        [None, None],
        [float("nan")] * 2,
        pd.Series([None, None]),
        pd.Series([None, None], dtype="float64"),
        np.array([np.nan] * 2),
        pl.Series([None, None]),
        pa.nulls(2),
    ],
    ids=lambda each: type(each).__module__.partition(".")[0] + type(each).__name__,
)
def test_a_column_without_values_fits_any_key(plan, values):
    assert keys_of(plan, values) == [None, None]


@pytest.mark.parametrize(
    "values",
    [
        [7.0, float("nan")],
        [7.0, None],
        pd.Series([7.5, None]),
        pd.Series([2.0**60, None]),
        np.array([7.0, 8.0]),
        np.array([np.inf, np.nan]),
        ["7", None],
        [True, None],
        pd.Series([True, None], dtype="boolean"),
    ],
    ids=repr,
)
def test_other_numbers_are_no_keys(values):
    with pytest.raises(RequestError, match=r"keys\.shopper_id\[0\]: "):
        keys_of(INTEGERS, values)


def test_what_was_given_is_left_as_it_is():
    given = [7, float("nan"), pd.NA]
    keys_of(INTEGERS, given)
    assert given[0] == 7
    assert given[2] is pd.NA
