"""A run on S3 that is killed has written all or nothing; the next run of it leaves no file that is not listed."""

import os
import signal
import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_store.offline.delta.stored_files import files_of
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.verify import verify_table
from feature_store.s3.boto import s3_client
from resources.settings import project_root
from tests.fixtures.servers.aws import Aws
from tests.offline.definitions import ShopperSpend, day, purchase_rows, purchases

DEATHS = {
    "between upload and commit": False,
    "before the conditional put": False,
    "before the first checkpoint": False,
    "before the ledger": True,
}
"""The points of death, and whether the values are there then."""


@pytest.fixture
def landed(s3_server: Aws) -> OfflineStore:
    """Give a store with tiles."""
    store = OfflineStore(f"s3://{s3_server.new_bucket()}/offline", s3_server.storage_options)
    rows = purchase_rows([(n % 3, day(n % 4, 5), "b", 1.0, 1) for n in range(30)])
    store.source(purchases.asset).write(rows, day(0), day(4), time_column="bought_at", run_id="land")
    compute_tiles(store, ShopperSpend, day(0), day(4), "tiles")
    return store


def run(store: OfflineStore, server: Aws, death: str) -> int:
    environment = {
        **os.environ,
        "FEATURES_S3_ENDPOINT": server.endpoint,
        "FEATURES_S3_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testkey",
        "AWS_SECRET_ACCESS_KEY": "testsecret",
    }
    command = [sys.executable, "-m", "tests.s3.killed_run", store.root, "run", death]
    return subprocess.run(command, env=environment, cwd=project_root(), check=False).returncode


def rows(store: OfflineStore) -> pl.DataFrame:
    return store.values(ShopperSpend).scan().sort("partition_start", "shopper_id").collect()


def check(landed: OfflineStore, server: Aws, death: str) -> None:
    table = landed.values(ShopperSpend)
    assert run(landed, server, death) == -signal.SIGKILL
    assert table.ledger.partitions().height == 4 * DEATHS[death]
    assert run(landed, server, "never") == 0
    assert verify_table(table).damages == ()
    bucket, _, key = table.uri.removeprefix("s3://").partition("/")
    listed = s3_client(landed.storage_options).list_objects_v2(Bucket=bucket, Prefix=f"{key}/day=")["Contents"]
    opened = table.open()
    assert opened.table is not None
    # What a commit replaced stays for those who read the version before.
    versions = [opened.at(version).table for version in range(1, (opened.version or 0) + 1)]
    known = {path for each in versions if each is not None for path in files_of(each)["path"]}
    assert {each["Key"].removeprefix(f"{key}/") for each in listed} == known
    again = rows(landed)
    compute_values(landed, ShopperSpend, day(0), day(4), "other")
    assert_frame_equal(rows(landed), again)


def test_a_run_killed_between_upload_and_commit_left_nothing_and_the_next_completes_it(
    landed: OfflineStore, s3_server: Aws
) -> None:
    check(landed, s3_server, "between upload and commit")


@pytest.mark.full
@pytest.mark.parametrize("death", [each for each in DEATHS if each != "between upload and commit"])
def test_a_run_killed_at_any_point_has_written_all_or_nothing(landed: OfflineStore, s3_server: Aws, death: str) -> None:
    check(landed, s3_server, death)
