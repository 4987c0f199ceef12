"""The tables of a view: its tiles, its values and its all-history states."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from feature_store import fingerprints
from feature_store.engines.engine import Staged, Target
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.errors import FingerprintError, InputError
from feature_store.model.states import view_states
from feature_store.model.views import FeatureView
from feature_store.offline.delta.commits import StorageOptions, open_table, retry_commit
from feature_store.offline.delta.staged_files import rows_like
from feature_store.offline.delta.stages import Stage
from feature_store.offline.tables.definitions import Definition, agree, drop, read_definitions, require_same
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.overlaid_table import Shared
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.write import Write
from feature_store.plans.stream_plan import level_name
from feature_store.temporal.durations import DAY

CHECKPOINT_SPAN: Final = 28 * DAY
"""The distances at which all-history states are kept, microseconds: whole days and whole weeks."""


class ViewTable(PartitionedTable):
    """A table of a view: its tiles, its values, or its all-history states.

    Args:
        uri: where it lies.
        options: storage options, as deltalake takes them.
        view: the view.
        shared: see ``PartitionedTable``.
    """

    def __init__(self, uri: str, options: StorageOptions, view: FeatureView, shared: Shared | None = None) -> None:
        super().__init__(uri, options, shared)
        self._view = view

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell the rows of a partition apart, by which they are sorted."""
        return self._view.keys

    @property
    def cadence(self) -> int:
        """Span of a partition, microseconds."""
        return self._view.cadence

    def target(self, stage: Stage, part: int = 0) -> Target:
        """Return the table as an engine stages files for it."""
        return Target(self.uri, self.options, stage.name, self.key, self.key, part)

    def commit(
        self,
        stage: Stage,
        staged: Sequence[Staged],
        start: datetime,
        end: datetime,
        *,
        inputs_hash: Mapping[datetime, str],
        lacking: Mapping[datetime, Collection[str]] | None = None,
    ) -> int:
        """Replace the partitions of ``[start, end)`` by what was staged; return the number of rows.

        Args:
            stage: that the files belong to.
            staged: every partition of the range.
            start: start of the first partition.
            end: end of the last.
            inputs_hash: by partition start, hash of what it was computed from.
            lacking: by partition start, features that it does not hold, whatever stands in their columns.

        Raises:
            InputError: it is not what the table holds; see ``commit_staged``.
            ConflictError: another run wrote partitions of the range meanwhile.
        """
        write = self._write(start, end, stage.run_id, inputs_hash=inputs_hash, lacking=lacking)
        return self.commit_staged(stage, staged, write)

    def _write(
        self,
        start: datetime,
        end: datetime,
        run_id: str,
        *,
        inputs_hash: Mapping[datetime, str] | None = None,
        lacking: Mapping[datetime, Collection[str]] | None = None,
        excluded: Mapping[datetime, int] | None = None,
    ) -> Write:
        return Write(
            start=start,
            end=end,
            cadence=self.cadence,
            run_id=run_id,
            order=self.key,
            key=self.key,
            available_after=self._available_after,
            fingerprints=self._fingerprints,
            inputs_hash=inputs_hash,
            lacking=lacking,
            excluded=excluded,
        )

    @property
    def _available_after(self) -> int:
        return 0

    @property
    def _fingerprints(self) -> Mapping[str, str]:
        return tile_fingerprints(self._view)


class TileTable(ViewTable):
    """The tiles of a view, in partitions of its cadence."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell the rows of a partition apart, by which they are sorted."""
        return (*(["span"] if self._view.is_stream else []), *self._view.keys, "tile_start")

    def write(
        self,
        frame: pl.DataFrame,
        start: datetime,
        end: datetime,
        *,
        run_id: str,
        inputs_hash: Mapping[datetime, str] | None = None,
        excluded: Mapping[datetime, int] | None = None,
    ) -> int:
        """Replace the tiles of ``[start, end)``; return their number.

        Args:
            frame: ``partition_start, tile_start``, keys and state columns; of a stream view also ``span``.
            start: start of the first partition.
            end: end of the last.
            run_id: of the run that writes.
            inputs_hash: by partition start, hash of the source partitions they were built from.
            excluded: by partition start, source rows without a key.
        """
        return self.write_range(frame, self._write(start, end, run_id, inputs_hash=inputs_hash, excluded=excluded))

    def _agree(self, current: OpenTable) -> None:
        assert current.table is not None
        agree(current.table, self._view.full_name, definitions_of(self._view), {})

    @property
    def _available_after(self) -> int:
        return self._view.partition_delay if self._view.is_stream else 0


class ValueTable(ViewTable):
    """The feature values of a view, one partition per as-of."""

    def write(
        self,
        frame: pl.DataFrame,
        start: datetime,
        end: datetime,
        *,
        run_id: str,
        inputs_hash: Mapping[datetime, str] | None = None,
        lacking: Mapping[datetime, Collection[str]] | None = None,
    ) -> int:
        """Replace the values of ``[start, end)``; return the number of rows.

        Args:
            frame: ``partition_start, as_of``, keys and stored features; ``as_of`` may be left out.
            start: start of the first partition.
            end: end of the last.
            run_id: of the run that writes.
            inputs_hash: by partition start, hash of what the values were computed from.
            lacking: by partition start, features that it does not hold, whatever stands in their columns.

        Raises:
            InputError: rows outside the range, an entity twice in a partition, a null key, or a column that is missing
                or not of its declared type.
        """
        view = self._view
        self._check_columns(frame.schema)
        if any(frame[key].has_nulls() for key in view.keys):
            raise InputError(f"{view.full_name}: rows with a null key: leave them out, no reader could ever find them")
        span = pl.duration(microseconds=view.cadence)
        rows = frame.select(
            "partition_start", (pl.col("partition_start") + span).alias("as_of"), *view.keys, *view.fingerprints
        )
        return self.write_range(rows, self._write(start, end, run_id, inputs_hash=inputs_hash, lacking=lacking))

    def require_same_definitions(self) -> None:
        """Fail unless the view could be written as it is declared now; compares, and writes nothing.

        Raises:
            FingerprintError: a stored feature changed, or is left out, though it was not dropped.
        """
        current = self.open()
        if current.table is not None:
            stored = read_definitions(current.table, _newest_fingerprints(current))
            require_same(self._view.full_name, stored, definitions_of(self._view))

    def drop_feature(self, name: str) -> None:
        """Let newer declarations leave a stored feature out; what is stored of it stays.

        Raises:
            InputError: nothing of that name is stored.
            FingerprintError: it is declared still.
        """
        if name in self._view.fingerprints:
            raise FingerprintError(f"{self._view.full_name}.{name} is declared: remove it from the view, then drop it")

        def commit() -> None:
            current = self.open()
            if current.table is None:
                raise InputError(f"{self._view.full_name} stores nothing yet: there is nothing to drop")
            drop(current.table, self._view.full_name, name, _newest_fingerprints(current))

        retry_commit(commit)
        retry_commit(lambda: self._drop_from_tiles(name))

    def _drop_from_tiles(self, name: str) -> None:
        tiles = open_table(f"{self.uri.removesuffix('values')}tiles", self.options)
        if tiles is not None and name in read_definitions(tiles, {}):
            drop(tiles, self._view.full_name, name, {})

    def _agree(self, current: OpenTable) -> None:
        assert current.table is not None
        agree(current.table, self._view.full_name, definitions_of(self._view), _newest_fingerprints(current))

    def commit_staged(self, stage: Stage, staged: Sequence[Staged], write: Write) -> int:
        """Replace the partitions of a range by what was staged; see ``PartitionedTable.commit_staged``."""
        for schema in {each.schema: rows_like(each).schema for each in staged}.values():
            self._check_columns(schema)
        return super().commit_staged(stage, staged, write)

    @property
    def _available_after(self) -> int:
        return self._view.partition_delay

    @property
    def _fingerprints(self) -> Mapping[str, str]:
        return self._view.fingerprints

    def _check_columns(self, schema: pl.Schema) -> None:
        view = self._view
        features = {feature.name: feature.dtype for feature in view.stored_features}
        missing = {"partition_start", *view.keys, *features} - set(schema)
        if missing:
            raise InputError(f"{view.full_name}: columns {sorted(missing)} are missing: write all features at once")
        for name, dtype in {**view.entity.keys, **features}.items():
            expected = polars_dtype(dtype)
            if schema[name] != expected:
                fix = f"cast it to {expected!r}"
                raise InputError(
                    f"{view.full_name}: {name!r} has type {schema[name]}, but is declared as {dtype}: {fix}"
                )


class StateTable(ViewTable):
    """All-history states of a view at some as-ofs: a cache from which later ones are carried forward."""

    @property
    def cadence(self) -> int:
        """Span of a partition, microseconds."""
        return CHECKPOINT_SPAN


def definitions_of(view: FeatureView) -> dict[str, Definition]:
    """Return what the stored features of a view mean."""
    marks, revision = view.fingerprints, fingerprints.SEMANTICS_REVISION
    return {f.name: Definition(marks[f.name], f.logic, revision, f.renamed_from) for f in view.stored_features}


def _newest_fingerprints(current: OpenTable) -> dict[str, str]:
    return json.loads(current.partitions["fingerprints"][-1]) if current.partitions.height else {}


def tile_fingerprints(view: FeatureView) -> dict[str, str]:
    """Return a fingerprint by state column, of what determines its contents, and the levels of which there are tiles.

    The contents depend neither on which features read them nor on how long the tiles are.
    """
    states = {state.column: state.fingerprint for state in view_states(view)}
    return {**states, **{level_name(span): level_name(span) for span in view.levels}}
