"""The engine against the specification on rows in memory: equal as it is, and found out once it is wrong."""

import dataclasses
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from feature_assets.parity.engine import (
    SEEDS,
    assert_parity,
    assert_sample_parity,
    check_engine,
    default_as_ofs,
    made_up_rows,
)
from feature_assets.parity.polars_engine import polars_engine
from feature_assets.project import load_declarations
from feature_store import (
    Boolean,
    Entity,
    EventSource,
    FeatureView,
    Float64,
    Int64,
    String,
    Timestamp,
    col,
    count,
    feature_view,
)
from feature_store.engines.polars import tiles
from feature_store.temporal.windows import Window
from tests.fixtures import views as engine_views
from tests.fixtures.stream_views import STREAM_VIEWS

TEAM_VIEWS = list(load_declarations().views.values())
ENGINE_VIEWS = [view for view in vars(engine_views).values() if isinstance(view, FeatureView)]
SPEND = load_declarations().views["retail/household_spend/v1"]
PROFILE = load_declarations().views["retail/household_profile/v1"]
AS_OF = datetime(2017, 6, 1, tzinfo=UTC)


def checked(view: FeatureView, engine=None, seed=0):
    as_ofs = default_as_ofs(view)
    return check_engine(view, made_up_rows(view, as_ofs, seed), as_ofs, engine)


def purchase(hours_before: float, value: float, household: int = 7) -> dict:
    columns = dict.fromkeys(SPEND.source.columns)
    time = AS_OF - timedelta(hours=hours_before)
    return {**columns, "purchased_at": time, "household_id": household, "sales_value": value, "quantity": 1}


@pytest.mark.parametrize("view", [*TEAM_VIEWS, *ENGINE_VIEWS, *STREAM_VIEWS], ids=lambda view: view.full_name)
def test_every_view_is_as_specified(view):
    assert_sample_parity(view, seeds=[0])


@pytest.mark.parametrize("view", [*TEAM_VIEWS, *ENGINE_VIEWS, *STREAM_VIEWS], ids=lambda view: view.full_name)
def test_made_up_rows_reach_every_feature(view):
    """A feature that is null or empty for everybody is not tested by such rows."""
    values = [value for seed in SEEDS for value in checked(view, seed=seed).values]
    reached = {c.feature for c in values if c.expected.value not in (None, 0, False)}
    assert reached == {feature.name for feature in view.stored_features}


SELECTIVE = {
    "six columns": (col("city") == "Basel")
    & (col("kind") == "taxi")
    & (col("code") == "X1")
    & (col("stops") == 12345)
    & (col("fare") == 77.25)
    & col("is_shared"),
    "events after an instant": col("ended_at") >= datetime(2025, 3, 1, tzinfo=UTC),
    "events of one day": (col("ended_at") >= datetime(2025, 3, 1, tzinfo=UTC))
    & (col("ended_at") < datetime(2025, 3, 2, tzinfo=UTC)),
    "an hour of a weekday": (col("booked_at").hour() == 5) & (col("booked_at").weekday() == 6),
    "a number as text": col("code").cast(Int64) == 4711,
    "a sum": col("stops") + col("fare") > 1000,
    "one driver": col("driver_id") == 4711,
}


@pytest.mark.parametrize("name", SELECTIVE)
def test_made_up_rows_pass_selective_filters(name):
    types = {"driver_id": Int64, "stops": Int64, "fare": Float64, "is_shared": Boolean}
    texts, times = ("city", "kind", "code"), ("ended_at", "booked_at")
    trips = EventSource(
        "trips",
        asset="raw/trips",
        event_time="ended_at",
        columns={**types, **dict.fromkeys(texts, String), **dict.fromkeys(times, Timestamp)},
        start=datetime(2024, 1, 1, tzinfo=UTC),
        description="Trips",
    )
    driver = Entity("driver", keys={"driver_id": Int64}, description="A driver")
    options = {"namespace": "rides", "version": 1, "owner": "engine", "cadence": "1d", "freshness": "2d"}
    body = {"__doc__": "Trips.", "trips_7d": count(where=SELECTIVE[name], over="7d", description="Trips")}
    assert_sample_parity(feature_view(entity=driver, source=trips, **options)(type("Trips", (), body)))


def test_made_up_rows_are_the_same_for_the_same_seed():
    as_ofs = default_as_ofs(SPEND)
    first, again, other = (repr(made_up_rows(SPEND, as_ofs, seed)) for seed in (3, 3, 4))
    assert first == again != other


def test_rows_of_ones_own_are_compared():
    rows = [purchase(1, 2.5), purchase(200, 10.0), purchase(0, 100.0), purchase(30, 1.25, household=8)]
    parity = assert_parity(SPEND, rows, [AS_OF])
    found = {(c.place.keys["household_id"], c.feature): c.found.value for c in parity.values}
    assert found[7, "spend_7d"] == 2.5
    assert found[7, "spend_30d"] == 12.5
    assert found[8, "spend_7d"] == 1.25


def test_rows_that_no_window_reaches_prove_nothing():
    with pytest.raises(AssertionError, match="no entity has a counted event at 2017-06-01 00:00:00"):
        assert_parity(SPEND, [purchase(24 * 100, 1.0)], [AS_OF])


def test_a_tile_counted_twice_is_found_with_its_row(monkeypatch):
    build = tiles.build_tiles

    def doubled(*arguments):
        built = build(*arguments)
        return dataclasses.replace(built, frame=pl.concat([built.frame, built.frame.head(1)]))

    monkeypatch.setattr("feature_assets.parity.polars_engine.build_tiles", doubled)
    with pytest.raises(AssertionError) as raised:
        assert_parity(SPEND, [purchase(1, 2.5)], [AS_OF])
    text = str(raised.value)
    assert "retail/household_spend/v1: 9 values compared, " in text
    assert "| 7 | 2017-06-01T00:00:00Z | spend_7d | engine | 2.5 | 5.0 | 2.5 |" in text


def test_a_tail_off_by_a_hop_is_found(monkeypatch):
    tail = Window.tail
    monkeypatch.setattr(Window, "tail", lambda window, as_of: tail(window, as_of) + window.hop)
    assert {"spend_7d", "spend_30d"} <= {c.feature for c in checked(SPEND).different}


def test_an_event_at_the_as_of_that_counts_is_found():
    def too_late(view, rows, as_of):
        return polars_engine(view, rows.with_columns(pl.col("purchased_at") - timedelta(microseconds=1)), as_of)

    assert checked(SPEND, too_late).different


def test_an_entity_too_many_and_one_too_few_are_found():
    def swapped(view, rows, as_of):
        found = dict(polars_engine(view, rows, as_of))
        found[(99,)] = found.pop((7,))
        return found

    parity = check_engine(SPEND, [purchase(1, 2.5)], [AS_OF], swapped)
    statuses = {(c.place.keys["household_id"], str(c.expected), str(c.found)) for c in parity.different}
    assert (7, "2.5", "0.0 (EMPTY)") in statuses
    assert (99, "0.0 (EMPTY)", "2.5") in statuses


def test_a_table_row_of_after_the_as_of_is_found():
    def from_the_future(view, rows, as_of):
        return polars_engine(view, rows.with_columns(pl.col("recorded_at") - timedelta(days=3)), as_of)

    assert not checked(PROFILE).different
    assert checked(PROFILE, from_the_future).different


def test_the_report_counts_by_feature():
    def one_off(view, rows, as_of):
        return {k: {**v, "units_30d": v["units_30d"] + 3} for k, v in polars_engine(view, rows, as_of).items()}

    parity = check_engine(SPEND, [purchase(1, 2.5), purchase(2, 1.0, household=8)], [AS_OF], one_off)
    (tally,) = [t for t in parity.tallies() if t.feature == "units_30d"]
    assert (tally.path, tally.compared, tally.different, tally.largest) == ("engine", 2, 2, 3.0)
    assert "| engine | units_30d | 2 | 2 | 3 |" in parity.summary_table()
    assert [t.different for t in parity.tallies() if t.feature != "units_30d"] == [0] * 8


def test_a_stream_whose_seconds_are_counted_late_is_found():
    """Tiles of a second that hold what belongs to the second before."""
    live = STREAM_VIEWS[0]

    def late(view, rows, time):
        return polars_engine(view, rows.with_columns(pl.col("time") + timedelta(seconds=1)), time)

    assert not checked(live).different
    assert {"rows_10s", "rows_15m"} <= {c.feature for c in checked(live, late).different}
