"""The point-in-time join: every spine row gets the features as they were available just before its time.

Each view is joined in two vectorised steps: what each row may see, from the ledgers alone, and reading just that. Of a
cadence or table view that is one partition, joined on typed keys; of a stream view tiles, merged (``stream_join``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_store.checks.arguments import checked
from feature_store.columns import Column
from feature_store.dtypes import Timestamp, dtype_from_name
from feature_store.engines.numpy.on_read import compute_on_read
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.frames import read_frame
from feature_store.engines.polars.request_features import request_features
from feature_store.errors import InputError
from feature_store.offline.join.findings import (
    ages_of,
    is_unfit,
    require_computed,
    require_fit,
    stale_views,
    uncomputed,
    unfit,
)
from feature_store.offline.join.opened_views import Opened, open_views
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.join.spine_inputs import spine_inputs
from feature_store.offline.join.spines import FOUND, Spine, check_spine
from feature_store.offline.join.view_join import Statuses, ViewJoin, join_view
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import PlanExpression, PlanFeature, PlanOutput, PlanView, ServicePlan
from feature_store.status import Status


@dataclass(frozen=True)
class Joined:
    """A spine with features.

    Attributes:
        frame: the rows.
        warnings: a line per view whose values were older than it promises; what is older than its ``ttl`` is EXPIRED.
    """

    frame: pl.DataFrame
    warnings: tuple[str, ...]


@checked
def point_in_time_join(
    store: OfflineStore,
    plan: ServicePlan,
    spine: Any,
    time_column: str,
    *,
    allow_missing: bool = False,
    with_status: bool = False,
    availability: Availability = "promised",
    max_age: timedelta | None = None,
) -> pl.DataFrame:
    """Add the features of a service to a spine.

    Args:
        store: the offline store.
        plan: of the service.
        spine: key columns and inputs as the service names them, the time, and any others: a Polars frame, lazy or not,
            or what ``read_frame`` takes.
        time_column: T of each row: timestamps with a zone. Values available strictly before T are seen.
        allow_missing: give null where nothing was computed, instead of failing.
        with_status: also add ``<output>__status`` (Int8, see ``Status``) and ``<prefix>__as_of`` per view.
        availability: ``promised``: by the view's declared delay; ``actual``: by when it was really published.
        max_age: values as of longer ago than this are EXPIRED too, whatever the views' ``ttl``; None: ``ttl`` alone.

    Returns:
        The spine's rows in order, each exactly once, its columns untouched, then the outputs in the service's order.

    Raises:
        InputError: the spine cannot be used.
        NotComputedError: rows for which no partition holds a feature, or, of a stream view, a sum of integers does not
            fit Int64; unless ``allow_missing``.
        FingerprintError: a partition was computed by another definition of a feature.
    """
    plan = expiring_after(plan, max_age)
    joined = join_opened(
        open_views(store, plan),
        plan,
        read_frame(spine, "the spine"),
        time_column,
        allow_missing=allow_missing,
        with_status=with_status,
        availability=availability,
    )
    return joined.frame


def join_opened(
    opened: Sequence[Opened],
    plan: ServicePlan,
    spine: pl.DataFrame,
    time_column: str,
    *,
    allow_missing: bool,
    with_status: bool,
    availability: Availability,
) -> Joined:
    """Do ``point_in_time_join`` from tables that are already open, in the order of the plan's views."""
    checked, inputs = check_for_join(plan, spine, time_column, with_status=with_status)
    joins = [
        join_view(view, tables, checked.time, availability) for view, tables in zip(plan.views, opened, strict=True)
    ]
    if not allow_missing:
        require_computed(plan, uncomputed(plan, joins, checked))
    reads = [join.read(checked) for join in joins]
    if not allow_missing:
        require_fit(plan, unfit(plan, reads, checked))
    features = service_columns(plan, joins, reads, checked, inputs, with_status=with_status)
    return Joined(spine.with_columns(features), stale_views(plan, ages_of(plan, joins, checked)))


def check_for_join(
    plan: ServicePlan, spine: pl.DataFrame, time_column: str, *, with_status: bool
) -> tuple[Spine, list[pl.Series]]:
    """Return a spine that can be joined, and the inputs in its columns.

    Raises:
        InputError: the spine cannot be used.
    """
    extra = _extra_names(plan) if with_status else []
    checked = check_spine(plan, spine, time_column, [*(output.name for output in plan.outputs), *extra])
    return checked, spine_inputs(plan, spine)


def service_columns(
    plan: ServicePlan,
    joins: Sequence[ViewJoin],
    reads: Sequence[pl.DataFrame],
    spine: Spine,
    inputs: Sequence[pl.Series],
    *,
    with_status: bool,
) -> list[pl.Series]:
    """Return the columns that a service adds to a spine, from what was read of its views.

    Args:
        plan: of the service.
        joins: of its views.
        reads: what each join read, per row.
        spine: the rows.
        inputs: of the rows.
        with_status: also those of statuses and as-ofs.
    """

    def read_one(read: PlanOutput) -> tuple[pl.Series, Statuses]:
        return _output(read, plan.views[read.view], joins[read.view], reads[read.view], spine)

    outputs = {output.name: read_one(output) for output in plan.outputs if isinstance(output, PlanOutput)}
    outputs |= _request_features(plan, read_one, inputs)
    added = [outputs[output.name][0].alias(output.name) for output in plan.outputs]
    if with_status:
        added += [pl.Series(f"{each.name}__status", outputs[each.name][1], pl.Int8) for each in plan.outputs]
        for view, join in zip(plan.views, joins, strict=True):
            added.append(join.as_of.alias(f"{view.prefix}__as_of"))
    return added


def _request_features(
    plan: ServicePlan, read_one: Callable[[PlanOutput], tuple[pl.Series, Statuses]], inputs: Sequence[pl.Series]
) -> dict[str, tuple[pl.Series, Statuses]]:
    """Return what is computed from inputs and from features that were read."""
    computed = [output for output in plan.outputs if isinstance(output, PlanExpression)]
    columns = {column.name: column for column in inputs}
    for read in (read for output in computed for read in output.reads):
        if read.name not in columns:
            column, status = read_one(read)
            columns |= {read.name: column, f"{read.name}__status": pl.Series(status, dtype=pl.Int8)}
    found = request_features(computed, pl.DataFrame(columns)) if computed else pl.DataFrame()
    return {each.name: (found[each.name], found[f"{each.name}__status"].to_numpy()) for each in computed}


def expiring_after(plan: ServicePlan, max_age: timedelta | None) -> ServicePlan:
    """Return a plan of whose views no value is older than an age.

    Raises:
        InputError: the age is not positive.
    """
    if max_age is None:
        return plan
    if max_age <= timedelta(0):
        raise InputError(f"max_age={max_age} keeps nothing: give an age, timedelta(days=2)")
    oldest = max_age // timedelta(microseconds=1)
    views = (replace(view, ttl=oldest if view.ttl is None else min(view.ttl, oldest)) for view in plan.views)
    return replace(plan, views=tuple(views))


def _extra_names(plan: ServicePlan) -> list[str]:
    return [*(f"{output.name}__status" for output in plan.outputs), *(f"{view.prefix}__as_of" for view in plan.views)]


def _output(
    output: PlanOutput, view: PlanView, join: ViewJoin, read: pl.DataFrame, spine: Spine
) -> tuple[pl.Series, Statuses]:
    if output.feature is None:
        assert output.on_read is not None
        return _on_read(output, None, spine), np.full(len(spine.time), Status.PRESENT, np.int8)
    feature = next(feature for feature in view.features if feature.name == output.feature)
    status = join.status.copy()
    status[join.is_read & ~read[FOUND].to_numpy()] = Status.EMPTY
    status[join.lacking[feature.name] | is_unfit(read, feature.name)] = Status.NOT_COMPUTED
    stored = read[feature.name]
    if feature.empty is not None:
        stored = _fill_empty(stored, feature, status)
    return (stored if output.on_read is None else _on_read(output, stored, spine)), status


def _fill_empty(stored: pl.Series, feature: PlanFeature, status: Statuses) -> pl.Series:
    dtype = dtype_from_name(feature.dtype)
    instant = pl.List(pl.Int64) if dtype.is_array else pl.Int64
    plain = pl.Series([feature.empty], dtype=instant if dtype.element == Timestamp else None)
    empty = pl.lit(plain.cast(stored.dtype)).first()
    return pl.select(pl.when(pl.Series(status == Status.EMPTY)).then(empty).otherwise(stored)).to_series()


def _on_read(output: PlanOutput, stored: pl.Series | None, spine: Spine) -> pl.Series:
    assert output.on_read is not None
    column = None
    if stored is not None:
        column = Column(stored.to_physical().fill_null(0).to_numpy(), stored.is_not_null().to_numpy())
    result = compute_on_read(output.on_read, column, spine.time)
    values = pl.Series(result.values, dtype=polars_dtype(dtype_from_name(output.dtype)))
    return pl.select(pl.when(pl.Series(result.valid)).then(values)).to_series()
