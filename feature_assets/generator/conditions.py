"""Automation conditions: assets are materialized as soon as what they read is complete, and again after a failure.

All conditions have one shape. A *cause* calls for a partition: it is new, or something that it reads was written anew.
A cause is served by a request, and by any materialization that comes after it, whoever asked for that. What fails is
asked for again every hour for a while, so that an outage heals by itself and a mistake does not run for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import dagster as dg

from feature_assets.generator.partitions import as_timedelta
from feature_store import EventSource, FeatureView

Condition = dg.AutomationCondition[Any]

HEALED: Final = timedelta(days=7)
"""The reach back in which partitions that were missed or failed are made up for, without anybody asking."""

_EVERY_HOUR: Final = "0 * * * *"
_RETRIED: Final = 24
"""So many partitions at most are asked for again in an hour because they failed."""


def follow(view: FeatureView) -> Condition:
    """Return the condition of tiles and tables: compute the newest partition, and repair older ones.

    A partition is requested once all that it reads is there and nobody is writing it. Repairs are followed as long as
    late rows are allowed to change what is read; what lies further back is left to a backfill.
    """
    return _follow(view.source.lateness if isinstance(view.source, EventSource) else 0, view.cadence)


@lru_cache
def _follow(lateness: int, cadence: int) -> Condition:
    repaired = _whole_partitions(cadence, lateness)
    cause = _missed(repaired, HEALED) | (Condition.in_latest_time_window(repaired) & _read_anew())
    incomplete = Condition.any_deps_match(Condition.missing() | Condition.in_progress())
    ready = _idle() & (cause | _failed(min(HEALED, as_timedelta(_RETRIED * cadence)))) & ~incomplete
    return ready.with_label("follow upstream and its repairs")


def load_when_landed(view: FeatureView) -> Condition:
    """Return the condition of the online store: load whatever landed, unless a partition that matters is at work."""
    return _load_when_landed(view.cadence, view.partition_delay)


@lru_cache
def _load_when_landed(cadence: int, delay: int) -> Condition:
    has_landed = Condition.any_deps_match(~Condition.missing())
    never_loaded = (Condition.initial_evaluation() & Condition.missing() & has_landed).since(_handled())
    recent = Condition.in_latest_time_window(_whole_partitions(cadence, delay))
    incomplete = Condition.any_deps_match(recent & Condition.in_progress())
    ready = _idle() & (never_loaded | _read_anew() | _failed()) & ~incomplete
    return ready.with_label("load what landed")


def build_when_known(days_ahead: int, external: Sequence[dg.AssetKey]) -> Condition:
    """Return the condition of training sets: build a day once, when all that it reads is there.

    Args:
        days_ahead: how many days after its own a day reads: its labels are open until then.
        external: assets that it depends on and that are never materialized.
    """
    ahead = timedelta(days=days_ahead)
    is_open = Condition.in_latest_time_window(ahead) if ahead else None
    incomplete = Condition.any_deps_match(Condition.missing() | Condition.in_progress())
    if external:
        incomplete = incomplete.ignore(dg.AssetSelection.assets(*external))
    cause = _missed(ahead + timedelta(days=1), ahead + HEALED) | _failed(ahead + HEALED)
    ready = _idle() & cause & ~incomplete
    return (ready if is_open is None else ready & ~is_open).with_label("build days whose labels are known")


def _whole_partitions(cadence: int, span: int) -> timedelta:
    """Return the newest partition and all that a span before it touches; a partition counts only as a whole."""
    return as_timedelta(cadence * (1 - (-span // cadence)))


def _idle() -> Condition:
    """Return whether no run is at work: asked before anything else, so that what a run has just done is seen."""
    return ~Condition.in_progress()


def _missed(at_first: timedelta, reach: timedelta) -> Condition:
    """Return whether a partition has not been made since it could be.

    Args:
        at_first: how far back missing ones count when the condition is evaluated for the first time: a store is begun
            by a backfill.
        reach: how far back missing ones count later.
    """
    old = Condition.initial_evaluation() & ~Condition.in_latest_time_window(at_first)
    new = (Condition.newly_missing() & ~old).since(_handled())
    return Condition.in_latest_time_window(max(reach, at_first)) & new


def _handled() -> Condition:
    return Condition.newly_requested() | Condition.newly_updated()


def _read_anew() -> Condition:
    """Return whether something that is read was written after the last request and the last materialization.

    Two conditions, since Dagster compares instants within a tick only where neither side is composed. A run sees to it
    that its inputs are still those that it read (``retries.start_over_if``), so a later materialization serves
    every earlier cause.
    """
    updated = Condition.any_deps_match(Condition.newly_updated())
    return updated.since(Condition.newly_requested()) & updated.since(Condition.newly_updated())


def _failed(reach: timedelta | None = None) -> Condition:
    """Return whether another hour has passed in which a partition is failed; None: an asset without partitions."""
    failed = Condition.execution_failed() & Condition.cron_tick_passed(_EVERY_HOUR)
    return failed if reach is None else Condition.in_latest_time_window(reach) & failed
