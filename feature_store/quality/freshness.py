"""Freshness by our own clock: is the newest partition that must be available by now, per the SLA, available?

Dagster's own freshness policies look at when anything was last materialized, whichever partition that was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_store.model.features import Feature
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Freshness:
    """The freshness of a view at an instant.

    Attributes:
        view: the view.
        as_of: its newest available as-of; None: nothing is available.
        expected: the oldest as-of that its newest may have without breach; None: its first partition is not due yet,
            its source is finished, or no freshness is promised.
        age: since ``as_of``, or since the view's first as-of if nothing is available.
        sla: see ``sla_of``; None: no freshness is promised, so nothing is due.
        now: the instant at which it was judged.
    """

    view: FeatureView
    as_of: datetime | None
    expected: datetime | None
    age: timedelta
    sla: timedelta | None
    now: datetime

    @property
    def is_finished(self) -> bool:
        """Whether the source has ended, and with it all that is due."""
        end = self.view.source.end
        return end is not None and self.now - (self.sla or timedelta()) > end

    @property
    def overdue(self) -> timedelta:
        """For how long a view of which nothing is available has broken its promise."""
        return self.age - (self.sla or timedelta())

    @property
    def is_breached(self) -> bool:
        """Whether the newest partition that must be available is not."""
        return self.expected is not None and (self.as_of is None or self.as_of < self.expected)

    @property
    def breached_features(self) -> list[str]:
        """The features whose own SLA is breached."""
        promised = [(each.name, sla_of(self.view, each)) for each in self.view.stored_features]
        return [name for name, sla in promised if self.is_breached and sla is not None and self.age > sla]


def sla_of(view: FeatureView, feature: Feature | None = None) -> timedelta | None:
    """Return how old the newest as-of may be of a feature, or of a view: the strictest of its stored features.

    None: it promises no freshness. Of a stream view it is that of its batch tiles, since what watches the stream itself
    watches the online store.
    """
    span = view.partition_freshness if feature is None or view.is_stream else feature.freshness
    return None if span is None else timedelta(microseconds=span)


def sla_set_by(view: FeatureView) -> str:
    """Return what a view's SLA comes from: its batch tiles, or the features that have the strictest one."""
    promised = view.partition_freshness
    if promised is None:
        return "nobody"
    if view.is_stream:
        return "the batch tiles: cadence + batch_after"
    strictest = [f.name for f in view.stored_features if f.freshness == promised]
    return "all features" if len(strictest) == len(view.stored_features) else ", ".join(strictest)


def judge(view: FeatureView, available: Iterable[datetime], now: datetime) -> Freshness:
    """Judge a view by the as-ofs that are available.

    Args:
        view: the view.
        available: as-ofs of the partitions that are usable at ``now``.
        now: the instant at which to judge, with a zone.
    """
    sla = view.partition_freshness
    first = to_microseconds(view.start) + view.cadence
    due = -(-(to_microseconds(now) - (sla or 0)) // view.cadence) * view.cadence
    newest = max(available, default=None)
    ended = sla is None or (view.source.end is not None and due > to_microseconds(view.source.end))
    return Freshness(
        view=view,
        as_of=newest,
        expected=from_microseconds(due) if due >= first and not ended else None,
        age=now - (newest or from_microseconds(first)),
        sla=sla_of(view),
        now=now,
    )


def span_text(span: timedelta) -> str:
    """Return a span as people say it: ``3 d 4 h``, ``27 h``, ``12 min``.

    >>> span_text(timedelta(hours=27)), span_text(timedelta(hours=76)), span_text(timedelta(seconds=750))
    ('27 h', '3 d 4 h', '12 min')
    """
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h" if minutes % 60 == 0 else f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d" if hours % 24 == 0 else f"{hours // 24} d {hours % 24} h"
