"""Features that are computed when read, from a stored value and T; null in, null out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from feature_store.model.features import Feature
from feature_store.oracle.expressions import Row

FUNCTIONS: Final[Mapping[str, Callable[[datetime, datetime], Any]]] = {
    "days_since": lambda stored, time: (time - stored) / timedelta(days=1),
    "hour_of_day": lambda stored, _time: stored.hour,
    "day_of_week": lambda stored, _time: stored.weekday(),
}
"""Every function of (the instant read, T), both in UTC; Monday is 0."""


def on_read_value(feature: Feature, values: Row, time: datetime) -> Any:
    """Return an on-read feature from the stored values of its view; one that reads no feature reads T itself."""
    assert feature.on_read is not None
    read = values[feature.reads[0]] if feature.reads else time
    return None if read is None else FUNCTIONS[feature.on_read](read, time)
