"""Columns of a view for Dagster's catalog: their types, and the source columns each is computed from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import dagster as dg

from feature_assets.generator.keys import source_key
from feature_store import Feature, FeatureView
from feature_store.catalog.columns import source_columns


class ViewColumns:
    """The columns of a view; what all its assets show of them is made once.

    Args:
        view: the view.
    """

    def __init__(self, view: FeatureView) -> None:
        self._view = view

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """By feature, the source columns that it is computed from."""
        return {feature.name: source_columns(self._view, feature) for feature in self._view}

    def schema(self, features: Iterable[Feature]) -> dg.TableSchema:
        """Return keys and features as columns; keys are never null."""
        return dg.TableSchema([*self._keys, *(self._columns[feature.name] for feature in features)])

    def lineage(self, features: Iterable[Feature]) -> dg.TableColumnLineage:
        """Return, for every key and feature, the columns of the source's asset that determine it."""
        return dg.TableColumnLineage(self._key_deps | {f.name: self._deps_of(self.sources[f.name]) for f in features})

    @cached_property
    def _keys(self) -> list[dg.TableColumn]:
        entity, required = self._view.entity, dg.TableColumnConstraints(nullable=False)
        described = f"Key of {entity.name}"
        return [
            dg.TableColumn(key, dtype.name, description=described, constraints=required)
            for key, dtype in entity.keys.items()
        ]

    @cached_property
    def _columns(self) -> dict[str, dg.TableColumn]:
        return {f.name: dg.TableColumn(f.name, f.dtype.name, description=f.description) for f in self._view}

    @cached_property
    def _upstream(self) -> dict[str, dg.TableColumnDep]:
        key = source_key(self._view)
        return {column: dg.TableColumnDep(key, column) for column in self._view.source.columns}

    @cached_property
    def _key_deps(self) -> dict[str, list[dg.TableColumnDep]]:
        pairs = zip(self._view.keys, self._view.key_columns, strict=True)
        return {key: self._deps_of([column]) for key, column in pairs}

    def _deps_of(self, columns: Iterable[str]) -> list[dg.TableColumnDep]:
        return [self._upstream[column] for column in columns]
