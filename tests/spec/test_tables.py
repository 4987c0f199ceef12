"""Snapshots of tables are what the oracle says."""

import pytest

from tests.spec.held import OF_TABLES
from tests.spec.paths.tables import check
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import TABLE_RANGES
from tests.spec.worlds import Range

SPANS = TABLE_RANGES
pytestmark = pytest.mark.spec("table view", *OF_TABLES)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=1)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=5)
