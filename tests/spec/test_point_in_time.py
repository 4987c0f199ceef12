"""Training rows are what the oracle says, whatever partitions there are."""

import pytest

from tests.spec.held import OF_READS
from tests.spec.paths.point_in_time import check
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import EVENT_RANGES, TABLE_RANGES
from tests.spec.worlds import Range

SPANS = [*EVENT_RANGES, *TABLE_RANGES]
pytestmark = pytest.mark.spec("point-in-time join", *OF_READS)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=0.1)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=2, stores=2)
