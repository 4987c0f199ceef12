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
from feature_store.engines.numpy.expressions import evaluate
from feature_store.engines.numpy.finish import to_dtype
from feature_store.engines.numpy.scalars import Scalar, compile_scalar
from feature_store.engines.numpy.statuses import is_lost, worst_status
from feature_store.expressions.nodes import ColumnRef, Expression, walk
from feature_store.expressions.text import from_canonical
from feature_store.plans.service_plan import PlanExpression
from feature_store.status import Status

FEW: Final = 16
"""Up to so many entities are computed one by one."""


class RequestFeature:
    """How one request feature of a plan is computed; what depends on the plan alone is worked out once.

    Args:
        plan: the output.
    """

    def __init__(self, plan: PlanExpression) -> None:
        self._inputs = plan.inputs
        self._dtype = dtype_from_name(plan.dtype)
        self._expression = from_canonical(json.loads(plan.expression))
        self._dtypes = column_dtypes(self._expression)
        self._scalar = None if self._dtype.shape else compile_scalar(self._expression, self._dtypes)
        self._numpy = np.dtype(self._dtype.numpy)
        self._is_narrow = self._dtype == Float32
        self._nothing: Any = "" if self._dtype == String else 0
        self._booleans = tuple(name for name, dtype in self._dtypes.items() if dtype == Boolean)

    def compute(
        self, reads: Mapping[str, tuple[Column, Array]], inputs: Mapping[str, Column], count: int
    ) -> tuple[Column, Array]:
        """Return values and status codes.

        Args:
            reads: by column, the features that are read, with their status codes.
            inputs: by name, in their types; there may be more.
            count: number of entities.
        """
        columns = {name: column for name, (column, _) in reads.items()}
        for name in self._inputs:
            columns[name] = inputs[name]
        if self._scalar is not None and count <= FEW:
            value = self._one_by_one(self._scalar, columns, count)
        else:
            value = self._narrowed(evaluate(self._expression, columns, self._dtypes, count))
        return with_status(value, [codes for _, codes in reads.values()], count)

    def _one_by_one(self, scalar: Scalar, columns: Mapping[str, Column], count: int) -> Column:
        listed = [(name, each.values.tolist(), each.valid.tolist()) for name, each in columns.items()]
        found: list[Any] = []
        for place in range(count):
            row = {name: values[place] if valid[place] else None for name, values, valid in listed}
            for name in self._booleans:
                row[name] = None if row[name] is None else row[name] == 1
            found.append(scalar(row))
        return self._column(found)

    def _column(self, found: list[Any]) -> Column:
        if self._is_narrow:
            floats = np.array(found, np.float64)  # None becomes NaN
            return self._narrowed(Column(floats, np.isfinite(floats)))
        if None not in found:
            return Column(np.array(found, self._numpy), np.ones(len(found), np.bool_))
        filled = [self._nothing if each is None else each for each in found]
        return Column(np.array(filled, self._numpy), np.array([each is not None for each in found], np.bool_))

    def _narrowed(self, value: Column) -> Column:
        # What expressions give is finite already, but for what Float32 cannot hold.
        return to_dtype(value, self._dtype) if self._is_narrow else value


def with_status(value: Column, codes: Sequence[Array], count: int) -> tuple[Column, Array]:
    """Return values with their status by those of what was read: null where one of these has no value for a reason."""
    worst = worst_status(codes, count)
    # On the short arrays of single requests many times faster than numpy's own reductions.
    if max(worst.tobytes(), default=0) <= Status.EMPTY:
        return value, worst
    return Column(value.values, value.valid & ~is_lost(worst)), worst


def column_dtypes(expression: Expression) -> dict[str, DType]:
    """Return the types of the columns that an expression of a plan reads."""
    columns = [node for node in walk(expression) if isinstance(node, ColumnRef)]
    return {column.name: column.dtype for column in columns if column.dtype is not None}
