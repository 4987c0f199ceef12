"""The example model in the demo: its training set, its training, and scores from served vectors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from feature_assets.backfill.due import range_run
from feature_assets.backfill.progress import Stage
from feature_assets.backfill.range_runs import RunPool
from feature_assets.backfill.spans import Span
from feature_assets.generator.keys import training_key
from feature_assets.project.locations import CodeLocation
from feature_assets.teams.growth.training.churn_model import Metrics, Model, score, train
from feature_assets.teams.growth.training.churn_spine import ACTIVE_SPAN, LABEL_SPAN, SCORING_TIME, spine_times
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import load_training_set, stale_days
from feature_store.plans.service_plan import ServicePlan
from feature_store.temporal.durations import DAY
from serving.client import FeatureClient

SHORTEST_HISTORY = 2 * LABEL_SPAN + timedelta(days=3)
"""Days of values below which no label window closes before a test period that has closed label windows itself."""

_GROWTH = CodeLocation("growth", "feature_assets.teams.growth.definitions")

RECENCY = "household_visits__days_since_last_purchase"
"""What the model is compared with: how long a household has stayed away says much by itself."""


@dataclass(frozen=True)
class ChurnDemo:
    """The churn model on the backfilled days.

    Attributes:
        store: the offline store.
        plan: of the churn service.
        first_values: as-of of the first backfilled day.
        known_until: up to when purchases have landed.
    """

    store: OfflineStore
    plan: ServicePlan
    first_values: datetime
    known_until: datetime

    @property
    def is_possible(self) -> bool:
        """Whether the history is long enough to train on and to test on."""
        return self.known_until - self.first_values >= SHORTEST_HISTORY

    @property
    def times(self) -> list[datetime]:
        """The spine's times: every day whose features are there and whose label is known."""
        return spine_times(self.first_values, self.known_until)

    def build_training_set(self, runs: RunPool, stage: Stage) -> None:
        """Materialise the days of the training-set asset that have not been."""
        span = Span(_midnight(self.times[0]), _midnight(self.times[-1]) + timedelta(days=1), DAY)
        stale = stale_days(self.store, self.plan, span.start, span.end)
        asset = training_key(self.plan.full_name).to_user_string()
        run = range_run(_GROWTH, "training set", [asset], stale, span, self.store)
        for failure in runs.run_all([run], stage).values():
            raise failure.error

    def train(self) -> tuple[Model, Metrics]:
        """Train on the partitions of the training set and test on its last days."""
        first, last = self.times[0], self.times[-1]
        rows = load_training_set(self.store, self.plan.full_name, first - timedelta(days=1), last)
        features = [output.name for output in self.plan.outputs]
        return train(rows.sort("time", "household_id").collect(), features, baseline=RECENCY)

    def score_served(self, model: Model, client: FeatureClient) -> pl.DataFrame:
        """Score every household that bought lately from its served vector; the likeliest to leave first.

        T is the hour of the spine, if it is past today, so that days since an event are what the model was trained on.
        """
        bought = self.store.source("raw/transactions").scan(self.known_until - ACTIVE_SPAN, self.known_until)
        households = bought.select(pl.col("household_id").unique().sort()).collect()["household_id"].to_list()
        time = min(self.known_until + SCORING_TIME, datetime.now(UTC))
        served = client.get_features(self.plan.full_name, {"household_id": households}, time=time)
        scores = pl.DataFrame({"household_id": households, "no_purchase_next_14d": score(model, served.to_polars())})
        return scores.sort("no_purchase_next_14d", descending=True)


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
