import shutil
from datetime import datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from feature_assets.backfill.range_runs import RANGE_END, RANGE_START, job_of
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.materialize.materialize import compute_tiles
from tests.dagster.sample import project
from tests.dagster.sample.declarations import START, HouseholdSpend
from tests.fixtures.valkey import valkey, valkey_server

__all__ = ["RANGE_END", "RANGE_START", "valkey", "valkey_server"]


class Location:
    """The sample project on a real instance and a real store in a folder."""

    def __init__(self, instance: dg.DagsterInstance, root, team: str = "growth", online_url: str | None = None):
        self.instance = instance
        self.root = root
        self.resources = project.resources(root, team, **({"online_url": online_url} if online_url else {}))
        self.definitions = project.definitions(root, team, **({"online_url": online_url} if online_url else {}))
        self.store = self.resources["offline_store"].store

    def run(self, keys, first: str | None = None, last: str | None = None, **options):
        """Run assets over a range of partitions, or assets without any."""
        return job_of(self.definitions, [dg.AssetKey(key.split("/")) for key in keys]).execute_in_process(
            instance=self.instance,
            tags={RANGE_START: first, RANGE_END: last or first} if first else {},
            **options,
        )

    def land(self, first="2024-01-01", last="2024-01-14"):
        assert self.run(["raw/transactions", "raw/profiles"], first, last).success

    def tiles(self, first="2024-01-01", last="2024-01-14"):
        assert self.run(["retail/household_spend/v1/_tiles"], first, last).success

    def write_values(self, as_of: datetime) -> None:
        """Write a day of ``HouseholdSpend``, one household of nulls, whatever its tiles are."""
        columns = {f.name: pl.lit(None, polars_dtype(f.dtype)) for f in HouseholdSpend.stored_features}
        start = pl.lit(as_of - timedelta(days=1)).cast(pl.Datetime("us", "UTC"))
        rows = pl.DataFrame({"household_id": [1]}).with_columns(start.alias("partition_start"), **columns)
        self.store.values(HouseholdSpend).write(rows, as_of - timedelta(days=1), as_of, run_id="test")


def instance_with_batches(folder):
    """A persistent instance whose event log is the one of the project's dagster.yaml."""
    storage = {"module": "resources.event_log", "class": "BatchedSqliteEventLogStorage"}
    return dg.instance_for_test(overrides={"event_log_storage": {**storage, "config": {"base_dir": str(folder)}}})


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """One instance for the tests of a module: what they ask it is about their own runs."""
    with instance_with_batches(tmp_path_factory.mktemp("events")) as instance:
        yield instance


@pytest.fixture
def fresh_instance(tmp_path):
    with instance_with_batches(tmp_path / "events") as instance:
        yield instance


@pytest.fixture
def location(instance, tmp_path) -> Location:
    return Location(instance, tmp_path / "offline")


@pytest.fixture(scope="session")
def landed(tmp_path_factory):
    """A store with raw rows of 14 days and the tiles of the daily view."""
    root = tmp_path_factory.mktemp("landed") / "offline"
    store = project.resources(root)["offline_store"].store
    first, last = START, START + timedelta(days=14)
    for name, rows, time in (
        ("transactions", project.receipts, "purchased_at"),
        ("profiles", project.profile_rows, "changed_at"),
    ):
        store.source(f"raw/{name}").write(rows(first, last), first, last, time_column=time, run_id="landing")
    compute_tiles(store, HouseholdSpend, first, last, "landing")
    return root


@pytest.fixture
def ready(instance, landed, tmp_path) -> Location:
    """A location whose raw rows and tiles lie in its store already."""
    shutil.copytree(landed, tmp_path / "offline")
    return Location(instance, tmp_path / "offline")


def materialised(result) -> dict:
    """Materialisation events of a run by asset and partition, those of assets outside its selection included."""
    events = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    return {(e.asset_key.to_user_string(), e.partition): e for e in events}


def logged(instance: dg.DagsterInstance, run_id: str) -> dict[str, set]:
    """Partitions by asset that a run reported, as the instance keeps them."""
    found: dict[str, set] = {}
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    for record in instance.get_records_for_run(run_id, of_type=kind).records:
        event = record.event_log_entry.dagster_event
        found.setdefault(event.asset_key.to_user_string(), set()).add(event.partition)
    return found
