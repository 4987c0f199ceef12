"""The catalog of an organisation: 500 views of 20 features, of 50 teams, beside ``feast apply`` of as many."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.catalog.feast import feast_apply_seconds
from benchmarks.catalog.generated import Organisation, declare
from benchmarks.http.servers import our_server
from benchmarks.measure import stopwatch
from benchmarks.online import valkey
from feature_assets.project.recorded import apply_declarations, opened_catalog
from feature_store.catalog.affected import affected_of
from feature_store.catalog.documents import Definition
from feature_store.catalog.lineage import lineage_of
from feature_store.catalog.records import Record, records_of
from feature_store.catalog.search import SearchIndex
from resources.settings import Settings

SEARCHES = 300
READY_SECONDS = 60.0


def catalog(scale: float) -> dict[str, float | None]:
    """Measure each part once, and print it as it comes.

    Args:
        scale: multiplies the 500 views and 50 teams.

    Returns:
        Seconds, milliseconds and megabytes by name; ``feast_apply_s`` is None where Feast is not installed.
    """
    size = Organisation(views=max(10, round(500 * scale)), teams=max(2, round(50 * scale)))
    found: dict[str, float | None] = {}
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "FEATURES_STATE": folder, "FEATURES_CLOCK": "original"}
        settings = Settings.from_environment(environment)
        loaded = _child("benchmarks.catalog.definitions_process", size, environment)
        _tell(found, definitions_load_s=loaded["seconds"], definitions_rss_mb=loaded["rss_mb"])
        print("  " + ", ".join(f"{part} {loaded[part]:.1f} s" for part in ("import", "declare", "build", "resolve")))
        with stopwatch() as seconds:
            apply_declarations(settings, declare(size))
            print(f"  first apply: {seconds():.1f} s")
        _tell(found, plan_s=_child("benchmarks.catalog.plan_process", size, environment)["seconds"])
        with opened_catalog(settings) as opened:
            definitions = opened.definitions()
        _tell(found, search_p95_ms=_search(list(records_of(definitions))), impact_ms=_impact(definitions))
        _tell(found, server_ready_s=_server(settings.plans))
        _tell(found, feast_apply_s=feast_apply_seconds(size, Path(folder) / "feast"))
    return found


def _child(module: str, size: Organisation, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", module, str(size.views), str(size.teams)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _search(records: list[Record]) -> float:
    """Return the 95th percentile of searches for one to three words, a third of which are mistyped, milliseconds."""
    index, rng = SearchIndex(records), Random(1)
    with stopwatch() as seconds:
        index.search(["spend"])
        print(f"  index of {len(records):,} records: first search after {seconds():.2f} s")
    taken = [_milliseconds(lambda: index.search(_words(records, rng))) for _ in range(SEARCHES)]
    return statistics.quantiles(taken, n=20)[-1]


def _words(records: list[Record], rng: Random) -> list[str]:
    words = [word for word in rng.choice(records)["description"].split() if word.isalpha()]
    chosen = rng.sample(words, min(len(words), rng.randint(1, 3)))
    return [_mistyped(word, rng) if rng.random() < 1 / 3 else word for word in chosen]


def _mistyped(word: str, rng: Random) -> str:
    place = rng.randrange(len(word))
    return word[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[place + 1 :]


def _impact(definitions: list[Definition]) -> float:
    """Return the median of finding everything downstream of a column, from the definitions on, milliseconds."""

    def find() -> object:
        return affected_of(lineage_of(definitions).below("raw/household_events.amount"))

    return statistics.median(_milliseconds(find) for _ in range(9))


def _milliseconds(call: Callable[[], object]) -> float:
    with stopwatch() as seconds:
        call()
        return 1e3 * seconds()


def _server(plans: Path) -> float:
    """Return how long a feature server takes from its start until it is ready, seconds."""
    with valkey() as url:
        began = time.perf_counter()
        with our_server(plans, url) as server:
            while time.perf_counter() - began < READY_SECONDS:
                if _is_ready(server.address):
                    return time.perf_counter() - began
                time.sleep(0.02)
    raise RuntimeError("the feature server does not become ready: see its log above")


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=10) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def _tell(found: dict[str, float | None], **measured: float | None) -> None:
    for name, value in measured.items():
        found[name] = None if value is None else round(value, 3)
        print(f"{name}: {'not installed' if value is None else f'{value:.3f}'}", flush=True)
