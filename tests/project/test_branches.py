"""A branch of a repository: whatever is run on it, production stays as it is, and what it wrote goes with it."""

import hashlib
import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import typer

from feature_assets.cli.app import app
from tests.fixtures.valkey import free_port
from tests.project.repository import FILES, Repository

DELAYS = "flights/teams/air/features/delays.py"
OTHER = FILES[DELAYS].replace('mean(col("delay"), over', 'mean(col("delay"), where=col("delay") > 6, over')
SPAN = ("--from", "2013-03-03", "--to", "2013-03-06")

EVERYTHING = [
    ("plan",),
    ("apply",),
    ("apply", "--allow-redefined"),
    ("plans", "sync"),
    ("backfill", "airport_delays", *SPAN),
    ("land", "flights/departures", "--from", "2013-03-06", "--to", "2013-03-07"),
    ("backfill", "airport_delays", "--from", "2013-03-06", "--to", "2013-03-07"),
    ("restore", "airport_delays"),
    ("restore", "airport_delays", "--undo"),
    ("verify", "--repair"),
    ("verify", "--online", "--repair"),
    ("training-set", "late", "--spine", "spine.csv", "--out", "rows.csv", "--allow-missing"),
    ("parity", "airport_delays"),
    ("drop", "airport_delays.gone"),
    ("branch", "diff"),
    ("get", "late", "--key", "airport=JFK"),
    ("explain", "airport_delays.delay_2d", "--key", "airport=JFK"),
    ("catalog", "backup", "backup.jsonl"),
    ("catalog", "restore", "backup.jsonl"),
    ("catalog", "roles"),
]
"""Every command that writes or reads data, once at least; whatever its exit code is."""

LOOKING = {
    *("list", "search", "show", "replay", "history", "lineage", "impact", "similar", "diff"),
    *("branch list", "branch drop"),  # said elsewhere what they do
}


@dataclass(frozen=True)
class Production:
    """The state of production: files of the offline store and plans, rows of databases, keys online."""

    files: dict[str, str]
    catalog: str
    runs: dict[str, int]
    keys: dict[bytes, bytes]


@contextmanager
def on_branch(repository: Repository, name: str = "late6") -> Iterator[None]:
    repository.environment["FEATURES_BRANCH"] = name
    yield
    del repository.environment["FEATURES_BRANCH"]


def rows(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        return {name: database.execute(f"select count(*) from '{name}'").fetchone()[0] for name in tables}


def production(repository: Repository) -> Production:
    state = repository.folder / ".state"
    files = {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for root in ("offline", "plans")
        for path in sorted((state / root).rglob("*"))
        if path.is_file() and "branches" not in path.relative_to(state).parts and path.name != ".lock"
    }
    with closing(sqlite3.connect(f"file:{state / 'catalog.db'}?mode=ro", uri=True)) as catalog:
        of_it = [
            sorted(catalog.execute(f"select * from {table} where branch = ''").fetchall(), key=repr)
            for table in ("head", "revisions", "definitions")
        ]
    runs = {
        f"{path.name}.{table}": count
        for path in sorted((state / "dagster").rglob("*.db"))
        for table, count in rows(path).items()
    }
    client = redis.Redis.from_url(repository.environment["FEATURES_ONLINE_URL"])
    with client:
        keys = {key: client.dump(key) or b"" for key in client.scan_iter()}
    return Production(files, repr(of_it), runs, keys)


def branch_keys(before: Production, after: Production) -> set[bytes]:
    """Return the keys that are new, which must be of the branch: its records, and rows of later generations."""
    new = after.keys.keys() - before.keys.keys()
    records = {key for key in new if key.startswith(b"fs:")}
    assert all(key.startswith(b"fs:{late6@") for key in records)
    newest = max(int.from_bytes(key[1:5], "big") for key in before.keys if key.startswith(b"\x01"))
    assert all(key[0] == 1 and int.from_bytes(key[1:5], "big") > newest for key in new - records)
    return new


@contextmanager
def served(repository: Repository, *options: str) -> Iterator[str]:
    """Run the feature server as the options say; give the URL of the service."""
    port = free_port()
    command = [sys.executable, "-m", "serving.server", "--plans", ".state/plans", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=repository.folder, env=repository.environment, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{base}/ready"):
                break
            assert process.poll() is None
            time.sleep(0.1)
        yield f"{base}/v1/services/late/features"
    finally:
        process.terminate()
        process.wait()


def asked(url: str) -> float:
    """Return the mean delay that a server answers."""
    body = json.dumps({"keys": {"airport": ["JFK"]}}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["features"]["airport_delays__delay_2d"][0]


def commands(group: typer.Typer, prefix: str = "") -> set[str]:
    own = {f"{prefix}{command.name}" for command in group.registered_commands}
    for each in group.registered_groups:
        assert each.typer_instance is not None
        own |= commands(each.typer_instance, f"{each.name} " if isinstance(each.name, str) else prefix)
    return own


def test_every_command_is_known_here() -> None:
    ran = {" ".join(c[:2]) if c[0] in ("plans", "branch", "catalog") else c[0] for c in EVERYTHING}
    assert ran | LOOKING == commands(app)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_nothing_that_runs_on_a_branch_changes_production(repository: Repository) -> None:
    assert repository.features("apply").returncode == 0
    assert repository.features("backfill", "airport_delays", *SPAN).returncode == 0
    repository.write("spine.csv", "airport,time\nJFK,2013-03-05T12:00:00Z\n")
    answer = repository.features("get", "late", "--key", "airport=JFK", "--json").stdout
    before = production(repository)
    repository.write(DELAYS, OTHER)
    refused = repository.features("apply")
    assert refused.returncode == 2
    assert "give the view a new one" in refused.stderr
    told: dict[str, str] = {}
    with on_branch(repository):
        unknown = repository.features("parity", "airport_delays")
        assert (unknown.returncode, "there is no branch 'late6'" in unknown.stderr) == (2, True)
        for command in EVERYTHING:
            done = repository.features(*command)
            assert done.returncode in (0, 1, 2), done.stderr
            assert "Traceback" not in done.stderr
            told[" ".join(command)] = f"{done.returncode}: {done.stdout}{done.stderr}"
        assets = repository.run("-c", "from flights.teams.air.definitions import defs\n" + MATERIALIZE)
        made = [line.split() for line in assets.stdout.splitlines()]
        assert len(made) >= 6
        assert all(success == "True" for _, success in made), assets.stdout
        on_it = repository.features("get", "late", "--key", "airport=JFK", "--json").stdout
        with served(repository) as url, served(repository, "--branch", "late6") as url_on_it:
            assert (asked(url), asked(url_on_it)) == (12.0, 15.0)  # whatever FEATURES_BRANCH says
        refused = repository.features("branch", "drop", "late6")
        assert (refused.returncode, "unset FEATURES_BRANCH" in refused.stderr) == (2, True)
    assert all(told[name].startswith("0:") for name in DONE), {name: told[name] for name in DONE}
    assert "partitions: 0 landed, 4 of tiles, 3 of values" in told[DONE[3]]
    assert "4 of 4 (100.0%)" in told["branch diff"]
    assert json.loads(on_it) != json.loads(answer)
    after = production(repository)
    assert (after.files, after.catalog, after.runs) == (before.files, before.catalog, before.runs)
    assert {key: value for key, value in after.keys.items() if key in before.keys and key != b"fs:generation"} == {
        key: value for key, value in before.keys.items() if key != b"fs:generation"
    }
    assert branch_keys(before, after)
    assert repository.features("branch", "drop", "late6").returncode == 0
    left = production(repository)
    assert left.keys.keys() == before.keys.keys()
    assert not (repository.folder / ".state" / "offline" / "branches" / "late6").exists()
    assert not (repository.folder / ".state" / "plans" / "branches" / "late6").exists()
    assert (left.files, left.catalog, left.runs) == (before.files, before.catalog, before.runs)
    assert "there is no branch" in repository.features("branch", "list").stdout
    assert repository.features("get", "late", "--key", "airport=JFK", "--json").returncode == 0


DONE = [
    "plan",
    "apply",
    "plans sync",
    "backfill airport_delays " + " ".join(SPAN),
    "restore airport_delays",
    "verify --repair",
    "training-set late --spine spine.csv --out rows.csv --allow-missing",
    "branch diff",
    "get late --key airport=JFK",
]
"""Those that must have succeeded, so that something was written."""

MATERIALIZE = """
import dagster as dg
keys = sorted(defs.resolve_asset_graph().executable_asset_keys)
graph = defs.resolve_asset_graph()
for key in keys:
    partitions = graph.get(key).partitions_def
    partition = None if partitions is None else '2013-03-05'
    done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[key], partition_key=partition, raise_on_error=False, instance=dg.DagsterInstance.ephemeral()
    )
    print(key.to_user_string(), done.success)
"""
