"""The spine: the rows a training set is built for, checked before anything is read for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.dtypes import DType, Int64
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.engines.polars.frames import has_no_values
from feature_store.engines.polars.typed import in_calendar, to_timestamp
from feature_store.errors import InputError
from feature_store.offline.delta.instants import INSTANT
from feature_store.plans.service_plan import ServicePlan

FOUND: Final = "__found"
"""In what was read of a view for a spine: whether the entity has a counted event or a row."""


UNITS: Final = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
EXACT: Final = 2**53
"""Up to here every whole number has a float of its own."""


def unfit_column(feature: str) -> str:
    """Return the name, in what was read of a view, of the column that says where a sum does not fit Int64.

    Features whose sums all fit have none.
    """
    return f"__unfit_{feature}"


@dataclass(frozen=True)
class Spine:
    """A checked spine.

    Attributes:
        frame: its rows and columns, keys in their declared types.
        time: T of each row, int64 microseconds.
        instant: T of each row as a UTC column.
    """

    frame: pl.DataFrame
    time: npt.NDArray[np.int64]
    instant: pl.Series

    def take(self, rows: npt.NDArray[np.int64]) -> Spine:
        """Return some of its rows."""
        return Spine(self.frame[rows], self.time[rows], self.instant[rows])


def check_spine(plan: ServicePlan, frame: pl.DataFrame, time_column: str, added: Iterable[str]) -> Spine:
    """Return a spine that can be joined.

    Args:
        plan: of the service; names the key columns and their types.
        frame: the rows.
        time_column: column of T.
        added: columns that the join will add.

    Raises:
        InputError: a column is missing, of a wrong type, called like one that is added, or a time is null or naive.
    """
    clashes = sorted(set(added) & set(frame.columns))
    if clashes:
        raise InputError(f"the spine already has columns {clashes}, which {plan.full_name} adds: rename or drop them")
    for column in plan.keys:
        _require(frame, column, f"a key of {plan.full_name}")
    _require(frame, time_column, "the time of each row")
    keys = [_key(frame[column], dtype) for column, dtype in plan.keys.items()]
    instant = spine_instants(frame[time_column])
    return Spine(frame.with_columns(keys), instant.to_physical().to_numpy(), instant)


def spine_instants(time: pl.Series) -> pl.Series:
    """Return T of each row as a UTC column.

    Raises:
        InputError: the column is of another type, or a time is null, naive or outside the calendar.
    """
    if has_no_values(time):
        _refuse_missing(time.name, len(time))
        return pl.Series(time.name, [], INSTANT)
    if not isinstance(time.dtype, pl.Datetime):
        raise InputError(f"spine column {time.name!r} has type {time.dtype}: make it pl.Datetime('us', 'UTC')")
    if time.dtype.time_zone is None:
        fix = f'pl.col("{time.name}").dt.replace_time_zone("UTC")'
        raise InputError(f"spine column {time.name!r} has no time zone: state it, e.g. {fix}")
    _refuse_missing(time.name, time.null_count())
    instant = pl.select(in_calendar(to_timestamp(pl.lit(time), time.dtype)).alias(time.name)).to_series()
    if instant.has_nulls():
        row = instant.is_null().arg_max()
        raise InputError(
            f"{instant.null_count()} spine rows have a {time.name!r} outside the years 1 to 9999, the first of them "
            f"row {row}: numbers of another unit were taken for {UNITS[time.dtype.time_unit]}, correct the unit"
        )
    return instant


def _require(frame: pl.DataFrame, column: str, role: str) -> None:
    if column not in frame.columns:
        known = f"its columns are {', '.join(frame.columns)}" if frame.columns else "it has no columns"
        raise InputError(f"the spine has no column {column!r}, {role}: add it; {known}")


def _key(column: pl.Series, dtype: DType) -> pl.Series:
    expected = polars_dtype(dtype)
    if column.dtype == expected:
        return column
    if has_no_values(column):
        return pl.Series(column.name, [None] * len(column), expected)
    if dtype == Int64 and column.dtype.is_float() and is_whole_beside_missing(column):
        return column.fill_nan(None).cast(expected)
    raise InputError(
        f"spine column {column.name!r} has type {column.dtype}, but this key has type {dtype}: "
        f'use pl.col("{column.name}").cast(pl.{expected})'
    )


def is_whole_beside_missing(column: pl.Series) -> bool:
    """Whether floats are whole numbers that only stand beside missing ones: so pandas holds integers then."""
    present = column.fill_nan(None).drop_nulls()
    return len(present) < len(column) and bool(((present == present.floor()) & (present.abs() <= EXACT)).all())


def _refuse_missing(time: str, missing: int) -> None:
    if missing:
        rows = "1 spine row has" if missing == 1 else f"{missing} spine rows have"
        raise InputError(f"{rows} no {time!r}: drop them, or fill in their time")
