"""Rows that dbt or Spark make reach the store: an outside project, from its own tables to a training set."""

from datetime import datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from feature_assets import source_asset
from feature_store import DefinitionError
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set
from tests.dagster.conftest import RANGE_END, RANGE_START
from tests.dagster.outside.definitions import definitions
from tests.dagster.outside.features import START, RiderScores, retention, scores

INSTANT = pl.Datetime("us", "UTC")
SCORES = "dbt/rider_scores"


def at(day: int, hour: float = 0) -> datetime:
    return START + timedelta(days=day, hours=hour)


class Project:
    """The outside project with a warehouse and a store of its own."""

    def __init__(self, folder, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.store = folder / "warehouse", OfflineStore(str(folder / "offline"))
        self.warehouse.mkdir()
        self.instance = instance
        self.definitions = definitions(self.store.root, str(self.warehouse))

    def fill(self, table: str, time: str, rows: list[dict], **schema: pl.DataType) -> None:
        frame = pl.DataFrame(rows, schema={"rider_id": pl.Int64, time: INSTANT, **schema})
        frame.write_parquet(self.warehouse / f"{table}.parquet")

    def fill_scores(self, *rows: tuple[int | None, datetime | None, float, str]) -> None:
        names = ("rider_id", "scored_at", "affinity", "segment")
        made = [dict(zip(names, row, strict=True)) for row in rows]
        self.fill("scores", "scored_at", made, affinity=pl.Float32, segment=pl.Categorical)

    def run(self, keys: list[str], first: str, last: str, **options) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
            tags={RANGE_START: first, RANGE_END: last},
            **options,
        )


@pytest.fixture
def project(tmp_path, instance) -> Project:
    project = Project(tmp_path, instance)
    project.fill_scores((1, at(0, 9), 0.5, "new"), (2, at(1, 9), 0.25, "old"), (1, at(2, 9), 0.75, "old"))
    rides = [{"rider_id": 1 + hour % 2, "ended_at": at(0, hour + 0.5), "fare": float(hour)} for hour in range(48)]
    project.fill("rides", "ended_at", rides, fare=pl.Float64)
    return project


def test_from_the_warehouse_to_a_training_set(project):
    assert project.run([SCORES, "rides/rider_scores/v1/_table"], "2024-03-01", "2024-03-03").success
    hours = "2024-03-01-00:00", "2024-03-02-23:00"
    fares = "rides/rider_fares/v1"
    assert project.run(["spark/rides", f"{fares}/_tiles", f"{fares}/_table"], *hours).success
    spine = pl.DataFrame({"rider_id": [1, 2, 3], "time": [at(1, 12)] * 3}, schema_overrides={"time": INSTANT})
    rows = build_training_set(project.store, retention, spine).frame
    assert rows["rider_scores__affinity"].to_list() == [0.5, None, None], "as of midnight: the second came later"
    # The newest as-of before noon is 11:00: of the hours 29 to 34, rider 1 took the even ones.
    assert rows["rider_fares__fares_6h"].to_list() == [30.0 + 32 + 34, 29.0 + 31 + 33, 0.0]


def test_what_was_landed_is_shown_and_landing_it_again_changes_nothing(project):
    project.fill_scores(
        (1, at(0, 9), 0.5, "new"), (2, at(1, 9), 0.25, "old"), (None, at(1, 9), 0.1, "x"), (3, None, 1, "x")
    )
    result = project.run([SCORES], "2024-03-01", "2024-03-03")
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.check_name) == (True, "declared_columns")
    events = result.get_asset_materialization_events()
    shown = {event.partition: event.step_materialization_data.materialization.metadata for event in events}
    counted = {partition: metadata["dagster/partition_row_count"].value for partition, metadata in shown.items()}
    assert counted == {"2024-03-01": 1, "2024-03-02": 2, "2024-03-03": 0}
    metadata = shown["2024-03-01"]
    assert (metadata["rows_of_run"].value, metadata["rows_without_time"].value) == (3, 1)
    assert metadata["columns_left_out"].value == "note"
    table = project.store.source(SCORES)
    before = table.ledger.partitions()["content_hash"].to_list()
    assert table.scan().drop("partition_start").collect_schema() == {
        "rider_id": pl.Int64, "scored_at": INSTANT, "affinity": pl.Float64, "segment": pl.String,
    }  # fmt: skip
    assert project.run([SCORES], "2024-03-01", "2024-03-03").success
    assert table.ledger.partitions()["content_hash"].to_list() == before
    assert table.scan().collect().height == 3
    project.fill_scores((2, at(1, 9), 0.99, "old"))
    assert project.run([SCORES], "2024-03-02", "2024-03-02").success
    assert sorted(table.scan().collect()["affinity"]) == pytest.approx([0.5, 0.99]), "the day was replaced, no other"


def test_rows_that_are_not_as_declared_are_not_written_and_every_reason_is_shown(project):
    rows = [{"rider_id": 1, "scored_at": at(0, 9), "affinity": "much"}]
    project.fill("scores", "scored_at", rows, affinity=pl.String)
    result = project.run([SCORES], "2024-03-01", "2024-03-01", raise_on_error=False)
    assert not result.success
    (check,) = result.get_asset_check_evaluations()
    first, second = check.metadata["problems"].value
    assert "column 'affinity' of source scores is declared as Float64 but its rows hold String" in first
    assert "rows of source scores lack the column 'segment'" in second
    assert not result.get_asset_materialization_events()
    assert project.store.source(SCORES).delta_version() is None


def test_rows_of_another_day_are_an_error(instance, tmp_path):
    @source_asset(scores)
    def everything() -> pl.DataFrame:
        row = {"rider_id": 1, "scored_at": at(5), "affinity": 1.0, "segment": "x"}
        return pl.DataFrame([row], schema_overrides={"scored_at": INSTANT})

    assert "1 rows are in no partition of" in failure_of(everything, instance, tmp_path)


@pytest.mark.parametrize(
    ("column", "values", "dtype", "message"),
    [
        ("rider_id", [2**63], pl.UInt64, "'rider_id' of source scores is declared as Int64, which cannot hold all"),
        ("affinity", [["0.5"]], pl.List(pl.String), "'affinity' of source scores is declared as Float64 but its rows"),
        ("scored_at", [1_709_251_200 * 10**9], pl.Datetime("ms", "UTC"), "have a time outside the years 1 to 9999"),
    ],
)
def test_a_value_that_its_type_cannot_hold_fails_the_check_and_nothing_is_written(
    instance, tmp_path, column, values, dtype, message
):
    """A number that is too large, or one of another unit."""
    row = pl.DataFrame({"rider_id": [1], "scored_at": [at(0)], "affinity": [1.0], "segment": ["x"]})
    rows = row.with_columns(pl.col("scored_at").cast(INSTANT)).with_columns(pl.Series(column, values).cast(dtype))

    @source_asset(scores)
    def wrong() -> pl.DataFrame:
        return rows

    result = materialized(wrong, instance, tmp_path)
    (check,) = result.get_asset_check_evaluations()
    (problem,) = check.metadata["problems"].value
    assert message in problem
    assert OfflineStore(str(tmp_path)).source(SCORES).delta_version() is None


def test_a_function_that_returns_nothing_is_told_what_to_return(instance, tmp_path):
    @source_asset(scores)
    def nothing() -> None:
        return None

    assert (
        "what the function of dbt/rider_scores returned cannot be of type NoneType: give a Polars frame"
        in failure_of(nothing, instance, tmp_path)
    )


def materialized(asset: dg.AssetsDefinition, instance: dg.DagsterInstance, folder) -> dg.ExecuteInProcessResult:
    from resources.offline import OfflineStoreResource

    resources = {"offline_store": OfflineStoreResource(root=str(folder))}
    return dg.materialize(
        [asset], instance=instance, partition_key="2024-03-01", resources=resources, raise_on_error=False
    )


def failure_of(asset: dg.AssetsDefinition, instance: dg.DagsterInstance, folder) -> str:
    (failed,) = materialized(asset, instance, folder).get_step_failure_events()
    error = failed.step_failure_data.error
    return str(error.cause or error)


def test_the_asset_is_an_asset_like_any_other(project):
    spec = next(s for s in project.definitions.resolve_all_asset_specs() if s.key.to_user_string() == SCORES)
    assert [dep.asset_key.to_user_string() for dep in spec.deps] == ["dbt_rider_scores"]
    assert (list(spec.owners), set(spec.kinds)) == (["team:analytics"], {"dbt"})
    assert "Made by dbt, daily" in spec.description
    assert [column.name for column in spec.metadata["dagster/column_schema"].columns] == list(scores.columns)
    table = project.definitions.resolve_asset_graph().get(dg.AssetKey(["rides", "rider_scores", "v1", "_table"]))
    assert spec.key in table.parent_keys
    dg.Definitions.validate_loadable(project.definitions)


@pytest.mark.parametrize(
    ("source", "cadence", "message"),
    [
        (scores, "2d", "cadence='2d' is not one that is landed. Instead: use '1h', '1d' or '1w'"),
        (scores, "daily", "'daily' is not a duration"),
        (scores, "1w", "start on Thursday, 2024-03-07, or on Thursday, 2024-02-29, if its rows reach back to it"),
        (RiderScores, "1d", "is of type FeatureView. Instead: give EventSource or TableSource"),
    ],
)
def test_a_wrong_declaration_says_what_to_write_instead(source, cadence, message):
    with pytest.raises(DefinitionError) as raised:
        source_asset(source, cadence=cadence)
    assert message in str(raised.value)
