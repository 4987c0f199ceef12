"""Values of a table view at the ends of its partitions, from the rows of its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from feature_store.engines.polars.partition_buffer import PartitionBuffer
from feature_store.engines.polars.tables import table_snapshot
from feature_store.model.views import FeatureView
from feature_store.temporal.instants import from_microseconds


def table_snapshots(view: FeatureView, buffer: PartitionBuffer, as_ofs: Sequence[int]) -> Iterator[pl.DataFrame]:
    """Yield the values at each as-of; the rows are read once.

    Args:
        view: a table view.
        buffer: rows of its source; all that the view reaches have landed.
        as_ofs: ends of partitions, microseconds, ascending.
    """
    reached = [
        start for start, end in buffer.stored.partitions if view.row_ttl is None or as_ofs[0] - view.row_ttl < end
    ]
    rows = buffer.rows(min(reached, default=as_ofs[-1]), as_ofs[-1]).lazy()
    for as_of in as_ofs:
        yield table_snapshot(view, rows, from_microseconds(as_of), from_microseconds(as_of + view.available_after))
