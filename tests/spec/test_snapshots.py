"""Stored snapshots do not depend on the runs that computed them."""

import pytest

from tests.spec.held import OF_EVENTS, OF_TABLES
from tests.spec.paths.snapshots import check
from tests.spec.paths_of_rules import SNAPSHOT_PATHS
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import EVENT_RANGES, TABLE_RANGES
from tests.spec.worlds import Range

SPANS = [*EVENT_RANGES, *TABLE_RANGES]
pytestmark = [pytest.mark.spec(path, *OF_EVENTS, *OF_TABLES) for path in SNAPSHOT_PATHS]


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=0.05)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=2)
