"""A log of responses, replayed: would the point-in-time join give what was served at each past instant?

Log what a model was answered with ``log_rows``; ``replay`` builds the training rows for the same entities and instants.
With ``availability="actual"`` it goes by when the ledger says that partitions were really published, and must agree.
With ``"promised"`` it goes by the declared delays, as training sets do: where these differ, a promise was broken, and
a model trained on such rows has seen values that it is not served.

Readers look for a newer generation once a second, so in the second after a late publication a response may still be of
the one before; the ledger knows only when the newer one could first be read.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from feature_assets.parity.served import TIME_COLUMN, ParityReport, served_spine
from feature_store.errors import InputError
from feature_store.offline.partition_choice import Availability
from feature_store.offline.point_in_time import point_in_time_join
from feature_store.offline.store import OfflineStore
from feature_store.plans import ServicePlan
from feature_store.status import Status
from serving.vectors import STATUS_SUFFIX, FeatureVectors

SERVED_AT: Final = TIME_COLUMN
"""Column of a log that holds the T of each response."""


def log_rows(plan: ServicePlan, served: FeatureVectors) -> pl.DataFrame:
    """Return what a response said as rows for a log: the keys, ``served_at``, values, and ``<feature>__status``.

    Args:
        plan: of the service that answered.
        served: its answer, with all or some of its features.
    """
    names = list(served.columns)
    online = served.to_polars()
    statuses = [pl.Series(f"{name}{STATUS_SUFFIX}", served.status[name]).cast(pl.Int8) for name in names]
    return served_spine(plan, served).with_columns(*(online[name] for name in names), *statuses)


def replay(
    store: OfflineStore, plan: ServicePlan, log: pl.DataFrame, availability: Availability = "actual"
) -> ParityReport:
    """Compare a log of responses with the values that the offline store gives for the same entities and instants.

    Args:
        store: the offline store.
        plan: of the service, as it was when the log was written.
        log: rows as ``log_rows`` gives them; outputs that it lacks are not compared, nor are statuses it lacks.
        availability: ``actual``: what the ledger says was served; ``promised``: what training sets assume.

    Returns:
        The differences, each with its ``served_at``.

    Raises:
        InputError: the log lacks a key, the time, or every output of the service.
    """
    names = [output.name for output in plan.outputs if output.name in log.columns]
    _check(plan, log, names)
    spine = log.select(*plan.keys, pl.col(SERVED_AT))
    rows = point_in_time_join(
        store, plan, spine, SERVED_AT, allow_missing=True, with_status=True, availability=availability
    )
    different = [found for name in names if (found := _differences(plan, name, log, rows)).height]
    return ParityReport(log.height, log.height * len(names), pl.concat(different) if different else pl.DataFrame())


def _check(plan: ServicePlan, log: pl.DataFrame, names: list[str]) -> None:
    missing = [name for name in (*plan.keys, SERVED_AT) if name not in log.columns]
    if missing:
        raise InputError(
            f"the log lacks {', '.join(missing)}: it needs the keys and {SERVED_AT!r}, as log_rows gives them"
        )
    if not names:
        raise InputError(f"the log holds no feature of {plan.full_name}: its columns are {', '.join(log.columns)}")


def _differences(plan: ServicePlan, name: str, log: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    status = f"{name}{STATUS_SUFFIX}"
    same = log[name].cast(rows[name].dtype).eq_missing(rows[name])
    if status in log.columns:
        same &= log[status].cast(pl.Int8).eq_missing(rows[status])
    at = np.flatnonzero(~same.to_numpy())
    found = log[at].select(*plan.keys, SERVED_AT, feature=pl.lit(name))
    return found.with_columns(
        pl.Series("served", [_text(log, name, int(row)) for row in at], pl.String),
        pl.Series("offline", [_text(rows, name, int(row)) for row in at], pl.String),
    )


def _text(frame: pl.DataFrame, name: str, row: int) -> str:
    status = f"{name}{STATUS_SUFFIX}"
    shown = str(frame[name][row])
    return f"{shown} ({Status(frame[status][row]).name})" if status in frame.columns else shown
