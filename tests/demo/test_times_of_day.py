"""Just after midnight, on the hour, a second before midnight: what is over, what is served, and until when."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_assets.backfill.spans import complete_until, tile_span
from feature_assets.demo.due import value_span
from feature_assets.parity.served import check_parity
from feature_assets.project import load_declarations
from feature_assets.teams import TEAMS
from feature_store import FeatureView
from feature_store.plans.plan_revisions import read_plans
from feature_store.status import Status
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds
from serving.client import FeatureClient
from serving.load.sync import is_synced, sync_view
from serving.stores.open_store import open_loader
from tests.demo.checks import assert_summary
from tests.demo.end_state import ENTITIES, INPUTS, instance_of, newest_as_of
from tests.demo.process import Demo
from tests.fixtures.small_store import SmallStore, small_store

__all__ = ["small_store"]

VIEWS = load_declarations().views
MIDNIGHT = datetime(2018, 1, 2, tzinfo=UTC)
"""As-of of the newest partitions of the small store."""

INSTANT = timedelta(microseconds=1)
INSTANTS = st.datetimes(datetime(2017, 12, 20), datetime(2018, 1, 2, 6)).map(lambda at: at.replace(tzinfo=UTC))
ROUND = st.sampled_from([MIDNIGHT - INSTANT, MIDNIGHT, MIDNIGHT + INSTANT, MIDNIGHT - timedelta(hours=3)])


@example(datetime(2017, 12, 20, tzinfo=UTC), VIEWS["retail/store_pulse/v1"], 1)
@given(INSTANTS | ROUND, st.sampled_from(list(VIEWS.values())), st.integers(1, 60))
def test_what_is_over_is_due_and_nothing_else(now: datetime, view: FeatureView, days: int) -> None:
    values = value_span(view, now, days, 3)
    cadence = timedelta(microseconds=view.cadence)
    if now < view.start:
        assert (values.start, values.end, len(values.starts)) == (view.start, view.start, 0)
        return
    assert values.end <= now < values.end + cadence
    assert values.end == complete_until(view.cadence, now)
    assert all(start >= view.start for start in values.starts)
    wanted = timedelta(days=days if view.cadence >= DAY and not view.is_stream else min(days, 3)) // cadence
    assert len(values.starts) == max(0, min(wanted, (values.end - view.start) // cadence))
    if not view.is_table and values.starts:
        tiles = tile_span(view, values)
        assert tiles.end == values.end
        first_as_of = to_microseconds(values.start + cadence)
        tails = [window.tail(first_as_of) for window in view.windows] or [0]
        assert tiles.start <= max(from_microseconds(min(tails)), view.source.start)


@pytest.mark.parametrize("team", TEAMS)
def test_partitions_end_where_now_stands_still(team: str) -> None:
    """The tests' clock is the original one: it is 06:00 of 2 January 2018."""
    definitions: dg.Definitions = importlib.import_module(f"feature_assets.teams.{team}.definitions").defs
    graph, last = definitions.resolve_asset_graph(), set()
    for key in graph.materializable_asset_keys:
        partitions = graph.get(key).partitions_def
        if partitions is None:
            assert key.path[0] == "online", "all else is a history of partitions"
            continue
        assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
        last.add(partitions.get_last_partition_key())
    assert last == {"2018-01-01"} | ({"2018-01-02-05:00"} if team == "stores" else set())


def test_just_after_midnight_yesterday_is_served_until_the_promised_time(small_store: SmallStore, valkey: str) -> None:
    """At 00:00:20 the new snapshots are loaded and wait; each view switches at its own available-at, strictly after."""
    writer = open_loader(valkey)
    for view in VIEWS.values():
        sync_view(small_store.offline, view, writer, MIDNIGHT + timedelta(seconds=20))
        as_ofs = [generation.as_of for generation in writer.generations(view.full_name)]
        assert as_ofs == [to_microseconds(MIDNIGHT) - view.cadence, to_microseconds(MIDNIGHT)]
        assert is_synced(small_store.offline, view, writer, MIDNIGHT + timedelta(seconds=20))
    writer.close()
    plans = Path(small_store.environment["FEATURES_STATE"]) / "plans"
    delays = {timedelta(microseconds=view.partition_delay) for view in VIEWS.values()}
    assert delays == {timedelta(minutes=10), timedelta(hours=2), timedelta(hours=3)}
    moments = [timedelta(seconds=20), *delays, *(delay + INSTANT for delay in delays), timedelta(hours=5)]
    with FeatureClient(plans, valkey) as client:
        for plan in read_plans(plans).values():
            for moment in sorted(moments):
                asked = (plan.full_name, ENTITIES[plan.full_name])
                served = client.get_features(*asked, inputs=INPUTS.get(plan.full_name), time=MIDNIGHT + moment)
                for view in (view for view in plan.views if view.stream is None):
                    declared = VIEWS[view.view]
                    is_available = moment > timedelta(microseconds=declared.partition_delay)
                    wanted = to_microseconds(MIDNIGHT) - (0 if is_available else declared.cadence)
                    assert served.as_of[view.prefix] == wanted, (view.view, moment)
                report = check_parity(small_store.offline, plan, served)
                assert report.different.is_empty()
                assert any((codes == Status.PRESENT).any() for codes in served.status.values())


@contextmanager
def demo_of(folder: Path, data: Path, **options: str) -> Iterator[Demo]:
    demo = Demo(folder / "demo", data, **options)
    try:
        yield demo
    finally:
        demo.stop_online()


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("moment", "day", "hour"),
    [
        pytest.param(timedelta(seconds=20), timedelta(0), timedelta(0), id="just after midnight"),
        pytest.param(timedelta(0), timedelta(0), timedelta(0), id="midnight"),
        pytest.param(timedelta(seconds=-1), timedelta(days=-1), timedelta(hours=-1), id="a second before midnight"),
        pytest.param(timedelta(hours=-5), timedelta(days=-1), timedelta(hours=-5), id="on the hour"),
        pytest.param(timedelta(hours=-5) - INSTANT, timedelta(days=-1), timedelta(hours=-6), id="just before the hour"),
    ],
)
def test_at_any_time_of_day(
    tmp_path: Path, scaled_data: Path, midnight: datetime, moment: timedelta, day: timedelta, hour: timedelta
) -> None:
    with demo_of(tmp_path, scaled_data) as demo:
        assert_summary(demo, demo.run(midnight + moment))
        assert newest_as_of(demo, "views/retail/household_spend/v1/values") == midnight + day
        assert newest_as_of(demo, "views/retail/store_pulse/v1/values") == midnight + hour


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_on_the_original_dates(tmp_path: Path, scaled_data: Path) -> None:
    with demo_of(tmp_path, scaled_data, FEATURES_CLOCK="original") as demo:
        assert_summary(demo, demo.run())
        assert newest_as_of(demo, "views/retail/household_spend/v1/values") == MIDNIGHT
        assert newest_as_of(demo, "views/retail/store_pulse/v1/values") == MIDNIGHT + timedelta(hours=6)


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_over_midnight(tmp_path: Path, scaled_data: Path, midnight: datetime) -> None:
    """A run that midnight overtakes does the day that it began in; the next one does the new day."""
    later = midnight + timedelta(seconds=20)
    command = ("-m", "tests.demo.over_midnight", later.isoformat())
    with demo_of(tmp_path, scaled_data, command=command) as demo:
        assert_summary(demo, demo.run(midnight - timedelta(seconds=1)))
        assert newest_as_of(demo, "views/retail/household_spend/v1/values") == midnight - timedelta(days=1)
        assert newest_as_of(demo, "views/retail/store_pulse/v1/values") == midnight - timedelta(hours=1)
        assert_summary(demo, demo.run(later))
        assert newest_as_of(demo, "views/retail/household_spend/v1/values") == midnight
        with instance_of(demo) as instance:
            seen = instance.get_materialized_partitions(dg.AssetKey(["retail", "household_spend", "v1", "_table"]))
        assert f"{midnight - timedelta(days=1):%Y-%m-%d}" in seen
