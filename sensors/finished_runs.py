"""Runs of Dagster's that came to their end: when, how, and which assets they wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dagster as dg

_LONGEST_PROBLEM: Final = 2000


@dataclass(frozen=True)
class FinishedRun:
    """A run of Dagster's that came to its end.

    Attributes:
        run_id: a UUID.
        job: the name of its job.
        began: when.
        ended: when.
        state: how: ``COMPLETE``, ``FAIL`` or ``ABORT``.
        problem: why it failed; empty: it did not.
        planned: the assets that it was to write.
        written: those that it wrote.
    """

    run_id: str
    job: str
    began: datetime
    ended: datetime
    state: str
    problem: str
    planned: frozenset[dg.AssetKey]
    written: frozenset[dg.AssetKey]


def finished_run(instance: dg.DagsterInstance, run: dg.RunRecord, state: str, end: dg.EventLogRecord) -> FinishedRun:
    """Return a run with what its events say.

    Args:
        instance: of the run.
        run: as Dagster keeps it.
        state: how it ended, as ``FinishedRun.state``.
        end: the event of its end.
    """
    run_id = run.dagster_run.run_id
    return FinishedRun(
        run_id=run_id,
        job=run.dagster_run.job_name,
        began=datetime.fromtimestamp(run.start_time or end.timestamp, UTC),
        ended=datetime.fromtimestamp(end.timestamp, UTC),
        state=state,
        problem=(end.event_log_entry.user_message or "")[:_LONGEST_PROBLEM],
        planned=_assets(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED),
        written=_assets(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION),
    )


def _assets(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> frozenset[dg.AssetKey]:
    records = instance.get_records_for_run(run_id, of_type=kind).records
    events = [record.event_log_entry.dagster_event for record in records]
    return frozenset(event.asset_key for event in events if event is not None and event.asset_key is not None)
