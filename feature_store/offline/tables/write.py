"""One write to a table in partitions: what is written, and what the ledger is to list of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from feature_store.codec.content_hash import Content
from feature_store.engines.engine import PartitionFacts, Staged
from feature_store.engines.polars.content_hash import frame_contents
from feature_store.errors import ConflictError, InputError
from feature_store.offline.delta.instants import instants, partition_starts
from feature_store.offline.delta.stages import LIFETIME, Stage
from feature_store.offline.ledger.ledger_entries import LandedPartition
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class Write:
    """One write of a contiguous range of partitions.

    Attributes:
        start: start of the first partition.
        end: end of the last.
        cadence: span of a partition, microseconds.
        run_id: of the run that writes.
        order: columns by which rows are sorted in the file.
        key: columns that tell the rows of a partition apart, and are mixed into the sums of the others.
        unique: whether they tell every row apart; then rows that repeat are refused.
        available_after: span after a partition's end from which it may be used, microseconds.
        fingerprints: fingerprint by computed column.
        lacking: by partition start, computed columns that it does not hold.
        inputs_hash: by partition start, hash of what it was computed from.
        excluded: by partition start, source rows left out.
    """

    start: datetime
    end: datetime
    cadence: int
    run_id: str
    order: Sequence[str]
    key: Sequence[str]
    unique: bool = True
    available_after: int = 0
    fingerprints: Mapping[str, str] | None = None
    lacking: Mapping[datetime, Collection[str]] | None = None
    inputs_hash: Mapping[datetime, str] | None = None
    excluded: Mapping[datetime, int] | None = None


def describe(stored: pl.DataFrame, starts: Sequence[datetime], write: Write) -> list[LandedPartition]:
    """Return what the ledger is to list of rows, sorted by ``partition_start``, in types that Delta stores."""
    wanted = instants([*starts, write.end])
    bounds = stored["partition_start"].search_sorted(wanted, side="left").cast(pl.Int64).to_numpy()
    contents = frame_contents(stored.drop("partition_start"), write.key, bounds, unique=write.unique)
    excluded = write.excluded or {}
    return [
        _landed(write, start, content, excluded.get(start, 0)) for start, content in zip(starts, contents, strict=True)
    ]


def describe_staged(uri: str, staged: Sequence[Staged], write: Write) -> list[LandedPartition]:
    """Return what the ledger is to list of staged files, which must hold every partition of the range.

    Raises:
        InputError: they do not, or rows repeat, lack a key, or are of other types in other files.
    """
    within = f"{uri}: for [{write.start}, {write.end})"
    facts: dict[int, PartitionFacts] = {}
    for partition in (partition for each in staged for partition in each.partitions):
        facts[partition.start] = facts[partition.start] + partition if partition.start in facts else partition
    starts = partition_starts(write.start, write.end, write.cadence)
    if sorted(facts) != [to_microseconds(start) for start in starts]:
        raise InputError(f"{within} not its {len(starts)} partitions were staged, but {len(facts)}")
    if len({each.schema for each in staged}) > 1:
        raise InputError(f"{within} rows of several types were staged")
    repeated = sum(partition.repeated for partition in facts.values())
    if repeated:
        columns = ", ".join(["partition_start", *write.key])
        raise InputError(f"{within} {repeated} rows have the same ({columns}) as another row: keep one of them")
    without = [key for key in write.key if any(key in partition.nulls for partition in facts.values())]
    if without:
        raise InputError(
            f"{within} rows without {', '.join(without)} were staged: leave them out, none could find them"
        )
    return [_landed(write, from_microseconds(at), facts[at].content, facts[at].excluded) for at in sorted(facts)]


def check_unwritten(uri: str, partitions: pl.DataFrame, write: Write, stage: Stage) -> None:
    """Refuse to replace what another run wrote since this one was planned: it may have read newer rows.

    Args:
        uri: of the table.
        partitions: that it holds.
        write: what is to be written.
        stage: begun when the run was planned.

    Raises:
        ConflictError: another run did, or the stage is too old.
    """
    if stage.is_over:
        raise ConflictError(f"{uri}: what was staged is older than {LIFETIME}, and may be removed: run again")
    inside = (pl.col("partition_start") < write.end) & (pl.col("as_of") > write.start)
    newer = partitions.filter(inside, pl.col("delta_version") > stage.version)
    if newer.height:
        raise ConflictError(
            f"{uri}: run {newer['run_id'][0]} wrote {newer.height} partitions from {newer['partition_start'][0]} on "
            "since this run was planned: run again"
        )


def _landed(write: Write, start: datetime, content: Content, excluded: int) -> LandedPartition:
    as_of = to_microseconds(start) + write.cadence
    without = (write.lacking or {}).get(start, ())
    return LandedPartition(
        partition_start=start,
        as_of=from_microseconds(as_of),
        available_at=from_microseconds(as_of + write.available_after),
        content=content,
        inputs_hash=(write.inputs_hash or {}).get(start),
        fingerprints={name: of for name, of in (write.fingerprints or {}).items() if name not in without},
        excluded=excluded,
    )
