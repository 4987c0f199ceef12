"""Manifests: what a stored training set was made from, so that it can be explained and made again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from feature_store.offline.delta import StorageOptions, append, open_or_create, open_table, retry_commit
from feature_store.offline.layout import manifest_uri
from feature_store.offline.partition_choice import Availability
from feature_store.plans import PlanOutput, ServicePlan


@dataclass(frozen=True)
class Manifest:
    """What a training set was made from.

    Attributes:
        plan: the service plan: views, features, types, fingerprints, empty values.
        delta_versions: version of each view's values that was read, by full name; None: it was never written.
        availability: ``promised`` or ``actual``.
        time_column: column of T.
        start: smallest T; None without rows.
        end: largest T.
        rows: number of rows.
        columns: those of the rows, in order.
        created_at: when it was made.
    """

    plan: ServicePlan
    delta_versions: dict[str, int | None]
    availability: Availability
    time_column: str
    start: datetime | None
    end: datetime | None
    rows: int
    columns: list[str]
    created_at: datetime

    @property
    def service(self) -> str:
        """Full name of the service."""
        return self.plan.full_name

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint by output column; ``function(fingerprint)`` for what is computed when read."""
        return {output.name: _fingerprint(self.plan, output) for output in self.plan.outputs}

    def to_json(self) -> str:
        """Return the manifest as JSON text."""
        instants: dict[str, datetime | None] = {"start": self.start, "end": self.end, "created_at": self.created_at}
        times = {name: None if at is None else at.isoformat() for name, at in instants.items()}
        plan = json.loads(self.plan.to_json())
        record = {**asdict(self), **times, "plan": plan, "service": self.service, "fingerprints": self.fingerprints}
        return json.dumps(record, indent=1)

    @staticmethod
    def from_json(text: str) -> Manifest:
        """Read a manifest from JSON text."""
        record: dict[str, Any] = json.loads(text)
        del record["service"], record["fingerprints"]
        for name in ("start", "end", "created_at"):
            record[name] = None if record[name] is None else datetime.fromisoformat(record[name])
        record["plan"] = ServicePlan.from_json(json.dumps(record["plan"]))
        return Manifest(**record)


def append_manifest(table_uri: str, options: StorageOptions, manifest: Manifest) -> str:
    """Store a manifest beside a training set; return the id by which its partitions refer to it."""
    text = manifest.to_json()
    manifest_id = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    row = pl.DataFrame({"id": [manifest_id], "manifest": [text]})
    uri = manifest_uri(table_uri)
    retry_commit(lambda: append(open_or_create(uri, options, row, {}), row))
    return manifest_id


def read_manifest(table_uri: str, options: StorageOptions, manifest_id: str) -> Manifest:
    """Return a stored manifest by its id."""
    table = open_table(manifest_uri(table_uri), options)
    assert table is not None, "manifests are stored before the partitions that refer to them"
    found = pl.scan_delta(table).filter(pl.col("id") == manifest_id).collect()
    return Manifest.from_json(found["manifest"][0])


def _fingerprint(plan: ServicePlan, output: PlanOutput) -> str:
    stored = {feature.name: feature.fingerprint for feature in plan.views[output.view].features}
    read = "T" if output.feature is None else stored[output.feature]
    return read if output.on_read is None else f"{output.on_read}({read})"
