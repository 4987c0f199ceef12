"""The offline half of the demo: raw rows, tiles and values, as range runs of the real Dagster assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_assets.demo.due import Span, complete_until, landing_run, tile_run, tile_span, value_run, value_span
from feature_assets.demo.progress import Stage
from feature_assets.demo.range_runs import RunPool
from feature_assets.raw.feeds import FEEDS
from feature_store.model.views import FeatureView
from feature_store.offline.tables.store import OfflineStore

RECENT_DAYS = 3
"""Days of values of views whose past nobody looks at for long: hourly ones, and stream views."""


@dataclass(frozen=True)
class Backfill:
    """What is backfilled.

    Attributes:
        runs: where the runs are executed.
        store: the offline store.
        views: the views.
        now: the present instant.
        days: days of values of daily views; hourly and stream views get three days, or fewer if ``days`` is less.
    """

    runs: RunPool
    store: OfflineStore
    views: Sequence[FeatureView]
    now: datetime
    days: int

    def land(self, stage: Stage) -> None:
        """Land every raw partition that is over and has not landed."""
        spans = {
            feed.source.asset: Span(feed.source.start, complete_until(feed.cadence, self.now), feed.cadence)
            for feed in FEEDS
        }
        self.runs.run_all((landing_run(self.store, asset, span) for asset, span in spans.items()), stage)

    def tiles(self, stage: Stage) -> None:
        """Build the tiles that the values need."""
        views = (view for view in self.views if not view.is_table)
        self.runs.run_all((tile_run(self.store, view, tile_span(view, self._values(view))) for view in views), stage)

    def values(self, stage: Stage) -> None:
        """Compute the values of all views."""
        self.runs.run_all((value_run(self.store, view, self._values(view)) for view in self.views), stage)

    def _values(self, view: FeatureView) -> Span:
        return value_span(view, self.now, self.days, RECENT_DAYS)
