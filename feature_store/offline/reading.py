"""One consistent look at a table: a version of its rows and the state of its ledger that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from deltalake import DeltaTable

from feature_store.errors import NotComputedError
from feature_store.offline.delta import StorageOptions, open_table
from feature_store.offline.ledger import Ledger


@dataclass(frozen=True)
class OpenTable:
    """A table as it was when it was opened, whatever is written meanwhile.

    Attributes:
        uri: where it lies.
        options: storage options.
        table: the newest version of its rows; None if it was never written.
        partitions: the state of its ledger; see ``Ledger.partitions``.
    """

    uri: str
    options: StorageOptions
    table: DeltaTable | None
    partitions: pl.DataFrame

    @property
    def version(self) -> int | None:
        """Version of the rows; None if the table was never written."""
        return None if self.table is None else self.table.version()

    def between(self, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        """Return the landed partitions that begin in ``[start, end)``; None: no bound."""
        after = pl.lit(value=True) if start is None else pl.col("partition_start") >= start
        before = pl.lit(value=True) if end is None else pl.col("partition_start") < end
        return self.partitions.filter(after & before)

    def versions(self, partitions: pl.DataFrame) -> list[tuple[DeltaTable, pl.Series]]:
        """Return from which versions of the table which partition starts are to be read; at least one version.

        That is the opened version, but for partitions somebody is writing, or that landed since: these are read as the
        commit of their ledger entry left them.
        """
        if self.table is None:
            raise NotComputedError(f"{self.uri} was never written: materialise the asset that writes it first")
        newest = self.table.version()
        settled = ~pl.col("unsettled") & (pl.col("delta_version") <= newest)
        version = pl.when(settled).then(pl.lit(newest, pl.Int64)).otherwise(pl.col("delta_version"))
        versions: list[tuple[DeltaTable, pl.Series]] = []
        for part in partitions.select("partition_start", version=version).partition_by("version", maintain_order=True):
            at: int = part["version"][0]
            table = self.table if at == newest else open_table(self.uri, self.options, version=at)
            assert table is not None
            versions.append((table, part["partition_start"]))
        return versions or [(self.table, partitions["partition_start"])]

    def scan(self, partitions: pl.DataFrame) -> pl.LazyFrame:
        """Read some of its partitions, lazily.

        Args:
            partitions: rows of ``self.partitions``.

        Returns:
            The stored columns without ``day``; rows in no particular order.

        Raises:
            NotComputedError: the table was never written.
        """
        scans = [pl.scan_delta(table).filter(_is_in(starts)) for table, starts in self.versions(partitions)]
        found = scans[0] if len(scans) == 1 else pl.concat(scans, how="diagonal")
        return found.drop("day")


def open_for_reading(uri: str, options: StorageOptions, ledger: Ledger) -> OpenTable:
    """Open a table and its ledger.

    The rows are opened first: every commit they hold was announced in the ledger before, so that no partition is taken
    for settled that is not.
    """
    table = open_table(uri, options)
    return OpenTable(uri, options, table, ledger.partitions())


def _is_in(starts: pl.Series) -> pl.Expr:
    """Select partitions; the days let Delta skip the files of all others."""
    days = starts.dt.date().unique()
    return pl.col("day").is_in(days.implode()) & pl.col("partition_start").is_in(starts.implode())
