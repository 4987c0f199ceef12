"""The engine is chosen on the resource, for all views or for one; what is stored does not depend on it."""

from __future__ import annotations

import dagster as dg
import pytest
from polars.testing import assert_frame_equal

from feature_assets.backfill.range_runs import RANGE_END, RANGE_START, job_of
from feature_store.engines.polars.engine import PolarsEngine
from feature_store.errors import InputError
from resources.engine import EngineChoice
from resources.offline import DeltaIOManager, OfflineStoreResource
from tests.dagster.conftest import Location, materialised
from tests.dagster.sample.declarations import HouseholdSpend, views
from tests.dagster.sample.project import feature_definitions, resources

FIRST, LAST = "2024-01-08", "2024-01-14"
TILES, TABLE = (f"retail/household_spend/v1/{part}" for part in ("_tiles", "_table"))


def test_one_view_may_be_computed_by_another_engine() -> None:
    engine = EngineChoice(name="spark", views={HouseholdSpend.full_name: "polars"})
    assert {view.full_name: engine.name_of(view) for view in views} == {
        view.full_name: "polars" if view is HouseholdSpend else "spark" for view in views
    }
    assert isinstance(engine.of(HouseholdSpend), PolarsEngine)


def test_an_engine_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"there is no engine 'flink'. Give one of polars, spark"):
        EngineChoice(name="flink").of(HouseholdSpend)


def test_spark_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=r"JDK 17|install the extra `spark`"):
        EngineChoice(name="spark").of(HouseholdSpend)


def test_a_run_on_spark_stores_what_one_on_polars_does(ready: Location, spark_session: object) -> None:
    offline = OfflineStoreResource(root=str(ready.root), team="growth", engine=EngineChoice(name="spark", buckets=3))
    own = {**resources(ready.root), "offline_store": offline, "delta_io": DeltaIOManager(offline_store=offline)}
    definitions = dg.Definitions.merge(feature_definitions(), dg.Definitions(resources=own))
    job = job_of(definitions, [dg.AssetKey(key.split("/")) for key in (TILES, TABLE)])
    found = []
    for engine in ("polars", "spark"):
        result = (
            ready.run([TILES, TABLE], FIRST, LAST)
            if engine == "polars"
            else job.execute_in_process(instance=ready.instance, tags={RANGE_START: FIRST, RANGE_END: LAST})
        )
        assert result.success
        told = {key: event.materialization.metadata.get("engine") for key, event in materialised(result).items()}
        assert {key for (key, _), metadata in told.items() if metadata == dg.TextMetadataValue(engine)} >= {TABLE}
        table = ready.store.values(HouseholdSpend)
        rows = table.scan().sort("partition_start", *HouseholdSpend.keys).collect()
        found.append((rows, table.ledger.partitions().select("partition_start", "rows", "fingerprints", "column_sums")))
    for by_polars, by_spark in zip(*found, strict=True):
        assert by_polars.height
        assert_frame_equal(by_polars, by_spark, check_exact=True)
