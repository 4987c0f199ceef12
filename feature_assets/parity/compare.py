"""Comparing the values of one entity at one instant with recomputed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from feature_assets.parity.report import Compared, Place, Value, Values
from feature_assets.parity.tolerance import distance, is_same
from feature_store import Feature, FeatureView, Status
from feature_store.oracle.snapshots import derived_value

Scale = Callable[[Feature], float]
"""The sum of absolute inputs of a feature, which bounds the rounding of floats."""


def compare_entity(
    view: FeatureView, place: Place, recomputed: Values, found: Values, scale: Scale
) -> Iterator[Compared]:
    """Compare every feature of an entity that both have with its recomputed value, in declared order.

    A derived feature is recomputed from the found values that it reads: these may differ by rounding, which a ratio
    enlarges; that they themselves are right is compared on its own.
    """
    expected = dict(recomputed)
    for feature in view.features:
        if feature.kind != "derived" or feature.name not in recomputed or not set(feature.reads) <= set(found):
            continue
        if found[feature.name].status in (None, Status.PRESENT):
            reads = {name: found[name].value for name in feature.reads}
            expected[feature.name] = Value(derived_value(view, feature, reads), recomputed[feature.name].status)
    return compare_values(view, place, expected, found, scale)


def compare_values(
    view: FeatureView, place: Place, expected: Values, found: Values, scale: Scale
) -> Iterator[Compared]:
    """Compare every feature of an entity that both have, in declared order; a value without status with any status."""
    for feature in view.features:
        if feature.name not in expected or feature.name not in found:
            continue
        wanted, actual = expected[feature.name], found[feature.name]
        same_status = actual.status is None or wanted.status is None or actual.status == wanted.status
        same = same_status and _is_same(feature, actual.value, wanted.value, scale)
        yield Compared(place, feature.name, wanted, actual, same, distance(actual.value, wanted.value))


def _is_same(feature: Feature, found: Any, expected: Any, scale: Scale) -> bool:
    """Compare two values; the scale, which looks at every event, is asked for only where they are not equal."""
    return is_same(found, expected, feature.dtype, 0.0) or is_same(found, expected, feature.dtype, scale(feature))
