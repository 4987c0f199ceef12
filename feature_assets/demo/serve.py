"""The online half of the demo: load, serve over HTTP, and compare what was served with training rows."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import polars as pl

from feature_assets.demo.dev import server_command, with_store
from feature_assets.parity.served import ParityReport, check_parity
from feature_assets.teams.growth.features.visits import DEPARTMENTS
from feature_store.dtypes import Boolean, DType, String, Timestamp, dtype_from_name
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY
from resources.online import running_url
from resources.settings import Settings, project_root
from serving.client import FeatureClient
from serving.stores.redis.embedded import free_port

ENTITIES = 1_000
NEVER_SEEN = 50
"""The number of requested entities that do not exist, so that EMPTY is compared too."""

NULLS = 0.05
"""Share of random inputs that are null."""

SERVER_SECONDS = 30.0


def online_url(settings: Settings) -> str:
    """Return the URL of the project's online store, started if it is the embedded one."""
    return running_url(settings)


@contextmanager
def feature_server(settings: Settings, url: str) -> Iterator[str]:
    """Run the feature server on a free port; give its base URL once it is ready.

    Raises:
        RuntimeError: it does not become ready; the message holds its log.
    """
    port = free_port()
    log = settings.state / "feature_server.log"
    with log.open("w") as output:
        command = server_command(settings, port)
        process = subprocess.Popen(
            command, cwd=project_root(), env=with_store(url), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            base = f"http://127.0.0.1:{port}"
            if not _ready(base, process):
                raise RuntimeError(f"the feature server did not become ready:\n{log.read_text()[-2000:]}")
            yield base
        finally:
            process.terminate()
            process.wait(SERVER_SECONDS)


def random_keys(store: OfflineStore, plan: ServicePlan, rng: np.random.Generator) -> dict[str, list[int | str]]:
    """Return the keys of random entities: those in the newest snapshot of the view with most keys, and unseen ones."""
    widest = max((view for view in plan.views if view.stream is None), key=lambda view: len(view.keys))
    opened = store.stored_values(widest.view).open()
    names = {key.name: key.column for key in widest.keys}
    known = opened.scan(opened.between(None, None).tail(1)).select(list(names)).rename(names).collect()
    seen = known[rng.integers(0, known.height, ENTITIES - NEVER_SEEN).tolist()]
    unseen = known[rng.integers(0, known.height, NEVER_SEEN).tolist()].with_columns(
        pl.col(pl.Int64) + 10**12, pl.col(pl.String) + " (nowhere)"
    )
    return pl.concat([seen, unseen]).sample(fraction=1, shuffle=True, seed=1).to_dict(as_series=False)


def random_inputs(plan: ServicePlan, rng: np.random.Generator) -> dict[str, list[Any]] | None:
    """Return a random value, or null, of each input that a service needs for each of the random entities."""
    made = {each.name: _random_values(dtype_from_name(each.dtype), rng) for each in plan.needed_inputs}
    return {
        name: [None if rng.random() < NULLS else value for value in values] for name, values in made.items()
    } or None


def _random_values(dtype: DType, rng: np.random.Generator) -> list[Any]:
    if dtype == String:
        return rng.choice([*DEPARTMENTS, "", "nowhere"], ENTITIES).tolist()
    if dtype == Boolean:
        return rng.choice([True, False], ENTITIES).tolist()
    if dtype == Timestamp:
        ages = rng.integers(0, 90 * DAY, ENTITIES).tolist()
        return [datetime.now(UTC) - timedelta(microseconds=age) for age in ages]
    if dtype.is_integer:
        return rng.integers(-5, 100, ENTITIES).tolist()
    return np.round(rng.lognormal(2, 1, (ENTITIES, *dtype.shape)), 2).tolist()


def served_parity(
    store: OfflineStore,
    client: FeatureClient,
    plan: ServicePlan,
    rng: np.random.Generator,
    time: datetime | None = None,
) -> ParityReport:
    """Serve random entities of a service, with random inputs, at a time or now; compare with training rows at its T."""
    keys, inputs = random_keys(store, plan, rng), random_inputs(plan, rng)
    served = client.get_features(plan.full_name, keys, inputs=inputs, time=time)
    return check_parity(store, plan, served)


def ask_over_http(base: str, plan: ServicePlan, keys: dict[str, list[int | str]]) -> dict[str, Any]:
    """Return the server's answer for some entities, as a model server gets it."""
    address = f"{base}/v1/services/{plan.service}/v{plan.version}/features"
    return httpx.post(address, json={"keys": keys}).raise_for_status().json()


def _ready(base: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{base}/ready").status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            time.sleep(0.05)
    return False
