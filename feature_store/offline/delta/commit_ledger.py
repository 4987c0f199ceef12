"""The ledger of a table's commits, listed in an append-only table beside it, because Delta forgets commits in time.

A commit carries in its tags what is to be known of it, so rows and facts are there at once, or neither is. The ledger
is brought up to date after commits; of those that it does not list yet, since their writer died or is about to list
them, readers take the facts from the commits themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl
from deltalake import DeltaTable

from feature_store.offline.delta.commits import (
    StorageOptions,
    append,
    compact,
    drop_replaced,
    keeping,
    open_or_create,
    open_table,
    read_commits,
    retry_commit,
)
from feature_store.offline.delta.paths import ledger_uri
from feature_store.offline.delta.stored_files import checksums_of

_FILES_BEFORE_COMPACTION: Final = 24
_READ_WITHIN: Final = timedelta(hours=1)
"""A ledger that was opened is read within this span: replaced files are kept no longer."""


@dataclass(frozen=True)
class Listing:
    """The entries of one kind of ledger.

    Attributes:
        schema: its columns; ``delta_version`` is one of them, ``landed_at`` another.
        commit: what is read of a commit: ``delta_version``, ``timestamp`` (Unix milliseconds) and tags.
        entries: makes entries of commits; at least one of each.
        of_commits: selects the entries that list what a commit did.
        files: makes entries of the checksums of the files that commits added; None: they are not kept.
    """

    schema: pl.Schema
    commit: pl.Schema
    entries: Callable[[pl.DataFrame], pl.DataFrame]
    of_commits: pl.Expr
    files: Callable[[pl.DataFrame], pl.DataFrame] | None = None


class CommitLedger:
    """The ledger of one table.

    Args:
        table_uri: where the table lies.
        options: storage options, as deltalake takes them.
        listing: what it lists.
    """

    def __init__(self, table_uri: str, options: StorageOptions, listing: Listing) -> None:
        self._table_uri = table_uri
        self._options = options
        self._listing = listing
        self.uri: Final = ledger_uri(table_uri)

    def entries(self, table: DeltaTable | None, listed: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return the entries of every commit of the table up to the version at which it is open, listed or not.

        Args:
            table: the table, opened before this is called; None: it was never written.
            listed: what is ``listed``, if that was read already, after the table was opened.
        """
        if table is None:
            return pl.DataFrame(schema=self._listing.schema)
        listed = self.listed() if listed is None else listed
        known = pl.concat([listed, self._unlisted(table, listed)])
        return known.filter(pl.col("delta_version") <= table.version())

    def update(self, table: DeltaTable, listed: pl.DataFrame | None = None) -> None:
        """List what the commits of the table did up to the version at which it is open, in one commit of the ledger.

        Args:
            table: the table.
            listed: what is ``listed``, if that was read already. What others list meanwhile is then listed twice.
        """
        unlisted = self._unlisted(table, self.listed() if listed is None else listed)
        if unlisted.height and self._listing.files is not None:
            versions = unlisted["delta_version"].unique().to_list()
            files = self._listing.files(checksums_of(self._table_uri, self._options, versions))
            unlisted = pl.concat([unlisted, files])
        if unlisted.height:
            self._append(unlisted)

    def listed(self) -> pl.DataFrame:
        """Return the entries that the ledger lists."""
        ledger = open_table(self.uri, self._options)
        none = pl.DataFrame(schema=self._listing.schema)
        if ledger is None:
            return none
        # One that was begun by an older version of ours lacks columns.
        return pl.concat([none, pl.scan_delta(ledger).collect()], how="diagonal").select(none.columns)

    def _unlisted(self, table: DeltaTable, listed: pl.DataFrame) -> pl.DataFrame:
        """Return the entries of the commits that the ledger does not list: those of dead writers, or very new ones."""
        versions = listed.filter(self._listing.of_commits)["delta_version"]
        unlisted = sorted(set(range(table.version() + 1)).difference(versions.to_list()))
        return self._listing.entries(read_commits(self._table_uri, self._options, unlisted, self._listing.commit))

    def _append(self, entries: pl.DataFrame) -> None:
        def commit() -> DeltaTable:
            ledger = open_or_create(self.uri, self._options, entries, keeping(_READ_WITHIN))
            append(ledger, entries, add_columns=True)
            return ledger

        ledger = retry_commit(commit)
        if len(ledger.file_uris()) > _FILES_BEFORE_COMPACTION:
            compact(ledger)
            drop_replaced(ledger)
