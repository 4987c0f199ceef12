"""A column of values in numpy, the shape in which the core hands values around without any data-frame library."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Column:
    """Values and which of them are valid (not null).

    Attributes:
        values: shape ``(n,)``, or ``(n, length)`` for vectors and arrays, of the dtype's numpy type; strings and
            booleans are object and uint8 arrays; timestamps are int64 microseconds since the Unix epoch, UTC. What
            stands at an invalid place is unspecified.
        valid: bool, shape ``(n,)``; ``(n, length)`` for arrays, whose slots are null one by one.
    """

    values: Array
    valid: Mask

    def __len__(self) -> int:
        return len(self.valid)

    @property
    def has_value(self) -> Mask:
        """A mask of the rows that are not null, shape ``(n,)``: an array is null where all its slots are."""
        return self.valid if self.valid.ndim == 1 else np.logical_or.reduce(self.valid, axis=1)


def is_missing(value: Any) -> bool:
    """Whether a value handed in stands for none: None, NaN, or the ``NA`` and ``NaT`` of pandas.

    >>> is_missing(None), is_missing(float("nan")), is_missing(0), is_missing("")
    (True, True, False, False)
    """
    if value is None or isinstance(value, float | np.floating):
        return value is None or value != value
    pandas: Any = sys.modules.get("pandas")  # who has one of its values has imported it
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)
