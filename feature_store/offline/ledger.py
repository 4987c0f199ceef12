"""The ledger: which partitions a table holds, and everything about each that readers must know.

It is an append-only Delta table beside the table it describes. Three kinds of entry:

``writing``    appended before rows are committed: until a later commit lands, the partition's rows are in doubt.
``landed``     appended after: the partition holds what the commit ``delta_version`` left in it.
``published``  the online store holds it.

The current state of a partition is its landed entry of the highest ``delta_version``, with the ``available_at`` of its
first one. It is *unsettled* while a writer has announced itself on a base that is as new as that entry: the writer may
have committed and died. Readers then read the partition at the version of its entry, so that they see its last good
rows; writing the partition again settles it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
from deltalake.exceptions import CommitFailedError

from feature_store.errors import InputError
from feature_store.offline.delta import StorageOptions, append, open_or_create, open_table, retry_commit
from feature_store.offline.instants import INSTANT, partition_starts

WRITING: Final = "writing"
LANDED: Final = "landed"
PUBLISHED: Final = "published"

SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String,
        "partition_start": INSTANT,
        "as_of": INSTANT,
        "available_at": INSTANT,
        "landed_at": INSTANT,
        "published_at": INSTANT,
        "run_id": pl.String,
        "rows": pl.Int64,
        "excluded": pl.Int64,
        "fingerprints": pl.String,
        "content_hash": pl.String,
        "inputs_hash": pl.String,
        "generation": pl.Int64,
        "delta_version": pl.Int64,
    }
)
"""Columns of the ledger's table."""

_FILES_BEFORE_COMPACTION: Final = 24


@dataclass(frozen=True)
class LandedPartition:
    """What is known of a partition when it is written.

    Attributes:
        partition_start: start of its span.
        as_of: end of its span; the instant that values describe.
        available_at: from when its values may be used; counts only the first time the partition is written.
        rows: number of rows.
        content_hash: hash of the rows.
        inputs_hash: hash of what they were computed from; None: they were not.
        fingerprints: fingerprint by column of everything that was computed.
        excluded: rows of the source that were left out for want of a key.
    """

    partition_start: datetime
    as_of: datetime
    available_at: datetime
    rows: int
    content_hash: str
    inputs_hash: str | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict[str, str])
    excluded: int = 0


class Ledger:
    """The ledger of one table.

    Args:
        uri: where the ledger lies.
        options: storage options, as deltalake takes them.
    """

    def __init__(self, uri: str, options: StorageOptions) -> None:
        self.uri = uri
        self._options = options

    def partitions(self) -> pl.DataFrame:
        """Return the current state: one row per landed partition, sorted by ``partition_start``.

        Columns: ``partition_start, as_of, available_at, landed_at, published_at`` (when it was first published; null:
        never), ``run_id, rows, excluded, fingerprints`` (JSON), ``content_hash, inputs_hash, generation`` (the last one
        published), ``delta_version`` and ``unsettled``.
        """
        table = open_table(self.uri, self._options)
        entries = pl.LazyFrame(schema=SCHEMA) if table is None else pl.scan_delta(table)
        return current_state(entries.collect())

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

    def mark_published(self, as_of: datetime, at: datetime, generation: int) -> None:
        """Record that the online store holds the partition of an as-of.

        Args:
            as_of: of a landed partition.
            at: when its generation became readable.
            generation: its id in the online store.

        Raises:
            InputError: the partition never landed.
        """
        partition = self.partition(as_of)
        if partition is None:
            raise InputError(f"{self.uri} lists no partition with as-of {as_of}: only what landed can be published")
        entry = {"kind": PUBLISHED, "partition_start": partition["partition_start"], "as_of": as_of, "published_at": at}
        self.append([{**entry, "generation": generation}])

    def announce(self, spans: Iterable[tuple[datetime, datetime]], run_id: str, base_version: int) -> None:
        """Record that partitions are about to be written.

        Args:
            spans: start and as-of of each.
            run_id: of the run that writes.
            base_version: version of the table on which the commit is based.
        """
        common = {"kind": WRITING, "run_id": run_id, "delta_version": base_version}
        self.append([{**common, "partition_start": start, "as_of": as_of} for start, as_of in spans])

    def land(self, partitions: Sequence[LandedPartition], run_id: str, delta_version: int) -> None:
        """Record that partitions were written by the commit of a version of the table."""
        now = datetime.now(UTC)
        common = {"kind": LANDED, "run_id": run_id, "delta_version": delta_version, "landed_at": now}
        self.append(
            [
                {**common, **vars(partition), "fingerprints": json.dumps(partition.fingerprints, sort_keys=True)}
                for partition in partitions
            ]
        )

    def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Append entries, each with some of the columns of ``SCHEMA``, in one commit; compact at times."""
        frame = pl.DataFrame(entries, schema=SCHEMA)

        def commit() -> int:
            table = open_or_create(self.uri, self._options, frame)
            append(table, frame)
            return len(table.file_uris())

        if retry_commit(commit) > _FILES_BEFORE_COMPACTION:
            self._compact()

    def _compact(self) -> None:
        table = open_table(self.uri, self._options)
        assert table is not None
        try:
            table.optimize.compact()
        except CommitFailedError:
            return  # another process has just compacted
        table.create_checkpoint()


def current_state(entries: pl.DataFrame) -> pl.DataFrame:
    """Reduce ledger entries to the current state; see ``Ledger.partitions``."""
    landed = entries.filter(pl.col("kind") == LANDED).sort("partition_start", "delta_version", "landed_at")
    current = landed.group_by("partition_start", maintain_order=True).agg(
        pl.all().exclude("kind", "available_at", "published_at", "generation").last(), pl.col("available_at").first()
    )
    published = (
        entries.filter(pl.col("kind") == PUBLISHED)
        .sort("published_at", "generation")
        .group_by("partition_start")
        .agg(pl.col("published_at").first(), pl.col("generation").last())
    )
    announced = (
        entries.filter(pl.col("kind") == WRITING)
        .group_by("partition_start")
        .agg(pl.col("delta_version").max().alias("base"))
    )
    return (
        current.join(published, on="partition_start", how="left")
        .join(announced, on="partition_start", how="left")
        .with_columns(unsettled=(pl.col("base") >= pl.col("delta_version")).fill_null(value=False))
        .select(*(name for name in SCHEMA if name != "kind"), "unsettled")
        .sort("partition_start")
    )
