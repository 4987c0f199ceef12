"""``make demo S3=1``: the demo with everything offline on S3, on a server of its own that ends with it.

The server (moto's) keeps objects in memory, so each run begins from nothing, in a state folder of its own. With
``FEATURES_S3_ENDPOINT`` set, that server is used instead, and must have the bucket ``features``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from feature_assets.demo import endings
from feature_store.s3.boto import s3_client
from feature_store.s3.options import S3Options, S3Settings
from resources.settings import Settings
from serving.stores.redis.embedded import free_port, stop_embedded

BUCKET: Final = "features"
_SECONDS: Final = 60.0
_KEYS: Final = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def main() -> int:
    """Run the demo on S3; return its exit code."""
    state = Settings.from_environment().state / "s3"
    _forget(state)
    with _server(state) as server:
        os.environ.update(server | places() | {"FEATURES_STATE": str(state)})
        try:
            return endings.main()
        finally:
            stop_embedded(Settings.from_environment().online_folder)


def places() -> dict[str, str]:
    """Return the settings by which everything offline lies in the bucket."""
    return {
        "FEATURES_OFFLINE_ROOT": f"s3://{BUCKET}/offline",
        "FEATURES_PLANS": f"s3://{BUCKET}/plans",
        "FEATURES_COMPUTE_LOGS": f"s3://{BUCKET}/logs",
        "FEATURES_PICKLES": f"s3://{BUCKET}/pickles",
    }


def _forget(state: Path) -> None:
    """Delete what a former run left: its objects are gone."""
    if state.exists():
        stop_embedded(state / "online")
        shutil.rmtree(state)
    state.mkdir(parents=True)


@contextmanager
def _server(state: Path) -> Iterator[dict[str, str]]:
    """Give the settings that lead to a server of S3: the one that is named, or one of our own."""
    if os.environ.get("FEATURES_S3_ENDPOINT"):
        yield {}
        return
    port = free_port()
    found = {"FEATURES_S3_ENDPOINT": f"http://127.0.0.1:{port}", "FEATURES_S3_REGION": "us-east-1", **_KEYS}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (state / "s3.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(port, process, state / "s3.log")
        options = S3Options(S3Settings.from_environment(found), _KEYS)
        s3_client(options).create_bucket(Bucket=BUCKET)
        yield found
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not start:\n{log.read_text()[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
