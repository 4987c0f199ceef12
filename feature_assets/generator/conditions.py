"""When assets are materialised without anybody asking: as soon as what they read is complete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from feature_assets.generator.partitions import microseconds
from feature_store import EventSource, FeatureView


def follow(view: FeatureView) -> dg.AutomationCondition[Any]:
    """Return the condition of tiles and tables: compute the newest partition, and repair older ones.

    A partition is requested when it is missing or when something it reads was written anew, once all that it reads is
    there and nobody is writing it. Older partitions are followed as long as late rows are allowed to change them;
    what lies further back is left to a backfill.
    """
    lateness = view.source.lateness if isinstance(view.source, EventSource) else 0
    return _follow_within(_whole_partitions(view, lateness), "follow upstream and its repairs")


def load_when_landed(view: FeatureView) -> dg.AutomationCondition[Any]:
    """Return the condition of the online store: load the newest partition, and the one that is served until then."""
    return _follow_within(_whole_partitions(view, view.partition_delay), "load what landed")


def _whole_partitions(view: FeatureView, span: int) -> timedelta:
    """Return the newest partition and all that a span before it touches; a partition counts only as a whole."""
    return microseconds(view.cadence * (1 - (-span // view.cadence)))


def _follow_within(lookback: timedelta, label: str) -> dg.AutomationCondition[Any]:
    condition = dg.AutomationCondition[Any]
    # Dependencies that are only requested do not count: their partitions may be others than ours, and so run beside us.
    missing = condition.newly_missing() | (condition.initial_evaluation() & condition.missing())
    cause = missing | condition.any_deps_match(condition.newly_updated())
    # A cause that comes in the very tick after a request, or during the run, calls for another one: `since` alone
    # would forget it.
    unserved = cause.since(condition.newly_requested() & ~cause)
    complete = ~condition.any_deps_match(condition.missing() | condition.in_progress())
    ready = condition.in_latest_time_window(lookback) & unserved & complete & ~condition.in_progress()
    return ready.with_label(label)
