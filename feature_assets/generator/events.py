"""Events about what a run did beyond its selection: choosing one feature computes and checks the whole view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata


def log_materializations(
    context: dg.AssetExecutionContext, key: dg.AssetKey, metadata: Mapping[str, Mapping[str, Any]], code_version: str
) -> None:
    """Record that this run wrote partitions of an asset outside its selection.

    ``context.log_event`` does the same one event at a time; here they are stored in batches.

    Args:
        context: of the running step.
        key: the asset.
        metadata: by partition key.
        code_version: of the asset's definition.
    """
    step = context.get_step_execution_context()
    tags = {"dagster/code_version": code_version}
    batch = uuid4().hex
    for number, (partition, entry) in enumerate(metadata.items(), start=1):
        event = dg.AssetMaterialization(key, partition=partition, metadata=entry, tags=tags)
        DagsterEvent.asset_materialization(step, event, DagsterEventBatchMetadata(batch, number == len(metadata)))


def report_check(context: dg.AssetExecutionContext, check: dg.AssetCheckEvaluation) -> Iterator[dg.AssetCheckResult]:
    """Yield the outcome of a check for the op to yield; one outside the run's selection is recorded instead.

    Args:
        context: of the running step.
        check: of one of the op's checks.
    """
    if check.asset_check_key not in context.selected_asset_check_keys:
        DagsterEvent.asset_check_evaluation(context.get_step_execution_context(), check)
        return
    yield dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.check_name,
        passed=check.passed,
        severity=check.severity,
        description=check.description,
        metadata=check.metadata,
    )
