"""Request features in numpy, for answers online: from what was read and from inputs to values and their status."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from feature_store.columns import Array, Column
from feature_store.dtypes import DType, dtype_from_name
from feature_store.engines.numpy.expressions import evaluate
from feature_store.engines.numpy.finish import to_dtype
from feature_store.engines.numpy.statuses import is_lost, worst_status
from feature_store.expressions.nodes import ColumnRef, Expression, walk
from feature_store.expressions.text import from_canonical
from feature_store.plans.service_plan import PlanExpression


class RequestFeature:
    """How one request feature of a plan is computed; what depends on the plan alone is worked out once.

    Args:
        plan: the output.
    """

    def __init__(self, plan: PlanExpression) -> None:
        self.plan = plan
        self._dtype = dtype_from_name(plan.dtype)
        self._expression = from_canonical(json.loads(plan.expression))
        self._dtypes = column_dtypes(self._expression)

    def compute(
        self, reads: Mapping[str, tuple[Column, Array]], inputs: Mapping[str, Column], count: int
    ) -> tuple[Column, Array]:
        """Return values and status codes.

        Args:
            reads: by column, the features that are read, with their status codes.
            inputs: by name, in their types; there may be more.
            count: number of entities.
        """
        columns = {name: column for name, (column, _) in reads.items()} | {n: inputs[n] for n in self.plan.inputs}
        value = to_dtype(evaluate(self._expression, columns, self._dtypes, count), self._dtype)
        return with_status(value, [codes for _, codes in reads.values()], count)


def with_status(value: Column, codes: Sequence[Array], count: int) -> tuple[Column, Array]:
    """Return values with their status by those of what was read: null where one of these has no value for a reason."""
    worst = worst_status(codes, count)
    lost = is_lost(worst)
    return (Column(value.values, value.valid & ~lost) if lost.any() else value), worst


def column_dtypes(expression: Expression) -> dict[str, DType]:
    """Return the types of the columns that an expression of a plan reads."""
    columns = [node for node in walk(expression) if isinstance(node, ColumnRef)]
    return {column.name: column.dtype for column in columns if column.dtype is not None}
