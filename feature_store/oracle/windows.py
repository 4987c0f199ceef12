"""Which events count at an as-of."""

from __future__ import annotations

from datetime import datetime, timedelta

from feature_store.oracle.expressions import EPOCH, microseconds
from feature_store.temporal.windows import Window


def tail(window: Window, as_of: datetime) -> datetime:
    """Return the first instant that counts: ``over`` before the as-of, rounded down to a multiple of the hop."""
    return EPOCH + timedelta(microseconds=(microseconds(as_of) - window.over) // window.hop * window.hop)


def in_window(window: Window | None, time: datetime | None, as_of: datetime) -> bool:
    """Whether an event counts: at its tail or later, and strictly before the as-of; without a window, all history."""
    if time is None or time >= as_of:
        return False
    return window is None or tail(window, as_of) <= time
