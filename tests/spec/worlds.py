"""Worlds: few events of few entities, as close to the bounds that decide about them as can be.

A world is one generated example. Worlds are told apart by a key of their own, so that many share one store and one
run; entities never see each other, so neither do worlds. The generator takes any ``random.Random``: one of hypothesis,
whose worlds it shrinks, or one of a seed, for large numbers of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import polars as pl
import polars.selectors as cs
from hypothesis import strategies as st

from feature_store import FeatureView
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.model.sources import EventSource
from feature_store.oracle.expressions import EPOCH
from feature_store.oracle.windows import tail
from tests.spec.declarations import at

MICROSECOND: Final = timedelta(microseconds=1)

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """One example.

    Attributes:
        number: the value of the key ``world`` in all its rows.
        rows: of the source, in no particular order, some of them twice.
        as_of: the instant around whose bounds its events lie.
    """

    number: int
    rows: list[Row]
    as_of: datetime


@dataclass(frozen=True)
class Range:
    """What is generated and computed of a view.

    Attributes:
        view: the view.
        start: of the first tile partition, which is the source's start.
        first: of the first partition of values.
        end: of the last.
        instants: the as-ofs around which worlds are made, if not those of the partitions.
    """

    view: FeatureView
    start: datetime
    first: datetime
    end: datetime
    instants: tuple[datetime, ...] | None = None

    @property
    def cadence(self) -> timedelta:
        """Span of a partition."""
        return timedelta(microseconds=self.view.cadence)

    @property
    def starts(self) -> list[datetime]:
        """Starts of the partitions of values."""
        return [self.first + self.cadence * place for place in range((self.end - self.first) // self.cadence)]

    @property
    def as_ofs(self) -> Sequence[datetime]:
        """As-ofs around which worlds are made."""
        return self.instants or [start + self.cadence for start in self.starts]


KEYS: Final = [
    [("1", "12"), ("11", "2")],  # equal when joined as text
    [("", "a"), ("a", ""), (None, "a"), ("a", None)],
    [("é", "e"), ("1", "12"), ("1", "2")],
    [("a", "b")],
]
VALUES: Final = [
    [0.1, 0.2, 0.3, 1.5, -2.25],
    [1e15, -1e15, 0.1, -0.1],  # cancel each other
    [0.1, 0.1],  # equal: no spread
    [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0],
    [3e38, -3e38, 1e-38, 5e-324, 3.4028236e38],  # about the largest Float32, and the smallest floats
    [1e9, 1e9 + 1, 1e9 + 2],  # far from zero
]
NUMBERS: Final = [
    [0, 1, 2, -3],
    [2**53 + 1, 2**53, -(2**53) - 1],  # more digits than a float has
    [2**58, 2**58 - 1, -(2**58)],  # all of a world's add up to almost what fits
    [7],
]
ZONES: Final = ["UTC", "UTC", "Europe/Berlin", "America/New_York"]
"""Of the instants of a source; some put their clocks forward."""
OFFSETS: Final = [
    timedelta(0),
    -MICROSECOND,
    MICROSECOND,
    timedelta(0),
    timedelta(minutes=-7),
    timedelta(seconds=1),
    timedelta(hours=3),
]


def edges(view: FeatureView, as_of: datetime) -> list[datetime]:
    """Return the instants at which something changes: the as-of, every tail, the ends of partitions and tiles there."""
    tails = [tail(window, as_of) for window in view.windows]
    step = timedelta(microseconds=view.cadence)
    floors = [EPOCH + (as_of - EPOCH) // span * span for span in map(_span, view.levels)]
    return [as_of, *tails, as_of - step, *(edge + step for edge in tails), *floors]


def _span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def event_world(span: Range, number: int, rng: Random) -> World:
    """Generate events."""
    as_of = rng.choice(span.as_ofs)
    bounds = [edge for edge in edges(span.view, as_of) if span.start <= edge < span.end] or [span.start]
    keys, values, numbers = rng.choice(KEYS), rng.choice(VALUES), rng.choice(NUMBERS)
    is_tied = rng.choice([False, False, True])
    tied = rng.choice(bounds)

    def row(place: int) -> Row:
        left, right = rng.choice(keys)
        time = tied if is_tied and rng.choice([True, False]) else rng.choice(bounds) + rng.choice(OFFSETS)
        return {
            "world": number,
            "left": left,
            "right": right,
            "time": rng.choice([min(max(time, span.start), span.end - MICROSECOND)] * 20 + [None]),
            "sequence": rng.choice([None, 0, 1, -1]),
            "number": rng.choice([None, *numbers]),
            "value": rng.choice([None, *values, *values]),
            "narrow": rng.choice([None, 0.5, -0.0, math.nan, 3.0]),
            "flag": rng.choice([None, True, False, True]),
            "text": rng.choice([None, "a", "A", "b", "", "é"]),
            "moment": rng.choice([None, at(), at(1), at(1, microseconds=1)]),
            "event": rng.choice([None, None, place, 0]),
        }

    rows = [row(place) for place in range(rng.choice(range(16)))]
    known_at = span.view.source.known_at if isinstance(span.view.source, EventSource) else None
    if known_at is not None:
        rows = [{**each, **known_later(span, known_at, each["time"], bounds, rng)} for each in rows]
    return World(number, rows + rows[: rng.choice([0, 0, 1, 3])], as_of)


def known_later(span: Range, known_at: str, time: datetime | None, bounds: Sequence[datetime], rng: Random) -> Row:
    """Generate when an event was known: at once, before it happened, at some bound, days later; seldom nobody says.

    Some happened before anything was landed.
    """
    if rng.choice(range(16)) == 0:
        before = rng.choice([MICROSECOND, timedelta(hours=5), 3 * span.cadence])
        return {"time": span.start - before, known_at: rng.choice(bounds)}
    happened = time or rng.choice(bounds)
    later = rng.choice([*bounds, span.start - span.cadence]) + rng.choice(OFFSETS)
    delay = rng.choice([timedelta(hours=1), timedelta(hours=23), span.cadence, 3 * span.cadence])
    known = rng.choice([happened, happened + delay, later, later, later])
    return {known_at: rng.choice([min(known, span.end - MICROSECOND)] * 20 + [None])}


def table_world(span: Range, number: int, rng: Random) -> World:
    """Generate rows of a table."""
    as_of = rng.choice(span.as_ofs)
    available_at = as_of + timedelta(microseconds=span.view.available_after)
    row_ttl = timedelta(microseconds=span.view.row_ttl or 0)
    own = [edge for edge in (as_of, as_of - row_ttl, as_of - span.cadence) if span.start <= edge < span.end]
    keys, values, numbers = rng.choice(KEYS), rng.choice(VALUES), rng.choice(NUMBERS)
    ticks = [timedelta(0), -MICROSECOND, MICROSECOND]

    def row() -> Row:
        left, right = rng.choice(keys)
        time = rng.choice(own or [span.start]) + rng.choice(OFFSETS)
        return {
            "world": number,
            "left": left,
            "right": right,
            "time": rng.choice([min(max(time, span.start), span.end - MICROSECOND)] * 20 + [None]),
            "sequence": rng.choice([None, 1, 2]),
            "landed_at": rng.choice([None, available_at, available_at, as_of]) or None,
            "valid_to": rng.choice([None, None, as_of, at(3)]),
            "is_deleted": rng.choice([None, False, False, True]),
            "value": rng.choice([None, *values]),
            "text": rng.choice([None, "a", "b"]),
            "number": rng.choice([None, *numbers]),
            "vector": rng.choice([None, [1.0, 2.0], [1.0, 3.0], [0.0, 9.0]]),
        }

    rows = [row() for _ in range(rng.choice(range(12)))]
    for each in rows:
        for name in ("landed_at", "valid_to"):
            each[name] = each[name] and each[name] + rng.choice(ticks)
    return World(number, rows + rows[: rng.choice([0, 0, 1])], as_of)


Generate = Callable[[Range, int, Random], World]


def batches(span: Range, generate: Generate = event_world, most: int = 8) -> st.SearchStrategy[list[World]]:
    """Return a strategy of lists of worlds that share a store, and at most two as-ofs, as each costs time."""

    def worlds(count: int, as_ofs: list[datetime]) -> st.SearchStrategy[tuple[World, ...]]:
        near = replace(span, instants=tuple(as_ofs))
        randoms = st.randoms(use_true_random=False)
        return st.tuples(*(st.builds(generate, st.just(near), st.just(number), randoms) for number in range(count)))

    as_ofs = st.lists(st.sampled_from(list(span.as_ofs)), min_size=1, max_size=2)
    return st.tuples(st.integers(1, most), as_ofs).flatmap(lambda pair: worlds(*pair)).map(list)


def seeded(span: Range, seeds: Sequence[int], generate: Generate = event_world) -> list[World]:
    """Return a world per seed, quickly."""
    return [generate(span, seed, Random(f"{span.view.name} {seed}")) for seed in seeds]


def rows_of(worlds: Sequence[World]) -> list[Row]:
    """Return the rows of all worlds."""
    return [row for world in worlds for row in world.rows]


def frame_of(view: FeatureView, rows: Sequence[Row], rng: Random | None = None) -> pl.DataFrame:
    """Return rows of a view's source; given a generator shuffled, in several Arrow chunks, maybe in a local zone."""
    rows = list(rows)
    schema = {name: polars_dtype(dtype) for name, dtype in view.source.columns.items()}
    if rng is None:
        return pl.DataFrame(rows, schema=schema, strict=False)
    rng.shuffle(rows)
    cuts = sorted(rng.choice(range(len(rows) + 1)) for _ in range(rng.choice([0, 1, 3])))
    parts = [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    chunks = pl.concat([pl.DataFrame(part, schema=schema, strict=False) for part in parts], rechunk=False)
    return in_some_zone(chunks, rng)


def in_some_zone(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    """Return rows with the same instants, told maybe in a local zone."""
    return frame.with_columns(cs.datetime().dt.convert_time_zone(rng.choice(ZONES)))
