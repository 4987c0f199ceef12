"""Inputs as columns of a spine: taken as columns of a source are, whatever made them, or refused by the column."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import InputError
from feature_store.offline.join.spine_inputs import spine_inputs
from feature_store.plans.service_plan import PlanExpression, PlanInput, ServicePlan
from tests.offline.definitions import service

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def plan(dtype: DType, default: Any = None) -> ServicePlan:
    output = PlanExpression("is_missing", "Boolean", f'["is_null", [["column", "x", "{dtype}"]], {{}}]', (), ("x",))
    return replace(compile_plan(service), outputs=(output,), inputs=(PlanInput("x", dtype.name, default),))


def held(column: pl.Series, dtype: DType) -> list[Any]:
    (found,) = spine_inputs(plan(dtype), pl.DataFrame({"x": column}))
    assert found.dtype == polars_dtype(dtype)
    return found.to_list()


SAME: list[tuple[DType, pl.Series, list[Any]]] = [
    (Float64, pl.Series([1.5, None]), [1.5, None]),
    (Float64, pl.Series([1, 2], dtype=pl.Int32), [1.0, 2.0]),
    (Float64, pl.Series([0.5], dtype=pl.Float32), [0.5]),
    (Float32, pl.Series([2**53 + 1]), [float(2**53)]),
    (Int64, pl.Series([1, None], dtype=pl.UInt8), [1, None]),
    (Int64, pl.Series([1.0, None]), [1, None]),
    (Int64, pl.Series([None, None]), [None, None]),
    (Boolean, pl.Series([True, None]), [True, None]),
    (String, pl.Series(["é", None]), ["é", None]),
    (Timestamp, pl.Series([AT]).dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms"), [AT]),
    (Vector(2), pl.Series([[1.0, 2.0], None], dtype=pl.List(pl.Float64)), [[1.0, 2.0], None]),
    (Vector(2), pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), [[1.0, 2.0]]),
]


@pytest.mark.parametrize(("dtype", "column", "wanted"), SAME)
def test_columns_are_taken_in_the_types_of_the_inputs(dtype: DType, column: pl.Series, wanted: list[Any]) -> None:
    assert held(column, dtype) == wanted


def test_a_default_stands_where_the_column_is_missing_and_not_for_null() -> None:
    spine = pl.DataFrame({"y": [1, 2]})
    for dtype, default, value in (
        (Float64, 0.5, 0.5),
        (Timestamp, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (Vector(2), [0.5, 1.0], [0.5, 1.0]),
    ):
        (found,) = spine_inputs(plan(dtype, default), spine)
        assert found.to_list() == [value, value]
    (found,) = spine_inputs(plan(Float64, 0.5), spine.with_columns(x=pl.Series([None, 2.0])))
    assert found.to_list() == [None, 2.0]


WRONG: list[tuple[DType, pl.Series, str]] = [
    (Float64, pl.Series(["1"]), "spine column 'x' has type String, but this input has type Float64: use"),
    (Float64, pl.Series([True]), "has type Boolean, but this input has type Float64"),
    (Int64, pl.Series([1.5, None]), "has type Float64, but this input has type Int64"),
    (Int64, pl.Series([1.0, 2.0]), "has type Float64, but this input has type Int64"),
    (Int64, pl.Series([1, 2**63], dtype=pl.UInt64), "has 9223372036854775808 in row 1, which does not fit Int64"),
    (Boolean, pl.Series([1]), "has type Int64, but this input has type Boolean"),
    (Timestamp, pl.Series([AT.replace(tzinfo=None)]), "spine column 'x' has no time zone: state it"),
    (Timestamp, pl.Series([0]), "has type Int64, but this input has type Timestamp"),
    (
        Vector(2),
        pl.Series([[1.0, 2.0], [1.0]]),
        r"has a list of 1 numbers in row 1, but this input has type Vector\[2\]",
    ),
    (Vector(2), pl.Series([["a", "b"]]), r"but this input has type Vector\[2\]"),
]


@pytest.mark.parametrize(("dtype", "column", "message"), WRONG)
def test_a_spine_whose_inputs_cannot_be_used_is_refused(dtype: DType, column: pl.Series, message: str) -> None:
    with pytest.raises(InputError, match=message):
        held(column, dtype)


def test_a_missing_input_is_named_with_the_columns_that_are_there() -> None:
    with pytest.raises(InputError, match=r"no column 'x', an input of .*/v1 \(Float64\): add it; its columns are y, z"):
        spine_inputs(plan(Float64), pl.DataFrame({"y": [1], "z": [2]}))
