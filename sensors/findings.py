"""Findings about a view at an instant: stale, landed but not served, damaged, or not to be judged at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from feature_store import FeatureView
from sensors.messages import Audience

STALE: Final = "stale"
NOT_SERVED: Final = "not served"
NOT_JUDGED: Final = "not judged"


@dataclass(frozen=True)
class Finding:
    """Whether one thing is wrong with a view, and what to say when that begins or ends.

    Attributes:
        view: whose.
        kind: ``STALE``, ``NOT_SERVED``, ``NOT_JUDGED``, or one of ``sensors.damage``.
        is_wrong: at this instant.
        breach: returns the message of its beginning.
        recovery: returns the message of its end, from how long it was wrong.
    """

    view: FeatureView
    kind: str
    is_wrong: bool
    breach: Callable[[], str]
    recovery: Callable[[timedelta], str]

    @property
    def name(self) -> str:
        """The identity of an open alert."""
        return f"{self.view.full_name} {self.kind}"


def not_judged(view: FeatureView, audience: Audience, problem: str | None) -> Finding:
    """Return the finding that nothing can be said of a view, and why; None: that is over."""
    return Finding(
        view,
        NOT_JUDGED,
        problem is not None,
        lambda: audience.not_judged(view, problem or ""),
        lambda alerted: audience.judged_again(view, alerted),
    )


def reason_of(error: Exception) -> str:
    """Return an error in words."""
    return f"{type(error).__name__}: {error}"
