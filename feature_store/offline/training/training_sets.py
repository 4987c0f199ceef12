"""Training sets: a spine with the features as they were, stored by day, and a manifest of what it was made from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from feature_store.checks.arguments import checked
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.frames import read_frame
from feature_store.errors import DamagedError, InputError, NotReproducibleError
from feature_store.model.services import FeatureService
from feature_store.offline.delta.instants import INSTANT, partition_starts
from feature_store.offline.delta.paths import training_uri
from feature_store.offline.delta.storage_types import check_stored_names, to_storage
from feature_store.offline.join.opened_views import Versions, open_views, opened_versions, table_names
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.join.point_in_time import expiring_after, join_opened
from feature_store.offline.join.spines import spine_instants
from feature_store.offline.materialize.reach import floor_to
from feature_store.offline.tables.partitioned_table import PartitionedTable, Write
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.day_inputs import day_inputs
from feature_store.offline.training.manifests import Manifest, append_manifest, read_manifests
from feature_store.offline.training.stored_days import stored_days
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY
from feature_store.temporal.instants import from_microseconds, to_microseconds

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSet:
    """A training set in memory.

    Attributes:
        frame: the spine's rows in order and its columns, then the features of the service.
        manifest: what it was made from.
        warnings: a line per view whose values were older, at some rows' times, than its freshness promises, and per
            reason why features are deprecated.
    """

    frame: pl.DataFrame
    manifest: Manifest
    warnings: tuple[str, ...] = ()


@checked
def build_training_set(
    store: OfflineStore,
    service: FeatureService | ServicePlan,
    spine: Any,
    time_column: str = "time",
    *,
    allow_missing: bool = False,
    with_status: bool = False,
    availability: Availability = "promised",
    max_age: timedelta | None = None,
    pinned: Manifest | None = None,
) -> TrainingSet:
    """Join the features of a service to a spine, each row as of just before its time.

    Args:
        store: the offline store.
        service: whose features are joined; or its plan, as a manifest keeps it.
        spine: a Polars frame, lazy or not, a pandas frame, an Arrow table, a dictionary of columns or a list of rows;
            see ``point_in_time_join``. Times with another zone or offset are the same instants in UTC.
        time_column: column of T.
        allow_missing: give null where nothing was computed, instead of failing.
        with_status: also add status and as-of columns.
        availability: ``promised`` or ``actual``.
        max_age: values as of longer ago than this are EXPIRED too, whatever the views' ``ttl``; None: ``ttl`` alone.
        pinned: a manifest, as whose tables were then they are read; None: as they are now. The same spine and options
            give the same rows again, as long as versions are kept: ``RETENTION`` after they were replaced.

    Raises:
        InputError: the spine cannot be used, or a view was not read for the pinned manifest.
        NotComputedError: rows for which no partition holds a feature.
        FingerprintError: a partition was computed by another definition of a feature.
        VersionExpiredError: a pinned version, or one that was served, is no longer kept.
        DamagedError: rows that are read are not those that were written.
        NotReproducibleError: likewise, of a pinned version.
    """
    plan = service if isinstance(service, ServicePlan) else compile_plan(service)
    tables = open_views(store, plan, None if pinned is None else _pinned_versions(pinned, plan))
    rows = read_frame(spine, "the spine")
    try:
        joined = join_opened(
            tables,
            expiring_after(plan, max_age),
            rows,
            time_column,
            allow_missing=allow_missing,
            with_status=with_status,
            availability=availability,
        )
    except DamagedError as damage:
        if pinned is None:
            raise
        raise NotReproducibleError(
            f"manifest {pinned.id} of {pinned.service} is not reproducible: it pins version "
            f"{_pinned_version(pinned, damage)} of rows that are damaged. {damage}; what was written later is another "
            "version"
        ) from damage
    time = spine_instants(rows[time_column]).to_physical().to_numpy()
    days = [from_microseconds(day) for day in np.unique(time // DAY * DAY).tolist()]
    manifest = Manifest(
        plan=plan,
        delta_versions=opened_versions(plan, tables),
        availability=availability,
        time_column=time_column,
        start=from_microseconds(int(time.min())) if len(time) else None,
        end=from_microseconds(int(time.max())) if len(time) else None,
        rows=rows.height,
        columns=joined.frame.columns,
        inputs={str(day): of for day, of in day_inputs(plan, tables, days, availability).items()},
        created_at=datetime.now(UTC),
    )
    warnings = (*joined.warnings, *plan.deprecations)
    for warning in warnings:
        _LOG.warning("training set of %s: %s", plan.full_name, warning)
    return TrainingSet(joined.frame, manifest, warnings)


@checked
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
    check_stored_names(f"training set {name}", training_set.frame.columns, ("partition_start", "day"))
    to_storage(training_set.frame)  # refuses what cannot be stored before the manifest is
    first, last = (None if at is None else to_microseconds(at) for at in (manifest.start, manifest.end))
    bounds = day_bound(start, first, 0), day_bound(end, last, DAY)
    day = (spine_instants(training_set.frame[manifest.time_column]).to_physical() // DAY * DAY).cast(INSTANT)
    uri = training_uri(store.root, name)
    append_manifest(uri, store.storage_options, manifest)
    rows = training_set.frame.with_columns(day.alias("partition_start"))
    write = training_write(manifest, training_set.frame.schema, *bounds, run_id)
    return PartitionedTable(uri, store.storage_options).write_range(rows, write)


@checked
def training_write(manifest: Manifest, schema: pl.Schema, start: datetime, end: datetime, run_id: str) -> Write:
    """Return the write of a training set's days.

    Args:
        manifest: what its rows were made from.
        schema: of the rows.
        start: start of the first day.
        end: end of the last.
        run_id: of the run that writes.
    """
    # A day is known by all its columns: those of the spine by their types.
    types = {column: str(dtype) for column, dtype in schema.items()}
    return Write(
        start=start,
        end=end,
        cadence=DAY,
        run_id=run_id,
        order=(),
        key=[manifest.time_column],
        unique=False,
        fingerprints={**types, **manifest.fingerprints},
        inputs_hash=dict.fromkeys(partition_starts(start, end, DAY), manifest.id),
    )


@checked
def day_bound(given: datetime | None, instant: int | None, after: int) -> datetime:
    """Return a bound of a range of days.

    Args:
        given: the bound, if there is one.
        instant: of a row, microseconds; None: there are no rows.
        after: from the start of its day to the bound, microseconds.

    Raises:
        InputError: neither is given, or the day is the last of all.
    """
    if given is not None:
        return given
    if instant is None:
        raise InputError("a training set without rows has no range of its own: give start and end")
    try:
        return from_microseconds(floor_to(instant, DAY) + after)
    except OverflowError as error:
        day = from_microseconds(instant).date()
        raise InputError(f"training rows of {day} lie on the last day of all: give an earlier time") from error


@checked
def load_training_set(
    store: OfflineStore,
    name: str,
    start: datetime | None = None,
    end: datetime | None = None,
    as_: Literal["polars", "arrow"] = "polars",
    *,
    manifest_id: str | None = None,
) -> Any:
    """Read the days of a stored training set that begin in ``[start, end)``, lazily.

    Args:
        store: the offline store.
        name: of the stored training set.
        start: inclusive; None: from the first day.
        end: exclusive; None: to the last.
        as_: ``polars``: a LazyFrame (vectors as arrays); ``arrow``: a pyarrow Dataset (vectors as lists, and
            with the columns ``partition_start`` and ``day`` of the files).
        manifest_id: read the days of this manifest as they were written, whatever took their place; None: the newest.

    Returns:
        Rows in no particular order across days.

    Raises:
        NotComputedError: no training set of that name was written, or none with that manifest.
        FingerprintError: the days have different columns, or were built from different definitions of a feature.
        VersionExpiredError: the days of the manifest were replaced so long ago that they are no longer kept.
    """
    days = stored_days(store, name, start, end, manifest_id)
    return days.as_arrow() if as_ == "arrow" else days.as_polars()


@checked
def load_manifest(store: OfflineStore, name: str, manifest_id: str | None = None) -> Manifest:
    """Return a manifest of a stored training set; that of the newest write, if no id is given.

    Raises:
        NotComputedError: no training set of that name was written, or none with that manifest.
    """
    return stored_days(store, name, manifest_id=manifest_id).manifest


@checked
def stale_days(store: OfflineStore, plan: ServicePlan, start: datetime, end: datetime) -> list[datetime]:
    """Return the days of ``[start, end)`` of a service's stored training set that building them again could change.

    These are days that were not written, and those written before the service or anything that its rows read changed.

    Args:
        store: the offline store.
        plan: of the service as it is now; its full name is that of the training set.
        start: start of the first day.
        end: end of the last.
    """
    stored = PartitionedTable(training_uri(store.root, plan.full_name), store.storage_options).open()
    landed = dict(stored.between(start, end).select("partition_start", "inputs_hash").iter_rows())
    built = read_manifests(stored.uri, stored.options, set(landed.values()))
    tables = open_views(store, plan)
    ways: set[Availability] = {manifest.availability for manifest in built.values()}
    now = {way: day_inputs(plan, tables, landed, way) for way in ways}

    def is_fresh(day: datetime) -> bool:
        manifest = built[landed[day]]
        # A day without rows has no inputs.
        inputs = manifest.inputs.get(str(day.date()))
        return manifest.plan == plan and inputs in (None, now[manifest.availability][day.date()])

    return [day for day in partition_starts(start, end, DAY) if day not in landed or not is_fresh(day)]


def _pinned_versions(pinned: Manifest, plan: ServicePlan) -> Versions:
    missing = [name for view in plan.views for name in table_names(view) if name not in pinned.delta_versions]
    if missing:
        raise InputError(
            f"the manifest of {pinned.service} pins no version of {', '.join(missing)}: give a service that reads only "
            f"{', '.join(pinned.delta_versions)}, or its own plan (manifest.plan)"
        )
    return pinned.delta_versions


def _pinned_version(pinned: Manifest, damage: DamagedError) -> int | None:
    return next((version for name, version in pinned.delta_versions.items() if name in damage.table), None)
