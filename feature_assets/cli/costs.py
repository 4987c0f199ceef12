"""The cost of a change: partitions, rows, bytes and seconds that computing it takes, estimated from past runs.

Rows and bytes per partition are those that the ledger lists of the view, or of views of the same entity and cadence
where it has none of its own. Seconds are those of the runs that wrote them, as Dagster's instance recorded them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feature_assets.backfill.spans import complete_until
from feature_assets.cli.ledger_state import is_stored
from feature_store import FeatureView
from feature_store.catalog.changes import Change
from feature_store.temporal.instants import to_microseconds
from resources.settings import Settings

_RUNS_LOOKED_AT = 20


@dataclass(frozen=True)
class Cost:
    """What has to be computed of a view.

    Attributes:
        view: its full name.
        partitions: that lack something that is declared.
        rows: of values in them; None: no run tells.
        size: bytes of these, as stored; None: no run tells.
        seconds: that their runs take one after another; None: no run tells.
    """

    view: str
    partitions: int
    rows: int | None
    size: int | None
    seconds: float | None


@dataclass(frozen=True)
class _Past:
    """What past runs of a view tell.

    Attributes:
        partitions: that landed, rows of the ledger.
        rows: per partition.
        size: bytes per partition.
        seconds: per partition; None: no run is known any more.
    """

    partitions: Sequence[dict[str, Any]]
    rows: float
    size: float
    seconds: float | None


def costs_of(changes: Iterable[Change], views: Iterable[FeatureView], settings: Settings, now: datetime) -> list[Cost]:
    """Return what computing the added and changed features of each view takes.

    Args:
        changes: as planned.
        views: everything that is declared.
        settings: say where the offline store and the runs are.
        now: the project's present instant.
    """
    by_name = {view.full_name: view for view in views}
    computed = {
        change.name.partition(".")[0]
        for change in changes
        if change.kind == "feature" and (change.action == "added" or change.changes_values)
    }
    return [_cost(by_name[name], by_name.values(), settings, now) for name in sorted(computed & by_name.keys())]


def _cost(view: FeatureView, views: Iterable[FeatureView], settings: Settings, now: datetime) -> Cost:
    own = _past(view, settings)
    end = complete_until(view.cadence, now, view.source.end)
    if own is not None:
        partitions = len(own.partitions)
    else:
        partitions = max(0, to_microseconds(end) - to_microseconds(view.start)) // view.cadence
    alike = (other for other in views if (other.entity.name, other.cadence) == (view.entity.name, view.cadence))
    past = own or next((found for other in alike if (found := _past(other, settings)) is not None), None)
    if past is None:
        return Cost(view.full_name, partitions, None, None, None)
    seconds = None if past.seconds is None else round(partitions * past.seconds, 1)
    return Cost(view.full_name, partitions, round(partitions * past.rows), round(partitions * past.size), seconds)


def _past(view: FeatureView, settings: Settings) -> _Past | None:
    if not is_stored(settings, view.full_name):
        return None
    from feature_store.offline.delta.commits import open_table  # noqa: PLC0415 - only who has data needs it
    from feature_store.offline.delta.stored_files import files_of  # noqa: PLC0415 - as above
    from resources.branch import open_store  # noqa: PLC0415 - as above

    table = open_store(settings).stored_values(view.full_name)
    partitions, opened = table.ledger.partitions().to_dicts(), open_table(table.uri, table.options)
    if not partitions or opened is None:
        return None
    rows = sum(partition["rows"] for partition in partitions) / len(partitions)
    size = sum(files_of(opened)["size"].to_list()) / len(partitions)
    return _Past(partitions, rows, size, _seconds(partitions, settings))


def _seconds(partitions: Sequence[dict[str, Any]], settings: Settings) -> float | None:
    """Return the median over past runs of the seconds that a partition took; None: Dagster knows of no such run."""
    runs: dict[str, int] = {}
    for partition in partitions[::-1]:
        runs[partition["run_id"]] = runs.get(partition["run_id"], 0) + 1
    home = settings.state / "dagster"
    if not (home / "dagster.yaml").exists():
        return None
    from dagster import DagsterInstance  # noqa: PLC0415 - only who has runs needs it

    with DagsterInstance.from_config(str(home)) as instance:
        taken = [_seconds_of(instance, run_id) for run_id in list(runs)[:_RUNS_LOOKED_AT]]
    shares = [seconds / runs[run_id] for run_id, seconds in zip(runs, taken, strict=False) if seconds is not None]
    return statistics.median(shares) if shares else None


def _seconds_of(instance: Any, run_id: str) -> float | None:
    record = instance.get_run_record_by_id(run_id)
    if record is None or record.start_time is None or record.end_time is None:
        return None
    return record.end_time - record.start_time
