"""Training sets as daily assets, and the models that read features as external ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import dagster as dg
import polars as pl

from feature_assets.generator.conditions import build_when_known
from feature_assets.generator.events import log_materializations
from feature_assets.generator.keys import feature_keys, model_key, op_name, training_key, unstored_keys
from feature_assets.generator.labels import STORED, service_labels
from feature_assets.generator.partitions import reads
from feature_assets.generator.retries import RETRIES, final_mistakes
from feature_store import FeatureService
from feature_store.checks.arguments import checked_class
from feature_store.engines.engine import Engine
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.compute_training_set import compute_training_set
from resources.offline import OfflineStoreResource

SpineFunction = Callable[[OfflineStore, datetime, datetime], pl.DataFrame]
"""Gives the spine rows with ``start <= time < end``, from the offline store, the start and the end."""

KnownUntil = Callable[[OfflineStore, datetime], datetime]
"""Gives the end of the days from a start on whose spine rows, labels included, will not change any more."""

DAYS_PER_RUN: Final = 62


@checked_class
@dataclass(frozen=True)
class TrainingSet:
    """The training set of a feature service, built day by day.

    Attributes:
        service: what the model reads.
        spine: the rows: a function, or the key of an asset that lands them in the offline store as a source.
        start: first day, UTC.
        time_column: column of the spine that says at which time a row asks.
        deps: assets that a spine function reads, with a partition mapping where a day reads more than itself and the
            day before: labels look ahead.
        known_until: up to where the spine is final; days behind that are not built yet. None: every day is, as soon as
            it is over.
        allow_missing: whether rows whose features were never computed are kept, with nulls.
    """

    service: FeatureService
    spine: SpineFunction | dg.AssetKey
    start: datetime
    time_column: str = "time"
    deps: Sequence[dg.AssetDep | dg.AssetKey] = ()
    known_until: KnownUntil | None = None
    allow_missing: bool = False

    @property
    def days_ahead(self) -> int:
        """The most days after its own that a day reads."""
        mappings = (dep.partition_mapping for dep in self.deps if isinstance(dep, dg.AssetDep))
        return max((m.end_offset for m in mappings if isinstance(m, dg.TimeWindowPartitionMapping)), default=0)

    def rows(self, store: OfflineStore, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the spine of ``[start, end)``."""
        if isinstance(self.spine, dg.AssetKey):
            landed = store.source("/".join(self.spine.path)).scan(start, end)
            return landed.drop("partition_start").collect()
        return self.spine(store, start, end)


@checked_class
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
    spec = dg.AssetSpec(
        key,
        deps=_deps(training),
        description=f"Spine rows and features of {service.full_name} as they were available before each row's time.",
        partitions_def=dg.DailyPartitionsDefinition(training.start, end_date=end, timezone="UTC"),
        automation_condition=build_when_known(training.days_ahead, unstored_keys(service)),
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
            known = end if training.known_until is None else min(end, training.known_until(store, start))
            engine, run_id = offline_store.engine.of_training(), context.run.run_id
            rows = _build_days(training, store, start, known, run_id, engine) if known > start else {}
        numbers = {day: {"dagster/partition_row_count": rows.get(day, 0)} for day in context.partition_keys}
        if known < end:
            first_open = f"{max(known, start):%Y-%m-%d}"
            built = {day: shown for day, shown in numbers.items() if day < first_open}
            log_materializations(context, key, built, "")
            raise dg.Failure(
                f"{service.full_name}: the rows from {first_open} on are not known yet: what they or their labels read "
                f"has not landed. {len(built)} of {len(numbers)} days were built",
                allow_retries=False,
            )
        for day, shown in numbers.items():
            context.add_asset_metadata(shown, asset_key=key, partition_key=day)
        return dg.MaterializeResult(asset_key=key)

    return build


def _build_days(
    training: TrainingSet, store: OfflineStore, start: datetime, end: datetime, run_id: str, engine: Engine
) -> dict[str, int]:
    """Build and write the days of ``[start, end)``; return how many rows each of them has, by its partition key."""
    service = training.service
    stored = compute_training_set(
        store,
        service.full_name,
        service,
        training.rows(store, start, end),
        start,
        end,
        run_id=run_id,
        engine=engine,
        time_column=training.time_column,
        allow_missing=training.allow_missing,
    )
    return {f"{day:%Y-%m-%d}": rows for day, rows in stored.rows.items()}


def _deps(training: TrainingSet) -> list[dg.AssetDep]:
    # A row reads what was available before it: partitions of its own day and of the days before.
    earlier = reads(-1)
    spine = [training.spine] if isinstance(training.spine, dg.AssetKey) else []
    keys = [*feature_keys(training.service), *spine, *(dep for dep in training.deps if isinstance(dep, dg.AssetKey))]
    mapped = [dep for dep in training.deps if isinstance(dep, dg.AssetDep)]
    return [*(dg.AssetDep(key, partition_mapping=earlier) for key in keys), *mapped]


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
