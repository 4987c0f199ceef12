"""Dagster with S3: secrets come from Secrets Manager, logs and values lie on S3, and no record holds a planted key."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from feature_store.s3.boto import s3_client
from resources.settings import project_root
from tests.fixtures.servers.aws import Aws

KEY, SECRET, PASSWORD = "PLANTEDKEY", "planted-secret", "planted-password"


@pytest.fixture
def environment(s3_server: Aws, tmp_path: Path) -> dict[str, str]:
    """The variables of a process whose keys and whose store's URL come from Secrets Manager."""
    bucket = s3_server.new_bucket()
    manager = s3_server.client("secretsmanager")
    secrets = {
        f"{bucket}/FEATURES_ONLINE_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
        f"{bucket}/FEATURES_STORAGE_OPTIONS": json.dumps({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}),
    }
    for name, value in secrets.items():
        manager.create_secret(Name=name, SecretString=value)
    arns = [manager.describe_secret(SecretId=name)["ARN"] for name in secrets]
    return {
        **os.environ,
        "FEATURES_SECRETS": ",".join(arns),
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": s3_server.endpoint,
        "AWS_ACCESS_KEY_ID": "of-the-machine",
        "AWS_SECRET_ACCESS_KEY": "of-the-machine",
        "FEATURES_S3_ENDPOINT": s3_server.endpoint,
        "FEATURES_S3_REGION": "us-east-1",
        "FEATURES_STATE": str(tmp_path),
        "FEATURES_OFFLINE_ROOT": f"s3://{bucket}/offline",
        "FEATURES_PLANS": f"s3://{bucket}/plans",
        "FEATURES_COMPUTE_LOGS": f"s3://{bucket}/logs",
        "FEATURES_PICKLES": f"s3://{bucket}/pickles",
    }


def run(environment: dict[str, str]) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.s3.dagster_run"]
    done = subprocess.run(command, env=environment, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for planted in (SECRET, PASSWORD):
        assert planted not in done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def kept(folder: Path) -> bytes:
    """Return everything that lies in a folder, databases as text."""
    contents = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            contents.append(path.read_bytes())
            if path.suffix == ".db":
                with sqlite3.connect(path) as database:
                    contents += [line.encode() for line in database.iterdump()]
    return b"\n".join(contents)


def test_a_run_on_s3_leaves_its_logs_and_values_there_and_no_secret_anywhere(
    environment: dict[str, str], s3_server: Aws, tmp_path: Path
) -> None:
    told = run(environment)
    assert told == {"value": 42, "rows": 1, "url": "from the secret"}
    bucket = environment["FEATURES_PLANS"].split("/")[2]
    client = s3_client(s3_server.storage_options)
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    logs = [key for key in keys if key.startswith("logs/")]
    assert any(b"hello from the run" in client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in logs)
    assert any(key.startswith("pickles/") for key in keys)
    assert any(key.startswith("offline/raw/shop_purchases/") for key in keys)
    stored = b"".join(client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
    local = kept(tmp_path)
    assert b"hello_value" in local
    for planted in (SECRET, PASSWORD):
        for content in (local, stored):
            assert planted.encode() not in content


def test_a_secret_that_is_not_there_is_named(environment: dict[str, str]) -> None:
    missing = environment["FEATURES_SECRETS"].split(",")[0].replace("FEATURES_ONLINE_URL", "NOTHING")
    command = [sys.executable, "-c", "from resources.settings import Settings; Settings.from_environment()"]
    spoiled = {**environment, "FEATURES_SECRETS": missing}
    done = subprocess.run(command, env=spoiled, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "StorageError: FEATURES_SECRETS" in done.stderr
    assert "NOTHING" in done.stderr
