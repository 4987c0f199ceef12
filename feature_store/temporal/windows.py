"""Sliding windows: which events count at an as-of.

An event counts iff ``tail <= event_time < as_of`` with ``tail = floor((as_of - over) / hop) * hop``; hops are aligned
to the Unix epoch. Instants and spans are integer microseconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

from feature_store.temporal.durations import DAY, HOUR, MINUTE, format_duration


@dataclass(frozen=True)
class Window:
    """A sliding window.

    Attributes:
        over: span of event time that is covered, microseconds.
        hop: step in which the tail moves, microseconds.
    """

    over: int
    hop: int

    def tail(self, as_of: int) -> int:
        """Return the first instant that counts at an as-of.

        >>> Window(over=2 * HOUR, hop=5 * MINUTE).tail(3 * HOUR + 7 * MINUTE) == HOUR + 5 * MINUTE
        True
        """
        return (as_of - self.over) // self.hop * self.hop

    def __str__(self) -> str:
        return f"{format_duration(self.over)} (hop {format_duration(self.hop)})"


def default_hop(over: int) -> int:
    """Return the hop of a window that declares none.

    >>> [format_duration(default_hop(over)) for over in (12 * DAY, 12 * HOUR, HOUR, MINUTE)]
    ['1d', '1h', '5m', '1m']
    """
    if over >= 12 * DAY:
        return DAY
    if over >= 12 * HOUR:
        return HOUR
    return 5 * MINUTE if over >= HOUR else MINUTE
