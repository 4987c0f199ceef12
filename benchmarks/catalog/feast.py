"""``feast apply`` of as many features, in the environment that ``FEAST_PYTHON`` names: its pins fight ours."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.catalog.generated import FEATURES, Organisation

_STORE = """
project: org
registry: registry.db
provider: local
online_store: {type: sqlite, path: online.db}
entity_key_serialization_version: 3
"""

_REPOSITORY = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

ENTITIES = [Entity(name=f"entity{{n}}", join_keys=[f"entity{{n}}_id"], value_type=ValueType.INT64) for n in range(10)]
SOURCES = [FileSource(name=f"source{{n}}", path=f"source{{n}}.parquet", timestamp_field="at") for n in range(10)]
for number in range({views}):
    globals()[f"view{{number}}"] = FeatureView(
        name=f"view{{number}}", entities=[ENTITIES[number % 10]], ttl=timedelta(days=3), online=True,
        schema=[
            Field(name=f"entity{{number % 10}}_id", dtype=Int64),
            *(Field(name=f"feature{{n}}", dtype=Float64, description="A feature") for n in range({features})),
        ],
        source=SOURCES[number % 10], owner=f"team{{number % {teams}}}",
    )
"""


def feast_apply_seconds(size: Organisation, folder: Path) -> float | None:
    """Return how long ``feast apply`` takes in a new repository, seconds; None: Feast is not installed."""
    python = os.environ.get("FEAST_PYTHON")
    if python is None:
        return None
    folder.mkdir()
    (folder / "feature_store.yaml").write_text(_STORE)
    text = _REPOSITORY.format(views=size.views, features=FEATURES, teams=size.teams)
    (folder / "definitions.py").write_text(text)
    for number in range(10):
        rows = {f"entity{number}_id": [1], "at": [datetime(2026, 1, 1, tzinfo=UTC)]}
        frame = pl.DataFrame({**rows, **{f"feature{n}": [0.0] for n in range(FEATURES)}})
        frame.write_parquet(folder / f"source{number}.parquet")
    began = time.perf_counter()
    command = [str(Path(python).with_name("feast")), "apply", "--skip-source-validation"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
