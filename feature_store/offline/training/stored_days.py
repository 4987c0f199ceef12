"""Days of a stored training set: which they are, whether they belong together, and their rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

import polars as pl

from feature_store.errors import FingerprintError, NotComputedError
from feature_store.offline.delta.paths import training_uri
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.manifests import Manifest, read_manifests


@dataclass(frozen=True)
class StoredDays:
    """Some days of a stored training set.

    Attributes:
        name: of the training set.
        opened: its table, at a version that holds the days.
        days: the ledger's entries of the days; there may be none.
    """

    name: str
    opened: OpenTable
    days: pl.DataFrame

    @property
    def manifest(self) -> Manifest:
        """The inputs of the newest of the days; without days, the newest of the training set."""
        entries = self.days if self.days.height else self.opened.partitions
        id_: str = entries.sort("delta_version")["inputs_hash"][-1]
        return read_manifests(self.opened.uri, self.opened.options, [id_])[id_]

    def as_polars(self) -> pl.LazyFrame:
        """Return their rows, arrays as arrays.

        Raises:
            FingerprintError: the days have different columns, or were built from different definitions of a feature.
        """
        self._require_alike()
        return self.opened.with_arrays(self.opened.scan(self.days).select(self.manifest.columns))

    def as_arrow(self) -> Any:
        """Return their rows as a pyarrow Dataset, also with the columns of the files; raises as ``as_polars``."""
        self._require_alike()
        arrow: Any = import_module("pyarrow")  # only who asks for Arrow needs it
        datasets: Any = import_module("pyarrow.dataset")
        columns = [*self.manifest.columns, "partition_start", "day"]
        for _ in self.opened.pieces(self.days, self.manifest.columns):
            pass  # compares the rows, which the dataset gives lazily
        stored = self.opened.to_arrow(self.days)
        starts = arrow.array(self.days["partition_start"].to_list(), arrow.timestamp("us", "UTC"))
        whole = stored.replace_schema(arrow.schema([stored.schema.field(column) for column in columns]))
        return whole.filter(datasets.field("partition_start").isin(starts))

    def _require_alike(self) -> None:
        first = self.days.unique("fingerprints", keep="first", maintain_order=True).head(2)
        if first.height < 2:
            return
        one, other = (start.date() for start in first["partition_start"])
        contents: list[dict[str, str]] = [json.loads(text) for text in first["fingerprints"]]
        differing = sorted({column for column, _ in contents[0].items() ^ contents[1].items()})
        raise FingerprintError(
            f"training set {self.name}: {other} has other columns or definitions than {one} ({', '.join(differing)}): "
            "load them one by one, or build and write all of them again"
        )


def stored_days(
    store: OfflineStore,
    name: str,
    start: datetime | None = None,
    end: datetime | None = None,
    manifest_id: str | None = None,
) -> StoredDays:
    """Return the days of a stored training set that begin in ``[start, end)``.

    Args:
        store: the offline store.
        name: of the training set.
        start: inclusive; None: from the first day.
        end: exclusive; None: to the last.
        manifest_id: the days of this manifest as they were written; None: all as they are now.

    Raises:
        NotComputedError: no training set of that name was written, or none with that manifest.
        VersionExpiredError: days of the manifest were replaced so long ago that they are no longer kept.
    """
    opened = PartitionedTable(training_uri(store.root, name), store.storage_options).open()
    if opened.partitions.is_empty():
        raise NotComputedError(f"there is no training set {name!r} under {store.root}: write it first")
    if manifest_id is None:
        return StoredDays(name, opened, opened.between(start, end))
    own = pl.col("inputs_hash") == manifest_id
    written = opened.entries.filter(own)
    if written.is_empty():
        raise NotComputedError(
            f"training set {name!r} has no manifest {manifest_id!r}: give the id of one that was written (manifest.id)"
        )
    if opened.partitions.filter(own).height < written["partition_start"].n_unique():
        opened = opened.at(written.select(pl.col("delta_version").max()).item())
    return StoredDays(name, opened, opened.between(start, end).filter(own))
