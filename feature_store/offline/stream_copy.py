"""The offline copy of what the stream wrote: tiles with absolute values, appended write by write.

A write is two commits: the rows, then an entry in the ledger beside them that names the writer, its sequence number and
the span of event time of which, with this write, the stream has told everything. Rows of writes without an entry are
not read; the same write again completes it. The newest write of a tile replaces those before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl
from deltalake import DeltaTable

from feature_store.errors import InputError
from feature_store.offline.delta import (
    UNVERSIONED,
    VERSIONED,
    StorageOptions,
    append,
    open_or_create,
    open_table,
    retry_commit,
)
from feature_store.offline.instants import INSTANT
from feature_store.offline.layout import ledger_uri
from feature_store.offline.storage_types import to_storage
from feature_store.streams.plan import StreamPlan

WRITES: Final = pl.Schema(
    {
        "writer": pl.String,
        "sequence": pl.Int64,
        "start": INSTANT,
        "end": INSTANT,
        "written_at": INSTANT,
        "rows": pl.Int64,
        "fingerprints": pl.String,
    }
)
"""Columns of the ledger."""

_WRITE: Final = ["writer", "sequence"]


@dataclass(frozen=True)
class OpenStreamCopy:
    """A copy as it was when it was opened.

    Attributes:
        table: its rows; None: nothing was ever written.
        writes: its ledger: each write once, in the order in which they were written.
    """

    table: DeltaTable | None
    writes: pl.DataFrame

    @property
    def version(self) -> int | None:
        """Version of the rows; None if nothing was ever written."""
        return None if self.table is None else self.table.version()

    def scan(self, writes: pl.DataFrame, keys: Sequence[str], start: datetime, end: datetime) -> pl.LazyFrame | None:
        """Read the newest of every tile that starts in ``[start, end)``, lazily.

        Args:
            writes: rows of ``self.writes``, in their order.
            keys: the entity's.
            start: inclusive.
            end: exclusive.

        Returns:
            Keys, ``span``, ``tile_start`` and state columns; None: no write.
        """
        if self.table is None or writes.is_empty():
            return None
        day, at = pl.col("day"), pl.col("tile_start")
        within = day.is_between(start.date(), end.date()) & (at >= start) & (at < end)
        order = writes.select(*_WRITE).with_row_index("__order").lazy()
        rows = pl.scan_delta(self.table).filter(within).join(order, on=_WRITE, how="inner")
        newest = rows.sort("__order").unique([*keys, "span", "tile_start"], keep="last", maintain_order=True)
        return newest.drop("__order", "day", *_WRITE)


class StreamCopy:
    """The stream copy of one view, for writing by the stream and reading by anybody.

    Args:
        uri: where its rows lie.
        options: storage options, as deltalake takes them.
    """

    def __init__(self, uri: str, options: StorageOptions) -> None:
        self.uri = uri
        self._options = options

    def append(
        self, tiles: pl.DataFrame, plan: StreamPlan, *, writer: str, sequence: int, start: datetime, end: datetime
    ) -> int:
        """Append tiles as the stream has them now; a write that is known already changes nothing.

        Args:
            tiles: keys, ``span`` (microseconds), ``tile_start`` and every state column of the view's tiles.
            plan: of the view.
            writer: who writes; it numbers its writes.
            sequence: of the write.
            start: with this write and those before, all tiles that overlap the time from here, ...
            end: ... up to here (exclusive) are as the stream knows them; those without an event are absent.

        Returns:
            The number of tiles written.

        Raises:
            InputError: a column is missing, or the span ends before it starts.
        """
        missing = {"span", "tile_start", *(state.column for state in plan.states)} - set(tiles.columns)
        if missing:
            raise InputError(f"{self.uri}: columns {sorted(missing)} are missing: write whole tiles")
        if start > end:
            raise InputError(f"{self.uri}: the write covers [{start}, {end}), which ends before it starts")
        writes = self._writes()
        if writes.filter(pl.col("writer") == writer, pl.col("sequence") == sequence).height:
            return 0
        day = pl.col("tile_start").dt.date().alias("day")
        rows = to_storage(tiles).with_columns(day, writer=pl.lit(writer), sequence=pl.lit(sequence, pl.Int64))
        if rows.height:
            self._commit(self.uri, rows, VERSIONED, partition_by=["day"])
        known = json.dumps(plan.fingerprints, sort_keys=True)
        entry = [(writer, sequence, start, end, datetime.now(UTC), rows.height, known)]
        self._commit(ledger_uri(self.uri), pl.DataFrame(entry, schema=WRITES, orient="row"), UNVERSIONED)
        return rows.height

    def open(self) -> OpenStreamCopy:
        """Return one look at the rows and the ledger."""
        writes = self._writes()  # first: whatever it lists has its rows in every later version
        return OpenStreamCopy(open_table(self.uri, self._options), writes)

    def version(self) -> int | None:
        """Return the newest version of the rows; None if nothing was ever written."""
        table = open_table(self.uri, self._options)
        return None if table is None else table.version()

    def _writes(self) -> pl.DataFrame:
        table = open_table(ledger_uri(self.uri), self._options)
        entries = pl.DataFrame(schema=WRITES) if table is None else pl.scan_delta(table).collect()
        return entries.sort("written_at", *_WRITE).unique(_WRITE, keep="first", maintain_order=True)

    def _commit(
        self, uri: str, rows: pl.DataFrame, properties: Mapping[str, str], partition_by: Sequence[str] = ()
    ) -> None:
        def commit() -> None:
            append(open_or_create(uri, self._options, rows, properties, partition_by), rows, add_columns=True)

        retry_commit(commit)
