"""A host without orchestrator: computes a view, builds its training set, loads it and serves it over HTTP.

Run as a script in an environment that has ``feature_store``, ``serving`` and what ``requirements-serving.txt`` lists;
so it imports nothing else. The argument is an empty folder, which gets ``result.json``.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from feature_store import (
    Entity,
    EventSource,
    FeatureService,
    Float64,
    Int64,
    Team,
    Timestamp,
    col,
    days_since,
    feature_view,
    last,
    n_unique,
    sum_,
)
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, load_training_set, write_training_set
from feature_store.plans.service_plan import write_plan
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from serving.stores.redis.embedded import ensure_embedded, stop_embedded

NOW = datetime.now(UTC)
END = (NOW - timedelta(hours=1)).replace(hour=0, minute=0, second=0, microsecond=0)
START = END - timedelta(days=10)
SHOPPERS = [1, 2, 3, 99]
"""The last one never buys anything."""

FORBIDDEN = ("dagster", "pandas", "sqlalchemy", "pyspark", "pandera", "sklearn", "typer", "httpx", "feature_assets")

Team("keepers", slack_channel="#keepers", email="keepers@example.com")
shopper = Entity("shopper", keys={"shopper_id": Int64}, description="Somebody who buys")
purchases = EventSource(
    "purchases",
    asset="raw/purchases",
    event_time="bought_at",
    columns={"shopper_id": Int64, "bought_at": Timestamp, "basket_id": Int64, "amount": Float64},
    start=START,
    description="What was bought",
)


@feature_view(
    entity=shopper, source=purchases, namespace="shop", version=1, owner="keepers", cadence="1d", freshness="2d"
)
class ShopperSpend:
    """What a shopper spends."""

    spend_3d = sum_(col("amount"), over="3d", description="Amount of the last three days")
    baskets_7d = n_unique(col("basket_id"), over="7d", description="Baskets of the last seven days")
    last_time = last(col("bought_at"), over="7d", description="When something was last bought")
    days_since_last = days_since(last_time, description="Days since then")


service = FeatureService(
    "offers", version=1, owner="keepers", description="Which offer to show", features=[ShopperSpend.all()]
)


def main(folder: Path) -> None:
    store = fill(OfflineStore(str(folder / "offline")))
    plan = compile_plan(service)
    write_plan(folder / "plans", plan)
    url = ensure_embedded(folder / "online")
    try:
        writer = open_loader(url)
        sync_view(store, ShopperSpend, writer, datetime.now(UTC))
        writer.close()
        answer = ask_server(folder / "plans", url)
    finally:
        stop_embedded(folder / "online")
    spine = pl.DataFrame({"shopper_id": SHOPPERS}).with_columns(time=pl.lit(answer["time"]).str.to_datetime("%+"))
    built = build_training_set(store, service, spine, with_status=True)
    write_training_set(store, "offers", built, run_id="bare")
    stored = load_training_set(store, "offers").collect().height
    names = [output.name for output in plan.outputs]
    rows = built.frame.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    result = {
        "served": {name: answer["features"][name] for name in names},
        "trained": rows.select(names).to_dict(as_series=False),
        "stored_rows": stored,
        "loaded": sorted(set(FORBIDDEN) & {name.partition(".")[0] for name in sys.modules}),
    }
    (folder / "result.json").write_text(json.dumps(result))


def fill(store: OfflineStore) -> OfflineStore:
    """Land purchases of ten days and compute the values of each."""
    days = [START + timedelta(days=day, hours=10) for day in range(10)]
    rows = [(who, at, 100 * who + number, who + 0.25) for number, at in enumerate(days) for who in SHOPPERS[:3]]
    frame = pl.DataFrame(rows, schema=["shopper_id", "bought_at", "basket_id", "amount"], orient="row")
    table = store.source("raw/purchases")
    table.write(frame.cast({"bought_at": pl.Datetime("us", "UTC")}), START, END, time_column="bought_at", run_id="bare")
    compute_tiles(store, ShopperSpend, START, END, "bare")
    compute_values(store, ShopperSpend, START, END, "bare")
    return store


def ask_server(plans: Path, url: str) -> dict:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving.server", "--plans", str(plans), "--url", url, "--port", str(port)]
    server = subprocess.Popen(command)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/ready", server)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/services/offers/v1/features",
            json.dumps({"keys": {"shopper_id": SHOPPERS}}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    finally:
        server.terminate()
        server.wait()


def wait_until_ready(address: str, server: subprocess.Popen) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(address).close()
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise SystemExit("the server ended before it was ready")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
