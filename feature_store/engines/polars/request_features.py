"""Request features in Polars, for training sets: a pure function over frames, wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from feature_store.dtypes import dtype_from_name
from feature_store.engines.numpy.request_features import column_dtypes
from feature_store.engines.numpy.statuses import is_lost, worst_status
from feature_store.engines.polars.expressions import compile_expression
from feature_store.engines.polars.finish import to_dtype
from feature_store.expressions.text import from_canonical
from feature_store.plans.service_plan import PlanExpression


def request_features(outputs: Sequence[PlanExpression], rows: pl.DataFrame) -> pl.DataFrame:
    """Return request features and their status.

    Args:
        outputs: of a plan.
        rows: by the columns that stand for them, the features that are read, each with its ``<column>__status``
            (Int8), and the inputs, all in their types.

    Returns:
        Of the same rows, each output with its ``<name>__status`` (Int8).
    """
    found: dict[str, pl.Series] = {}
    for output in outputs:
        expression = from_canonical(json.loads(output.expression))
        value = to_dtype(compile_expression(expression, column_dtypes(expression)), dtype_from_name(output.dtype))
        status = worst_status([rows[f"{read.name}__status"].to_numpy() for read in output.reads], rows.height)
        kept = pl.when(~pl.Series(is_lost(status))).then(value)
        found[output.name] = rows.select(kept.alias(output.name)).to_series()
        found[f"{output.name}__status"] = pl.Series(status).cast(pl.Int8)
    return pl.DataFrame(found)
