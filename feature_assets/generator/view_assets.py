"""The assets of a view: its tiles, and its table with all its features, computed at once.

Write, audit, publish: values are computed and audited first; only what passed is written. Whatever part of the view is
selected, all of it is computed and written, and every feature is reported as materialized: that is what happened.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from feature_assets.generator.audit import audit
from feature_assets.generator.checks import audit_result, table_checks, warnings_of
from feature_assets.generator.computed_assets import computed_assets
from feature_assets.generator.events import log_materializations, report_check
from feature_assets.generator.feature_specs import ViewSpecs
from feature_assets.generator.freshness_checks import freshness_check, freshness_result
from feature_assets.generator.keys import op_name, tiles_key
from feature_assets.generator.partitions import backfill_policy
from feature_assets.generator.retries import final_mistakes, start_over_if
from feature_assets.generator.statistics import Statistics, partition_statistics
from feature_store import FeatureView
from feature_store.offline.materialize.staged_values import StagedValues, stage_values
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from resources.offline import OfflineStoreResource

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult]
Numbers = dict[str, dict[str, int | float]]
"""The metadata shown of each partition, by its key."""


def tiles_asset(view: FeatureView, end: datetime | None = None) -> dg.AssetsDefinition:
    """Return the asset that builds the tiles of a view from the rows of its source."""
    key = tiles_key(view)

    def build_tiles(context: dg.AssetExecutionContext, offline_store: OfflineStoreResource) -> dg.MaterializeResult:
        start, end = context.partition_time_window
        with final_mistakes():
            report = offline_store.write_tiles(view, start, end, context.run.run_id)
            start_over_if(moved_on=bool(stale_tiles(offline_store.store, view, start, end)))
        ledger = offline_store.store.tiles(view).ledger.partitions()
        rows = dict(ledger.select("partition_start", "rows").iter_rows())
        for partition, start in _partitions(context).items():
            numbers = {"dagster/partition_row_count": rows[start], "rows_without_key": report.excluded.get(start, 0)}
            context.add_asset_metadata(numbers, asset_key=key, partition_key=partition)
        metadata = {"rows_without_time_in_run": report.without_time, "engine": offline_store.engine.name_of(view)}
        return dg.MaterializeResult(asset_key=key, metadata=metadata)

    specs = [ViewSpecs(view, end).tiles()]
    return computed_assets(op_name(key), specs, build_tiles, backfill_policy=backfill_policy(view))


def table_assets(view: FeatureView, end: datetime | None = None) -> dg.AssetsDefinition:
    """Return the asset of a view's table and those of its stored features, computed by one op."""
    specs = ViewSpecs(view, end)
    features = {f.name: specs.feature(f) for f in view.stored_features} if view.assets == "feature" else {}
    table = specs.table()

    def compute_view(context: dg.AssetExecutionContext, offline_store: OfflineStoreResource) -> Results:
        store, (start, end) = offline_store.store, context.partition_time_window
        with ExitStack() as stage:
            with final_mistakes():
                offline_store.check_writable(view)
                engine, run_id = offline_store.engine.of(view), context.run.run_id
                staged = stage_values(store, view, start, end, run_id, engine=engine, progress=_progress(context))
                values = stage.enter_context(staged)
            yield from _report_values(context, offline_store, values, table, features)
        start_over_if(moved_on=bool(stale_partitions(store, view, start, end)))

    return computed_assets(
        op_name(table.key),
        [table, *features.values()],
        compute_view,
        checks=[*table_checks(view), freshness_check(view)],
        backfill_policy=backfill_policy(view),
        can_subset=True,
    )


def _report_values(
    context: dg.AssetExecutionContext,
    offline_store: OfflineStoreResource,
    values: StagedValues,
    table: dg.AssetSpec,
    features: Mapping[str, dg.AssetSpec],
) -> Results:
    """Audit what was staged, have it committed, and report it."""
    view, partitions = values.view, _partitions(context)
    audited, numbers = _examined(values)
    yield from report_check(context, audited)
    if not audited.passed:
        # Where the check was selected, its failure fails the step as well.
        raise dg.Failure(f"{view.full_name}: values failed the audit, nothing was written", allow_retries=False)
    rows = {key: {"dagster/partition_row_count": values.rows[start]} for key, start in partitions.items()}
    computed_by = {"engine": offline_store.engine.name_of(view)}
    if table.key in context.selected_asset_keys:
        for partition, metadata in rows.items():
            context.add_asset_metadata(metadata, asset_key=table.key, partition_key=partition)
        yield dg.MaterializeResult(asset_key=table.key, value=values, metadata=computed_by)
    else:
        offline_store.write_values(values)
        told = {key: {**row, **computed_by} for key, row in rows.items()}
        log_materializations(context, table.key, told, table.code_version or "")
    store = offline_store.store
    warned = warnings_of(view, values.rows, values.nulls, store)
    for check in [*warned, freshness_result(store, view, datetime.now(UTC))]:
        yield from report_check(context, check)
    for warning in values.warnings:
        context.log.warning(warning)
    for name, spec in features.items():
        holding = {key: start for key, start in partitions.items() if name not in values.lacking.get(start, ())}
        metadata = {partition: numbers[start][name] for partition, start in holding.items()}
        yield from _feature_results(context, spec, metadata, is_whole=len(holding) == len(partitions))


def _examined(values: StagedValues) -> tuple[dg.AssetCheckEvaluation, Statistics]:
    """Return the outcome of the audit, and the numbers of every partition; one day is in memory at a time."""
    found: list[pl.DataFrame] = []
    numbers: Statistics = {}
    for starts, frame in values.frames():
        found.append(audit(values.view, frame))
        if found[-1].is_empty():
            numbers |= partition_statistics(values.view, frame, starts)
    return audit_result(values.view, found, sum(values.rows.values())), numbers


def _feature_results(
    context: dg.AssetExecutionContext,
    spec: dg.AssetSpec,
    metadata: dict[str, dict[str, int | float]],
    *,
    is_whole: bool,
) -> Results:
    """Report the partitions of a feature: a result would say that it is in all partitions of the run."""
    if spec.key not in context.selected_asset_keys or not is_whole:
        log_materializations(context, spec.key, metadata, spec.code_version or "")
        return
    for partition, numbers in metadata.items():
        context.add_asset_metadata(numbers, asset_key=spec.key, partition_key=partition)
    yield dg.MaterializeResult(asset_key=spec.key)


def _partitions(context: dg.AssetExecutionContext) -> dict[str, datetime]:
    """Return the starts of a run's partitions by key, in order of time."""
    definition = context.assets_def.partitions_def
    assert isinstance(definition, dg.TimeWindowPartitionsDefinition)
    keys = context.partition_keys
    return {key: definition.time_window_for_partition_key(key).start.astimezone(UTC) for key in keys}


def _progress(context: dg.AssetExecutionContext) -> Callable[[int, int], None]:
    def report(done: int, of: int) -> None:
        if done == of or done % 10 == 0:
            context.log.info("computed %d of %d partitions", done, of)

    return report
