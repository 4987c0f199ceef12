"""Features: how they are written in a view's class body, and what they are once the view is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from feature_store.constants import Default
from feature_store.declare.drafts import DerivedDraft, FieldDraft, OnReadDraft
from feature_store.declare.options import DerivedOptions, FieldOptions, OnReadOptions, check_options
from feature_store.dtypes import DType
from feature_store.expressions.nodes import Expression, Operand, as_expression, operation
from feature_store.expressions.text import to_text
from feature_store.model.aggregations import Aggregation


@dataclass(frozen=True)
class Feature:
    """One named, typed, documented value of an entity at a time.

    Attributes:
        name: unique in its view.
        dtype: type of its values, the same in both stores.
        description: one line for the catalog.
        freshness: its SLA: the largest age of the newest available as-of, microseconds.
        fingerprint: hash of everything that determines its values.
        default: value where nothing was counted, instead of 0 or null.
        renamed_from: former name, whose data it keeps.
        aggregation: for aggregates of events.
        expression: for fields (over source columns) and derived features (over features of the view).
        on_read: for on-read features: the function of ``feature_store.engines.numpy.on_read``.
        reads: features of the view that a derived or on-read feature reads.
    """

    name: str
    dtype: DType
    description: str
    freshness: int
    fingerprint: str
    default: Default | None = None
    renamed_from: str | None = None
    aggregation: Aggregation | None = None
    expression: Expression | None = None
    on_read: str | None = None
    reads: tuple[str, ...] = ()

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

    @property
    def logic(self) -> str:
        """How it is computed, as people read it."""
        if self.aggregation is not None:
            return str(self.aggregation)
        if self.on_read is not None:
            return f"{self.on_read}({', '.join(self.reads) or 'T'})"
        assert self.expression is not None
        return to_text(self.expression)


def field(expression: Expression | None = None, **options: Unpack[FieldOptions]) -> FieldDraft:
    """A feature of a table view: a column of the latest row, or an expression over its columns.

    Args:
        expression: over the source's columns; None: the column that is called like the feature.
        options: see ``FieldOptions``.
    """
    check_options("field", options, FieldOptions)
    return FieldDraft(expression=expression, **options)


def derive(expression: Operand, **options: Unpack[DerivedOptions]) -> DerivedDraft:
    """A feature computed from other features of the view, after they are cast and defaulted.

    Args:
        expression: over features of this view, by variable or as ``col("feature")``.
        options: see ``DerivedOptions``.
    """
    check_options("derive", options, DerivedOptions)
    return DerivedDraft(expression=as_expression(expression), **options)


def ratio(numerator: Operand, denominator: Operand, **options: Unpack[DerivedOptions]) -> DerivedDraft:
    """A derived feature: one feature divided by another; null where the denominator is 0.

    Args:
        numerator: a feature of this view, or an expression over some.
        denominator: another.
        options: see ``DerivedOptions``.
    """
    check_options("ratio", options, DerivedOptions)
    return DerivedDraft(expression=operation("divide", numerator, denominator), **options)


def days_since(feature: Expression, **options: Unpack[OnReadOptions]) -> OnReadDraft:
    """An on-read feature: Float64 days from a Timestamp feature to T. It grows while nothing happens."""
    return _on_read("days_since", feature, options)


def hour_of_day(feature: Expression | None = None, **options: Unpack[OnReadOptions]) -> OnReadDraft:
    """An on-read feature: UTC hour, 0 to 23, of a Timestamp feature, or of T."""
    return _on_read("hour_of_day", feature, options)


def day_of_week(feature: Expression | None = None, **options: Unpack[OnReadOptions]) -> OnReadDraft:
    """An on-read feature: UTC day of the week, Monday being 0, of a Timestamp feature, or of T."""
    return _on_read("day_of_week", feature, options)


def _on_read(function: str, read: Expression | None, options: OnReadOptions) -> OnReadDraft:
    check_options(function, options, OnReadOptions)
    return OnReadDraft(function=function, read=read, **options)
