"""Features: one named, typed, documented value of an entity at a time, as declared and checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from feature_store.constants import Default
from feature_store.dtypes import DType
from feature_store.expressions.nodes import Expression
from feature_store.expressions.text import to_text
from feature_store.model.aggregations import Aggregation

OF_T_ALONE: Final = ("hour_of_day", "day_of_week")
"""The on-read functions that may read T itself instead of a stored timestamp."""


@dataclass(frozen=True)
class Feature:
    """One named, typed, documented value of an entity at a time.

    Attributes:
        name: unique in its view.
        dtype: type of its values, the same in both stores.
        description: one line for the catalog.
        freshness: its SLA: the largest age of the newest available as-of, microseconds; None: none is promised.
        fingerprint: hash of everything that determines its values.
        default: value where nothing was counted, instead of 0 or null.
        renamed_from: former name, whose data it keeps.
        aggregation: for aggregates of events.
        expression: for fields (over source columns) and derived features (over features of the view).
        on_read: for on-read features: the function of ``feature_store.engines.numpy.on_read``.
        reads: features of the view that a derived or on-read feature reads.
        deprecated: until when it can be relied on and what to read instead, ``2027-01-31, use v2``; None: it is not.
    """

    name: str
    dtype: DType
    description: str
    freshness: int | None
    fingerprint: str
    default: Default | None = None
    renamed_from: str | None = None
    aggregation: Aggregation | None = None
    expression: Expression | None = None
    on_read: str | None = None
    reads: tuple[str, ...] = ()
    deprecated: str | None = None

    @property
    def kind(self) -> str:
        """``aggregate``, ``field``, ``derived`` or ``on-read``."""
        if self.aggregation is not None:
            return "aggregate"
        if self.on_read is not None:
            return "on-read"
        return "derived" if self.reads else "field"

    @property
    def is_stored(self) -> bool:
        """Whether its values are written to the stores; on-read features are computed when read."""
        return self.on_read is None

    @cached_property
    def logic(self) -> str:
        """The logic, as people read it."""
        if self.aggregation is not None:
            return str(self.aggregation)
        if self.on_read is not None:
            return f"{self.on_read}({', '.join(self.reads) or 'T'})"
        assert self.expression is not None
        return to_text(self.expression)
