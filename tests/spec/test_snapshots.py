"""Stored snapshots do not depend on the runs and engines that computed them."""

from random import Random

import pytest

from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.tables.stored_frames import OfflineFrames
from tests.spec.checks import generator
from tests.spec.held import OF_EVENTS, OF_TABLES
from tests.spec.paths.snapshots import check, check_engine
from tests.spec.paths_of_rules import SNAPSHOT_PATHS
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import EVENT_RANGES, TABLE_RANGES
from tests.spec.worlds import Range, seeded

SPANS = [*EVENT_RANGES, *TABLE_RANGES]
pytestmark = [pytest.mark.spec(path, *OF_EVENTS, *OF_TABLES) for path in SNAPSHOT_PATHS]


@pytest.mark.full  # stores cost seconds each, and worlds of fixed seeds are of every view
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_that_are_invented(span: Range) -> None:
    holds_on_invented_worlds(check, span, share=0.05)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds(span: Range) -> None:
    holds_on_seeded_worlds(check, span, share=1)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.view.name)
def test_worlds_of_fixed_seeds_on_spark(spark_session, span: Range) -> None:
    engine = SparkEngine(spark_session, OfflineFrames(), parts=3)
    check_engine(engine, span, seeded(span, range(60), generator(span)), Random(0))
