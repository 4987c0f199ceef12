"""Which partitions of the views are generated and computed: few, but over every kind of bound."""

from __future__ import annotations

from tests.spec.declarations import (
    START,
    BareTable,
    Bought,
    Daily,
    Filtered,
    Hourly,
    Live,
    More,
    Noticed,
    Settled,
    SettledEver,
    Table,
    Weekly,
    at,
)
from tests.spec.worlds import Range

DAILY = Range(Daily, START, START, at(9))
"""Over the end of a week, at which the tail of 14 days moves."""
MORE = Range(More, START, at(5), at(9))
FILTERED = Range(Filtered, START, at(7), at(9))
HOURLY = Range(Hourly, START, at(hours=20), at(hours=27))
"""Over midnight, at which the tail of one day moves."""
WEEKLY = Range(Weekly, START, START, at(42))
"""Over a checkpoint of all-history states, two weeks after the start."""
SETTLED = Range(Settled, START, at(4), at(8))
SETTLED_EVER = Range(SettledEver, START, START, at(42))
BOUGHT = Range(Bought, START, START, at(6))
NOTICED = Range(Noticed, START, at(2), at(7))
"""Of these two, request features are computed together."""
TABLE = Range(Table, START, START, at(5))
BARE = Range(BareTable, START, at(hours=22), at(hours=26))

LIVE = Range(
    Live,
    START,
    START,
    at(6),
    instants=(at(4), at(4, hours=2), at(3, hours=5), at(3, hours=5, microseconds=2_100_000_000), at(5, hours=23.999)),
)
"""At bounds of days, hours and five minutes, and at odd seconds."""

EVENT_RANGES = [DAILY, MORE, FILTERED, HOURLY, WEEKLY, SETTLED, SETTLED_EVER]
TABLE_RANGES = [TABLE, BARE]
