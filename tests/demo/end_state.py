"""Everything that a demo leaves behind and that must not depend on how it got there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import polars as pl

from feature_store.columns import Column
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.plans.plan_revisions import read_plans
from serving.client import FeatureClient
from tests.demo.process import Demo

LEDGER = [
    "partition_start",
    "as_of",
    "available_at",
    "rows",
    "excluded",
    "fingerprints",
    "content_hash",
    "inputs_hash",
]
"""What a ledger says of the partitions, but for when and by whom they were written."""

FINISHED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED]

ENTITIES = {
    "churn/v1": {"household_id": [900, 901, 950, 1000, 10**12, None]},
    "department_affinity/v1": {"household_id": [900, 901, 1000, 900], "department": ["GROCERY", "MEAT", "DELI", None]},
    "live_offer/v1": {"household_id": [900, 901, 950, 1000, 10**12, None]},
    "offer_value/v1": {"household_id": [900, 901, 950, 1000, 10**12, None]},
    "store_demand/v1": {"store_id": [286, 288, 292, 299, 300, 304, 306, 309, 313, 318, 319, 10**12]},
}

INPUTS = {"offer_value/v1": {"amount": [1.5, 0.0, 12.25, None, 3.0, 7.5]}}
"""The inputs that come with requests of services that have any."""


@dataclass(frozen=True)
class EndState:
    """What is compared.

    Attributes:
        ledgers: by table, the partitions.
        rows: by table, its rows as Delta holds them, sorted.
        materialised: by asset, the partitions that Dagster shows as materialised.
        unfinished: runs that Dagster takes for alive.
        served: by service, values and statuses of some entities.
    """

    ledgers: dict[str, pl.DataFrame]
    rows: dict[str, pl.DataFrame]
    materialised: dict[str, set[str]]
    unfinished: int
    served: dict[str, dict[str, Any]]


def end_state(demo: Demo, at: datetime) -> EndState:
    """Read what a demo left.

    Args:
        demo: not running.
        at: T of the served vectors.
    """
    tables = {name: PartitionedTable(f"{demo.offline_root}/{name}", {}) for name in table_names(demo)}
    materialised, unfinished = materialisations(demo)
    return EndState(
        ledgers={name: table.ledger.partitions().select(LEDGER) for name, table in tables.items()},
        rows={name: in_order(pl.read_delta(table.uri)) for name, table in tables.items()},
        materialised=materialised,
        unfinished=unfinished,
        served=served(demo, at),
    )


def assert_same(actual: EndState, expected: EndState) -> None:
    """Compare part by part, so that a failure names what differs."""
    assert sorted(actual.ledgers) == sorted(expected.ledgers)
    for name, ledger in expected.ledgers.items():
        assert actual.ledgers[name].equals(ledger), f"ledger of {name}"
        assert actual.rows[name].equals(expected.rows[name]), f"rows of {name}"
    assert actual.materialised == expected.materialised
    assert actual.unfinished == expected.unfinished == 0
    assert actual.served == expected.served


def table_names(demo: Demo) -> list[str]:
    """Every table of partitions below the offline root; what was played live is not in partitions."""
    root = Path(demo.offline_root)
    names = (str(path.parent.relative_to(root)) for path in root.rglob("_delta_log"))
    return sorted(name for name in names if not name.endswith((".ledger", ".manifests", "/stream")))


def content_hashes(demo: Demo) -> dict[str, list[tuple[datetime, int, str]]]:
    """By table, start, rows and content hash of every partition."""
    columns = ["partition_start", "rows", "content_hash"]
    tables = {name: PartitionedTable(f"{demo.offline_root}/{name}", {}) for name in table_names(demo)}
    return {name: table.ledger.partitions().select(columns).rows() for name, table in tables.items()}


def delta_versions(demo: Demo) -> dict[str, int | None]:
    """By table, its newest version: any write makes a new one."""
    return {name: PartitionedTable(f"{demo.offline_root}/{name}", {}).delta_version() for name in table_names(demo)}


def runs(demo: Demo) -> dict[str, list[str]]:
    """By id of a Dagster run, the assets it was started for."""
    with instance_of(demo) as instance:
        return {
            run.run_id: sorted(key.to_user_string() for key in run.asset_selection or ()) for run in instance.get_runs()
        }


def materialisations(demo: Demo) -> tuple[dict[str, set[str]], int]:
    """Partitions by asset that Dagster shows as materialised, and how many runs it takes for alive."""
    with instance_of(demo) as instance:
        keys = instance.all_asset_keys()
        partitions = {key.to_user_string(): set(instance.get_materialized_partitions(key)) for key in keys}
        return partitions, instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED))


@contextmanager
def instance_of(demo: Demo) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a demo."""
    with patch.dict(os.environ, {"DAGSTER_HOME": str(demo.state / "dagster")}), dg.DagsterInstance.get() as instance:
        yield instance


def served(demo: Demo, at: datetime) -> dict[str, dict[str, Any]]:
    """What a client gets for some entities of each service."""
    found: dict[str, dict[str, Any]] = {}
    with FeatureClient(demo.plans, demo.online_url) as client:
        for service in read_plans(demo.plans):
            vectors = client.get_features(service, ENTITIES[service], inputs=INPUTS.get(service), time=at)
            statuses = {f"{name} status": vectors.status_names(name) for name in vectors.columns}
            values = {name: plain(column) for name, column in vectors.columns.items()}
            found[service] = {**values, **statuses, "as_of": vectors.as_of}
    return found


def plain(column: Column) -> list[Any]:
    """The values of a column, None where there is none; the exact bits of floats."""
    return [
        value if valid else None for value, valid in zip(column.values.tolist(), column.valid.tolist(), strict=True)
    ]


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in one order, whatever files they came from."""
    nested = [name for name, dtype in rows.schema.items() if dtype.is_nested()]
    order = sorted(set(rows.columns) - set(nested))
    keys = [pl.struct(nested).struct.json_encode()] if nested else []
    return rows.sort(*order, *keys, nulls_last=True)


def newest_as_of(demo: Demo, table: str) -> datetime:
    """The as-of of the newest partition of a table."""
    return PartitionedTable(f"{demo.offline_root}/{table}", {}).ledger.partitions()["as_of"].max()
