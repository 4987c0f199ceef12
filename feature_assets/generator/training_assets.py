"""Training sets as daily assets, and the models that read features as external ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import dagster as dg
import polars as pl

from feature_assets.generator.keys import feature_keys, model_key, op_name, training_key
from feature_assets.generator.labels import STORED, service_labels
from feature_assets.generator.retries import RETRIES, final_mistakes
from feature_store import FeatureService
from feature_store.offline.store import OfflineStore
from feature_store.offline.training_sets import build_training_set, write_training_set
from resources.offline import OfflineStoreResource

SpineFunction = Callable[[OfflineStore, datetime, datetime], pl.DataFrame]
"""Gives the spine rows with ``start <= time < end``, from the offline store, the start and the end."""

DAYS_PER_RUN: Final = 62


@dataclass(frozen=True)
class TrainingSet:
    """The training set of a feature service, built day by day.

    Attributes:
        service: what the model reads.
        spine: the rows: a function, or the key of an asset that lands them in the offline store as a source.
        start: first day, UTC.
        time_column: column of the spine that says at which time a row asks.
        deps: assets that a spine function reads.
        allow_missing: whether rows whose features were never computed are kept, with nulls.
    """

    service: FeatureService
    spine: SpineFunction | dg.AssetKey
    start: datetime
    time_column: str = "time"
    deps: Sequence[dg.AssetKey] = ()
    allow_missing: bool = False

    def rows(self, store: OfflineStore, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the spine of ``[start, end)``."""
        if isinstance(self.spine, dg.AssetKey):
            landed = store.source("/".join(self.spine.path)).scan(start, end)
            return landed.drop("partition_start").collect()
        return self.spine(store, start, end)


@dataclass(frozen=True)
class Model:
    """A model outside of Dagster, shown downstream of everything it reads.

    Attributes:
        name: unique.
        service: what it reads.
        owner: its team.
        description: what it predicts.
    """

    name: str
    service: FeatureService
    owner: str
    description: str


def training_asset(training: TrainingSet, end: datetime | None = None) -> dg.AssetsDefinition:
    """Return the asset of a training set: ``training/service_vN``, one partition per day of spine times."""
    service = training.service
    key = training_key(service.full_name)
    spine = [training.spine] if isinstance(training.spine, dg.AssetKey) else []
    # A row reads what was available before it: partitions of its own day and of the days before.
    earlier = dg.TimeWindowPartitionMapping(start_offset=-1, allow_nonexistent_upstream_partitions=True)
    spec = dg.AssetSpec(
        key,
        deps=[
            *(dg.AssetDep(read, partition_mapping=earlier) for read in feature_keys(service)),
            *(dg.AssetDep(read, partition_mapping=earlier) for read in (*spine, *training.deps)),
        ],
        description=f"Spine rows and features of {service.full_name} as they were available before each row's time.",
        partitions_def=dg.DailyPartitionsDefinition(training.start, end_date=end, timezone="UTC"),
        kinds=STORED,
        metadata={"dagster/storage_kind": "delta"},
        **service_labels(service, "training", service.owner),
    )

    @dg.multi_asset(
        name=op_name(key),
        specs=[spec],
        backfill_policy=dg.BackfillPolicy.multi_run(DAYS_PER_RUN),
        retry_policy=RETRIES,
    )
    def build(context: dg.AssetExecutionContext, offline_store: OfflineStoreResource) -> dg.MaterializeResult:
        store, (start, end) = offline_store.store, context.partition_time_window
        with final_mistakes():
            offline_store.check_team(service.owner, f"training set {service.full_name}")
            built = build_training_set(
                store,
                service,
                training.rows(store, start, end),
                time_column=training.time_column,
                allow_missing=training.allow_missing,
            )
            write_training_set(store, service.full_name, built, start, end, run_id=context.run.run_id)
        days = built.frame.group_by(pl.col(training.time_column).dt.strftime("%Y-%m-%d").alias("day")).len()
        counts = dict(days.iter_rows())
        for partition in context.partition_keys:
            rows = {"dagster/partition_row_count": counts.get(partition, 0)}
            context.add_asset_metadata(rows, asset_key=key, partition_key=partition)
        return dg.MaterializeResult(asset_key=key)

    return build


def model_spec(model: Model, training_sets: Sequence[TrainingSet]) -> dg.AssetSpec:
    """Return the external asset of a model, downstream of its features and of its training set."""
    trained_on = [training_key(t.service.full_name) for t in training_sets if t.service is model.service]
    return dg.AssetSpec(
        model_key(model.name),
        deps=[*feature_keys(model.service), *trained_on],
        description=model.description,
        kinds={"model"},
        metadata={"service": model.service.full_name, "features": len(feature_keys(model.service))},
        **service_labels(model.service, "models", model.owner),
    )
