"""Tiles, however built, split and merged, give the values of the oracle."""

import pytest

from tests.spec.held import OF_EVENTS
from tests.spec.paths.tiles import check
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import EVENT_RANGES
from tests.spec.worlds import Range

SPANS = EVENT_RANGES
pytestmark = pytest.mark.spec("tiles", *OF_EVENTS)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=0.2)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=2)
