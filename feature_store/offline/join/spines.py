"""The spine: the rows a training set is built for, checked before anything is read for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.dtypes import Int64
from feature_store.errors import InputError
from feature_store.offline.delta.instants import INSTANT
from feature_store.plans.service_plan import ServicePlan

FOUND: Final = "__found"
"""In what was read of a view for a spine: whether the entity has a counted event or a row."""


def unfit_column(feature: str) -> str:
    """Return the name, in what was read of a view, of the column that says where a sum does not fit Int64.

    Features whose sums all fit have none.
    """
    return f"__unfit_{feature}"


@dataclass(frozen=True)
class Spine:
    """A checked spine.

    Attributes:
        frame: its rows and columns, untouched.
        time: T of each row, int64 microseconds.
        instant: T of each row as a UTC column.
    """

    frame: pl.DataFrame
    time: npt.NDArray[np.int64]
    instant: pl.Series

    def take(self, rows: npt.NDArray[np.int64]) -> Spine:
        """Return some of its rows."""
        return Spine(self.frame[rows], self.time[rows], self.instant[rows])


def read_frame(rows: Any) -> pl.DataFrame:
    """Return rows handed in as a Polars frame (lazy or not) or as anything that speaks Arrow, in their order."""
    if isinstance(rows, pl.LazyFrame):
        return rows.collect(engine="in-memory")  # the streaming engine does not promise to keep the order
    return rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)


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
    for column, dtype in plan.keys.items():
        expected = pl.Int64() if dtype == Int64 else pl.String()
        _require(frame, column, f"a key of {plan.full_name}")
        if frame.schema[column] != expected:
            raise InputError(
                f"spine column {column!r} has type {frame.schema[column]}, but this key has type {dtype}: "
                f'use pl.col("{column}").cast(pl.{expected})'
            )
    _require(frame, time_column, "the time of each row")
    instant = _instants(frame[time_column])
    return Spine(frame, instant.to_physical().to_numpy(), instant)


def _require(frame: pl.DataFrame, column: str, role: str) -> None:
    if column not in frame.columns:
        known = f"its columns are {', '.join(frame.columns)}" if frame.columns else "it has no columns"
        raise InputError(f"the spine has no column {column!r}, {role}: add it; {known}")


def _instants(time: pl.Series) -> pl.Series:
    if not isinstance(time.dtype, pl.Datetime):
        raise InputError(f"spine column {time.name!r} has type {time.dtype}: make it pl.Datetime('us', 'UTC')")
    if time.dtype.time_zone is None:
        fix = f'pl.col("{time.name}").dt.replace_time_zone("UTC")'
        raise InputError(f"spine column {time.name!r} has no time zone: state it, e.g. {fix}")
    if time.has_nulls():
        rows = "1 spine row has" if time.null_count() == 1 else f"{time.null_count()} spine rows have"
        raise InputError(f"{rows} no {time.name!r}: drop them, or fill in their time")
    return time.cast(INSTANT)
