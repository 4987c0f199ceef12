"""Features of a class body that are no aggregates: fields, derived and on-read features."""

from __future__ import annotations

from typing import Unpack

from feature_store.checks.calls import declares
from feature_store.declare.drafts import DerivedDraft, FieldDraft, OnReadDraft
from feature_store.declare.options import DerivedOptions, FieldOptions, OnReadOptions, check_options
from feature_store.expressions.nodes import Expression, Operand, as_expression, operation


@declares
def field(expression: Expression | None = None, **options: Unpack[FieldOptions]) -> FieldDraft:
    """A feature of a table view: a column of the latest row, or an expression over its columns.

    Args:
        expression: over the source's columns; None: the column that is called like the feature.
        options: see ``FieldOptions``.
    """
    check_options("field", options, FieldOptions)
    return FieldDraft(expression=expression, **options)


@declares
def derive(expression: Operand, **options: Unpack[DerivedOptions]) -> DerivedDraft:
    """A feature computed from other features of the view, after they are cast and defaulted.

    Args:
        expression: over features of this view, by variable or as ``col("feature")``.
        options: see ``DerivedOptions``.
    """
    check_options("derive", options, DerivedOptions)
    return DerivedDraft(expression=as_expression(expression), **options)


@declares
def ratio(numerator: Operand, denominator: Operand, **options: Unpack[DerivedOptions]) -> DerivedDraft:
    """A derived feature: one feature divided by another; null where the denominator is 0.

    Args:
        numerator: a feature of this view, or an expression over some.
        denominator: another.
        options: see ``DerivedOptions``.
    """
    check_options("ratio", options, DerivedOptions)
    return DerivedDraft(expression=operation("divide", numerator, denominator), **options)


@declares
def days_since(feature: Expression, **options: Unpack[OnReadOptions]) -> OnReadDraft:
    """An on-read feature: Float64 days from a Timestamp feature to T. It grows while nothing happens."""
    return _on_read("days_since", feature, options)


@declares
def hour_of_day(feature: Expression | None = None, **options: Unpack[OnReadOptions]) -> OnReadDraft:
    """An on-read feature: UTC hour, 0 to 23, of a Timestamp feature, or of T."""
    return _on_read("hour_of_day", feature, options)


@declares
def day_of_week(feature: Expression | None = None, **options: Unpack[OnReadOptions]) -> OnReadDraft:
    """An on-read feature: UTC day of the week, Monday being 0, of a Timestamp feature, or of T."""
    return _on_read("day_of_week", feature, options)


def _on_read(function: str, read: Expression | None, options: OnReadOptions) -> OnReadDraft:
    check_options(function, options, OnReadOptions)
    return OnReadDraft(function=function, read=read, **options)
