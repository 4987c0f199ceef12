"""Errors that could be made in the product, one line each, and the tests of the specification that catch them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Mutation:
    """One error.

    Attributes:
        name: what is wrong.
        file: where.
        old: text that stands there exactly once.
        new: what it is replaced by.
        tests: node ids under ``tests/spec``; one of them must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_ENGINE: Final = "feature_store/engines/polars"
_TILES: Final = ("test_examples.py::test_events[{}-tiles]", "test_tiles.py::test_worlds_of_fixed_seeds[daily]")
_MORE: Final = ("test_tiles.py::test_worlds_of_fixed_seeds[more]",)
_JOIN: Final = ("test_point_in_time.py::test_worlds_of_fixed_seeds[daily]",)
_ONLINE: Final = (
    "test_online.py::test_worlds_of_fixed_seeds[hourly]",
    "test_online.py::test_worlds_of_fixed_seeds[daily]",
)
_TABLES: Final = ("test_tables.py::test_worlds_of_fixed_seeds[table]",)
_STREAM: Final = ("test_stream_offline.py::test_worlds_of_fixed_seeds",)
_STREAM_ONLINE: Final = ("test_stream_online.py::test_worlds_of_fixed_seeds",)


def _on_tiles(rule: str) -> tuple[str, ...]:
    return tuple(test.format(rule) for test in _TILES)


MUTATIONS: Final = [
    Mutation(
        "an event at the tail does not count",
        f"{_ENGINE}/snapshots.py",
        "frame.filter(start >= tails[window])",
        "frame.filter(start > tails[window])",
        _on_tiles("window.tail"),
    ),
    Mutation(
        "an event at the as-of counts",
        f"{_ENGINE}/snapshots.py",
        "& (start < from_microseconds(as_of))",
        "& (start <= from_microseconds(as_of))",
        _on_tiles("window.as_of"),
    ),
    Mutation(
        "the tail is not floored to the hop",
        "feature_store/windows.py",
        "return (as_of - self.over) // self.hop * self.hop",
        "return as_of - self.over",
        _on_tiles("window.hop"),
    ),
    Mutation(
        "equal rows are dropped",
        f"{_ENGINE}/tiles.py",
        ".filter(_passes_any(states))",
        ".filter(_passes_any(states)).unique(maintain_order=True)",
        _on_tiles("input.duplicates"),
    ),
    Mutation(
        "events that are told twice count twice",
        f"{_ENGINE}/tiles.py",
        'if "__id" not in events.columns:',
        'if "__id" in events.columns:',
        _on_tiles("input.event_id"),
    ),
    Mutation(
        "ties go the other way",
        f"{_ENGINE}/groups.py",
        "for name in order:",
        "for name in [order[0], *reversed(order[1:])]:",
        _on_tiles("value.ties"),
    ),
    Mutation(
        "nulls are counted",
        f"{_ENGINE}/tiles.py",
        "else column.count()).cast(pl.Int64)",
        "else column.len()).cast(pl.Int64)",
        _on_tiles("input.null"),
    ),
    Mutation(
        "Float32 is rounded before summing",
        f"{_ENGINE}/tiles.py",
        "(column.cast(pl.Int128) if state.dtype == pl.Int64 else column).sum()",
        "(column.cast(pl.Int128) if state.dtype == pl.Int64 else column.cast(pl.Float32)).sum()",
        _on_tiles("value.rounding"),
    ),
    Mutation(
        "derived features are computed before defaults",
        f"{_ENGINE}/finish.py",
        "    return add_derived(view, values).sort(*view.keys)\n\n\ndef add_derived",
        "    plain = merged.select(*view.keys, *(_aggregate(merged, replace(f, default=None)).alias(f.name) for f in "
        "aggregates))\n    early = add_derived(view, plain).drop(f.name for f in aggregates)\n    return values.join("
        "early, on=view.keys, how='left', nulls_equal=True).select(*view.keys, *view.fingerprints).sort(*view.keys)\n"
        "\n\nfrom dataclasses import replace  # noqa: E402\n\n\ndef add_derived",
        _on_tiles("value.derived"),
    ),
    Mutation(
        "buckets stand in each other's slots",
        "feature_store/aggregations.py",
        "for bucket in self.buckets]\n        filters",
        "for bucket in reversed(self.buckets)]\n        filters",
        _MORE,
    ),
    Mutation(
        "a value expires one microsecond early offline",
        "feature_store/offline/partition_choice.py",
        "time - as_ofs[index] > view.ttl",
        "time - as_ofs[index] >= view.ttl",
        _JOIN,
    ),
    Mutation(
        "a value expires one microsecond late online",
        "serving/view_reading.py",
        "time - generation.as_of > self._ttl",
        "time - generation.as_of > self._ttl + 1",
        _ONLINE[1:],
    ),
    Mutation(
        "the available-at is ignored",
        "feature_store/offline/partition_choice.py",
        'return partitions["available_at"]',
        'return partitions["as_of"]',
        _JOIN,
    ),
    Mutation(
        "a partition is used at its available-at",
        "feature_store/offline/partition_choice.py",
        'side="left")',
        'side="right")',
        _JOIN,
    ),
    Mutation(
        "a generation is served at its available-at",
        "serving/stores/generations.py",
        "if each.available_at < time), key",
        "if each.available_at <= time), key",
        _ONLINE,
    ),
    Mutation(
        "a stale generation is read",
        "serving/stores/generations.py",
        "return max((each for each in generations if",
        "return min((each for each in generations if",
        _ONLINE,
    ),
    Mutation(
        "EMPTY is said for NOT_COMPUTED offline",
        "feature_store/offline/point_in_time.py",
        "status[choice.lacks(feature.name)] = Status.NOT_COMPUTED",
        "status[choice.lacks(feature.name)] = Status.EMPTY",
        _JOIN,
    ),
    Mutation(
        "EMPTY is said for NOT_COMPUTED online",
        "serving/view_reading.py",
        "values = {feature.name: nulls(feature, count, Status.NOT_COMPUTED) for feature in found.lacking}",
        "values = {feature.name: nulls(feature, count, Status.EMPTY) for feature in found.lacking}",
        _ONLINE,
    ),
    Mutation(
        "the tile at the head of a window is counted twice in streams",
        "feature_store/streams/levels.py",
        "mask[of_level] = (starts >= low[rows]) & (starts < high[rows])",
        "mask[of_level] = (starts >= low[rows]) & (starts <= high[rows])",
        _STREAM,
    ),
    Mutation(
        "T is not rounded down to a second in streams",
        "feature_store/streams/plan.py",
        "return floor_to(time, SECOND) - self.lag",
        "return time - self.lag",
        _STREAM,
    ),
    Mutation(
        "the stream's lag is ignored",
        "feature_store/streams/plan.py",
        "return floor_to(time, SECOND) - self.lag",
        "return floor_to(time, SECOND)",
        _STREAM_ONLINE,
    ),
    Mutation(
        "the stream owns what is the batch's",
        "feature_store/offline/stream_choice.py",
        "return (start >= self.batch_end[row]) & known &",
        "return (start >= self.batch_end[row] - self.slots.cadence) & known &",
        _STREAM,
    ),
    Mutation(
        "a row of a table that landed too late is used",
        f"{_ENGINE}/tables.py",
        "pl.col(source.landed_at) <= constant(available_at, Timestamp)",
        "pl.col(source.landed_at) <= constant(available_at, Timestamp) + timedelta(microseconds=1)",
        _TABLES,
    ),
    Mutation(
        "a row of a table is too old one microsecond early",
        f"{_ENGINE}/tables.py",
        "pl.col(source.time) <= timedelta(microseconds=view.row_ttl)",
        "pl.col(source.time) < timedelta(microseconds=view.row_ttl)",
        _TABLES,
    ),
]
