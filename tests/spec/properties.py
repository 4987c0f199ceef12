"""What every property test does: worlds that hypothesis invents and shrinks, and many of fixed seeds."""

from __future__ import annotations

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


def holds_on_seeded_worlds(check: Check, span: Range, share: float, stores: int = 1) -> None:
    """Check worlds of fixed seeds, as ``holds_on_invented_worlds``.

    They share some stores; what was written when, and what is lacking, is one thing in a store.
    """
    count = round(settings.default.max_examples * share) // stores
    for store in range(stores):
        check(span, seeded(span, range(store * count, (store + 1) * count), generator(span)), Random(store))
