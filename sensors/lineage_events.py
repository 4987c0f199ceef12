"""OpenLineage events of a finished run of Dagster's: per table that it wrote a start and an end, with column lineage.

The tables are those that people read: rows of sources, values of views (of stream views their tiles), training sets.
Tiles and states between a source and its values are left out: columns of values are traced to those of the source.
Format: https://openlineage.io/spec (RunEvent, ColumnLineageDatasetFacet).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    error_message_run,
    ownership_job,
    parent_run,
    schema_dataset,
)
from openlineage.client.generated.base import DatasetFacet, RunFacet, set_producer

from feature_assets.generator.keys import feature_key, loaded_key, source_key, training_key
from feature_store import FeatureService, FeatureView
from feature_store.catalog.columns import source_columns
from feature_store.model.request_features import SelectedFeature
from feature_store.offline.delta.paths import training_uri
from feature_store.offline.tables.store import OfflineStore
from sensors.finished_runs import FinishedRun

JOBS: Final = "feature_store"
"""Namespace of all jobs."""

PRODUCER: Final = "urn:feature-store"

set_producer(PRODUCER)

Columns = Mapping[str, Sequence[tuple[str, str]]]
"""By column of a table, the table and the column of each that it is computed from."""


@dataclass(frozen=True)
class LineageTable:
    """A table, and what is computed into it.

    Attributes:
        name: what people call it; also the name of the job that writes it.
        uri: where it lies.
        owner: the team; None: nobody's in particular.
        types: by column, its type.
        columns: lineage of its columns.
        keys: the assets, one of which at least is written when the table is.
    """

    name: str
    uri: str
    owner: str | None
    types: Mapping[str, str]
    columns: Columns
    keys: frozenset[dg.AssetKey]


def lineage_tables(
    store: OfflineStore, views: Sequence[FeatureView], services: Sequence[FeatureService]
) -> list[LineageTable]:
    """Return the tables of everything that is declared; each source once."""
    sources = {view.source.asset: view for view in views}
    return [
        *(_source_table(store, view) for view in sources.values()),
        *(_view_table(store, view) for view in views),
        *(_training_table(store, service) for service in services),
    ]


def events_of(run: FinishedRun, tables: Sequence[LineageTable]) -> Iterator[RunEvent]:
    """Yield a start and an end for each table that a run wrote, or was to write."""
    places = {table.uri: table for table in tables}
    for table in tables:
        if table.keys & (run.planned | run.written):
            state = RunState.COMPLETE if table.keys & run.written else RunState(run.state)
            yield from _events(run, table, state, places)


def _events(
    run: FinishedRun, table: LineageTable, state: RunState, places: Mapping[str, LineageTable]
) -> Iterator[RunEvent]:
    # The same run of the same table is the same, however often it is sent.
    own_id = str(uuid.uuid5(uuid.UUID(run.run_id), table.name))
    parent = parent_run.ParentRunFacet(parent_run.Run(run.run_id), parent_run.Job(JOBS, run.job))
    owners = [ownership_job.Owner(f"team:{table.owner}", "OWNER")] if table.owner else []
    job = Job(JOBS, table.name, {"ownership": ownership_job.OwnershipJobFacet(owners)})
    read = dict.fromkeys(uri for sources in table.columns.values() for uri, _ in sources)
    inputs = [InputDataset(*_place(uri), facets=_schema(places[uri]) if uri in places else {}) for uri in read]
    outputs = [OutputDataset(*_place(table.uri), facets={**_schema(table), **_lineage(table)})]
    common: dict[str, Any] = {"producer": PRODUCER, "job": job, "inputs": inputs, "outputs": outputs}
    facets: dict[str, RunFacet] = {"parent": parent}
    began = run.began.isoformat()
    yield RunEvent(eventTime=began, eventType=RunState.START, run=Run(own_id, facets), **common)
    if state == RunState.FAIL:
        facets = {**facets, "errorMessage": error_message_run.ErrorMessageRunFacet(run.problem, "python")}
    yield RunEvent(eventTime=run.ended.isoformat(), eventType=state, run=Run(own_id, facets), **common)


def _source_table(store: OfflineStore, view: FeatureView) -> LineageTable:
    types = {name: dtype.name for name, dtype in view.source.columns.items()}
    asset = view.source.asset
    return LineageTable(asset, store.source(asset).uri, None, types, {}, frozenset({source_key(view)}))


def _view_table(store: OfflineStore, view: FeatureView) -> LineageTable:
    source = store.source(view.source.asset).uri
    keys = {key: [(source, column)] for key, column in zip(view.keys, view.key_columns, strict=True)}
    features = {f.name: [(source, column) for column in source_columns(view, f)] for f in view.stored_features}
    types = {key: dtype.name for key, dtype in view.entity.keys.items()}
    types |= {feature.name: feature.dtype.name for feature in view.stored_features}
    assets = {loaded_key(view)}
    if not view.is_stream:
        assets |= {feature_key(view, feature.name) for feature in view.stored_features}
    uri = _stored(store, view)
    return LineageTable(view.full_name, uri, view.owner, types, keys | features, frozenset(assets))


def _training_table(store: OfflineStore, service: FeatureService) -> LineageTable:
    name = f"training/{service.full_name}"
    columns = {
        output.name: [
            (_stored(store, read.selection.view), column)
            for read in ((output,) if isinstance(output, SelectedFeature) else output.reads)
            for column in _stored_columns(read.selection.view, read.feature.name)
        ]
        for output in service.outputs
    }
    types = {output.name: output.dtype.name for output in service.outputs}
    uri = training_uri(store.root, service.full_name)
    return LineageTable(name, uri, service.owner, types, columns, frozenset({training_key(service.full_name)}))


def _stored(store: OfflineStore, view: FeatureView) -> str:
    return (store.tiles(view) if view.is_stream else store.values(view)).uri


def _stored_columns(view: FeatureView, feature: str) -> Sequence[str]:
    """Return the stored columns that an on-read feature reads; else itself."""
    found = view.feature(feature)
    return found.reads if found.on_read is not None else (feature,)


def _place(uri: str) -> tuple[str, str]:
    """Return namespace and name of a dataset, by the naming of OpenLineage.

    >>> _place("s3://lake/views/retail/spend/v1/values"), _place("/data/raw/rows")
    (('s3://lake', 'views/retail/spend/v1/values'), ('file', '/data/raw/rows'))
    """
    if "://" not in uri:
        return "file", uri
    scheme, _, rest = uri.partition("://")
    bucket, _, path = rest.partition("/")
    return f"{scheme}://{bucket}", path


def _schema(table: LineageTable) -> dict[str, DatasetFacet]:
    fields = [schema_dataset.SchemaDatasetFacetFields(name, dtype) for name, dtype in table.types.items()]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields)}


def _lineage(table: LineageTable) -> dict[str, DatasetFacet]:
    if not table.columns:
        return {}
    fields = {
        name: column_lineage_dataset.Fields(
            [column_lineage_dataset.InputField(*_place(uri), column) for uri, column in sources]
        )
        for name, sources in table.columns.items()
    }
    return {"columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields)}
