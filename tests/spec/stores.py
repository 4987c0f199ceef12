"""Offline stores in memory, and filling them in different ways."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

from feature_store.engines.engine import Engine
from feature_store.model.sources import EventSource
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY
from tests.spec.declarations import START
from tests.spec.worlds import Range, Row, frame_of

RUN: Final = "spec"
_MEMORY: Final = Path("/dev/shm")

Bounds = list[tuple[datetime, datetime]]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory, where there is such a thing, that is deleted afterwards."""
    path = Path(tempfile.mkdtemp(prefix="spec-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def land(store: OfflineStore, span: Range, rows: Sequence[Row], rng: Random | None = None) -> None:
    """Land rows, in days up to the end of the range."""
    source = span.view.source
    is_event = isinstance(source, EventSource)
    time, known_at = (source.event_time, source.known_at) if is_event else (source.time, None)
    day = timedelta(microseconds=DAY)
    end = START - (START - span.end) // day * day
    frame = frame_of(span.view, rows, rng)
    store.source(source.asset).write(frame, span.start, end, time_column=time, known_at=known_at, run_id=RUN)


def copied(store: OfflineStore, root: Path) -> OfflineStore:
    """Copy a store."""
    shutil.copytree(store.root, root)
    return OfflineStore(str(root))


def materialize(store: OfflineStore, span: Range, tiles: Bounds, values: Bounds, engine: Engine | None = None) -> None:
    """Build tiles, then values, range by range in the order given, by the default engine or another one."""
    if not span.view.is_table:
        for start, end in tiles:
            compute_tiles(store, span.view, start, end, RUN, engine=engine)
    for start, end in values:
        compute_values(store, span.view, start, end, RUN, engine=engine)


def all_partitions(span: Range, first: datetime) -> list[datetime]:
    """Return the starts of partitions from an instant to the end of the range."""
    return [first + span.cadence * place for place in range((span.end - first) // span.cadence)]


def one_shot(span: Range) -> tuple[Bounds, Bounds]:
    """One run for everything."""
    return [(span.start, span.end)], [(span.first, span.end)]


def one_by_one(span: Range, rng: Random) -> tuple[Bounds, Bounds]:
    """A run per partition, in any order."""
    tiles = [(start, start + span.cadence) for start in all_partitions(span, span.start)]
    values = [(start, start + span.cadence) for start in all_partitions(span, span.first)]
    rng.shuffle(tiles)
    rng.shuffle(values)
    return tiles, values


def in_chunks(span: Range, rng: Random) -> tuple[Bounds, Bounds]:
    """Up to three runs, in any order."""
    return tuple(_cut(all_partitions(span, first), span, rng) for first in (span.start, span.first))  # type: ignore[return-value]


def _cut(starts: list[datetime], span: Range, rng: Random) -> Bounds:
    cuts = sorted({starts[0], rng.choice(starts), rng.choice(starts), span.end})
    bounds = list(pairwise(cuts))
    rng.shuffle(bounds)
    return bounds
