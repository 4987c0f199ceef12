"""Snapshots of tables are what the oracle says."""

import pytest

from tests.spec.paths.tables import check
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import TABLE_RANGES
from tests.spec.worlds import Range

SPANS = TABLE_RANGES


@pytest.mark.spec(
    "table view",
    "window.as_of",
    "input.null_key",
    "input.duplicates",
    "input.not_finite",
    "keys.typed",
    "value.default",
    "value.derived",
    "value.rounding",
    "table.latest",
    "table.deleted",
    "table.valid_to",
    "table.row_ttl",
    "table.landed",
    "status.empty",
)
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=1)


@pytest.mark.spec(
    "table view",
    "window.as_of",
    "input.null_key",
    "input.duplicates",
    "input.not_finite",
    "keys.typed",
    "value.default",
    "value.derived",
    "value.rounding",
    "table.latest",
    "table.deleted",
    "table.valid_to",
    "table.row_ttl",
    "table.landed",
    "status.empty",
)
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=5)
