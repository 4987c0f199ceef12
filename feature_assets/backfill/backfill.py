"""A backfill: raw rows, tiles, values and the online store, as runs of the project's own Dagster assets.

What fails is kept, and what reads it is left out of what comes after; everything else goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from feature_assets.backfill.due import landing_run, load_run, tile_run, value_run
from feature_assets.backfill.progress import Stage
from feature_assets.backfill.range_runs import FailedRun, RangeRun, RunPool
from feature_assets.backfill.spans import Span, landed_span, tile_span, within
from feature_assets.project.locations import Makers
from feature_store.errors import FeatureStoreError
from feature_store.model.views import FeatureView
from feature_store.offline.tables.store import OfflineStore
from serving.load.sync import is_synced
from serving.stores.open_store import open_loader

Plan = Callable[[], RangeRun | None]


@dataclass(frozen=True)
class Backfill:
    """The state of a backfill: its steps, and what failed so far.

    Attributes:
        runs: where the runs are executed.
        store: the offline store.
        makers: who makes which asset.
        views: the views, by full name.
        spans: the partitions of values, by full name of the view.
        failed: what failed, by full name of the view or by asset of the source.
    """

    runs: RunPool
    store: OfflineStore
    makers: Makers
    views: Mapping[str, FeatureView]
    spans: Mapping[str, Span]
    failed: dict[str, FailedRun] = field(default_factory=dict[str, FailedRun])

    @property
    def sound(self) -> dict[str, FeatureView]:
        """Views of which nothing failed so far, nor of their sources, by full name."""
        return {n: v for n, v in self.views.items() if n not in self.failed and v.source.asset not in self.failed}

    def needed(self, now: datetime) -> dict[str, Span]:
        """Return what the values read of their sources, by asset, where the project lands it, as far as it is over."""
        needed: dict[str, Span] = {}
        for name, view in self.views.items():
            asset = view.source.asset
            if asset in self.makers.partitions and self.spans[name].starts:
                read = tile_span(view, self.spans[name])
                span = within(landed_span(self.makers.partitions[asset], now), read.start, read.end)
                before = needed.get(asset, span)
                needed[asset] = Span(min(span.start, before.start), max(span.end, before.end), span.cadence)
        return needed

    def land(self, spans: Mapping[str, Span], stage: Stage) -> int:
        """Land the missing partitions of sources of the views, by asset; return how many."""
        sources = {view.source.asset: view.source for view in self.views.values()}
        plans = {
            asset: partial(landing_run, self.store, self.makers, sources[asset], span) for asset, span in spans.items()
        }
        return self._run(plans, stage)

    def tiles(self, stage: Stage) -> int:
        """Build the tiles that the values need; return how many partitions."""
        plans = {
            name: partial(tile_run, self.store, self.makers, view, tile_span(view, self.spans[name]))
            for name, view in self.sound.items()
            if not view.is_table and self.spans[name].starts
        }
        return self._run(plans, stage)

    def values(self, stage: Stage) -> int:
        """Compute the values; return how many partitions."""
        plans = {
            name: partial(value_run, self.store, self.makers, view, self.spans[name])
            for name, view in self.sound.items()
            if self.spans[name].starts
        }
        return self._run(plans, stage)

    def load(self, url: str, stage: Stage) -> int:
        """Load the newest partitions of every view: the one that is served now and the one that waits for its time.

        Returns:
            How many views were loaded: not those whose newest partitions are there.
        """
        served_from = datetime.now(UTC)  # readers go by the real clock, and so does the load
        with closing(open_loader(url)) as writer:

            def plan(view: FeatureView) -> RangeRun | None:
                return None if is_synced(self.store, view, writer, served_from) else load_run(self.makers, view)

            return self._run({name: partial(plan, view) for name, view in self.sound.items()}, stage)

    def _run(self, plans: Mapping[str, Plan], stage: Stage) -> int:
        """Execute what is due; keep what failed under the name of its plan."""
        planned: dict[str, RangeRun] = {}
        for name, plan in plans.items():
            try:
                run = plan()
            except FeatureStoreError as error:
                self.failed[name] = FailedRun(name, error)
                continue
            if run is not None:
                planned[name] = run
        failed = self.runs.run_all(planned.values(), stage)
        self.failed.update({name: failed[run] for name, run in planned.items() if run in failed})
        return sum(run.partitions for run in planned.values() if run not in failed)
