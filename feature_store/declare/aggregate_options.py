"""Checks the options that only some aggregates have: k, q, half_life, buckets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from feature_store.checks.declared import shown
from feature_store.constants import constant_problem
from feature_store.dtypes import MOST_SLOTS, DType, Float64
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import Scalar
from feature_store.model.service_levels import check_span


def check_k(place: str, k: object) -> int:
    """Return how many values are kept."""
    if type(k) is not int or not 1 <= k <= MOST_SLOTS:
        problem = f"k={shown(k)} is not a whole number between 1 and {MOST_SLOTS}"
        raise DefinitionError(place, problem, "say how many values to keep")
    return k


def check_q(place: str, q: object) -> float:
    """Return which percentile is meant."""
    if type(q) not in (int, float) or not 0 <= cast("float", q) <= 1:
        problem = f"q={shown(q)} is not a number between 0 and 1"
        raise DefinitionError(place, problem, "write q=0.95 for the 95th percentile")
    return float(cast("float", q))


def check_half_life(place: str, half_life: object) -> int:
    """Return a half-life in microseconds."""
    return check_span(place, "half_life", half_life)


def check_buckets(place: str, buckets: object, dtype: DType) -> tuple[Scalar, ...]:
    """Return the values of ``by=`` that have a slot: distinct constants of its type, floats as float."""
    if dtype.is_vector:
        raise DefinitionError(place, f"by= is {dtype}, which no value equals", "give by= a single value")
    if isinstance(buckets, str) or not isinstance(buckets, Sequence):
        problem = "by= without buckets=" if buckets is None else f"buckets={shown(buckets)} is not a list"
        raise DefinitionError(place, problem, "list the values that have a slot: buckets=['DELI', 'DAIRY']")
    listed = list(cast("Sequence[object]", buckets))
    if not 1 <= len(listed) <= MOST_SLOTS:
        raise DefinitionError(place, f"buckets= lists {len(listed)} values", f"list 1 to {MOST_SLOTS}")
    checked = tuple(_check_bucket(place, bucket, dtype) for bucket in listed)
    twice = [bucket for number, bucket in enumerate(checked) if bucket in checked[:number]]
    if twice:
        raise DefinitionError(place, f"buckets= lists {twice[0]!r} twice", "list it once")
    return checked


def _check_bucket(place: str, bucket: object, dtype: DType) -> Scalar:
    # Floats are compared as Float64, whatever their type.
    problem = constant_problem(bucket, Float64 if dtype.is_float else dtype)
    if problem is not None:
        raise DefinitionError(place, f"buckets= lists {shown(bucket)}, which {problem[0]}", problem[1])
    value = cast("Scalar", bucket)
    return float(cast("float", value)) + 0.0 if dtype.is_float else value
