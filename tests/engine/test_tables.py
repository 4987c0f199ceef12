from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_store.engines.polars.finish import empty_values
from feature_store.engines.polars.tables import table_snapshot
from feature_store.oracle.snapshots import empty_values as oracle_empty_values
from feature_store.oracle.tables import table_snapshot as oracle_table_snapshot
from tests.engine.frames import at, frame, values_by_key
from tests.engine.views import TABLE_COLUMNS, TABLE_VIEWS, Table

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
    "vector": st.sampled_from([None, [1.0, 2.0], [1.0, 3.0], [0.0, 9.0]]),
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


def test_a_deleted_row_does_not_bring_back_an_older_one():
    assert numbers(table_row(), table_row(time=at(days=4, hours=1), is_deleted=True)) == []


def test_ties_go_to_the_larger_sequence_then_to_the_larger_values():
    assert numbers(table_row(sequence=2, number=3), table_row(sequence=1, number=9)) == [3]
    assert numbers(table_row(sequence=None, number=9), table_row(sequence=1, number=3)) == [3]
    assert numbers(table_row(text="b", number=2), table_row(text="a", number=9)) == [2]
