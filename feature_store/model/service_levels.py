"""Promises about time: freshness SLAs and times to live, and which of them cannot be kept.

Just before the next values become available, the newest ones are one *cycle* old: cadence + available_after. Stream
views have values for every second, so theirs is 1s + available_after.
"""

from __future__ import annotations

from dataclasses import dataclass

from feature_store.errors import DefinitionError
from feature_store.temporal.durations import NO_DELAYS, DurationError, format_duration, parse_duration


@dataclass(frozen=True)
class Cycle:
    """The age of the newest values when the next ones become available.

    Attributes:
        step: span between values, microseconds.
        delay: how long after their as-of they may be used, microseconds.
        of: what the step is called in messages.
    """

    step: int
    delay: int
    of: str = "cadence"

    @property
    def age(self) -> int:
        """Microseconds."""
        return self.step + self.delay


def check_span(where: str, option: str, text: object) -> int:
    """Return an option that is a duration in microseconds."""
    try:
        return parse_duration(text)
    except DurationError as error:
        raise DefinitionError(where, f"{option}={error.problem}", error.instead) from None


def check_delay(where: str, option: str, text: object) -> int:
    """Return an option that is a duration, or none at all (``0s``, ``0d``), in microseconds."""
    return 0 if text in NO_DELAYS else check_span(where, option, text)


def check_freshness(where: str, freshness: str, cycle: Cycle) -> int:
    """Return an SLA in microseconds; refuse one that is breached although every partition is on time."""
    age = format_duration(cycle.age)
    problem = f"cannot be kept: values are {age} old when the next ones become available"
    return _at_least_a_cycle(where, "freshness", freshness, cycle, problem)


def check_ttl(where: str, ttl: str, cycle: Cycle) -> int:
    """Return a time to live in microseconds; refuse one that ends before the next values come."""
    return _at_least_a_cycle(where, "ttl", ttl, cycle, "lets values expire before the next ones become available")


def _at_least_a_cycle(where: str, option: str, text: str, cycle: Cycle, problem: str) -> int:
    span = check_span(where, option, text)
    if span < cycle.age:
        least = f"use at least {cycle.of} + available_after, '{format_duration(cycle.age)}'"
        raise DefinitionError(where, f"{option}={text!r} {problem}", least)
    return span
