"""The inputs of a service as columns of a spine: what would come with a request, row by row."""

from __future__ import annotations

import polars as pl

from feature_store.dtypes import Boolean, DType, String, Timestamp, dtype_from_name
from feature_store.engines.polars.dtypes import TIMESTAMP, polars_dtype
from feature_store.engines.polars.frames import has_no_values
from feature_store.engines.polars.typed import to_timestamp
from feature_store.errors import InputError
from feature_store.offline.join.spines import is_whole_beside_missing
from feature_store.plans.service_plan import PlanInput, ServicePlan


def spine_inputs(plan: ServicePlan, spine: pl.DataFrame) -> list[pl.Series]:
    """Return the inputs that a plan needs, each in its type, by the columns of a spine; the spine stays as it is.

    A number is taken for a float, and an integer of any size for an Int64 that holds it; other types are refused. NaN,
    infinities and instants outside the calendar become null where the inputs are read.

    Raises:
        InputError: a column is missing that has no default, or of another type; or a value does not fit it.
    """
    return [_input(plan, declared, spine) for declared in plan.needed_inputs]


def _input(plan: ServicePlan, declared: PlanInput, spine: pl.DataFrame) -> pl.Series:
    dtype, name = dtype_from_name(declared.dtype), declared.name
    if name in spine.columns:
        return _typed(spine[name], dtype)
    if declared.default is None:
        raise InputError(
            f"the spine has no column {name!r}, an input of {plan.full_name} ({dtype}): add it; its columns are "
            f"{', '.join(spine.columns)}"
        )
    one = pl.Series(name, [declared.default], pl.Int64 if dtype == Timestamp else polars_dtype(dtype))
    return one.cast(polars_dtype(dtype)).gather([0] * spine.height)


def _typed(column: pl.Series, dtype: DType) -> pl.Series:
    wanted = polars_dtype(dtype)
    if has_no_values(column):
        return pl.Series(column.name, [None] * len(column), wanted)
    found = column.dtype
    if dtype.is_float and found.is_numeric():
        # Through Float64, as a request's numbers come.
        return column.cast(pl.Float64).cast(wanted)
    if dtype.is_integer and (found.is_integer() or (found.is_float() and is_whole_beside_missing(column))):
        return _integers(column)
    if dtype.is_vector and isinstance(found, pl.List | pl.Array) and _is_number(found.inner):
        return _vectors(column, dtype)
    if dtype == Timestamp and isinstance(found, pl.Datetime):
        if found.time_zone is None:
            fix = f'pl.col("{column.name}").dt.replace_time_zone("UTC")'
            raise InputError(f"spine column {column.name!r} has no time zone: state it, e.g. {fix}")
        return pl.select(to_timestamp(pl.lit(column), found).alias(column.name)).to_series()
    if dtype in (String, Boolean) and found == wanted:
        return column
    needed = TIMESTAMP if dtype == Timestamp else wanted
    raise InputError(
        f"spine column {column.name!r} has type {found}, but this input has type {dtype}: "
        f'use pl.col("{column.name}").cast(pl.{needed})'
    )


def _integers(column: pl.Series) -> pl.Series:
    present = column.fill_nan(None) if column.dtype.is_float() else column
    whole = present.cast(pl.Int64, strict=False)
    if whole.null_count() > present.null_count():
        row = (whole.is_null() & present.is_not_null()).arg_max()
        raise InputError(f"spine column {column.name!r} has {column[row or 0]} in row {row}, which does not fit Int64")
    return whole


def _is_number(inner: object) -> bool:
    return isinstance(inner, pl.DataType) and (inner.is_numeric() or inner == pl.Null())


def _vectors(column: pl.Series, dtype: DType) -> pl.Series:
    lists = column.cast(pl.List(pl.Float64))
    lengths = lists.list.len()
    if (lengths != dtype.length).any():
        row = (lengths != dtype.length).fill_null(value=False).arg_max()
        raise InputError(
            f"spine column {column.name!r} has a list of {lengths[row or 0]} numbers in row {row}, but this input has "
            f"type {dtype}"
        )
    return lists.cast(pl.List(pl.Float32)).list.to_array(dtype.length)
