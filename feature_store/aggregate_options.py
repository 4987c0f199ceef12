"""Checks the options that only some aggregates have: k, q, half_life, buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from feature_store.dtypes import MOST_SLOTS, DType, Float64, Int64
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import Scalar
from feature_store.service_levels import check_span
from feature_store.values import PYTHON_TYPES


def check_k(where: str, kind: str, k: object) -> int:
    """Return how many values are kept."""
    if type(k) is not int or not 1 <= k <= MOST_SLOTS:
        raise DefinitionError(where, f"{kind} with k={k!r}", f"give a whole number from 1 to {MOST_SLOTS}")
    return k


def check_q(where: str, q: object) -> float:
    """Return which percentile is meant."""
    if type(q) not in (int, float) or not 0 <= cast("float", q) <= 1:
        raise DefinitionError(where, f"approx_percentile with q={q!r}", "give a number from 0 to 1, e.g. 0.95")
    return float(cast("float", q))


def check_half_life(where: str, half_life: object) -> int:
    """Return a half-life in microseconds."""
    return check_span(where, "half_life", half_life)


def check_buckets(where: str, buckets: object, dtype: DType) -> tuple[Scalar, ...]:
    """Return the values of ``by=`` that have a slot: distinct constants of its type, floats as float."""
    if dtype.is_vector:
        raise DefinitionError(where, f"by= is {dtype}, which no value equals", "give by= a single value")
    if isinstance(buckets, str) or not isinstance(buckets, Sequence):
        problem = "by= without buckets=" if buckets is None else f"buckets={buckets!r} is not a list"
        raise DefinitionError(where, problem, "list the values that have a slot: buckets=['DELI', 'DAIRY']")
    listed = list(cast("Sequence[object]", buckets))
    if not 1 <= len(listed) <= MOST_SLOTS:
        raise DefinitionError(where, f"buckets= lists {len(listed)} values", f"list 1 to {MOST_SLOTS}")
    checked = tuple(_check_bucket(where, bucket, dtype) for bucket in listed)
    twice = [bucket for place, bucket in enumerate(checked) if bucket in checked[:place]]
    if twice:
        raise DefinitionError(where, f"buckets= lists {twice[0]!r} twice", "list it once")
    return checked


def _check_bucket(where: str, bucket: object, dtype: DType) -> Scalar:
    working = Float64 if dtype.is_float else dtype
    if type(bucket) not in PYTHON_TYPES[working]:
        raise DefinitionError(where, f"buckets= lists {bucket!r}, but by= is {dtype}", f"list values that are {dtype}")
    value = cast("Scalar", bucket)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise DefinitionError(where, f"buckets= lists {value}, without a zone", "write datetime(..., tzinfo=UTC)")
    if working == Int64 and not -(2**63) <= cast("int", value) < 2**63:
        raise DefinitionError(where, f"buckets= lists {value}, which does not fit Int64", "list other values")
    if working == Float64:
        number = float(cast("float", value))
        if not math.isfinite(number):
            raise DefinitionError(where, f"buckets= lists {number}, which is null", "list finite numbers")
        return number + 0.0
    return value
