"""Which rules the generated worlds of each kind of path hold: what their tests are marked with.

``test_oracle.py`` breaks each of these rules in the oracle, and fails where no generated world is any different then.
"""

from __future__ import annotations

from typing import Final

_KEYS_AND_INPUT: Final = (
    "input.null_key",
    "input.null_time",
    "input.not_finite",
    "input.expression",
    "keys.typed",
    "window.as_of",
    "value.rounding",
    "value.default",
    "value.derived",
    "status.empty",
)
OF_EVENTS: Final = (
    *_KEYS_AND_INPUT,
    "window.tail",
    "window.hop",
    "window.all_history",
    "input.null",
    "input.filter",
    "input.duplicates",
    "input.event_id",
    "known.later",
    "known.tail",
    "known.null",
    "known.event_id",
    "expression.logic",
    "expression.encoding",
    "value.sum",
    "value.empty",
    "value.ties",
    "value.extremes",
    "value.distinct",
    "value.spread",
    "value.skew",
    "value.approximate",
    "value.lists",
    "value.by",
    "value.decay",
    "value.ratio",
)
"""Of snapshots of events."""
OF_TABLES: Final = (
    *_KEYS_AND_INPUT,
    "value.ties",
    "table.latest",
    "table.deleted",
    "table.valid_to",
    "table.row_ttl",
    "table.landed",
)
"""Of snapshots of tables."""
OF_REQUESTS: Final = ("request.input", "request.expression", "request.status")
"""Of training sets and responses, of request features across views."""
OF_READS: Final = (
    "keys.typed",
    "status.empty",
    "status.not_computed",
    "status.expired",
    "read.partition",
    "read.on_read",
    "read.rows",
)
"""Of training sets and responses, of cadence and table views."""
OF_STREAMS: Final = (
    "window.tail",
    "window.as_of",
    "window.hop",
    "input.filter",
    "input.event_id",
    "keys.typed",
    "value.rounding",
    "value.default",
    "value.spread",
    "value.derived",
    "stream.second",
    "stream.falls",
    "stream.ownership",
    "status.empty",
    "status.not_computed",
    "read.on_read",
    "read.rows",
    *OF_REQUESTS,
)
"""Of training sets and responses, of stream views."""
