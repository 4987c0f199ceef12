"""Sources as assets: a function that returns the rows of a span of time becomes the asset that lands them."""

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from feature_assets.generator.partitions import end_of, stable_api, time_partitions
from feature_assets.landing import Landed, Source, known_column, land, problems_of, time_column
from feature_store import DefinitionError
from feature_store.checks.arguments import checked_declaration
from feature_store.engines.polars.frames import read_frame
from feature_store.model.service_levels import check_span
from feature_store.model.sources import check_start_of_partition
from feature_store.temporal.durations import DAY, HOUR, WEEK, format_duration
from resources.offline import OfflineStoreResource

PARTITIONS_PER_RUN: Final = 400
"""A run costs seconds to start and milliseconds per partition: a year of days is one run."""

CHECK: Final = "declared_columns"

Results = Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]


@checked_declaration
def source_asset(
    source: Source, *, cadence: str = "1d", end: datetime | None = None, **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Make a function the asset that lands a source, which views then read, whatever made the rows: dbt, Spark, an API.

    The function is an asset function like any other: it may take ``context`` and resources, and reads
    ``context.partition_time_window``, which of a backfill spans several partitions. It returns the rows of just that
    span of the source's own time: a Polars frame (lazy or not), a pandas frame, an Arrow table, a dictionary of
    columns or a list of rows; times with another zone or offset are the same instants in UTC. Where the source declares
    ``known_at``, these are the rows that were known in that span: the later of ``event_time`` and ``known_at`` lies in
    it. Rows that are not what the source declares fail a check, and nothing is written. Otherwise they replace what lay
    in the partitions; signs that rows become known late are warned of in the log and the metadata.
    The code location gives the resource ``offline_store``, as for ``build_feature_assets``.

    Example::

        @source_asset(scores, deps=["dbt_household_scores"])
        def household_scores(context: dg.AssetExecutionContext) -> pl.LazyFrame:
            start, end = context.partition_time_window
            rows = pl.scan_parquet("s3://warehouse/household_scores/*.parquet")
            return rows.filter(pl.col("scored_at").is_between(start, end, closed="left"))

    Args:
        source: an event or table source; its ``asset`` is the key, its ``start`` that of the first partition.
        cadence: span of a partition: ``1h``, ``1d`` or ``1w``. That of the views that read it, or a shorter one.
        end: where partitions end, UTC, if before the source's own ``end``; None: they go on with the time.
        options: of ``dagster.asset``, e.g. ``deps``, ``owners``, ``group_name``, ``kinds``, ``freshness_policy``,
            ``automation_condition``.

    Raises:
        DefinitionError: not a source, a cadence that is not landed, or a start at which none of its partitions starts.
    """
    span = check_span(f"source {source.name}", "cadence", cadence)
    if span not in (HOUR, DAY, WEEK):
        problem = f"cadence={cadence!r} is not one that is landed"
        raise DefinitionError(f"source {source.name}", problem, "use '1h', '1d' or '1w'")
    check_start_of_partition(f"source {source.name}", source.start, span)
    key = dg.AssetKey(source.asset.split("/"))
    common: dict[str, Any] = {
        "key": key,
        "description": f"{source.description}. Own time: `{time_column(source)}`{_known(source)}.",
        "partitions_def": time_partitions(span, source.start, end_of(source, end)),
        "group_name": _group(key),
        "backfill_policy": dg.BackfillPolicy.multi_run(PARTITIONS_PER_RUN),
        "metadata": _metadata(source, span),
        "check_specs": [
            dg.AssetCheckSpec(
                CHECK, asset=key, blocking=True, description="The rows have the columns and types that are declared."
            )
        ],
        "output_required": False,
    }

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        with stable_api():
            return dg.asset(**{**common, **options})(_landing(function, source, span))

    return decorate


def _landing(function: Callable[..., Any], source: Source, cadence: int) -> Callable[..., Results]:
    """Return an asset function of the same parameters and the store, which lands what the given one returns."""
    signature = inspect.signature(function, eval_str=True)
    key = dg.AssetKey(source.asset.split("/"))

    def land_rows(*args: Any, offline_store: OfflineStoreResource, **others: Any) -> Results:
        context = dg.AssetExecutionContext.get()
        if "offline_store" in signature.parameters:
            others["offline_store"] = offline_store
        frame = read_frame(function(*args, **others), f"what the function of {source.asset} returned")
        problems = problems_of(source, frame)
        yield dg.AssetCheckResult(check_name=CHECK, asset_key=key, passed=not problems, metadata={"problems": problems})
        if problems:
            return
        start, end = context.partition_time_window
        landed = land(offline_store.store, source, frame, start, end, run_id=context.run.run_id, cadence=cadence)
        for partition, rows in _by_partition(context, landed).items():
            context.add_asset_metadata({"dagster/partition_row_count": rows}, key, partition)
        for warning in landed.warnings:
            context.log.warning(warning)
        yield dg.MaterializeResult(metadata=_facts(source, landed))

    own = [each for name, each in signature.parameters.items() if name != "offline_store"]
    store = inspect.Parameter("offline_store", inspect.Parameter.KEYWORD_ONLY, annotation=OfflineStoreResource)
    # Dagster reads the parameters, and with them the resources, from here.
    land_rows.__signature__ = inspect.Signature([*own, store])  # pyright: ignore[reportFunctionMemberAccess]
    land_rows.__name__ = function.__name__
    land_rows.__doc__ = function.__doc__
    return land_rows


def _facts(source: Source, landed: Landed) -> dict[str, Any]:
    counts = {"rows_of_run": landed.total, "rows_without_time": landed.without_time}
    if known_column(source) is not None:
        counts["rows_without_known_at"] = landed.without_known_at
    warnings = {"warnings": list(landed.warnings)} if landed.warnings else {}
    return {**counts, "columns_left_out": ", ".join(landed.columns_left_out) or "none", **warnings}


def _known(source: Source) -> str:
    known_at = known_column(source)
    return "" if known_at is None else f", known at: `{known_at}`"


def _group(key: dg.AssetKey) -> str:
    """Return the group of a landed asset: the first part of its key, as far as Dagster takes it for a name."""
    return re.sub(r"\W", "_", key.path[0], flags=re.ASCII) if len(key.path) > 1 else "sources"


def _by_partition(context: dg.AssetExecutionContext, landed: Landed) -> dict[str, int]:
    definition = context.assets_def.partitions_def
    assert isinstance(definition, dg.TimeWindowPartitionsDefinition)
    starts = {key: definition.time_window_for_partition_key(key).start for key in context.partition_keys}
    return {key: landed.rows[start.astimezone(UTC)] for key, start in starts.items()}


def _metadata(source: Source, cadence: int) -> dict[str, object]:
    columns = [dg.TableColumn(name, dtype.name) for name, dtype in source.columns.items()]
    return {
        "cadence": format_duration(cadence),
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": source.asset.replace("/", "."),
        "dagster/storage_kind": "delta",
    }
