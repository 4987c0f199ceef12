"""What every property test does: worlds that hypothesis invents and shrinks, and many of fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spec.checks import Check, generator
from tests.spec.worlds import Range, batches, seeded


def holds_on_invented_worlds(check: Check, span: Range, share: float) -> None:
    """Check worlds that hypothesis invents.

    Args:
        check: of the path.
        span: what of which view.
        share: of the profile's number of examples, as stores cost more than frames.
    """
    count = max(2, round(settings.default.max_examples * share))

    @settings(max_examples=count)
    @given(batches(span, generator(span)), st.randoms(use_true_random=False))
    def holds(worlds: list, rng: Random) -> None:
        check(span, worlds, rng)

    holds()


def holds_on_seeded_worlds(check: Check, span: Range, share: float) -> None:
    """Check worlds of fixed seeds, all in one store; as ``holds_on_invented_worlds``."""
    count = round(settings.default.max_examples * share)
    check(span, seeded(span, range(count), generator(span)), Random(count))


Property = Callable[[Check, Range, float], None]
