"""Chunks of rows that move between tasks: cut by entity, as Arrow IPC streams, and put together again.

The bucket of a row follows from its keys by the hash of ``codec.content_hash``, which is the same in every process:
rows of one entity are in one bucket, and whoever has a bucket computes it alone. Rows without a key are in some bucket
too, where they are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal

import numpy as np
import polars as pl

from feature_store.codec.content_hash import hash_structs
from feature_store.engines.engine import StoredRows
from feature_store.engines.polars.content_hash import hash_column
from feature_store.engines.polars.engine import StoredFrames


def bucket_of(keys: Mapping[str, pl.Series], buckets: int) -> pl.Series:
    """Return the bucket of each row, UInt64.

    Args:
        keys: columns of the entity's keys, by their declared names.
        buckets: their number.
    """
    hashes = hash_structs({name: hash_column(column) for name, column in keys.items()}, None)
    return pl.Series("bucket", hashes % np.uint64(buckets), pl.UInt64)


def split(frame: pl.DataFrame, places: pl.Series) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of each place that has any, in their order, as an Arrow IPC stream.

    Args:
        frame: rows.
        places: where each of them goes.
    """
    for place in places.unique().sort().to_list():
        yield place, to_bytes(frame.filter(places == place))


def to_bytes(frame: pl.DataFrame) -> bytes:
    """Return a frame as an Arrow IPC stream."""
    stream = BytesIO()
    frame.write_ipc_stream(stream)
    return stream.getvalue()


def from_bytes(chunks: Sequence[bytes], how: Literal["vertical", "diagonal"] = "vertical") -> pl.DataFrame:
    """Return the rows of Arrow IPC streams, of the same columns unless they are put together diagonally."""
    return pl.concat([pl.read_ipc_stream(BytesIO(chunk)) for chunk in chunks], how=how)


@dataclass(frozen=True)
class Reading:
    """Rows of one table that are moved to their buckets.

    Attributes:
        rows: partitions of a stored table.
        columns: the columns to read; None: all.
        keys: columns that hold the keys of the entity.
    """

    rows: StoredRows
    columns: tuple[str, ...] | None
    keys: tuple[str, ...]

    def in_pieces(self, most: int) -> Iterator[Reading]:
        """Yield it in at most so many pieces of contiguous partitions; the first has none of them.

        Of that one every bucket gets its columns, also one to which no row belongs.
        """
        partitions = self.rows.partitions
        size = max(1, -(-len(partitions) // most))
        for found in ((), *(partitions[at : at + size] for at in range(0, len(partitions), size))):
            yield replace(self, rows=replace(self.rows, partitions=found))

    def chunks(self, stored: StoredFrames, buckets: int) -> Iterator[tuple[int, bytes]]:
        """Read it, and yield the rows of each bucket; without partitions none, to every bucket."""
        rows = stored.scan(self.rows)
        if self.columns is not None:
            found = rows.collect_schema().names()
            rows = rows.select(name for name in found if name in {"partition_start", *self.columns})
        frame = rows.collect()
        if self.rows.partitions:
            yield from split(frame, bucket_of({name: frame[name] for name in self.keys}, buckets))
        else:
            yield from ((bucket, to_bytes(frame.clear())) for bucket in range(buckets))
