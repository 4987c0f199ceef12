"""Values of a table view at the ends of its partitions, from the rows of its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from feature_store.engines.polars.tables import table_snapshot
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.inputs import Inputs
from feature_store.offline.materialize.reach import reach_start
from feature_store.offline.tables.open_table import OpenTable
from feature_store.temporal.instants import from_microseconds


def table_snapshots(
    view: FeatureView, source: OpenTable, inputs: Inputs, as_ofs: Sequence[int]
) -> Iterator[pl.DataFrame]:
    """Yield the values at each as-of; the rows are read once.

    Args:
        view: a table view.
        source: the rows of its source.
        inputs: their landed partitions; all that the view reaches have landed.
        as_ofs: ends of partitions, microseconds, ascending.
    """
    first = from_microseconds(inputs.begin(reach_start(view, as_ofs[0])))
    scan = source.scan(source.between(first, from_microseconds(as_ofs[-1])))
    rows = scan.select(*view.source.columns).collect().lazy()
    for as_of in as_ofs:
        yield table_snapshot(view, rows, from_microseconds(as_of), from_microseconds(as_of + view.available_after))
