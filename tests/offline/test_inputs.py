"""What partitions are computed from: gaps between landed partitions, and hashes of spans of them."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.offline.materialize.inputs import Inputs, inputs_of
from tests.offline.definitions import INSTANT


def inputs(spans: list[tuple[int, int]], hashes: list[str] | None = None) -> Inputs:
    contents = hashes or [f"h{start}" for start, _ in spans]
    frame = pl.DataFrame(
        {"partition_start": [s for s, _ in spans], "as_of": [e for _, e in spans], "content_hash": contents},
        schema={"partition_start": pl.Int64, "as_of": pl.Int64, "content_hash": pl.String},
    )
    return inputs_of("tiles", frame.cast({"partition_start": INSTANT, "as_of": INSTANT}))


NEAR_BOUNDS = st.builds(lambda partition, offset: 10 * partition + offset, st.integers(0, 10), st.integers(-1, 1))
PARTITIONS = st.sets(st.integers(0, 9), min_size=3).map(
    lambda starts: [(10 * start, 10 * start + 10) for start in sorted(starts)]
)


@settings(max_examples=200)
@given(spans=PARTITIONS, start=st.integers(-5, 105), length=st.integers(0, 60))
def test_gaps_are_the_instants_that_no_partition_covers(spans: list[tuple[int, int]], start: int, length: int) -> None:
    gaps = inputs(spans).gaps(start, start + length)
    uncovered = {at for at in range(start, start + length) if not any(s <= at < e for s, e in spans)}
    assert {at for s, e in gaps for at in range(s, e)} == uncovered
    assert all(s < e for s, e in gaps)


def test_a_span_that_an_overlapping_partition_covers_is_no_gap() -> None:
    assert inputs([(0, 24), (1, 2), (2, 3)]).gaps(0, 30) == [(24, 30)]


@settings(max_examples=200)
@given(spans=PARTITIONS, changed=st.integers(0, 9), start=NEAR_BOUNDS, length=st.integers(1, 12))
def test_a_hash_changes_iff_a_partition_it_overlaps_does(
    spans: list[tuple[int, int]], changed: int, start: int, length: int
) -> None:
    before = inputs(spans)
    after = inputs(spans, [f"h{s}" if s != changed * 10 else "other" for s, _ in spans])
    end = start + length
    overlaps = (changed * 10, changed * 10 + 10) in spans and changed * 10 < end and changed * 10 + 10 > start
    assert (before.hash_of(start, end, "c") != after.hash_of(start, end, "c")) == overlaps
    assert before.hash_of(start, end, "c") != before.hash_of(start, end, "d")


@given(spans=PARTITIONS, at=st.integers(-5, 105))
def test_begin_is_the_start_of_the_covering_partition(spans: list[tuple[int, int]], at: int) -> None:
    assert inputs(spans).begin(at) == next((s for s, e in spans if s <= at < e), at)


def test_contents_that_move_to_another_partition_change_the_hash() -> None:
    one = inputs([(0, 10), (10, 20)], ["a", "b"])
    other = inputs([(0, 10), (10, 20)], ["b", "a"])
    assert one.hash_of(0, 20, None) != other.hash_of(0, 20, None)


def test_a_partition_that_ends_where_a_span_starts_is_not_in_it() -> None:
    for changed, start, differs in ((0, 10, False), (1, 10, True), (2, 10, False), (0, 9, True)):
        hashes = ["other" if number == changed else "same" for number in range(3)]
        spans = [(0, 10), (10, 20), (20, 30)]
        before, after = inputs(spans, ["same"] * 3), inputs(spans, hashes)
        assert (before.hash_of(start, 20, None) != after.hash_of(start, 20, None)) == differs
