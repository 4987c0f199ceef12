"""Landing an event source warns of rows that become known later than the values that count them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from feature_assets import source_asset
from feature_assets.landing import Landed
from feature_assets.landing import land as land_rows
from feature_store import EventSource
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import HOUR
from resources.offline import OfflineStoreResource
from tests.fixtures.flights import COLUMNS, START, flight, flights, hour, rows_of
from tests.fixtures.frames import frame
from tests.spec.declarations import TABLE_COLUMNS, TABLE_ROWS, at

careless = replace(flights, known_at=None)


@pytest.fixture
def store(tmp_path) -> OfflineStore:
    return OfflineStore(str(tmp_path / "offline"))


def land(
    store: OfflineStore, source: EventSource, rows: pl.DataFrame, start: datetime = START, hours: int = 2
) -> Landed:
    return land_rows(store, source, rows, start, start + timedelta(hours=hours), run_id="r", cadence=HOUR)


def test_a_column_of_times_after_the_end_of_the_partition_is_asked_about(store):
    flown = rows_of([flight(0.5, 0.9, 1.0), flight(0.6, 1.0, 1.0), flight(1.5, 1.9, 1.0), flight(1.6, None, 1.0)])
    (warning,) = land(store, careless, flown).warnings
    assert warning == (
        "raw/flights: 'arrived_at' lies after the end of the partition in 25% of the rows. If it says when a row "
        "became known, values count rows that nobody knew yet: declare known_at='arrived_at'?"
    )


@pytest.mark.parametrize(("late", "warned"), [(1, 0), (2, 1)])
def test_one_row_in_a_hundred_may_be_late(store, late: int, warned: int):
    flown = [flight(0.5, 1.5 if number < late else 0.9, 1.0) for number in range(100)]
    assert len(land(store, careless, rows_of(flown)).warnings) == warned


def test_a_source_that_declares_it_is_not_asked_and_rows_without_it_are_counted(store):
    flown = [flight(0.1, 0.9, 1.0), flight(0.2, 1.5, 1.0), flight(0.3, None, 1.0), flight(0.4, 1.2, 1.0)]
    rows = rows_of(flown).with_columns(
        departed_at=pl.when(pl.int_range(pl.len()) != 3).then("departed_at"),
    )
    landed = land(store, flights, rows)
    assert landed.rows == {hour(0): 1, hour(1): 1}
    assert (landed.without_time, landed.without_known_at, landed.warnings) == (1, 1, ())


def test_a_partition_that_grows_after_its_end_is_told(store):
    first = [flight(0.5, 0.9, 1.0), flight(1.5, 1.9, 1.0)]
    land(store, flights, rows_of(first))
    assert land(store, flights, rows_of(first)).warnings == ()
    assert land(store, flights, rows_of(first[:1])).warnings == ()
    (warning,) = land(store, flights, rows_of([*first, flight(1.2, 1.3, 2.0)])).warnings
    assert warning.startswith(
        "raw/flights: 2 rows more than before in 1 partitions that had landed after their end, the first from "
        "2013-01-01 01:00:00+00:00: values that were served by then did not count them"
    )
    assert "declare known_at=" in warning


def test_a_partition_that_landed_before_it_was_over_may_grow(store):
    start = datetime(2090, 1, 1, tzinfo=UTC)
    rows = rows_of([flight(0.5, 0.9, 1.0)]).with_columns(departed_at=start, arrived_at=start)
    land(store, flights, rows.head(0), start, hours=1)
    assert land(store, flights, rows, start, hours=1).warnings == ()


def test_a_table_that_grows_is_told_about_landing_times(store):
    row = {**dict.fromkeys(TABLE_COLUMNS), "world": 1, "left": "a", "right": "b", "time": at(0, 5), "valid_to": at(9)}
    for rows, warned in (([row], 0), ([row, row], 1)):
        landed = land_rows(store, TABLE_ROWS, frame(rows, TABLE_COLUMNS), at(), at(1), run_id="r")
        advice = "If the rows say when they arrived, declare landed_at=; else give the views a longer available_after="
        assert [warning.endswith(advice) for warning in landed.warnings] == [True] * warned


def test_the_run_logs_the_warning_and_shows_it_with_the_asset(store, instance):
    flown = rows_of([flight(0.5, 3.0, 1.0), flight(1.5, 4.0, 1.0)])

    @source_asset(careless, cadence="1h")
    def arrived() -> pl.DataFrame:
        return flown.head(1)

    resources = {"offline_store": OfflineStoreResource(root=store.root)}
    result = dg.materialize([arrived], instance=instance, partition_key="2013-01-01-00:00", resources=resources)
    (event,) = result.get_asset_materialization_events()
    shown = event.step_materialization_data.materialization.metadata
    assert "declare known_at='arrived_at'?" in shown["warnings"].value[0]
    logged = [entry for entry in instance.all_logs(result.run_id) if entry.level == 30]
    assert any("declare known_at='arrived_at'?" in entry.user_message for entry in logged)


def test_a_source_that_is_known_later_says_so_in_the_catalog_of_dagster(store, instance):
    @source_asset(flights, cadence="1h")
    def arrived() -> pl.DataFrame:
        return rows_of([flight(0.5, 1.5, 1.0), flight(0.5, None, 1.0)])

    assert "Own time: `departed_at`, known at: `arrived_at`." in arrived.get_asset_spec().description
    resources = {"offline_store": OfflineStoreResource(root=store.root)}
    result = dg.materialize([arrived], instance=instance, partition_key="2013-01-01-01:00", resources=resources)
    (event,) = result.get_asset_materialization_events()
    shown = event.step_materialization_data.materialization.metadata
    assert (shown["rows_of_run"].value, shown["rows_without_known_at"].value) == (1, 1)
    assert "warnings" not in shown
    assert list(COLUMNS) == [column.name for column in shown_schema(arrived)]


def shown_schema(asset: dg.AssetsDefinition) -> list[dg.TableColumn]:
    schema = asset.get_asset_spec().metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    return list(schema.columns)
