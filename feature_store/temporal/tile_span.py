"""Tiles: mergeable partial aggregates of one entity in one span of event time."""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from feature_store.temporal.windows import Window


def tile_span(cadence: int, windows: Iterable[Window]) -> int:
    """Return the largest span in microseconds whose multiples meet every as-of and every tail of a cadence view.

    An as-of is a multiple of the cadence. A tail lies ``over`` before it where the hop divides the cadence, and on a
    multiple of the hop where the cadence divides the hop.

    >>> from feature_store.temporal.durations import DAY, HOUR, format_duration
    >>> format_duration(tile_span(DAY, [Window(7 * DAY, HOUR), Window(90 * DAY, DAY)]))
    '1d'
    >>> format_duration(tile_span(DAY, [Window(36 * HOUR, HOUR)]))
    '12h'
    """
    span = cadence
    for window in windows:
        span = gcd(span, window.over if cadence % window.hop == 0 else window.hop)
    return span
