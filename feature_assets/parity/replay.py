"""A log of responses, replayed: would the point-in-time join give what was served at each past instant?

Log what a model was answered with ``log_rows``; ``replay`` builds the training rows for the same entities and instants.
With ``availability="actual"`` it goes by when the ledger says that partitions were really published, and must agree.
With ``"promised"`` it goes by the declared delays, as training sets do: where these differ, a promise was broken, and
a model trained on such rows has seen values that it is not served.

Of a stream view the offline copy counts as it is now: events that reached the stream after an answer, though they
happened before it, make the training row differ from what was served.

Readers look for a newer generation once a second, so in the second after a late publication a response may still be of
the one before; the ledger knows only when the newer one could first be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from feature_assets.parity.served import SERVED_AT, ParityReport, compare, training_rows
from feature_store.dtypes import dtype_from_name
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import InputError
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan


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
        InputError: the log lacks a key, an input, the time, or every output, or a column is of another type.
    """
    problems = list(_problems(plan, log))
    if problems:
        raise InputError(f"the log {'; '.join(problems)}: write it from what log_rows gives")
    return compare(plan, log, training_rows(store, plan, log, availability))


def _problems(plan: ServicePlan, log: pl.DataFrame) -> Iterator[str]:
    served = replace(plan, outputs=tuple(output for output in plan.outputs if output.name in log.columns))
    inputs = [each.name for each in served.needed_inputs if each.default is None]
    missing = [name for name in (*plan.keys, *inputs, SERVED_AT) if name not in log.columns]
    if missing:
        yield f"lacks {', '.join(missing)}"
    outputs = {output.name: dtype_from_name(output.dtype) for output in plan.outputs if output.name in log.columns}
    if not outputs:
        yield f"holds no feature of {plan.full_name}, its columns are {', '.join(log.columns)}"
    for name, dtype in {**plan.keys, **outputs}.items():
        if name in log.columns and not _fits(log.schema[name], polars_dtype(dtype)):
            yield f"holds {log.schema[name]} in {name!r}, which is of type {dtype}"
    time = log.schema.get(SERVED_AT)
    if time is not None and not (isinstance(time, pl.Datetime) and time.time_zone):
        yield f"holds {time} in {SERVED_AT!r}, which needs instants with a time zone"


def _fits(actual: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether values of one type are of the other, but for their size."""
    return (
        actual in (wanted, pl.Null)
        or (actual.is_integer() and wanted.is_integer())
        or (actual.is_float() and wanted.is_float())
        or (actual.is_temporal() and wanted.is_temporal())
        or (actual.is_nested() and wanted.is_nested())
    )
