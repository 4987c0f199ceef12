"""Windows: the events that count at an as-of."""

from __future__ import annotations

from datetime import datetime, timedelta

from feature_store.oracle.expressions import EPOCH, microseconds
from feature_store.temporal.windows import Window


def tail(window: Window, as_of: datetime) -> datetime:
    """Return the first instant that counts: ``over`` before the as-of, rounded down to a multiple of the hop."""
    return EPOCH + timedelta(microseconds=(microseconds(as_of) - window.over) // window.hop * window.hop)


def in_window(window: Window | None, time: datetime | None, known: datetime | None, as_of: datetime) -> bool:
    """Whether an event counts: it happened at the tail or later, and was known strictly before the as-of.

    Without a window, all history. An event is known when it happens, if its source declares no ``known_at``.
    """
    if time is None or known is None or known >= as_of:
        return False
    return window is None or tail(window, as_of) <= time
