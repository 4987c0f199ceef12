"""The offline half of the demo: raw rows, tiles and values, as range runs of the real Dagster assets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_assets.demo.due import Span, complete_until, landing_run, tile_run, tile_span, value_run, value_span
from feature_assets.demo.progress import Stage
from feature_assets.demo.range_runs import RangeRun, run_all
from feature_assets.raw.landing import LANDINGS
from feature_store.offline.store import OfflineStore
from feature_store.views import FeatureView

PROCESSES = 2
HOURLY_DAYS = 3


@dataclass(frozen=True)
class Backfill:
    """What is backfilled.

    Attributes:
        store: the offline store.
        views: the views.
        now: the present instant.
        days: days of values of daily views; hourly views get three days, or fewer if ``days`` is less.
    """

    store: OfflineStore
    views: Sequence[FeatureView]
    now: datetime
    days: int

    def land(self, stage: Stage) -> None:
        """Land every raw partition that is over and has not landed."""
        spans = {
            landing.source.asset: Span(landing.source.start, complete_until(landing.cadence, self.now), landing.cadence)
            for landing in LANDINGS
        }
        _run(stage, (landing_run(self.store, asset, span) for asset, span in spans.items()))

    def tiles(self, stage: Stage) -> None:
        """Build the tiles that the values need."""
        _run(stage, (tile_run(self.store, v, tile_span(v, self._values(v))) for v in self.views if not v.is_table))

    def values(self, stage: Stage) -> None:
        """Compute the values of all views."""
        _run(stage, (value_run(self.store, view, self._values(view)) for view in self.views))

    def _values(self, view: FeatureView) -> Span:
        return value_span(view, self.now, self.days, HOURLY_DAYS)


def _run(stage: Stage, planned: Iterable[RangeRun | None]) -> None:
    runs = [run for run in planned if run is not None]
    stage.expect(sum(run.partitions for run in runs))
    run_all(runs, PROCESSES, _stepper(stage))


def _stepper(stage: Stage) -> Callable[[RangeRun], None]:
    return lambda run: stage.step(run.label, run.partitions)
