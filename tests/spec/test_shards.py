"""Training rows that are joined in shards, and put together, are what the oracle says, and what is stored at once."""

from random import Random

import pytest

from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.tables.stored_frames import OfflineFrames
from tests.spec.checks import generator
from tests.spec.held import OF_READS, OF_REQUESTS
from tests.spec.paths.shards import check, check_engine
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import BOUGHT, EVENT_RANGES, LIVE, TABLE_RANGES
from tests.spec.worlds import Range, seeded

QUICK = [EVENT_RANGES[0], LIVE, BOUGHT]
"""A view of events, one of a stream, and request features across views in two roles."""
SPANS = [*EVENT_RANGES, *TABLE_RANGES, LIVE, BOUGHT]
pytestmark = pytest.mark.spec("point-in-time join", *OF_READS, *OF_REQUESTS)


@pytest.mark.full  # stores cost seconds each, and worlds of fixed seeds are of every view
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=0.05)


@pytest.mark.parametrize("span", QUICK, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=0.5)


@pytest.mark.full
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_many_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=2, stores=2)


@pytest.mark.parametrize("span", QUICK, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds_on_spark(spark_session, span: Range) -> None:
    engine = SparkEngine(spark_session, OfflineFrames(), parts=3)
    check_engine(engine, span, seeded(span, range(60), generator(span)), Random(0))
