"""Explaining a table: of which row a value is, and why the others are not it, at the very bounds."""

from datetime import timedelta

import pytest

from feature_assets.explain.table_rows import listed_rows
from tests.spec.declarations import Table, at
from tests.spec.examples import table_row
from tests.spec.worlds import MICROSECOND

AS_OF = at(9)
AVAILABLE_AT = AS_OF + timedelta(hours=2)
WON = "won: the latest row before the as-of"


def verdicts(*rows: dict) -> list[str]:
    return [shown.verdict for shown in listed_rows(Table, rows, AS_OF, AVAILABLE_AT, 10).shown]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"time": AS_OF - MICROSECOND}, WON),
        ({"time": AS_OF}, "lost: its time is not before the as-of, 2024-04-06T00:00:00Z"),
        ({"time": None}, "lost: has no time"),
        ({"landed_at": AVAILABLE_AT}, WON),
        ({"landed_at": AVAILABLE_AT + MICROSECOND}, "lost: landed after the available-at, 2024-04-06T02:00:00Z"),
        ({"landed_at": None}, "lost: has no landing time"),
        ({"is_deleted": True}, "latest, but deleted: the entity has no values"),
        ({"valid_to": AS_OF}, WON),
        (
            {"valid_to": AS_OF - timedelta(seconds=1)},
            "latest, but valid to 2024-04-05T23:59:59Z only: the entity has no values",
        ),
        ({"time": AS_OF - timedelta(days=3)}, WON),
        (
            {"time": AS_OF - timedelta(days=3, seconds=1)},
            "latest, but 3 days, 0:00:01 old, row_ttl is 3d: the entity has no values",
        ),
    ],
)
def test_a_row_alone(values, verdict):
    assert verdicts(table_row(**values)) == [verdict]


def test_rows_that_come_before_another():
    rows = [
        table_row(time=at(8), sequence=2, number=3),
        table_row(time=at(8), sequence=2, number=1),
        table_row(time=at(8), sequence=1),
        table_row(time=at(7)),
    ]
    assert verdicts(*reversed(rows)) == [
        WON,
        "lost: same time, its other columns come before those of the row that won",
        "lost: same time, sequence 1 before 2",
        "lost: older than the row of 2024-04-05T00:00:00Z",
    ]
