"""The operations: what each takes and returns. Every engine implements exactly these names (a test asserts it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from feature_store.dtypes import Boolean, DType, Int64, String, Timestamp
from feature_store.errors import ExpressionTypeError
from feature_store.expressions import type_rules as rules
from feature_store.expressions.literals import literal_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, Operation
from feature_store.expressions.type_rules import Options, Types


@dataclass(frozen=True)
class Signature:
    """The typing and spelling of an operation.

    Attributes:
        result: the type of the result; raises ``ExpressionTypeError``.
        text: how it reads, a format string over the arguments and options.
        infix: whether it needs parentheses within another infix operation.
        prose: options that do not determine the values.
    """

    result: Callable[[Types, Options], DType | None]
    text: str
    infix: bool = False
    prose: tuple[str, ...] = ()


SIGNATURES: Final[Mapping[str, Signature]] = {
    "add": Signature(rules.arithmetic, "{0} + {1}", infix=True),
    "subtract": Signature(rules.arithmetic, "{0} - {1}", infix=True),
    "multiply": Signature(rules.arithmetic, "{0} * {1}", infix=True),
    "divide": Signature(rules.divide, "{0} / {1}", infix=True),
    "negate": Signature(rules.arithmetic, "-{0}", infix=True),
    "equal": Signature(rules.compare, "{0} = {1}", infix=True),
    "not_equal": Signature(rules.compare, "{0} != {1}", infix=True),
    "less": Signature(rules.compare, "{0} < {1}", infix=True),
    "less_equal": Signature(rules.compare, "{0} <= {1}", infix=True),
    "greater": Signature(rules.compare, "{0} > {1}", infix=True),
    "greater_equal": Signature(rules.compare, "{0} >= {1}", infix=True),
    "and": Signature(rules.logic, "{0} and {1}", infix=True),
    "or": Signature(rules.logic, "{0} or {1}", infix=True),
    "not": Signature(rules.logic, "not {0}", infix=True),
    "is_null": Signature(lambda _types, _options: Boolean, "{0} is null", infix=True),
    "fill_null": Signature(lambda types, _options: rules.common(types, "fill_null(...)"), "fill_null({0}, {1})"),
    "when": Signature(rules.when, "when({0} then {1} otherwise {2})"),
    "lower": Signature(rules.takes(String, String, "lower"), "lower({0})"),
    "contains": Signature(rules.contains, "contains({0}, {part!r})"),
    "is_in": Signature(rules.is_in, "{0} in {values}", infix=True),
    "cast": Signature(rules.cast, "cast({0}, {dtype})"),
    "year": Signature(rules.takes(Timestamp, Int64, "year"), "year({0})"),
    "month": Signature(rules.takes(Timestamp, Int64, "month"), "month({0})"),
    "day": Signature(rules.takes(Timestamp, Int64, "day"), "day({0})"),
    "hour": Signature(rules.takes(Timestamp, Int64, "hour"), "hour({0})"),
    "weekday": Signature(rules.takes(Timestamp, Int64, "weekday"), "weekday({0})"),
    "one_hot": Signature(rules.one_hot, "one_hot({0}, {categories})"),
    "ordinal": Signature(rules.ordinal, "ordinal({0}, {categories})"),
    "bucketise": Signature(rules.bucketise, "bucketise({0}, {boundaries})"),
    "embed": Signature(rules.embed, "embed({0}, {table})", prose=("table",)),
    "lookup": Signature(rules.lookup, "lookup({0}, {table})", prose=("table",)),
    "dot": Signature(rules.between_vectors, "dot({0}, {1})"),
    "cosine": Signature(rules.between_vectors, "cosine({0}, {1})"),
}


def infer_dtype(expression: Expression, schema: Mapping[str, DType]) -> DType | None:
    """Return the type of an expression over columns of these types; None for a literal null.

    Raises:
        KeyError: the expression reads a column that the schema lacks.
        ExpressionTypeError: the types do not fit.
    """
    if isinstance(expression, ColumnRef):
        return schema[expression.name]
    if isinstance(expression, Literal):
        return literal_dtype(expression)
    assert isinstance(expression, Operation)
    return result_dtype(expression, [infer_dtype(argument, schema) for argument in expression.arguments])


def result_dtype(operation: Operation, types: Types) -> DType | None:
    """Return the type of an operation on arguments of these types.

    Raises:
        ExpressionTypeError: the types do not fit.
    """
    for dtype in types:
        if dtype is not None and dtype.is_array:
            raise ExpressionTypeError(f"{operation.name} is not defined for {dtype}", "compute with single values")
    return SIGNATURES[operation.name].result(types, dict(operation.options))
