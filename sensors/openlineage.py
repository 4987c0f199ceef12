"""Lineage of finished runs to the server at ``OPENLINEAGE_URL``, as OpenLineage events, each run once it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from feature_store import FeatureService, FeatureView
from feature_store.errors import InputError
from resources.offline import OfflineStoreResource
from sensors.finished_runs import FinishedRun, finished_run

INTERVAL: Final = 30
"""Seconds between two looks."""

BUDGET: Final = 20.0
"""Seconds after which a look ends, to go on at the next one: Dagster gives up, and forgets the cursor, after 60."""


_ENDS: Final = {
    dg.DagsterEventType.RUN_SUCCESS: "COMPLETE",
    dg.DagsterEventType.RUN_FAILURE: "FAIL",
    dg.DagsterEventType.RUN_CANCELED: "ABORT",
}
"""By Dagster's event of a run's end, OpenLineage's name of it."""


@dataclass
class Cursor:
    """The state kept between two looks: per kind of end, Dagster's cursor behind the last run that was told."""

    behind: dict[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def of(text: str | None, instance: dg.DagsterInstance) -> Cursor:
        """Read a cursor; the first one stands behind all runs that there are."""
        if text is not None:
            return Cursor(json.loads(text))
        newest = {kind.value: instance.fetch_run_status_changes(kind, limit=1) for kind in _ENDS}
        return Cursor({kind: result.cursor for kind, result in newest.items() if result.records})

    def __str__(self) -> str:
        return json.dumps(self.behind)


def lineage_to_openlineage(
    views: Sequence[FeatureView], services: Sequence[FeatureService] = ()
) -> dg.SensorDefinition:
    """Return the sensor that tells an OpenLineage server which tables each finished run wrote, and from what.

    The client of OpenLineage reads its settings itself: ``OPENLINEAGE_URL``, ``OPENLINEAGE_API_KEY`` and others. The
    cursor moves behind a run once the server has taken its events; they are the same when they are sent again. The
    code location gives the resource ``offline_store``, and has the extra ``openlineage``.

    Args:
        views: of any number of teams.
        services: whose training sets are followed.
    """

    @dg.sensor(
        name="lineage_to_openlineage",
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends what finished runs wrote, column by column, to the OpenLineage server.",
    )
    def send(context: dg.SensorEvaluationContext, offline_store: OfflineStoreResource) -> dg.SkipReason:
        try:
            from openlineage.client import OpenLineageClient  # noqa: PLC0415 - an extra

            from sensors.lineage_events import events_of, lineage_tables  # noqa: PLC0415 - likewise
        except ImportError as error:
            raise InputError("OPENLINEAGE_URL is set: install the extra 'openlineage' here") from error
        cursor, deadline = Cursor.of(context.cursor, context.instance), time.monotonic() + BUDGET
        context.update_cursor(str(cursor))
        tables, client = lineage_tables(offline_store.store, views, services), OpenLineageClient()
        sent = 0
        for run in _ended(context.instance, cursor):
            context.update_cursor(str(cursor))
            if time.monotonic() > deadline:
                return dg.SkipReason(f"{sent} events sent, more to come")
            for event in events_of(run, tables):
                client.emit(event)
                sent += 1
        context.update_cursor(str(cursor))
        return dg.SkipReason(f"{sent} events sent")

    return send


def _ended(instance: dg.DagsterInstance, cursor: Cursor) -> Iterator[FinishedRun]:
    """Yield the runs that ended behind the cursor; it moves behind each that is told."""
    for kind, state in _ENDS.items():
        while (found := instance.fetch_run_status_changes(kind, 1, cursor.behind.get(kind.value), True)).records:
            (end,) = found.records
            run = instance.get_run_record_by_id(end.run_id)
            if run is not None:  # else it was deleted
                yield finished_run(instance, run, state, end)
            cursor.behind[kind.value] = found.cursor
