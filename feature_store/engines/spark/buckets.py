"""Buckets of entities: rows of one entity are in one bucket, and an engine that reads one bucket computes it alone.

The bucket of a row follows from its keys by the hash of ``codec.content_hash``, which is the same in every process.
Rows without a key are in some bucket too, where they are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import polars as pl

from feature_store.codec.content_hash import hash_structs
from feature_store.engines.engine import Staged, StoredRows, Target
from feature_store.engines.polars.content_hash import hash_column
from feature_store.engines.polars.engine import StoredFrames
from feature_store.temporal.instants import from_microseconds

Table = tuple[str, int | None]
"""Where a table lies, and its version."""


def split(frame: pl.DataFrame, keys: Sequence[str], buckets: int) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of each bucket that has any, as an Arrow IPC stream.

    Args:
        frame: rows.
        keys: columns that hold the keys of the entity.
        buckets: their number.
    """
    hashes = hash_structs({name: hash_column(frame[name]) for name in keys}, None)
    bucket = pl.Series("bucket", hashes % np.uint64(buckets), pl.UInt64)
    for number in bucket.unique().sort().to_list():
        yield number, to_bytes(frame.filter(bucket == number))


def to_bytes(frame: pl.DataFrame) -> bytes:
    """Return a frame as an Arrow IPC stream."""
    stream = BytesIO()
    frame.write_ipc_stream(stream)
    return stream.getvalue()


def from_bytes(chunks: Sequence[bytes]) -> pl.DataFrame:
    """Return the rows of Arrow IPC streams of the same columns."""
    return pl.concat([pl.read_ipc_stream(BytesIO(chunk)) for chunk in chunks])


@dataclass(frozen=True)
class BucketFrames:
    """The rows of one bucket, in memory; see ``StoredFrames``.

    Attributes:
        tables: rows by table, with ``partition_start``.
        stored: stages what was computed.
    """

    tables: Mapping[Table, pl.DataFrame]
    stored: StoredFrames

    def scan(self, rows: StoredRows) -> pl.LazyFrame:
        """Return the bucket's rows of stored partitions."""
        starts = pl.Series([from_microseconds(start) for start, _ in rows.partitions], dtype=pl.Datetime("us", "UTC"))
        frame = self.tables[rows.uri, rows.version]
        return frame.lazy().filter(pl.col("partition_start").is_in(starts.implode()))

    def stage(
        self, target: Target, frame: pl.DataFrame, starts: Sequence[int], excluded: Mapping[int, int], without_time: int
    ) -> Staged:
        """Write the bucket's rows of the partitions of one day to a staged file, and describe them."""
        return self.stored.stage(target, frame, starts, excluded, without_time)
