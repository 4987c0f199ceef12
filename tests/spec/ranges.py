"""Which partitions of the views are generated and computed: few, but over every kind of bound."""

from __future__ import annotations

from tests.spec.declarations import START, BareTable, Daily, Hourly, Table, Weekly, at
from tests.spec.worlds import Range

DAILY = Range(Daily, START, START, at(9))
"""Over the end of a week, at which the tail of 14 days moves."""
HOURLY = Range(Hourly, START, at(hours=20), at(hours=27))
"""Over midnight, at which the tail of one day moves."""
WEEKLY = Range(Weekly, START, START, at(42))
"""Over a checkpoint of all-history states, two weeks after the start."""
TABLE = Range(Table, START, START, at(5))
BARE = Range(BareTable, START, at(hours=22), at(hours=26))

EVENT_RANGES = [DAILY, HOURLY, WEEKLY]
TABLE_RANGES = [TABLE, BARE]
