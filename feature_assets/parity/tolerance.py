"""Sameness of two values, as the specification states it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final, TypeGuard

from feature_store import DType, Float32

RELATIVE: Final = 1e-9
"""Numbers may differ by this, times their scale: of floats the sum of the absolute inputs."""


def is_same(found: Any, expected: Any, dtype: DType, scale: float) -> bool:
    """Return whether two values of a feature are the same.

    Args:
        found: a value, or a list of them.
        expected: as recomputed.
        dtype: type of the feature, or of the elements of a list.
        scale: see ``feature_store.oracle.snapshots.float_scale``.

    >>> from feature_store import Float64, Int64
    >>> is_same(0.1 + 0.2, 0.3, Float64, 0.3), is_same(0.1 + 0.2, 0.3, Float64, 0.0), is_same(1, 2, Int64, 9.0)
    (True, False, False)
    >>> is_same(1.0 + 9e-10, 1.0, Float64, 1.0), is_same(1.0 + 2e-9, 1.0, Float64, 1.0)
    (True, False)
    """
    if found is None or expected is None:
        return found is expected
    if isinstance(found, list) and isinstance(expected, list):
        pairs = zip(found, expected, strict=False)
        return len(found) == len(expected) and all(is_same(a, b, dtype, scale) for a, b in pairs)
    if not _is_number(found) or not _is_number(expected):
        return bool(found == expected)
    allowed = RELATIVE * scale + (half_unit32(expected) if dtype.element == Float32 else 0.0)
    return abs(found - expected) <= allowed and not _is_negative_zero(found)


def distance(found: Any, expected: Any) -> float | None:
    """Return how far apart two values are: of lists the largest, of timestamps in seconds; None without meaning."""
    if isinstance(found, list) and isinstance(expected, list):
        parts = [distance(a, b) for a, b in zip(found, expected, strict=False)]
        return max((part for part in parts if part is not None), default=None)
    if isinstance(found, datetime) and isinstance(expected, datetime):
        return abs((found - expected).total_seconds())
    if isinstance(found, bool | str) or not isinstance(found, int | float):
        return None
    return float(abs(found - expected)) if isinstance(expected, int | float) else None


def half_unit32(value: float) -> float:
    """Return half a unit in the last place of a Float32."""
    return 2.0 ** (max(math.frexp(value)[1] - 1, -126) - 24)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_negative_zero(value: float) -> bool:
    return value == 0.0 and math.copysign(1.0, value) < 0.0
