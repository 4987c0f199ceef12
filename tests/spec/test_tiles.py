"""Tiles, however built, split and merged, give the values of the oracle."""

import pytest

from tests.spec.paths.tiles import check
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import EVENT_RANGES
from tests.spec.worlds import Range

SPANS = EVENT_RANGES


@pytest.mark.spec(
    "tiles",
    "window.tail",
    "window.as_of",
    "window.hop",
    "window.all_history",
    "input.null",
    "input.not_finite",
    "input.filter",
    "input.null_key",
    "input.duplicates",
    "input.event_id",
    "keys.typed",
    "value.rounding",
    "value.empty",
    "value.default",
    "value.ties",
    "value.extremes",
    "value.distinct",
    "value.spread",
    "value.skew",
    "value.approximate",
    "value.lists",
    "value.by",
    "value.decay",
    "value.ratio",
    "value.derived",
    "status.empty",
)
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=0.2)


@pytest.mark.spec(
    "tiles",
    "window.tail",
    "window.as_of",
    "window.hop",
    "window.all_history",
    "input.null",
    "input.not_finite",
    "input.filter",
    "input.null_key",
    "input.duplicates",
    "input.event_id",
    "keys.typed",
    "value.rounding",
    "value.empty",
    "value.default",
    "value.ties",
    "value.extremes",
    "value.distinct",
    "value.spread",
    "value.skew",
    "value.approximate",
    "value.lists",
    "value.by",
    "value.decay",
    "value.ratio",
    "value.derived",
    "status.empty",
)
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=2)
