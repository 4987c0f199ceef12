"""Every engine, and the oracle, implements exactly the aggregations of the registry."""

from __future__ import annotations

from feature_store.engines.numpy import finish as numpy_finish
from feature_store.engines.numpy import merging as numpy_merging
from feature_store.engines.polars import parts, slots
from feature_store.model.kinds import KINDS, PARTS
from feature_store.oracle import aggregates


def test_the_parts_of_all_kinds_are_those_that_are_described() -> None:
    assert {part for kind in KINDS.values() for part in kind.states} == set(PARTS)


def test_polars_has_every_part_and_every_way_to_finish() -> None:
    assert set(parts.PARTS) == set(PARTS)
    assert set(slots.FINISH) == {kind.finish for kind in KINDS.values()}


def test_polars_builds_and_merges_every_part_itself_or_with_another_of_its_state() -> None:
    built = {name for name, part in parts.PARTS.items() if part.reduce is not None or part.build is not None}
    merged = {name for name, part in parts.PARTS.items() if part.add is not None or part.merge is not None}
    assert set(PARTS) - built == {"bin_counts"}
    assert set(PARTS) - merged == {"bin_counts", "mean", "m2", "m3"}


def test_numpy_has_what_stream_views_can_have() -> None:
    assert set(numpy_merging.PARTS) == {name for name, part in PARTS.items() if part.streams}
    assert set(numpy_finish.FINISH) == {kind.finish for kind in KINDS.values() if kind.streams}


def test_the_oracle_has_every_kind_once() -> None:
    listed = [*aggregates.OF_VALUES, *aggregates.CHOSEN, *aggregates.WITH_OPTIONS]
    assert sorted(listed) == sorted(KINDS)


def test_the_oracle_gives_the_empty_values_that_are_described() -> None:
    assert {kind: aggregates.EMPTY.get(kind) for kind in KINDS} == {name: kind.empty for name, kind in KINDS.items()}
