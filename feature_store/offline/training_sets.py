"""Training sets: a spine with the features as they were, stored by day, and a manifest of what it was made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Literal

import polars as pl

from feature_store.durations import DAY
from feature_store.engines.polars.finish import empty_values
from feature_store.errors import FingerprintError, InputError, NotComputedError
from feature_store.offline.instants import INSTANT, from_microseconds, partition_starts, to_microseconds
from feature_store.offline.layout import training_uri
from feature_store.offline.manifests import Manifest, append_manifest, read_manifest
from feature_store.offline.opened_views import newest_versions, open_views, opened_versions
from feature_store.offline.partition_choice import Availability
from feature_store.offline.partitioned_table import PartitionedTable, Write
from feature_store.offline.point_in_time import join_opened
from feature_store.offline.reach import floor_to
from feature_store.offline.reading import OpenTable
from feature_store.offline.spines import read_frame
from feature_store.offline.store import OfflineStore
from feature_store.plans import ServicePlan
from feature_store.services import FeatureService, compile_plan


@dataclass(frozen=True)
class TrainingSet:
    """A training set in memory.

    Attributes:
        frame: the spine's rows in order and its columns, then the features of the service.
        manifest: what it was made from.
    """

    frame: pl.DataFrame
    manifest: Manifest


def build_training_set(
    store: OfflineStore,
    service: FeatureService,
    spine: Any,
    time_column: str = "time",
    *,
    allow_missing: bool = False,
    with_status: bool = False,
    availability: Availability = "promised",
) -> TrainingSet:
    """Join the features of a service to a spine, each row as of just before its time.

    Args:
        store: the offline store.
        service: whose features are joined.
        spine: a Polars frame, lazy or not, or any Arrow table; see ``point_in_time_join``.
        time_column: column of T.
        allow_missing: give null where nothing was computed, instead of failing.
        with_status: also add status and as-of columns.
        availability: ``promised`` or ``actual``.

    Raises:
        InputError: the spine cannot be used.
        NotComputedError: rows for which no partition holds a feature.
        FingerprintError: a partition was computed by another definition of a feature.
    """
    plan = compile_plan(service, empty_values)
    tables = open_views(store, plan)
    rows = read_frame(spine)
    frame = join_opened(
        tables,
        plan,
        rows,
        time_column,
        allow_missing=allow_missing,
        with_status=with_status,
        availability=availability,
    )
    time = rows[time_column].cast(INSTANT).to_physical().to_numpy()
    manifest = Manifest(
        plan=plan,
        delta_versions=opened_versions(plan, tables),
        availability=availability,
        time_column=time_column,
        start=from_microseconds(int(time.min())) if len(time) else None,
        end=from_microseconds(int(time.max())) if len(time) else None,
        rows=rows.height,
        columns=frame.columns,
        created_at=datetime.now(UTC),
    )
    return TrainingSet(frame, manifest)


def write_training_set(
    store: OfflineStore,
    name: str,
    training_set: TrainingSet,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    run_id: str,
) -> int:
    """Store a training set by day of its time; days of the range without rows become empty. Return the number of rows.

    Args:
        store: the offline store.
        name: of the stored training set.
        training_set: whose rows all lie in the range.
        start: start of the first day; None: the day of the first row.
        end: end of the last day; None: the end of the day of the last row.
        run_id: of the run that writes.

    Raises:
        InputError: rows outside the range, no rows and no range, or a column called like one of the store's own.
    """
    manifest = training_set.manifest
    if "partition_start" in training_set.frame.columns:
        raise InputError(f"{name}: 'partition_start' is a column of every stored training set: rename yours")
    start = _day(manifest.start, 0) if start is None else start
    end = _day(manifest.end, DAY) if end is None else end
    day = (pl.col(manifest.time_column).cast(INSTANT).cast(pl.Int64) // DAY * DAY).cast(INSTANT)
    uri = training_uri(store.root, name)
    manifest_id = append_manifest(uri, store.storage_options, manifest)
    # A day is known by all its columns: those of the spine by their types.
    types = {column: str(dtype) for column, dtype in training_set.frame.schema.items()}
    write = Write(
        start=start,
        end=end,
        cadence=DAY,
        run_id=run_id,
        order=(),
        fingerprints={**types, **manifest.fingerprints},
        inputs_hash=dict.fromkeys(partition_starts(start, end, DAY), manifest_id),
    )
    rows = training_set.frame.with_columns(day.alias("partition_start"))
    return PartitionedTable(uri, store.storage_options).write_range(rows, write)


def load_training_set(
    store: OfflineStore,
    name: str,
    start: datetime | None = None,
    end: datetime | None = None,
    as_: Literal["polars", "arrow"] = "polars",
) -> Any:
    """Read the days of a stored training set that begin in ``[start, end)``, lazily.

    Args:
        store: the offline store.
        name: of the stored training set.
        start: inclusive; None: from the first day.
        end: exclusive; None: to the last.
        as_: ``polars``: a LazyFrame (vectors as arrays); ``arrow``: a pyarrow Dataset (vectors as lists, and
            with the columns ``partition_start`` and ``day`` of the files).

    Returns:
        Rows in no particular order across days.

    Raises:
        NotComputedError: no training set of that name was written.
        FingerprintError: the days have different columns, or were built from different definitions of a feature.
    """
    opened = PartitionedTable(training_uri(store.root, name), store.storage_options).open()
    chosen = opened.between(start, end)
    _require_alike(name, chosen)
    rows = opened.scan(chosen)
    manifest = _newest_manifest(opened, chosen if chosen.height else opened.partitions)
    if as_ == "arrow":
        return _dataset(opened, chosen, [*manifest.columns, "partition_start", "day"])
    return opened.with_arrays(rows.select(manifest.columns))


def load_manifest(store: OfflineStore, name: str) -> Manifest:
    """Return the manifest of the newest write to a stored training set.

    Raises:
        NotComputedError: no training set of that name was written.
    """
    opened = PartitionedTable(training_uri(store.root, name), store.storage_options).open()
    if opened.partitions.is_empty():
        raise NotComputedError(f"there is no training set {name!r} under {store.root}: write it first")
    return _newest_manifest(opened, opened.partitions)


def stale_days(store: OfflineStore, plan: ServicePlan, start: datetime, end: datetime) -> list[datetime]:
    """Return the days of ``[start, end)`` of a service's stored training set that building them again could change.

    These are days that were not written, and those written before the service or the values it reads changed.

    Args:
        store: the offline store.
        plan: of the service as it is now; its full name is that of the training set.
        start: start of the first day.
        end: end of the last.
    """
    uri = training_uri(store.root, plan.full_name)
    landed = PartitionedTable(uri, store.storage_options).open().between(start, end)
    versions = newest_versions(store, plan)
    built = {id_: read_manifest(uri, store.storage_options, id_) for id_ in landed["inputs_hash"].unique()}
    current = {id_ for id_, manifest in built.items() if (manifest.plan, manifest.delta_versions) == (plan, versions)}
    fresh = set(landed.filter(pl.col("inputs_hash").is_in(current))["partition_start"])
    return [day for day in partition_starts(start, end, DAY) if day not in fresh]


def _newest_manifest(opened: OpenTable, partitions: pl.DataFrame) -> Manifest:
    newest = partitions.sort("delta_version").row(-1, named=True)
    return read_manifest(opened.uri, opened.options, newest["inputs_hash"])


def _require_alike(name: str, days: pl.DataFrame) -> None:
    """Fail unless days have the same columns, computed by the same definitions."""
    first = days.unique("fingerprints", keep="first", maintain_order=True).head(2)
    if first.height < 2:
        return
    one, other = (start.date() for start in first["partition_start"])
    contents: list[dict[str, str]] = [json.loads(text) for text in first["fingerprints"]]
    differing = sorted({column for column, _ in contents[0].items() ^ contents[1].items()})
    raise FingerprintError(
        f"training set {name}: {other} has other columns or definitions than {one} ({', '.join(differing)}): "
        "load them one by one, or build and write all of them again"
    )


def _dataset(opened: OpenTable, chosen: pl.DataFrame, columns: Sequence[str]) -> Any:
    arrow: Any = import_module("pyarrow")  # only who asks for Arrow needs it
    datasets: Any = import_module("pyarrow.dataset")
    table: Any = opened.table
    stored = table.to_pyarrow_dataset()
    starts = arrow.array(chosen["partition_start"].to_list(), arrow.timestamp("us", "UTC"))
    whole = stored.replace_schema(arrow.schema([stored.schema.field(column) for column in columns]))
    return whole.filter(datasets.field("partition_start").isin(starts))


def _day(instant: datetime | None, after: int) -> datetime:
    if instant is None:
        raise InputError("a training set without rows has no range of its own: give start and end")
    return from_microseconds(floor_to(to_microseconds(instant), DAY) + after)
