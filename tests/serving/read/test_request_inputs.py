"""Inputs of requests, whatever library made them: taken as columns of a source are, or refused by the field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from feature_store.dtypes import Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from feature_store.plans.service_plan import PlanExpression, PlanInput, ServicePlan
from serving.read.request_values import read_values, typed_column
from serving.read.requests import RequestError, read_keys, select_features
from tests.serving.services import keys_of, service_plan

DTYPES = {
    "amount": Float64,
    "narrow": Float32,
    "units": Int64,
    "note": String,
    "seen": Timestamp,
    "agreed": Boolean,
    "place": Vector(2),
}


def plan_of_all() -> ServicePlan:
    inputs = [PlanInput(name, dtype.name) for name, dtype in DTYPES.items()]
    outputs = [
        PlanExpression(
            f"has_{each.name}",
            "Boolean",
            f'["is_null", [["column", "{each.name}", "{each.dtype}"]], {{}}]',
            (),
            (each.name,),
        )
        for each in inputs
    ]
    plan = service_plan()
    return replace(
        plan,
        outputs=(*plan.outputs, *outputs),
        inputs=(*inputs, PlanInput("extra", "Float64", 0.5)),
    )


PLAN = plan_of_all()
GOOD: dict[str, list[Any]] = {
    "amount": [1.5, None],
    "narrow": [0.1, 1],
    "units": [7, None],
    "note": ["a", ""],
    "seen": ["2026-01-31T12:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)],
    "agreed": [True, None],
    "place": [[1.0, 2.0], None],
}
KEYS = keys_of([1, 2])


def held(values: Any, dtype: DType) -> list[Any]:
    column = typed_column(read_values("inputs.x", values, dtype, "input"), dtype)
    return [
        value if valid else None for value, valid in zip(column.values.tolist(), column.valid.tolist(), strict=True)
    ]


SAME: list[tuple[DType, Any, list[Any]]] = [
    (Float64, [1, 2.5, None, float("nan"), float("inf")], [1.0, 2.5, None, None, None]),
    (Float64, np.array([1.5, np.nan]), [1.5, None]),
    (Float64, np.array([1, 2], np.int32), [1.0, 2.0]),
    (Float64, [np.float32(0.5), np.int64(2)], [0.5, 2.0]),
    (Float64, pd.Series([1.5, None]), [1.5, None]),
    (Float64, pl.Series([1.5, None]), [1.5, None]),
    (Float64, pa.array([1.5, None]), [1.5, None]),
    (Float32, [0.1, 1e39, 3], [float(np.float32(0.1)), None, 3.0]),
    (Int64, [1, None, -(2**63)], [1, None, -(2**63)]),
    (Int64, pd.Series([1, None]), [1, None]),
    (Int64, pd.Series([1, None], dtype="Int64"), [1, None]),
    (Boolean, [True, None, np.bool_(False)], [1, None, 0]),
    (String, ["é", None], ["é", None]),
    (Timestamp, ["1970-01-01T00:00:01+00:00", "1970-01-01T01:00:00.5+01:00", None], [1_000_000, 500_000, None]),
    (Timestamp, [datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))], [0]),
    (Timestamp, pd.Series([pd.Timestamp("1970-01-01T00:00:01Z"), pd.NaT]), [1_000_000, None]),
    (Vector(2), [[1, 2.5], None, [None, 1.0], [float("nan"), 1.0], [1e39, 0]], [[1.0, 2.5], None, None, None, None]),
    (Vector(2), np.array([[1, 2], [3, 4]], np.float32), [[1.0, 2.0], [3.0, 4.0]]),
    (Float64, [], []),
    (Vector(2), [], []),
]


@pytest.mark.parametrize(("dtype", "values", "wanted"), SAME)
def test_values_are_taken_as_columns_of_a_source_are(dtype: DType, values: Any, wanted: list[Any]) -> None:
    assert held(values, dtype) == wanted


def given(**changed: Any) -> dict[str, Any]:
    return {name: values for name, values in {**GOOD, **changed}.items() if values is not ...}


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "a list": (
        lambda: read_keys(PLAN, KEYS, [1]),
        'inputs: give the inputs with their values, e.g. {"amount": [12.5]}',
    ),
    "an unknown one": (
        lambda: read_keys(PLAN, KEYS, given(amuont=[1.0, 2.0])),
        (
            "inputs.amuont: not an input of churn/v1; its inputs are amount, narrow, units, note, seen, agreed, place, "
            "extra"
        ),
    ),
    "one of a service without inputs": (
        lambda: read_keys(service_plan(), KEYS, {"amount": [1.0, 2.0]}),
        "inputs.amount: not an input of churn/v1; it has none",
    ),
    "a missing one": (
        lambda: read_keys(PLAN, KEYS, given(amount=...)),
        "inputs.amount: missing: churn/v1 needs this input (Float64), a value per entity",
    ),
    "none at all": (
        lambda: read_keys(PLAN, KEYS),
        "inputs.amount: missing: churn/v1 needs this input (Float64), a value per entity",
    ),
    "one value for all": (
        lambda: read_keys(PLAN, KEYS, given(amount=[1.0])),
        "inputs.amount: 1 values for 2 entities: give every entity a value, or null",
    ),
    "a single number": (
        lambda: read_keys(PLAN, KEYS, given(amount=1.0)),
        "inputs.amount: 1.0 is not a list: give one value per entity, e.g. [900, 901]",
    ),
    "a text for a number": (
        lambda: read_keys(PLAN, KEYS, given(amount=[1.0, "2"])),
        "inputs.amount[1]: '2' is of type str, the input is Float64",
    ),
    "a Boolean for a number": (
        lambda: read_keys(PLAN, KEYS, given(amount=[True, 1.0])),
        "inputs.amount[0]: True is of type bool, the input is Float64",
    ),
    "a float for an integer": (
        lambda: read_keys(PLAN, KEYS, given(units=[1.5, 1])),
        "inputs.units[0]: 1.5 is of type float, the input is Int64",
    ),
    "an integer beyond 64 bits": (
        lambda: read_keys(PLAN, KEYS, given(units=[1, 2**63])),
        "inputs.units[1]: 9223372036854775808 does not fit into 64 bits",
    ),
    "an integer beyond all floats": (
        lambda: read_keys(PLAN, KEYS, given(amount=[1.0, 10**400])),
        f"inputs.amount[1]: {10**400} does not fit a float",
    ),
    "a number for a Boolean": (
        lambda: read_keys(PLAN, KEYS, given(agreed=[1, 0])),
        "inputs.agreed[0]: 1 is of type int, the input is Boolean",
    ),
    "a lone surrogate": (
        lambda: read_keys(PLAN, KEYS, given(note=["a", "\ud800"])),
        "inputs.note[1]: '\\ud800' is not valid Unicode",
    ),
    "a naive time": (
        lambda: read_keys(PLAN, KEYS, given(seen=[None, datetime(2026, 1, 31)])),
        "inputs.seen[1]: 2026-01-31T00:00:00 has no time zone: write e.g. datetime(..., tzinfo=timezone.utc)",
    ),
    "a text without a zone": (
        lambda: read_keys(PLAN, KEYS, given(seen=["2026-01-31T12:00:00", None])),
        "inputs.seen[0]: '2026-01-31T12:00:00' is not a time with a zone: write it as '2026-01-31T12:00:00Z'",
    ),
    "a day that is not": (
        lambda: read_keys(PLAN, KEYS, given(seen=["2026-02-30T12:00:00Z", None])),
        "inputs.seen[0]: '2026-02-30T12:00:00Z': there is no such day",
    ),
    "a number for a time": (
        lambda: read_keys(PLAN, KEYS, given(seen=[0, None])),
        "inputs.seen[0]: 0 is of type int, the input is Timestamp",
    ),
    "a vector of another length": (
        lambda: read_keys(PLAN, KEYS, given(place=[[1.0], None])),
        "inputs.place[0]: 1 numbers, the input is Vector[2]",
    ),
    "a vector of texts": (
        lambda: read_keys(PLAN, KEYS, given(place=[None, ["a", 1.0]])),
        "inputs.place[1]: 'a' is of type str, the input is Vector[2]",
    ),
    "a wrong one that nobody needs": (
        lambda: read_keys(select_features(PLAN, ["has_note"]), KEYS, given(amount=["x", "y"])),
        "inputs.amount[0]: 'x' is of type str, the input is Float64",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_cannot_be_answered_is_refused(name: str) -> None:
    ask, message = WRONG[name]
    with pytest.raises(RequestError) as caught:
        ask()
    assert str(caught.value) == message


def test_only_inputs_of_the_features_asked_for_are_needed() -> None:
    note = select_features(PLAN, ["has_note", "weekday_now"])
    assert read_keys(note, KEYS, {"note": ["a", "b"]}).inputs == {"note": ["a", "b"]}
    assert read_keys(note, KEYS, GOOD).inputs == {"note": ["a", ""]}
    assert read_keys(select_features(PLAN, ["weekday_now"]), KEYS).inputs == {}
    with pytest.raises(RequestError, match=r"inputs\.note: missing"):
        read_keys(note, KEYS, {"amount": [1.0, 2.0]})


def test_a_default_stands_where_an_input_does_not_come_and_not_for_null() -> None:
    extra = PlanExpression("more", "Float64", '["negate", [["column", "extra", "Float64"]], {}]', (), ("extra",))
    plan = replace(service_plan(), outputs=(extra,), inputs=PLAN.inputs)
    assert read_keys(plan, KEYS).inputs == {"extra": [0.5, 0.5]}
    assert read_keys(plan, KEYS, {"extra": [None, 2.0]}).inputs == {"extra": [None, 2.0]}


def test_the_lists_of_a_caller_stay_as_they_are() -> None:
    mine = {"amount": [np.float64(1.5), None], "place": [[1, 2], None]}
    read_keys(select_features(PLAN, ["has_amount", "has_place"]), KEYS, mine)
    assert type(mine["amount"][0]) is np.float64
    assert mine["place"] == [[1, 2], None]
