from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store import feature_view, field
from feature_store.engines.numpy.empty_values import empty_values
from feature_store.engines.polars.tables import table_snapshot
from feature_store.oracle.snapshots import empty_values as oracle_empty_values
from feature_store.oracle.tables import table_snapshot as oracle_table_snapshot
from tests.fixtures.frames import at, frame, values_by_key
from tests.fixtures.views import BARE_TABLE, OPTIONS, PAIR, TABLE, TABLE_COLUMNS, TABLE_VIEWS, Table

AS_OF = at(days=5)
AVAILABLE_AT = at(days=5, hours=2)
AROUND = [-1, 0, 1]
TIMES = [at(days=day, microseconds=delta) for day in (1, 2, 4, 5) for delta in AROUND]
LANDED = [at(days=5, hours=2, microseconds=delta) for delta in AROUND]

ROW = {
    "left": st.sampled_from([None, "1", "12", "11", "2"]),
    "right": st.sampled_from([None, "1", "12", "11", "2"]),
    "time": st.sampled_from([None, *TIMES]),
    "sequence": st.sampled_from([None, 1, 2]),
    "landed_at": st.sampled_from([None, *LANDED]),
    "valid_to": st.sampled_from([None, None, *TIMES]),
    "is_deleted": st.sampled_from([None, False, False, True]),
    "value": st.sampled_from([None, 1.5, -0.0, math.nan, math.inf, 1e39]),
    "text": st.sampled_from([None, "a", "b"]),
    "number": st.sampled_from([None, 1, 2]),
    "vector": st.sampled_from(
        [None, [1.0, 2.0], [1.0, 3.0], [0.1, 9.0], [-0.0, 9.0], [None, 1.0], [math.nan, 1.0], [1.0, -math.inf]]
    ),
}
ROWS = st.lists(st.fixed_dictionaries(ROW), max_size=25)


@pytest.mark.parametrize("view", TABLE_VIEWS, ids=repr)
@given(rows=ROWS)
def test_table_snapshots_equal_the_oracle(view, rows):
    values = table_snapshot(view, frame(rows, TABLE_COLUMNS).lazy(), AS_OF, AVAILABLE_AT)
    found = values_by_key(view, values)
    wanted = oracle_table_snapshot(view, rows, AS_OF, AVAILABLE_AT)
    assert list(found) == sorted(wanted)
    assert found == wanted


@pytest.mark.parametrize("view", TABLE_VIEWS, ids=repr)
@given(rows=ROWS, chunks=st.integers(1, 5), shuffle=st.randoms(use_true_random=False))
def test_table_snapshots_do_not_depend_on_order_or_chunks(view, rows, chunks, shuffle):
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    first = table_snapshot(view, frame(rows, TABLE_COLUMNS).lazy(), AS_OF, AVAILABLE_AT)
    second = table_snapshot(view, frame(shuffled, TABLE_COLUMNS, chunks).lazy(), AS_OF, AVAILABLE_AT)
    assert_frame_equal(first, second, check_exact=True)


@pytest.mark.parametrize("view", TABLE_VIEWS, ids=repr)
def test_empty_values_equal_the_oracle(view):
    assert empty_values(view) == oracle_empty_values(view)


def table_row(**values) -> dict:
    known = {"left": "a", "right": "b", "time": at(days=4), "landed_at": AS_OF, "number": 1}
    return {**dict.fromkeys(TABLE_COLUMNS), **known, **values}


def numbers(*rows: dict) -> list:
    return table_snapshot(Table, frame(list(rows), TABLE_COLUMNS).lazy(), AS_OF, AVAILABLE_AT)["number"].to_list()


MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({"time": AS_OF}, False),
        ({"time": AS_OF - MICROSECOND}, True),
        ({"time": AS_OF - timedelta(days=3)}, True),
        ({"time": AS_OF - timedelta(days=3) - MICROSECOND}, False),
        ({"landed_at": AVAILABLE_AT}, True),
        ({"landed_at": AVAILABLE_AT + MICROSECOND}, False),
        ({"landed_at": None}, False),
        ({"valid_to": AS_OF}, True),
        ({"valid_to": AS_OF - MICROSECOND}, False),
        ({"is_deleted": True}, False),
        ({"is_deleted": False}, True),
        ({"left": None}, False),
    ],
)
def test_bounds_of_a_row(change, held):
    assert numbers(table_row(**change)) == ([1] if held else [])


def test_a_vector_with_a_null_or_an_infinite_element_is_null():
    def vector(*elements: float | None) -> list:
        rows = frame([table_row(vector=list(elements))], TABLE_COLUMNS).lazy()
        return table_snapshot(Table, rows, AS_OF, AVAILABLE_AT)["vector"].to_list()

    assert vector(None, 1.0) == vector(1.0, math.nan) == vector(-math.inf, 1.0) == vector(1e39, 1.0) == [None]
    assert repr(vector(-0.0, 1.5)) == "[[0.0, 1.5]]"


def test_a_deleted_row_does_not_bring_back_an_older_one():
    assert numbers(table_row(), table_row(time=at(days=4, hours=1), is_deleted=True)) == []


def test_ties_go_to_the_larger_sequence_then_to_the_larger_values():
    assert numbers(table_row(sequence=2, number=3), table_row(sequence=1, number=9)) == [3]
    assert numbers(table_row(sequence=None, number=9), table_row(sequence=1, number=3)) == [3]
    assert numbers(table_row(text="b", number=2), table_row(text="a", number=9)) == [2]


TIED = {
    **{name: st.none() for name in ROW},
    **{name: st.just("1") for name in ("left", "right")},
    "time": st.just(at(days=4)),
    "landed_at": st.just(AS_OF),
    "valid_to": st.sampled_from([at(days=1), at(days=9)]),
    "is_deleted": st.booleans(),
    "number": st.integers(1, 2),
    "text": st.sampled_from("ab"),
}
DECIDING = [name for name in TABLE_COLUMNS if name not in ("left", "right", "time")]


def ordered(source, columns):
    """A view of two columns of a source that declares its columns in this order."""
    body = type("Ordered", (), {"__doc__": "Ties.", **{name: field(description="d") for name in ("number", "text")}})
    source = replace(source, columns={name: TABLE_COLUMNS[name] for name in ["left", "right", "time", *columns]})
    return feature_view(entity=PAIR, source=source, cadence="1d", freshness="2d", **OPTIONS)(body)


@pytest.mark.parametrize("source", [TABLE, BARE_TABLE], ids=["with a valid_to", "bare"])
@settings(max_examples=200)
@given(
    columns=st.permutations(DECIDING),
    kept=st.integers(0, len(DECIDING)),
    shuffle=st.randoms(use_true_random=False),
    rows=st.lists(st.fixed_dictionaries(TIED), min_size=2, max_size=6),
)
def test_features_of_one_fingerprint_are_equal_whatever_the_order_of_columns(source, columns, kept, shuffle, rows):
    others = columns[kept:]
    shuffle.shuffle(others)
    one, other = ordered(source, columns), ordered(source, [*columns[:kept], *others])
    alike = [name for name, mark in one.fingerprints.items() if other.fingerprints[name] == mark]
    first, second = (
        table_snapshot(view, frame(rows, TABLE_COLUMNS).lazy(), AS_OF, AVAILABLE_AT).select(alike)
        for view in (one, other)
    )
    assert_frame_equal(first, second)
