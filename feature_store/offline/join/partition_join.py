"""Reading a cadence or table view: the rows of the chosen partitions, joined to the spine on typed keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.dtypes import dtype_from_name
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.join.partition_choice import Choice
from feature_store.offline.join.spines import FOUND, Spine
from feature_store.offline.tables.open_table import OpenTable
from feature_store.plans.service_plan import PlanFeature, PlanView


def read_partitions(table: OpenTable, view: PlanView, choice: Choice, spine: Spine) -> pl.DataFrame:
    """Return the stored features per spine row, and whether the entity was found; null where it was not.

    Args:
        table: the view's values.
        view: the view as the service reads it.
        choice: the partition of each row.
        spine: the rows.
    """
    left = _asked(view, choice, spine)
    is_read = left.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
    wanted = np.unique(choice.index[is_read])
    if not len(wanted):
        nulls = [pl.lit(None, _stored_type(feature)).alias(feature.name) for feature in view.features]
        return pl.DataFrame({FOUND: np.zeros(left.height, np.bool_)}).with_columns(nulls)
    # Stored rows stream past the spine's keys, so that only those that are asked for are ever held.
    keys = left.lazy().drop_nulls()
    versions = choice.candidates["read_at"].to_numpy()[wanted]
    asked = [
        _stored(table.at(version), view, choice, wanted[versions == version]).join(keys, on=left.columns, how="semi")
        for version in np.unique(versions).tolist()
    ]
    joined = left.join(pl.concat(asked).collect(), on=left.columns, how="left", maintain_order="left")
    return joined.drop(left.columns).with_columns(pl.col(FOUND).fill_null(value=False))


def _asked(view: PlanView, choice: Choice, spine: Spine) -> pl.DataFrame:
    """Return what identifies the stored row of each spine row; null where none is read."""
    keys = spine.frame.select(pl.col(key.column).alias(f"__key_{key.name}") for key in view.keys)
    read = [choice.of_rows("partition_start").alias("__partition"), choice.of_rows("read_at").alias("__version")]
    return keys.with_columns(pl.when(pl.Series(choice.is_read)).then(column).alias(column.name) for column in read)


def _stored(table: OpenTable, view: PlanView, choice: Choice, candidates: npt.NDArray[np.int64]) -> pl.LazyFrame:
    """Return the stored rows of some candidates, which the table holds as it is open."""
    return table.scan(choice.candidates[candidates]).select(
        *(pl.col(key.name).alias(f"__key_{key.name}") for key in view.keys),
        pl.col("partition_start").alias("__partition"),
        pl.lit(table.version, pl.Int64).alias("__version"),
        *(_stored_expression(feature, choice, candidates.tolist()).alias(feature.name) for feature in view.features),
        pl.lit(value=True).alias(FOUND),
    )


def _stored_expression(feature: PlanFeature, choice: Choice, wanted: Sequence[int]) -> pl.Expr:
    """Read a feature from the column that holds it in each partition: another one before it was renamed."""
    columns = choice.columns[feature.name]
    names = dict.fromkeys(columns[candidate] for candidate in wanted)
    expression = pl.lit(None)
    for name in names:
        if name is not None:
            holding = [candidate for candidate in wanted if columns[candidate] == name]
            starts = choice.candidates["partition_start"].gather(holding)
            here = pl.col("partition_start").is_in(starts.implode())
            expression = pl.col(name) if len(names) == 1 else pl.when(here).then(pl.col(name)).otherwise(expression)
    return expression.cast(_stored_type(feature))


def _stored_type(feature: PlanFeature) -> pl.DataType:
    return polars_dtype(dtype_from_name(feature.dtype))
