"""The ledger of a table's commits, listed in an append-only table beside it, because Delta forgets commits in time.

A commit carries in its tags what is to be known of it, so rows and facts are there at once, or neither is. The ledger
is brought up to date after commits; of those that it does not list yet, since their writer died or is about to list
them, readers take the facts from the commits themselves.

Entries and tags carry a digest of what they say and of the table that they belong to, and the ledger knows how far the
log of its table reached: what was changed, exchanged or put back from an older copy is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl
from deltalake import DeltaTable

from feature_store.engines.polars.content_hash import frame_digests
from feature_store.errors import DamagedRecordError
from feature_store.fingerprints import record_digest
from feature_store.offline.delta.commits import (
    RETENTION,
    StorageOptions,
    append,
    compact,
    drop_replaced,
    keeping,
    open_or_create,
    open_table,
    read_commits,
    replace_all,
    retry_commit,
)
from feature_store.offline.delta.faults import as_damage, as_storage_errors
from feature_store.offline.delta.paths import ledger_uri, table_name
from feature_store.offline.delta.s3_log import MirroredTable, beside_mirror, read_rows
from feature_store.offline.delta.stored_files import checksums_of

DIGEST: Final = "digest"
"""Column of a ledger, and tag of a commit."""

_OF_DELTA: Final = ("delta_version", "timestamp")
"""What is known of a commit without being tagged."""

_TOLD: Final = ("kind", "partition_start", "writer", "sequence", "delta_version")
"""By which an entry is named in messages."""

_FILES_BEFORE_COMPACTION: Final = 24
_FILES_ON_S3: Final = 3
"""On S3, where each file costs a request, one with so many files is written as one with the next entries."""

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


class LostCommitsError(DamagedRecordError):
    """The log of a table ends before commits that its ledger lists.

    Args:
        where: the log.
        problem: what is wrong with it.
        cure: what to do.
        version: with which it ends; -1: there is none.
    """

    def __init__(self, where: str, problem: str, cure: str, version: int) -> None:
        super().__init__(where, problem, cure)
        self.version = version


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

    def sealed(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the tags of a commit with their digest."""
        told = {name: tags[name] for name in self._tags if name in tags}
        return {**tags, DIGEST: record_digest(self._name, told)}

    def entries(self, table: DeltaTable | None, listed: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return the entries of every commit of the table up to the version at which it is open, listed or not.

        Args:
            table: the table, opened before this is called; None: it was never written.
            listed: what is ``listed``, if that was read already, after the table was opened.

        Raises:
            DamagedRecordError: entries are not as they were written, or the table lost commits that are listed.
        """
        listed = self.listed() if listed is None else listed
        version = -1 if table is None else table.version()
        newest: int = listed.select(pl.col("delta_version").max().fill_null(-1)).item() if listed.height else -1
        if newest > version:  # of a commit since the table was opened, or the table was put back
            self._require_log(newest)
        # What a branch published before it wrote anything is listed of version -1.
        known = listed if table is None else pl.concat([listed, self._unlisted(table, listed)])
        return known.filter(pl.col("delta_version") <= version)

    def update(self, table: DeltaTable, listed: pl.DataFrame | None = None) -> None:
        """List what the commits of the table did up to the version at which it is open, in one commit of the ledger.

        Args:
            table: the table.
            listed: what is ``listed``, if that was read already. What others list meanwhile is then listed twice.
        """
        unlisted = self._unlisted(table, self.listed() if listed is None else listed)
        if unlisted.height and self._listing.files is not None:
            told = unlisted.drop_nulls("files")["delta_version"]
            versions = set(unlisted["delta_version"].to_list()).difference(told.to_list())
            files = self._listing.files(checksums_of(self._table_uri, self._options, sorted(versions)))
            unlisted = pl.concat([unlisted, files])
        if unlisted.height:
            self._append(unlisted)

    def listed(self) -> pl.DataFrame:
        """Return the entries that the ledger lists.

        Raises:
            DamagedRecordError: they are not as they were written.
        """
        none = pl.DataFrame(schema={**self._listing.schema, DIGEST: pl.Int64})
        ledger = open_table(self.uri, self._options)
        if ledger is None:
            return none.drop(DIGEST)
        with as_damage(self.uri, lambda said: self._damaged(f"it cannot be read ({said})")):
            # One that was begun by an older version of ours lacks columns.
            listed = pl.concat([none, read_rows(ledger)], how="diagonal").select(none.columns)
        entries, digests = listed.drop(DIGEST), listed[DIGEST]
        changed = (frame_digests(self._name, entries) != digests).fill_null(value=False)
        if changed.any():
            first = entries.filter(changed).row(0, named=True)
            told = {name: value for name, value in first.items() if value is not None and name in _TOLD}
            raise self._damaged(f"{changed.sum()} entries are not as they were written, e.g. {told}")
        return entries

    def forget_lost(self, version: int) -> None:
        """Forget what the commits after a version did, since the table does not have them any more."""

        def commit() -> None:
            ledger = open_table(self.uri, self._options)
            if ledger is not None:
                with as_storage_errors(ledger, "entries cannot be deleted"):
                    beside_mirror(ledger).delete(f"delta_version > {version}")

        retry_commit(commit)

    @property
    def _name(self) -> str:
        return table_name(self._table_uri)

    @property
    def _tags(self) -> list[str]:
        return [name for name in self._listing.commit if name not in _OF_DELTA]

    def _require_log(self, newest: int) -> None:
        """Fail unless the table has all versions up to one that is listed."""
        now = open_table(self._table_uri, self._options)
        version = -1 if now is None else now.version()
        if version < newest:
            raise LostCommitsError(
                f"{self._table_uri}/_delta_log",
                f"it ends with version {version}, but the ledger lists version {newest}: commits were lost, or it was "
                "put back from an older copy",
                "put the newer log back, or accept the loss by `features verify --repair` and compute again what was "
                "lost",
                version,
            )

    def _damaged(self, problem: str) -> DamagedRecordError:
        return DamagedRecordError(
            self.uri,
            problem,
            "put its folder back as it was; or, if its table is younger than "
            f"{RETENTION.days} days, delete it: it is made again from the commits of the table, but for what was "
            "published",
        )

    def _unlisted(self, table: DeltaTable, listed: pl.DataFrame) -> pl.DataFrame:
        """Return the entries of the commits that the ledger does not list: those of dead writers, or very new ones."""
        versions = listed.filter(self._listing.of_commits)["delta_version"]
        unlisted = sorted(set(range(table.version() + 1)).difference(versions.to_list()))
        fields = pl.Schema({**self._listing.commit, DIGEST: pl.String})
        commits = read_commits(self._table_uri, self._options, unlisted, fields)
        lost = sorted(set(unlisted).difference(commits["delta_version"].to_list()))
        for commit in commits.drop_nulls(DIGEST).iter_rows(named=True):
            told = {name: commit[name] for name in self._tags if commit[name] is not None}
            if record_digest(self._name, told) != commit[DIGEST]:
                lost = [commit["delta_version"]]
        if lost:
            raise DamagedRecordError(
                f"{self._table_uri}/_delta_log",
                f"what version {lost[0]} says of itself is not what was written",
                "put the file of that version back as it was",
            )
        return self._listing.entries(commits.drop(DIGEST))

    def _append(self, entries: pl.DataFrame) -> None:
        sealed = entries.with_columns(frame_digests(self._name, entries).alias(DIGEST))

        def commit() -> DeltaTable:
            ledger = open_or_create(self.uri, self._options, sealed, keeping(_READ_WITHIN))
            if isinstance(ledger, MirroredTable) and len(ledger.file_uris()) >= _FILES_ON_S3:
                replace_all(ledger, pl.concat([read_rows(ledger), sealed], how="diagonal"))
            else:
                append(ledger, sealed, add_columns=True)
            return ledger

        ledger = retry_commit(commit)
        with as_damage(self.uri, lambda said: self._damaged(f"it cannot be read ({said})")):
            files = ledger.file_uris()
        if len(files) > _FILES_BEFORE_COMPACTION:
            compact(ledger)
            drop_replaced(ledger)
