"""The windows of a stream view that can be known by the landed batch tiles: one judgement for training and serving.

Of a state, or a level of tiles, everything is known up to the end of a partition *from* some instant on: the end of the
last partition before it that was not built, or not with that state. A window is known once its tail has left that
instant behind; what happened before the source's history began is known anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from feature_store.columns import Mask
from feature_store.plans.stream_plan import StreamPlan, level_name
from feature_store.temporal.tile_levels import Instants
from feature_store.temporal.windows import Window

ALWAYS: Final = -(2**62)
NEVER: Final = 2**62
"""Instants before and after all others."""


def known_from(held: Mask, first: int, cadence: int, ends: Instants) -> Instants:
    """Return, per end of a partition, the instant from which on every partition up to it is held.

    Args:
        held: of consecutive partitions, whether each is held.
        first: start of the first of them.
        cadence: span of each.
        ends: ends of partitions.

    >>> known_from(np.array([True, False, True, True]), 100, 10, np.array([110, 120, 140, 150])).tolist()
    [100, 120, 120, 150]
    """
    runs = np.maximum.accumulate(np.where(held, 0, np.arange(1, len(held) + 1)))
    before = (ends - first) // cadence
    if not len(held):
        return ends
    is_listed = (before >= 1) & (before <= len(held))
    return np.where(is_listed, first + cadence * runs[np.where(is_listed, before - 1, 0)], ends)


def known_at(plan: StreamPlan, window: Window, since: Instants) -> Instants:
    """Return the first A at which a window is known, per instant from which on its tiles are.

    >>> from types import SimpleNamespace
    >>> plan = SimpleNamespace(history_start=100)
    >>> known_at(plan, Window(over=120, hop=60), np.array([310, 100])).tolist() == [360 + 120, ALWAYS]
    True
    """
    first = -(-since // window.hop) * window.hop + window.over
    return first if plan.history_start is None else np.where(since <= plan.history_start, ALWAYS, first)


def needed_states(plan: StreamPlan, window: Window, columns: Iterable[str], *, to_end: bool) -> frozenset[str]:
    """Return the states and levels, as ledgers name them, that a window needs of a partition.

    Args:
        plan: of the view.
        window: the window.
        columns: its state columns.
        to_end: A is not within the partition: no tiles shorter than the hop count.
    """
    spans = [window.hop] if to_end else [span for span in plan.levels if span <= window.hop]
    return frozenset(columns) | frozenset(level_name(span) for span in spans)


def latest(since: Mapping[str, int], needed: Iterable[str]) -> int:
    """Return the instant from which on all states and levels are known that are needed."""
    return max(since.get(name, NEVER) for name in needed)
