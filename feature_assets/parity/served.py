"""Parity: what was served against the training row at the response's own T."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from feature_assets.parity.report import Value
from feature_store.engines.polars.columns import to_series
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan
from feature_store.status import Status
from serving.read.vectors import STATUS_SUFFIX, FeatureVectors

SERVED_AT: Final = "served_at"
"""Column that holds the T of each response."""


@dataclass(frozen=True)
class ParityReport:
    """The number of values compared, and those that differ.

    Attributes:
        entities: rows that were served.
        compared: values and statuses compared: entities x features.
        different: one row per difference: the keys, ``served_at``, ``feature``, ``served`` and ``offline`` (as text,
            with the status, where that is known and not ``PRESENT``).
    """

    entities: int
    compared: int
    different: pl.DataFrame


def check_parity(store: OfflineStore, plan: ServicePlan, served: FeatureVectors) -> ParityReport:
    """Build the training rows for what was served, at the response's T, and compare every value and status.

    Values are equal bit for bit: both stores hold the result of one computation.
    """
    log = log_rows(plan, served)
    return compare(plan, log, training_rows(store, plan, log))


def log_rows(plan: ServicePlan, served: FeatureVectors) -> pl.DataFrame:
    """Return what a response said as rows for a log: keys, inputs, ``served_at``, values, and ``<feature>__status``.

    Args:
        plan: of the service that answered.
        served: its answer, with all or some of its features.
    """
    names, online = list(served.columns), served.to_polars()
    keys = pl.DataFrame({name: pl.Series(name, served.keys[name], strict=False) for name in plan.keys})
    time = pl.lit(served.time).cast(pl.Datetime("us", "UTC")).alias(SERVED_AT)
    statuses = [pl.Series(f"{name}{STATUS_SUFFIX}", served.status[name]).cast(pl.Int8) for name in names]
    inputs = [to_series(column, served.dtypes[name]).alias(name) for name, column in served.inputs.items()]
    return keys.with_columns(*inputs, time, *(online[name] for name in names), *statuses)


def training_rows(
    store: OfflineStore, plan: ServicePlan, log: pl.DataFrame, availability: Availability = "promised"
) -> pl.DataFrame:
    """Return the training rows, with statuses, of the entities, inputs and instants of a log, in its order."""
    plan = replace(plan, outputs=tuple(output for output in plan.outputs if output.name in log.columns))
    inputs = [each.name for each in plan.needed_inputs if each.name in log.columns]
    spine = log.select(*plan.keys, *inputs, SERVED_AT)
    return point_in_time_join(
        store, plan, spine, SERVED_AT, allow_missing=True, with_status=True, availability=availability
    )


def compare(plan: ServicePlan, log: pl.DataFrame, training: pl.DataFrame) -> ParityReport:
    """Compare what was served with training rows that stand in the same order.

    Args:
        plan: of the service.
        log: rows as ``log_rows`` gives them; outputs that it lacks are not compared, nor are statuses it lacks.
        training: see ``training_rows``.
    """
    names = [output.name for output in plan.outputs if output.name in log.columns]
    different = [found for name in names if (found := _differences(plan, name, log, training)).height]
    return ParityReport(log.height, log.height * len(names), pl.concat(different) if different else pl.DataFrame())


def _differences(plan: ServicePlan, name: str, log: pl.DataFrame, training: pl.DataFrame) -> pl.DataFrame:
    status = f"{name}{STATUS_SUFFIX}"
    same = log[name].cast(training[name].dtype).eq_missing(training[name])
    if status in log.columns:
        same &= log[status].cast(pl.Int8).eq_missing(training[status])
    at = np.flatnonzero(~same.to_numpy())
    texts = {
        side: pl.Series([_text(rows, name, int(place)) for place in at], dtype=pl.String)
        for side, rows in (("served", log), ("offline", training))
    }
    return log[at].select(*plan.keys, SERVED_AT, feature=pl.lit(name)).with_columns(**texts)


def _text(rows: pl.DataFrame, name: str, place: int) -> str:
    status = f"{name}{STATUS_SUFFIX}"
    value = rows[name][place]
    listed = value.to_list() if isinstance(value, pl.Series) else value
    return str(Value(listed, Status(rows[status][place]) if status in rows.columns else None))
