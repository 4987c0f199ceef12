"""Signs, seen when a source is landed, that its rows become known later than the values that count them.

A training set joins values by the time at which they were available. It leaks where they are computed later from rows
that nobody knew then, and serving, which had to do without those rows, answers otherwise than the model was taught.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import polars as pl

from feature_store import EventSource, TableSource, Timestamp

_SHARE: Final = 0.01
"""Share of rows that may be later than their partition, as clocks differ and some rows are odd."""


def grown(source: EventSource | TableSource, before: pl.DataFrame, rows: Mapping[datetime, int]) -> Iterator[str]:
    """Warn of partitions that hold more rows than when they were landed first, after their available-at.

    Args:
        source: that was landed.
        before: the ledger's partitions before that.
        rows: by partition start, the rows that were landed now.
    """
    # Landed before its available-at, a partition was not over: it grows, and nobody has used it yet.
    over = before.filter(pl.col("landed_at") >= pl.col("available_at"))
    found = {
        start: rows[start] - held
        for start, held in over.select("partition_start", "rows").iter_rows()
        if rows.get(start, 0) > held
    }
    if found:
        yield (
            f"{source.asset}: {sum(found.values())} rows more than before in {len(found)} partitions that had landed "
            f"after their end, the first from {min(found)}: values that were served by then did not count them, those "
            f"computed anew do, and so will training sets. {_ADVICE[type(source)]}"
        )


def known_later(source: EventSource | TableSource, rows: pl.DataFrame, cadence: int) -> Iterator[str]:
    """Warn of columns of instants that in more than 1 % of the rows lie at or after the end of the row's partition.

    Args:
        source: that was landed; a table says by ``landed_at`` what was known when.
        rows: in its declared columns and types, each with a time.
        cadence: span of a partition, microseconds.
    """
    if not isinstance(source, EventSource) or source.known_at is not None or rows.is_empty():
        return
    end = pl.col(source.event_time).to_physical() // cadence * cadence + cadence
    others = [name for name, dtype in source.columns.items() if dtype == Timestamp and name != source.event_time]
    later = rows.select((pl.col(name).to_physical() >= end).fill_null(value=False).mean() for name in others)
    for name in others:
        share = later[name].item()
        if share > _SHARE:
            yield (
                f"{source.asset}: {name!r} lies after the end of the partition in {share:.0%} of the rows. If it says "
                f"when a row became known, values count rows that nobody knew yet: declare known_at={name!r}?"
            )


_ADVICE: Final = {
    EventSource: (
        "If rows become known later than they happen, declare known_at=; if they arrive late, give the views that read "
        "them a longer available_after="
    ),
    TableSource: "If the rows say when they arrived, declare landed_at=; else give the views a longer available_after=",
}
