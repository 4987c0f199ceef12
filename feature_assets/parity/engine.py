"""The engine of a view against the specification, on rows in memory: no store, no Dagster, no orchestration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import polars as pl

from feature_assets.parity.compare import compare_entity
from feature_assets.parity.made_up_values import constants_of
from feature_assets.parity.polars_engine import Keys, Snapshot, polars_engine
from feature_assets.parity.report import Compared, Place, Value, ViewParity
from feature_assets.parity.sample_rows import Row, filters_of, sample_rows
from feature_store import EventSource, Feature, FeatureView, Status
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.expressions.nodes import column_names
from feature_store.offline.materialize.reach import floor_to
from feature_store.oracle import snapshots, tables
from feature_store.oracle.streams import stream_as_of
from feature_store.temporal.instants import from_microseconds, to_microseconds

Engine = Callable[[FeatureView, pl.DataFrame, datetime], Snapshot]
"""Gives the values by keys of the entities with a counted event, from rows of the source, at an as-of (stream: T)."""

ENGINE: Final = "engine"

ROWS: Final = 240
"""Made-up rows of one comparison."""

SEEDS: Final = (0, 1, 2)

_COMPARED_TIMES: Final = 3
"""Instants named by filters around which there are as-ofs, at most."""


def assert_parity(view: FeatureView, rows: Sequence[Row], as_ofs: Sequence[datetime]) -> ViewParity:
    """Compare a view's engine with the specification on rows of yours, and fail if a value differs.

    Args:
        view: the view.
        rows: rows of its source: dictionaries of all its declared columns; timestamps with a zone.
        as_ofs: ends of partitions; of a stream view any times.

    Raises:
        AssertionError: a value differs, and the message shows the offending rows; or there was none to compare.
    """
    parity = check_engine(view, rows, as_ofs)
    assert not parity.different, str(parity)
    assert any(value.expected.status == Status.PRESENT for value in parity.values), (
        f"{view.full_name}: no entity has a counted event at {', '.join(map(str, as_ofs))}: "
        "call assert_parity with rows that the windows reach and the filters let pass"
    )
    return parity


def assert_sample_parity(view: FeatureView, seeds: Sequence[int] = SEEDS) -> None:
    """Do ``assert_parity`` on made-up rows, a set of them per seed."""
    as_ofs = default_as_ofs(view)
    for seed in seeds:
        assert_parity(view, made_up_rows(view, as_ofs, seed), as_ofs)


def check_engine(
    view: FeatureView, rows: Sequence[Row], as_ofs: Sequence[datetime], engine: Engine | None = None
) -> ViewParity:
    """Compare an engine with the specification on given rows; None: the Polars engine."""
    schema = {name: polars_dtype(dtype) for name, dtype in view.source.columns.items()}
    frame = pl.DataFrame(rows, schema=schema, strict=False)
    compute = engine or polars_engine
    values = [value for as_of in as_ofs for value in _compare(view, rows, as_of, compute(view, frame, as_of))]
    return ViewParity(view.full_name, values)


def default_as_ofs(view: FeatureView) -> list[datetime]:
    """Return three instants after the view's start, the last one where every window is full.

    They are ends of partitions; of a stream view also times somewhere within. Filters on the time of events have more:
    ends of the partitions around the instants that they compare with.
    """
    first = floor_to(to_microseconds(view.start), view.cadence) + view.cadence
    reach = max([window.over for window in view.windows] + [view.row_ttl or 0, 3 * view.cadence])
    last = first - (-reach // view.cadence) * view.cadence
    middle = floor_to((first + last) // 2, view.cadence)
    if view.is_stream:
        middle, last = middle + view.available_after, last + view.cadence // 3 + 12_345_678
    told = {floor_to(at, view.cadence) + step * view.cadence for at in _compared_times(view) for step in (1, 2)}
    return [from_microseconds(at) for at in sorted({middle, last - view.cadence, last, *told})]


def _compared_times(view: FeatureView) -> list[int]:
    """Return a few of the instants, from the view's start on, that filters on the time of events name."""
    if not isinstance(view.source, EventSource):
        return []
    parts = [part for conditions in filters_of(view) for part in conditions]
    on_time = [part for part in parts if view.source.event_time in column_names(part)]
    named = {at for part in on_time for at in constants_of(part) if isinstance(at, datetime) and at >= view.start}
    return sorted(map(to_microseconds, named))[-_COMPARED_TIMES:]


def made_up_rows(view: FeatureView, instants: Sequence[datetime], seed: int) -> list[Row]:
    """Return rows around what instants count; see ``sample_rows``."""
    return sample_rows(view, [as_of_at(view, at) for at in instants], ROWS, seed)


def as_of_at(view: FeatureView, at: datetime) -> datetime:
    """Return up to where events count at an instant: an as-of itself, or that of T in a stream view."""
    return stream_as_of(view, at) if view.is_stream else at


def _compare(view: FeatureView, rows: Sequence[Row], as_of: datetime, found: Snapshot) -> Iterator[Compared]:
    expected = _specified(view, rows, as_of)
    empty = snapshots.empty_values(view)
    by_keys: dict[Keys, list[Row]] = {}
    for row in rows:
        by_keys.setdefault(snapshots.keys_of(view, row), []).append(row)
    for keys in dict.fromkeys([*expected, *found]):
        own = by_keys.get(keys, [])
        place = Place(ENGINE, dict(zip(view.keys, keys, strict=True)), as_of)
        wanted, actual = _values(expected.get(keys), empty), _values(found.get(keys), empty)
        yield from compare_entity(view, place, wanted, actual, partial(_scale, view, own, as_of))


def _scale(view: FeatureView, rows: Sequence[Row], as_of: datetime, feature: Feature) -> float:
    return snapshots.float_scale(view, feature, rows, as_of_at(view, as_of))


def _specified(view: FeatureView, rows: Sequence[Row], as_of: datetime) -> Snapshot:
    if view.is_table:
        available_at = from_microseconds(to_microseconds(as_of) + view.available_after)
        return tables.table_snapshot(view, rows, as_of, available_at)
    return snapshots.snapshot(view, rows, as_of_at(view, as_of))


def _values(values: Mapping[str, Any] | None, empty: Mapping[str, Any]) -> dict[str, Value]:
    status = Status.EMPTY if values is None else Status.PRESENT
    return {name: Value(value, status) for name, value in (empty if values is None else values).items()}
