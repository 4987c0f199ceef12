"""Parity: what was served against the training row at the response's own T."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_store.offline.point_in_time import point_in_time_join
from feature_store.offline.store import OfflineStore
from feature_store.plans import ServicePlan
from serving.vectors import FeatureVectors

TIME_COLUMN = "served_at"


@dataclass(frozen=True)
class ParityReport:
    """How many values were compared, and those that differ.

    Attributes:
        entities: rows that were served.
        compared: values and statuses compared: entities x features.
        different: one row per difference: the keys, ``feature``, ``served``, ``offline`` (as text, with the status).
    """

    entities: int
    compared: int
    different: pl.DataFrame


def check_parity(store: OfflineStore, plan: ServicePlan, served: FeatureVectors) -> ParityReport:
    """Build the training rows for what was served, at the response's T, and compare every value and status.

    Values are equal bit for bit: both stores hold the result of one computation.
    """
    spine = served_spine(plan, served)
    training = point_in_time_join(store, plan, spine, TIME_COLUMN, allow_missing=True, with_status=True)
    return compare(plan, served, training)


def served_spine(plan: ServicePlan, served: FeatureVectors) -> pl.DataFrame:
    """Return the spine whose training rows must equal what was served."""
    keys = {name: pl.Series(name, served.keys[name], strict=False) for name in plan.keys}
    time = pl.lit(served.time).cast(pl.Datetime("us", "UTC")).alias(TIME_COLUMN)
    return pl.DataFrame(keys).with_columns(time)


def compare(plan: ServicePlan, served: FeatureVectors, training: pl.DataFrame) -> ParityReport:
    """Compare served values with training rows that stand in the same order."""
    names = [output.name for output in plan.outputs]
    online = served.to_polars()
    statuses = {name: pl.Series(name, served.status[name]).cast(pl.Int64) for name in names}
    found: list[pl.DataFrame] = []
    for name in names:
        same = online[name].eq_missing(training[name]) & (statuses[name] == training[f"{name}__status"].cast(pl.Int64))
        rows = np.flatnonzero(~same.to_numpy())
        if len(rows):
            found.append(_differences(list(plan.keys), name, rows, online[name], statuses[name], training))
    compared = training.height * len(names)
    return ParityReport(training.height, compared, pl.concat(found) if found else pl.DataFrame())


def _differences(
    keys: list[str], name: str, rows: np.ndarray, online: pl.Series, status: pl.Series, training: pl.DataFrame
) -> pl.DataFrame:
    offline_status = training[f"{name}__status"]
    texts: Mapping[str, list[str]] = {
        "served": [f"{online[int(row)]} ({status[int(row)]})" for row in rows],
        "offline": [f"{training[name][int(row)]} ({offline_status[int(row)]})" for row in rows],
    }
    return (
        training[rows]
        .select(*keys, feature=pl.lit(name))
        .with_columns(**{k: pl.Series(k, v) for k, v in texts.items()})
    )
