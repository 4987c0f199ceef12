"""Columns of a view for Dagster's catalog: their types, and the source columns each is computed from."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from feature_assets.generator.keys import source_key
from feature_store import Feature, FeatureView
from feature_store.catalog.columns import source_columns


def column_schema(view: FeatureView, features: Iterable[Feature]) -> dg.TableSchema:
    """Return keys and features as columns; keys are never null."""
    required = dg.TableColumnConstraints(nullable=False)
    keys = [
        dg.TableColumn(key, dtype.name, description=f"Key of {view.entity.name}", constraints=required)
        for key, dtype in view.entity.keys.items()
    ]
    return dg.TableSchema([*keys, *(dg.TableColumn(f.name, f.dtype.name, description=f.description) for f in features)])


def column_lineage(view: FeatureView, features: Iterable[Feature]) -> dg.TableColumnLineage:
    """Return, for every key and feature, the columns of the source's asset that determine it."""
    upstream = source_key(view)
    keys = {key: [column] for key, column in zip(view.keys, view.key_columns, strict=True)}
    columns = keys | {f.name: source_columns(view, f) for f in features}
    return dg.TableColumnLineage(
        {name: [dg.TableColumnDep(upstream, column) for column in read] for name, read in columns.items()}
    )
