"""The offline store as a Dagster resource, and the IO manager through which tables pass between assets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import dagster as dg
import polars as pl

from feature_store import FeatureView
from feature_store.errors import InputError, OwnershipError
from feature_store.offline.materialize.materialize import TileReport, compute_tiles
from feature_store.offline.materialize.staged_values import StagedValues
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from resources.engine import EngineChoice

TABLE = "_table"
"""Last part of the asset key of a view's table."""


class OfflineStoreResource(dg.ConfigurableResource):
    """The offline store, writable for the views of one team.

    Attributes:
        root: a folder or a URI such as ``s3://bucket/prefix``.
        storage_options: as deltalake takes them. Dagster shows them: give secrets as ``dg.EnvVar(...)``.
        team: the team of the code location; it may write the views that it owns. Empty: read only.
        engine: computes what is written.
    """

    root: str
    storage_options: Mapping[str, str] = {}
    team: str = ""
    engine: EngineChoice = EngineChoice()

    @property
    def store(self) -> OfflineStore:
        """The store, for reading."""
        return OfflineStore(self.root, dict(self.storage_options))

    def write_tiles(self, view: FeatureView, start: datetime, end: datetime, run_id: str) -> TileReport:
        """Build and store the tiles of a range; see ``compute_tiles``.

        Raises:
            OwnershipError: another team owns the view.
        """
        self.check_writable(view)
        return compute_tiles(self.store, view, start, end, run_id, engine=self.engine.of(view))

    def write_values(self, values: StagedValues) -> int:
        """Commit values that were computed, and return the number of rows; see ``StagedValues.commit``.

        Raises:
            OwnershipError: another team owns the view.
        """
        self.check_writable(values.view)
        return values.commit()

    def check_writable(self, view: FeatureView) -> None:
        """Refuse to write a view that another team owns.

        Raises:
            OwnershipError: it is not of the team of this code location.
        """
        self.check_team(view.owner, view.full_name)

    def check_team(self, owner: str, what: str) -> None:
        """Refuse to write what another team owns.

        Raises:
            OwnershipError: ``owner`` is not the team of this code location.
        """
        if self.team != owner:
            writer = f"the code location of team {self.team}" if self.team else "a code location without a team"
            raise OwnershipError(
                f"{writer} may not write {what}, which {owner} owns: "
                f"materialize it in {owner}'s code location, or change its owner="
            )


class DeltaIOManager(dg.ConfigurableIOManager):
    """Writes the tables of views and reads tables and landed sources, partition by partition, through the ledger.

    Attributes:
        offline_store: the store, which also knows the team that may write.
    """

    offline_store: OfflineStoreResource

    def handle_output(self, context: dg.OutputContext, obj: StagedValues) -> None:
        """Commit the values of the run's partitions: one Delta commit and one ledger entry per partition.

        Raises:
            OwnershipError: another team owns the view.
        """
        rows = self.offline_store.write_values(obj)
        table = self.offline_store.store.values(obj.view)
        context.add_output_metadata(
            {"dagster/uri": table.uri, "delta_version": table.delta_version() or 0, "rows_of_run": rows}
        )

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """Return the landed partitions that the run reads; all of them for assets without partitions.

        Of a view's table these are all its columns, of one of its features the same without the other features; of
        anything else the rows that were landed as a source.

        Raises:
            InputError: the view has no such feature.
            NotComputedError: nothing was written for the asset.
        """
        store = self.offline_store.store
        *view, last = context.asset_key.path
        values = store.stored_values("/".join(view))
        if last == TABLE:
            return _scan(values, context)
        if values.open().version is None:
            return _scan(store.source("/".join(context.asset_key.path)), context)
        rows = _scan(values, context)
        columns = rows.collect_schema().names()
        fingerprints = values.ledger.partitions()["fingerprints"].unique()
        features = {name for text in fingerprints for name in json.loads(text)}
        if last not in features:
            raise InputError(f"{'/'.join(view)} has no feature {last!r}: it has {', '.join(sorted(features))}")
        return rows.drop(features.intersection(columns) - {last})


def _scan(table: PartitionedTable, context: dg.InputContext) -> pl.LazyFrame:
    if not context.has_asset_partitions:
        return table.scan()
    window = context.asset_partitions_time_window
    return table.scan(window.start, window.end)
