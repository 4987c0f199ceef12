"""Request features in numpy, for answers online: from what was read and from inputs to values and their status.

A few entities, as most requests have, are computed one by one in plain Python: numpy takes longer to be called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from feature_store.columns import Array, Column
from feature_store.dtypes import Boolean, DType, Float32, String, dtype_from_name
from feature_store.engines.numpy.expressions import compile_expression
from feature_store.engines.numpy.finish import to_dtype
from feature_store.engines.numpy.scalars import Scalar, compile_scalar
from feature_store.engines.numpy.statuses import is_lost, worst_status
from feature_store.expressions.nodes import ColumnRef, Expression, walk
from feature_store.expressions.text import from_canonical
from feature_store.plans.service_plan import PlanExpression
from feature_store.status import Status

FEW: Final = 16
"""Up to so many entities are computed one by one."""

_VALID: Final = np.ones(FEW, np.bool_)
_VALID.flags.writeable = False


Values = tuple[Column, Array]
"""The column of a feature with its status codes, uint8."""


class RequestFeature:
    """How one request feature of a plan is computed; what depends on the plan alone is worked out once.

    Args:
        plan: the output.
    """

    def __init__(self, plan: PlanExpression) -> None:
        expression = from_canonical(json.loads(plan.expression))
        dtypes = column_dtypes(expression)
        self._reads = tuple(each.name for each in plan.reads)
        self._inputs = plan.inputs
        self._names = (*self._reads, *self._inputs)
        self._dtype = dtype_from_name(plan.dtype)
        self._vectorised = compile_expression(expression, dtypes, are_finite=True)
        read = {name: dtypes[name] for name in self._names if name in dtypes}
        is_plain = not self._dtype.shape and 0 < len(read) == len(self._names)
        self._scalar = compile_scalar(expression, read) if is_plain else None
        self._booleans = tuple(place for place, dtype in enumerate(read.values()) if dtype == Boolean)
        self._numpy = np.dtype(self._dtype.numpy)
        self._is_narrow = self._dtype == Float32
        self._nothing: Any = "" if self._dtype == String else 0

    def compute(self, reads: Sequence[Values], inputs: Mapping[str, Column], count: int) -> Values:
        """Return values and status codes.

        Args:
            reads: the features that are read, in the plan's order.
            inputs: by name, in their types; there may be more.
            count: number of entities.
        """
        codes = [each for _, each in reads]
        if self._scalar is not None and count <= FEW:
            columns = [column for column, _ in reads]
            columns += [inputs[name] for name in self._inputs]
            return with_status(self._one_by_one(self._scalar, columns), codes, count)
        by_name = {name: column for name, (column, _) in zip(self._reads, reads, strict=True)}
        for name in self._inputs:
            by_name[name] = inputs[name]
        return with_status(self._narrowed(self._vectorised(by_name, count)), codes, count)

    def _one_by_one(self, scalar: Scalar, columns: Sequence[Column]) -> Column:
        listed = [_plain(each) for each in columns]
        for place in self._booleans:
            listed[place] = [None if value is None else value == 1 for value in listed[place]]
        return self._column([scalar(row) for row in zip(*listed, strict=True)])

    def _column(self, found: list[Any]) -> Column:
        if self._is_narrow:
            floats = np.array(found, np.float64)  # None becomes NaN
            return self._narrowed(Column(floats, np.isfinite(floats)))
        if None not in found:
            return Column(np.array(found, self._numpy), _VALID[: len(found)])
        filled = [self._nothing if each is None else each for each in found]
        return Column(np.array(filled, self._numpy), np.array([each is not None for each in found], np.bool_))

    def _narrowed(self, value: Column) -> Column:
        # What expressions give is finite already, but for what Float32 cannot hold.
        return to_dtype(value, self._dtype) if self._is_narrow else value


def _plain(column: Column) -> list[Any]:
    """Return a column's values, null as None."""
    if len(column.valid) == 1:
        return [column.values.item() if column.valid.item() else None]
    return [
        value if valid else None for value, valid in zip(column.values.tolist(), column.valid.tolist(), strict=True)
    ]


def with_status(value: Column, codes: Sequence[Array], count: int) -> Values:
    """Return values with their status by those of what was read: null where one of these has no value for a reason."""
    worst = worst_status(codes, count)
    # On the short arrays of single requests many times faster than numpy's own reductions.
    if (worst.item() if count == 1 else max(worst.tobytes(), default=0)) <= Status.EMPTY:
        return value, worst
    return Column(value.values, value.valid & ~is_lost(worst)), worst


def column_dtypes(expression: Expression) -> dict[str, DType]:
    """Return the types of the columns that an expression of a plan reads."""
    columns = [node for node in walk(expression) if isinstance(node, ColumnRef)]
    return {column.name: column.dtype for column in columns if column.dtype is not None}
