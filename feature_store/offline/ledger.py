"""The ledger of one table: kept beside it, brought up to date after each commit, read together with the table.

What it lists and why is said in ``ledger_entries``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import polars as pl
from deltalake import DeltaTable

from feature_store.errors import InputError
from feature_store.offline.delta import (
    UNVERSIONED,
    StorageOptions,
    append,
    compact,
    drop_replaced,
    open_or_create,
    open_table,
    read_commits,
    retry_commit,
)
from feature_store.offline.instants import partition_starts
from feature_store.offline.layout import ledger_uri
from feature_store.offline.ledger_entries import COMMIT, PUBLISHED, SCHEMA, current_state, entries_of

_FILES_BEFORE_COMPACTION: Final = 24


class Ledger:
    """The ledger of one table.

    Args:
        table_uri: where the table lies.
        options: storage options, as deltalake takes them.
    """

    def __init__(self, table_uri: str, options: StorageOptions) -> None:
        self._table_uri = table_uri
        self._options = options
        self.uri: Final = ledger_uri(table_uri)

    def entries(self, table: DeltaTable | None) -> pl.DataFrame:
        """Return the entries of every commit of the table up to the version at which it is open, listed or not.

        Args:
            table: the table, opened before this is called; None: it was never written.
        """
        if table is None:
            return pl.DataFrame(schema=SCHEMA)
        listed = self._listed()
        known = pl.concat([listed, self._unlisted(table, listed)])
        return known.filter(pl.col("delta_version") <= table.version())

    def partitions(self) -> pl.DataFrame:
        """Return the current state: one row per landed partition; see ``current_state``."""
        return current_state(self.entries(open_table(self._table_uri, self._options)))

    def partition(self, as_of: datetime) -> dict[str, Any] | None:
        """Return the current state of the partition of an as-of, or None if it never landed."""
        rows = self.partitions().filter(pl.col("as_of") == as_of).to_dicts()
        return rows[0] if rows else None

    def missing(self, start: datetime, end: datetime, cadence: int) -> list[datetime]:
        """Return the starts of the partitions of ``[start, end)`` that have not landed.

        Args:
            start: start of the first partition asked for.
            end: end of the last.
            cadence: span of a partition, microseconds.
        """
        landed = set(self.partitions()["partition_start"].to_list())
        return [at for at in partition_starts(start, end, cadence) if at not in landed]

    def mark_published(self, as_of: datetime, at: datetime, generation: int, delta_version: int) -> None:
        """Record that the online store holds the partition of an as-of.

        Args:
            as_of: of a landed partition.
            at: when its generation became readable.
            generation: its id in the online store.
            delta_version: version at which the table was open when it was loaded.

        Raises:
            InputError: the partition never landed.
        """
        partition = self.partition(as_of)
        if partition is None:
            raise InputError(f"{self.uri} lists no partition with as-of {as_of}: only what landed can be published")
        entry = {"kind": PUBLISHED, "partition_start": partition["partition_start"], "as_of": as_of, "published_at": at}
        self._append(pl.DataFrame([{**entry, "generation": generation, "delta_version": delta_version}], schema=SCHEMA))

    def update(self, table: DeltaTable) -> None:
        """List what the commits of the table did up to the version at which it is open, in one commit of the ledger."""
        unlisted = self._unlisted(table, self._listed())
        if unlisted.height:
            self._append(unlisted)

    def _listed(self) -> pl.DataFrame:
        ledger = open_table(self.uri, self._options)
        return pl.DataFrame(schema=SCHEMA) if ledger is None else pl.scan_delta(ledger).collect()

    def _unlisted(self, table: DeltaTable, listed: pl.DataFrame) -> pl.DataFrame:
        """Return the entries of the commits that the ledger does not list: those of dead writers, or very new ones."""
        versions = listed.filter(pl.col("kind") != PUBLISHED)["delta_version"]
        unlisted = sorted(set(range(table.version() + 1)).difference(versions.to_list()))
        return entries_of(read_commits(self._table_uri, self._options, unlisted, COMMIT))

    def _append(self, entries: pl.DataFrame) -> None:
        def commit() -> DeltaTable:
            ledger = open_or_create(self.uri, self._options, entries, UNVERSIONED)
            append(ledger, entries)
            return ledger

        ledger = retry_commit(commit)
        if len(ledger.file_uris()) > _FILES_BEFORE_COMPACTION:
            compact(ledger)
            drop_replaced(ledger)
