"""Where a rule does not apply to a path, and why."""

from __future__ import annotations

from typing import Final

from tests.spec.held import OF_REQUESTS
from tests.spec.paths_of_rules import PATH_NAMES, SNAPSHOT_PATHS
from tests.spec.rules import RULES

_NO_TABLE: Final = "a table's rows are not aggregated"
_NO_EVENTS: Final = "only tables have such rows"
_NO_CADENCE: Final = "only stream views have a value between partitions"
_NO_READ: Final = "a snapshot is one partition: which one is used, and whether it may be, is decided when it is read"
_NO_HISTORY: Final = "a stream view needs a window"
_EITHER: Final = "of equal rows of a table either is the latest"
_LANDED: Final = "of tables `landed_at=` says when a row was known"
_SAME_ANSWER: Final = "the server answers by the code of the online read; request features have worlds of their own"
_STREAMS: Final = ("stream offline", "stream online")
_CADENCE: Final = ("tiles", *SNAPSHOT_PATHS, "point-in-time join", "online read")
_WRITTEN: Final = ("tiles", *SNAPSHOT_PATHS, "table view")

_OF_BOTH: Final = ("window.as_of", "value.rounding", "value.default", "value.ties", "value.derived")

EXPLAINED: Final[dict[tuple[str, str], str]] = {
    **{
        (rule.name, "table view"): _NO_TABLE
        for rule in RULES
        if rule.name.startswith(("window.", "input.filter", "input.event_id", "value.")) and rule.name not in _OF_BOTH
    },
    **{(rule.name, "table view"): _LANDED for rule in RULES if rule.name.startswith("known.")},
    **{
        (rule.name, path): "`known_at=` beside `stream=` is refused"
        for rule in RULES
        if rule.name.startswith("known.")
        for path in _STREAMS
    },
    ("input.duplicates", "table view"): _EITHER,
    **{
        (rule.name, path): _NO_EVENTS
        for rule in RULES
        if rule.name.startswith("table.")
        for path in ("tiles", *_STREAMS)
    },
    **{
        (rule.name, path): _NO_CADENCE
        for rule in RULES
        if rule.name.startswith("stream.")
        for path in (*_CADENCE, "table view")
    },
    **{
        (rule.name, path): _NO_READ
        for rule in RULES
        if rule.name
        in ("status.not_computed", "status.expired", "read.partition", "read.on_read", "read.rows", *OF_REQUESTS)
        for path in _WRITTEN
    },
    **{(rule.name, "HTTP"): _SAME_ANSWER for rule in RULES if rule.name not in (*OF_REQUESTS, "read.rows")},
    **{("window.all_history", path): _NO_HISTORY for path in _STREAMS},
    **{
        ("value.distinct", path): "exact distinct counts are refused: `approx_n_unique` takes their place"
        for path in _STREAMS
    },
    **{("value.lists", path): "refused in stream views: their tiles would grow without bound" for path in _STREAMS},
    **{("status.expired", path): "a stream view has no `ttl`: its as-of is T" for path in _STREAMS},
    **{("read.partition", path): "a stream view has a value at every T" for path in _STREAMS},
}
"""Why a rule does not apply to a path."""

assert {path for _rule, path in EXPLAINED} <= set(PATH_NAMES)
