"""Manifests: what a stored training set was made from, so that it can be explained and made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from feature_store.errors import DamagedRecordError
from feature_store.offline.delta.commits import (
    StorageOptions,
    append,
    open_or_create,
    open_table,
    retry_commit,
)
from feature_store.offline.delta.faults import as_damage
from feature_store.offline.delta.paths import manifest_uri
from feature_store.offline.delta.s3_log import read_rows
from feature_store.offline.join.partition_choice import Availability
from feature_store.plans.service_fingerprints import output_fingerprints
from feature_store.plans.service_plan import ServicePlan


@dataclass(frozen=True)
class Manifest:
    """The inputs that a training set was made from.

    Attributes:
        plan: the service plan: views, features, types, fingerprints, empty values.
        delta_versions: version of each view's values that was read, by full name; None: it was never written.
        availability: ``promised`` or ``actual``.
        time_column: column of T.
        start: smallest T; None without rows.
        end: largest T.
        rows: number of rows.
        columns: those of the rows, in order.
        inputs: by day (ISO), hash of all that rows of that day can read; see ``day_inputs``.
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
    inputs: dict[str, str]
    created_at: datetime

    @property
    def service(self) -> str:
        """Full name of the service."""
        return self.plan.full_name

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint by output column; see ``output_fingerprints``."""
        return output_fingerprints(self.plan)

    @property
    def id(self) -> str:
        """The name by which stored rows refer to it: a digest of its text."""
        return _id_of(self.to_json())

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


def append_manifest(table_uri: str, options: StorageOptions, manifest: Manifest) -> None:
    """Store a manifest beside a training set."""
    row = pl.DataFrame({"id": [manifest.id], "manifest": [manifest.to_json()]})
    uri = manifest_uri(table_uri)
    retry_commit(lambda: append(open_or_create(uri, options, row, {}), row))


def read_manifests(table_uri: str, options: StorageOptions, ids: Collection[str]) -> dict[str, Manifest]:
    """Return stored manifests by id.

    Raises:
        DamagedRecordError: one is missing, or not what was written.
    """
    if not ids:
        return {}
    uri = manifest_uri(table_uri)
    table = open_table(uri, options)
    with as_damage(uri, lambda said: _damaged(uri, f"it cannot be read ({said})")):
        stored = [] if table is None else [read_rows(table).select("id", "manifest")]
    texts = {id_: text for id_, text in pl.concat([_NONE, *stored]).iter_rows() if text is not None}
    for id_ in ids:
        if id_ not in texts:
            raise _damaged(uri, f"manifest {id_} is missing")
        if _id_of(texts[id_]) != id_:
            raise _damaged(uri, f"manifest {id_} is not what was written")
    return {id_: Manifest.from_json(texts[id_]) for id_ in ids}


_NONE: Final = pl.DataFrame(schema={"id": pl.String, "manifest": pl.String})


def _id_of(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _damaged(uri: str, problem: str) -> DamagedRecordError:
    return DamagedRecordError(
        uri, problem, "put the manifests back as they were, or build and write the training set again"
    )
