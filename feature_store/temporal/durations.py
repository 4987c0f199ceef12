"""Durations as users write them (``"7d"``) and as the code counts them (microseconds)."""

from __future__ import annotations

import re
from typing import Final

from feature_store.errors import CarriedError

MICROSECOND: Final = 1
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY

LONGEST: Final = 36_500 * DAY
"""A longer duration is a slip of the pen, and would leave the calendar when counted back from an instant."""

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,18})([smhdw])")


NO_DELAYS: Final = tuple(f"0{unit}" for unit in _UNITS)
"""The spelling of no delay at all."""


class DurationError(CarriedError, ValueError):
    """A text is not a usable duration; says what is wrong with it and what to write instead."""

    def __init__(self, problem: str, instead: str) -> None:
        super().__init__(f"{problem}: {instead}")
        self.problem = problem
        self.instead = instead


def parse_duration(text: object) -> int:
    """Return the microseconds in a duration such as ``90s``, ``5m``, ``12h``, ``7d`` or ``2w``.

    Raises:
        DurationError: not a positive whole number followed by one unit, or longer than 100 years.

    >>> parse_duration("2h") == 2 * HOUR
    True
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        examples = "write a whole number and a unit, e.g. '90s', '5m', '12h', '7d', '2w'"
        raise DurationError(f"{text!r} is not a duration", examples)
    microseconds = int(match[1]) * _UNITS[match[2]]
    if microseconds > LONGEST:
        raise DurationError(f"{text!r} is longer than 100 years", f"write at most '{LONGEST // DAY}d'")
    return microseconds


def format_duration(microseconds: int) -> str:
    """Return the shortest exact spelling of a duration, in the largest unit below weeks that divides it.

    >>> format_duration(36 * HOUR), format_duration(14 * DAY), format_duration(0)
    ('36h', '14d', '0s')
    """
    for unit in ("d", "h", "m", "s"):
        if microseconds and microseconds % _UNITS[unit] == 0:
            return f"{microseconds // _UNITS[unit]}{unit}"
    return f"{microseconds / SECOND:g}s"
