"""Training sets on S3, computed by tasks: they get no key, and find those of their own environment."""

import pickle
from types import SimpleNamespace

import pytest

from feature_store.engines.spark.engine import SparkEngine
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.stored_frames import OfflineFrames
from feature_store.offline.training.compute_training_set import compute_training_set
from feature_store.offline.training.shards.spine_files import delta_spine, parquet_spine
from tests.engines import tasks_in_process
from tests.engines.tasks_in_process import TasksInProcess
from tests.engines.test_training_sets import service, spine_of
from tests.fixtures.servers.aws import Aws
from tests.offline.definitions import day, fill


@pytest.mark.parametrize("kind", ["rows", "parquet", "delta"])
def test_no_key_travels_to_the_tasks(s3_server: Aws, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    given = s3_server.storage_options
    key = given["AWS_SECRET_ACCESS_KEY"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, given[name])
    monkeypatch.setenv("AWS_ENDPOINT_URL", given["AWS_ENDPOINT_URL"])
    bucket = s3_server.new_bucket()
    store = fill(OfflineStore(f"s3://{bucket}/offline", given), range(9))
    spine = spine_of().drop("weight")
    if kind == "parquet":
        spine.write_parquet(f"s3://{bucket}/spine/0.parquet", storage_options=given)
        spine = parquet_spine(f"s3://{bucket}/spine", given)
    if kind == "delta":
        spine.write_delta(f"s3://{bucket}/spine", storage_options=given)
        spine = delta_spine(f"s3://{bucket}/spine", options=given)
    sent: list[bytes] = []

    def dumps(task: object) -> bytes:
        sent.append(pickle.dumps(task))
        return sent[-1]

    monkeypatch.setattr(tasks_in_process, "pickle", SimpleNamespace(dumps=dumps, loads=pickle.loads))
    engine = SparkEngine(TasksInProcess(), OfflineFrames(), parts=3)
    stored = compute_training_set(
        store, "sharded", service, spine, day(1), day(7), run_id="r", allow_missing=True, engine=engine
    )
    assert sum(stored.rows.values()) == 60
    assert sent
    assert not any(key.encode() in each for each in sent)
