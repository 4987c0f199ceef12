"""The ledger of a table in partitions: kept beside it and read together with it; its entries are ``ledger_entries``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from feature_store.errors import InputError
from feature_store.offline.delta.commit_ledger import CommitLedger, Listing
from feature_store.offline.delta.commits import StorageOptions, open_table
from feature_store.offline.delta.instants import partition_starts
from feature_store.offline.ledger.ledger_entries import (
    COMMIT,
    DAMAGED,
    FILES,
    PUBLISHED,
    SCHEMA,
    current_state,
    damaged_days,
    entries_of,
    file_entries,
)
from feature_store.temporal.instants import to_microseconds

_LISTING: Final = Listing(
    SCHEMA, COMMIT, entries_of, of_commits=~pl.col("kind").is_in([PUBLISHED, FILES, DAMAGED]), files=file_entries
)


class Ledger(CommitLedger):
    """The ledger of one table in partitions.

    Args:
        table_uri: where the table lies.
        options: storage options, as deltalake takes them.
    """

    def __init__(self, table_uri: str, options: StorageOptions) -> None:
        super().__init__(table_uri, options, _LISTING)

    def partitions(self) -> pl.DataFrame:
        """Return the current state: one row per landed partition; see ``current_state``."""
        return current_state(self.entries(open_table(self._table_uri, self._options)))

    def partition(self, as_of: datetime) -> dict[str, Any] | None:
        """Return the current state of the partition of an as-of, or None if it never landed.

        Raises:
            InputError: the as-of has no time zone.
        """
        rows = self.partitions().filter(pl.col("as_of").to_physical() == to_microseconds(as_of)).to_dicts()
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

    def damaged(self) -> pl.DataFrame:
        """Return the days that are damaged; see ``damaged_days``."""
        return damaged_days(self.entries(open_table(self._table_uri, self._options)))

    def note_damage(
        self, partition_start: datetime, delta_version: int, problem: str | None, generation: int | None = None
    ) -> None:
        """Record that a day, or a copy of a partition in the online store, is damaged, or sound again.

        Args:
            partition_start: of a partition of the day, or of the one that was copied.
            delta_version: version at which the table was looked at.
            problem: what is wrong; None: nothing any more.
            generation: the copy; None: it is the day that is damaged.
        """
        found = {"kind": DAMAGED, "partition_start": partition_start, "landed_at": datetime.now(UTC)}
        entry = {**found, "delta_version": delta_version, "problem": problem, "generation": generation}
        self._append(pl.DataFrame([entry], schema=SCHEMA))

    def mark_published(
        self,
        as_of: datetime,
        at: datetime,
        generation: int,
        delta_version: int,
        *,
        rows: int | None = None,
        content_hash: str | None = None,
    ) -> None:
        """Record that the online store holds the partition of an as-of.

        Args:
            as_of: of a landed partition.
            at: when its generation became readable.
            generation: its id in the online store.
            delta_version: version at which the table was open when it was loaded.
            rows: entities that were loaded; None: nobody counted them.
            content_hash: of what was loaded, which of a stream view are the tiles of many partitions.

        Raises:
            InputError: the partition never landed.
        """
        partition = self.partition(as_of)
        if partition is None:
            raise InputError(f"{self.uri} lists no partition with as-of {as_of}: only what landed can be published")
        entry = {"kind": PUBLISHED, "partition_start": partition["partition_start"], "as_of": as_of, "published_at": at}
        entry |= {"generation": generation, "delta_version": delta_version, "rows": rows, "content_hash": content_hash}
        self._append(pl.DataFrame([entry], schema=SCHEMA))
