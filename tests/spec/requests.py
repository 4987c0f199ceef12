"""Inputs that come with requests, and request features over them and over features of any view, in any role."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from random import Random
from typing import Any, Final

import polars as pl

from feature_store import (
    Boolean,
    DType,
    EmbeddingTable,
    FeatureView,
    Float32,
    Float64,
    Int64,
    LookupTable,
    RequestInput,
    String,
    Timestamp,
    Vector,
    bucketise,
    cosine,
    dot,
    embed,
    lit,
    lookup,
    one_hot,
    ordinal,
    ratio,
    request,
    request_feature,
    when,
)
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.expressions.nodes import Expression
from feature_store.model.request_features import RequestFeature
from feature_store.model.views import FeatureRef
from tests.spec.declarations import at

INPUTS: Final[Mapping[str, DType | RequestInput]] = {
    "amount": Float64,
    "narrowed": Float32,
    "units": Int64,
    "note": String,
    "seen": Timestamp,
    "agreed": Boolean,
    "place": Vector(2),
    "extra": RequestInput(Float64, default=0.5, description="Left out now and then"),
}
VALUES: Final[Mapping[str, Sequence[Any]]] = {
    "amount": [None, 0.0, -0.0, 1.5, 12.5, -2.25, math.nan, math.inf, 1e308, 5e-324, 3],
    "narrowed": [None, 0.1, -0.0, 1e39, 3.0, math.nan],
    "units": [None, 0, 1, 7, 2**53 + 1, 2**63 - 1, -(2**63)],
    "note": [None, "a", "A", "b", "", "é"],
    "seen": [None, at(), at(2, 5), at(3, microseconds=1)],
    "agreed": [None, True, False],
    "place": [None, [1.0, 0.0], [0.5, -2.0], [0.0, 0.0], [math.nan, 1.0], [None, 1.0], [3e38, 1e-45], [1e39, 0.0]],
    "extra": [None, 0.0, 2.5, -math.inf],
}
LEFT_OUT: Final = "extra"

RATES: Final = LookupTable("rates", {"a": 0.1, "b": 2})
PLACES: Final = EmbeddingTable("places", {"a": [1.0, 2.0], "": [-1.0, 1e-40]})


def of_inputs() -> list[RequestFeature]:
    """Return request features of inputs alone: every kind of expression."""
    amount, note = request("amount"), request("note")
    found: Mapping[str, Expression] = {
        "alone": amount * 2 - request("extra"),
        "rounded": request("narrowed") + lit(0),
        "counted": request("units") + 1,
        "hour": request("seen").hour() + request("seen").weekday() * 100,
        "letter": one_hot(note.lower(), ["a", "é"]),
        "order": ordinal(note, ["b", "a"]),
        "rate": lookup(note, RATES),
        "near": cosine(request("place"), embed(note, PLACES)),
        "level": bucketise(amount, [0, 2.0, 1e300]),
        "chosen": when(request("agreed")).then(note).otherwise(None),
    }
    return [request_feature(name, expression, description="d") for name, expression in found.items()]


def over(view: FeatureView, role: str | None = None, mark: str = "") -> list[RequestFeature]:
    """Return request features over inputs and features of a view, by what types of features it has.

    Args:
        view: the view.
        role: in which it is read too, by other keys; None: in none.
        mark: begins the names.
    """
    return [
        request_feature(f"{mark}{name}", expression, description="d") for name, expression in _over(view, role).items()
    ]


def answered_in_role(view: FeatureView) -> tuple[str, ...]:
    """Return the features of a view that a service answers in the other role."""
    return tuple(view.fingerprints)[:3]


def _over(view: FeatureView, role: str | None) -> dict[str, Expression]:
    by_type: dict[DType, list[FeatureRef]] = {}
    for feature in view.features:
        by_type.setdefault(feature.dtype, []).append(FeatureRef(view, feature.name))
    numbers = [feature for dtype in (Float32, Float64, Int64) for feature in by_type.get(dtype, [])]
    single = [feature for dtype, each in by_type.items() if not dtype.is_array for feature in each]
    number, amount = numbers[0], request("amount")
    found: dict[str, Expression] = {
        "share": ratio(amount, number, description="d"),
        "hidden": (number / 0).fill_null(7.0),
        "above": bucketise(amount, [0.5, *numbers[:2]]),
        "none": reduce(lambda left, right: left & right, [feature.is_null() for feature in single]),
    }
    for text in by_type.get(String, [])[:1]:
        found["text"] = text.fill_null(request("note"))
    for moment in by_type.get(Timestamp, [])[:1]:
        found["later"] = moment <= request("seen")
    for vector in by_type.get(Vector(2), [])[:1]:
        found |= {"distance": cosine(request("place"), vector), "product": dot(vector, request("place"))}
    for days in [FeatureRef(view, feature.name) for feature in view.features if feature.on_read is not None]:
        found[f"{days.name}_more"] = days + amount
    if role is not None:
        counts = [feature for feature in by_type.get(Int64, []) if view.feature(feature.name).is_stored]
        whole = counts[-1]  # no output itself: only this reads it
        # Sums of floats are compared by what the answer says of them, so both must be in it.
        answered = next(name for name in answered_in_role(view) if view.feature(name).dtype.is_numeric)
        found["both"] = number + FeatureRef(view, answered).as_role(role)
        found["role_alone"] = request("units").fill_null(0) - whole.as_role(role)
    return found


def across(one: FeatureView, other: FeatureView) -> list[RequestFeature]:
    """Return request features over several views at once, each with a status of its own."""
    first, second = (
        [FeatureRef(view, feature.name) for feature in view.features if feature.dtype.is_numeric]
        for view in (one, other)
    )
    pairs = zip(first, second, strict=False)
    found = {f"pair_{place}": left * request("amount") - right for place, (left, right) in enumerate(pairs)}
    found["either"] = first[0].fill_null(second[0]).fill_null(request("extra")).fill_null(1)
    return [request_feature(name, expression, description="d") for name, expression in found.items()]


def with_inputs(requests: Sequence[dict[str, Any]], rng: Random) -> list[dict[str, Any]]:
    """Return requests with an input of each name; now and then none of them has the one that has a default."""
    names = [name for name in INPUTS if name != LEFT_OUT or rng.choice([True, False])]
    return [{**each, **{name: rng.choice(VALUES[name]) for name in names}} for each in requests]


def input_columns(requests: Sequence[Mapping[str, Any]], *more: str) -> dict[str, list[Any]]:
    """Return the inputs of requests by name, as a client gives them, with more that no service has."""
    return {name: [each[name] for each in requests] for name in (*INPUTS, *more) if requests and name in requests[0]}


def spine_types(requests: Sequence[Mapping[str, Any]]) -> dict[str, pl.DataType]:
    """Return the types in which the inputs of requests can stand in a spine."""
    return dict(_spine_types(input_columns(requests)))


def _spine_types(names: Mapping[str, object]) -> Iterator[tuple[str, pl.DataType]]:
    for name in names:
        declared = INPUTS[name]
        dtype = declared.dtype if isinstance(declared, RequestInput) else declared
        wide = pl.Float64() if dtype.is_float else polars_dtype(dtype)
        yield name, pl.List(pl.Float64) if dtype.is_vector else wide
