"""Reading a cadence or table view: the rows of the chosen partitions, joined to the spine on typed keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from feature_store.dtypes import dtype_from_name
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.partition_choice import Choice
from feature_store.offline.reading import OpenTable
from feature_store.offline.spines import FOUND, Spine
from feature_store.plans import PlanFeature, PlanView


def read_partitions(table: OpenTable, view: PlanView, choice: Choice, spine: Spine) -> pl.DataFrame:
    """Return the stored features per spine row, and whether the entity was found; null where it was not.

    Args:
        table: the view's values.
        view: the view as the service reads it.
        choice: the partition of each row.
        spine: the rows.
    """
    types = {feature.name: _stored_type(feature) for feature in view.features}
    nulls = [pl.lit(None, dtype).alias(name) for name, dtype in types.items()]
    has_key = spine.frame.select(pl.all_horizontal(pl.col(key.column).is_not_null() for key in view.keys)).to_series()
    wanted = np.unique(choice.index[choice.is_read & has_key.to_numpy()])
    if not len(wanted):
        return pl.DataFrame({FOUND: np.zeros(spine.frame.height, np.bool_)}).with_columns(nulls)
    keys = [key.name for key in view.keys]
    right = table.scan(choice.partitions[wanted]).select(
        pl.col("partition_start").alias("__partition"),
        *(pl.col(key).alias(f"__key_{key}") for key in keys),
        *(_stored_expression(feature, choice, wanted.tolist()).alias(feature.name) for feature in view.features),
        pl.lit(value=True).alias(FOUND),
    )
    read_from = pl.select(pl.when(pl.Series(choice.is_read)).then(choice.of_rows("partition_start"))).to_series()
    left = spine.frame.select(
        read_from.alias("__partition"), *(pl.col(key.column).alias(f"__key_{key.name}") for key in view.keys)
    )
    on = left.columns
    # Stored rows stream past the spine's keys, so that only those that are asked for are ever held.
    asked = right.join(left.lazy().drop_nulls().unique(), on=on, how="semi").collect()
    joined = left.join(asked, on=on, how="left", maintain_order="left").drop(on)
    return joined.with_columns(pl.col(FOUND).fill_null(value=False))


def _stored_expression(feature: PlanFeature, choice: Choice, wanted: Sequence[int]) -> pl.Expr:
    """Read a feature from the column that holds it in each partition: another one before it was renamed."""
    columns = choice.columns[feature.name]
    names = dict.fromkeys(columns[partition] for partition in wanted)
    expression = pl.lit(None)
    for name in names:
        if name is not None:
            partitions = [partition for partition in wanted if columns[partition] == name]
            starts = choice.partitions["partition_start"].gather(partitions)
            here = pl.col("partition_start").is_in(starts.implode())
            expression = pl.col(name) if len(names) == 1 else pl.when(here).then(pl.col(name)).otherwise(expression)
    return expression.cast(_stored_type(feature))


def _stored_type(feature: PlanFeature) -> pl.DataType:
    return polars_dtype(dtype_from_name(feature.dtype))
