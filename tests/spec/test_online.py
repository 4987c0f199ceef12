"""Answers from the online store are what the oracle says at any T, and bit for bit the rows of a training set."""

import pytest

from tests.spec.held import OF_READS
from tests.spec.paths.online import checker
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import EVENT_RANGES, TABLE_RANGES
from tests.spec.worlds import Range

SPANS = [*EVENT_RANGES, *TABLE_RANGES]
pytestmark = pytest.mark.spec("online read", *OF_READS)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range, valkey: str) -> None:
    holds_on_invented_worlds(checker(valkey), span, share=0.1)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range, valkey: str) -> None:
    holds_on_seeded_worlds(checker(valkey), span, share=2)
