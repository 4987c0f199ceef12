"""The registry of aggregations: what each gives, and the mergeable state from which it is computed.

Each engine implements exactly these parts and ways to finish, and the oracle each kind; tests compare the lists. A new
aggregation is an entry here, the code of what is new about it in the oracle and in each engine (the tables ``PARTS``
and ``FINISH`` of ``engines/*/``), and the function that declares it in ``declare/aggregates.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from feature_store.dtypes import Boolean, Bytes, DType, Float64, Int32, Int64

Option = Literal["k", "q", "half_life"]
"""An option that only some aggregations have, as ``Aggregation`` calls it."""

Finish = Literal["value", "counted", "variance", "std", "skew", "ratio", "percentile", "list"]
"""The way from the merged parts to a value: the only part is the value; the last part is, where ``n`` counted anything;
as the formula of that name says; the slots of an array are the list's values."""


@dataclass(frozen=True)
class Part:
    """A part of states: what one column of the tiles holds.

    Attributes:
        value: type of a value; None: that of the input, every float being Float64.
        is_list: whether it holds several values.
        has_time: whether the time of its event stands beside a value; such a value is null where there is none.
        has_sequence: whether the event's sequence does too, if the source declares one.
        is_counted: whether the number of its values is read instead of them.
        parameter: the option of the aggregation that it depends on.
        streams: whether stream views can keep and merge it.
        power: of sums of floats, which power of the inputs they add up; see ``largest_input``.
    """

    value: DType | None = None
    is_list: bool = False
    has_time: bool = False
    has_sequence: bool = False
    is_counted: bool = False
    parameter: Option | None = None
    streams: bool = False
    power: int | None = None

    @property
    def largest_input(self) -> float | None:
        """The largest magnitude of a float that can be added up; of inputs beyond it there is no value.

        Its power is 2^960, so that no sum of fewer than 2^63 of them leaves Float64: whatever tiles they are added up
        in, and in whatever order, all engines agree where there is a value.
        """
        return None if self.power is None else 2.0 ** (960 / self.power)


SMALLEST_SPREAD: Final = 2.0**-320
"""Of values whose largest and smallest are less apart there is no skewness: cubes of their distances have no digits."""

PARTS: Final[Mapping[str, Part]] = {
    # Non-null inputs, or rows that pass the filter where there is no input; never null.
    "n": Part(Int64, streams=True),
    # Of integers Int64; 0 of nothing.
    "sum": Part(streams=True, power=1),
    # Null of nothing.
    "mean": Part(Float64, streams=True, power=1),
    # Sums of squared and cubed distances from the mean; 0 of nothing.
    "m2": Part(Float64, streams=True, power=2),
    "m3": Part(Float64, streams=True, power=3),
    # All that follow are null of nothing.
    "min": Part(streams=True),
    "max": Part(streams=True),
    "first": Part(has_time=True, has_sequence=True, streams=True),
    "last": Part(has_time=True, has_sequence=True, streams=True),
    # The distinct values, sorted.
    "unique": Part(is_list=True, is_counted=True),
    # A DDSketch, see ``feature_store.sketches.ddsketch``.
    "bins": Part(Int32, is_list=True),
    "bin_counts": Part(Int64, is_list=True),
    # A Theta sketch, see ``feature_store.sketches.theta``.
    "theta": Part(Bytes, is_counted=True, streams=True),
    # Up to k values: the earliest, the latest, the largest; each list in that order.
    "first_k": Part(is_list=True, has_time=True, has_sequence=True, parameter="k"),
    "last_k": Part(is_list=True, has_time=True, has_sequence=True, parameter="k"),
    "top_k": Part(is_list=True, parameter="k"),
    # A sum as it is at the newest event; it is read as it is at the as-of.
    "decayed": Part(Float64, has_time=True, parameter="half_life", streams=True, power=1),
}
"""Every part of states by name."""


@dataclass(frozen=True)
class Kind:
    """A kind of aggregation.

    Attributes:
        result: type of the value for a type of input (None: no input), of one slot where the value is an array;
            raises ``TypeError``, saying what is wrong with the input, where undefined.
        states: the parts of its state, keys of ``PARTS``.
        finish: how the value comes of them.
        empty: value where nothing was counted.
        options: those that it has beside the ones of all.
    """

    result: Callable[[DType | None], DType]
    states: tuple[str, ...]
    finish: Finish
    empty: int | None = None
    options: tuple[Option, ...] = ()

    @property
    def streams(self) -> bool:
        """Whether stream views can have it: all parts of its state can be kept and merged there."""
        return all(PARTS[part].streams for part in self.states)


def _number(integer: DType) -> Callable[[DType | None], DType]:
    def result(dtype: DType | None) -> DType:
        if dtype is None or not dtype.is_numeric:
            raise TypeError(f"needs a number, not {dtype}")
        return integer if dtype.is_integer else Float64

    return result


def _same(*, ordered: bool) -> Callable[[DType | None], DType]:
    def result(dtype: DType | None) -> DType:
        if dtype is None or dtype.is_vector or (ordered and dtype == Boolean):
            raise TypeError(f"is not defined for {dtype}")
        return dtype

    return result


def _number_of_distinct(dtype: DType | None) -> DType:
    if dtype is None or dtype.is_vector:
        raise TypeError(f"is not defined for {dtype}")
    return Int64


KINDS: Final[Mapping[str, Kind]] = {
    "count": Kind(lambda _dtype: Int64, ("n",), "counted", empty=0),
    "sum": Kind(_number(Int64), ("n", "sum"), "counted", empty=0),
    "mean": Kind(_number(Float64), ("n", "mean"), "counted"),
    "std": Kind(_number(Float64), ("n", "mean", "m2"), "std"),
    "min": Kind(_same(ordered=True), ("min",), "value"),
    "max": Kind(_same(ordered=True), ("max",), "value"),
    "first": Kind(_same(ordered=False), ("first",), "value"),
    "last": Kind(_same(ordered=False), ("last",), "value"),
    "n_unique": Kind(_number_of_distinct, ("unique",), "value", empty=0),
    "variance": Kind(_number(Float64), ("n", "mean", "m2"), "variance"),
    # Rounding leaves a tiny m2 of equal values; the smallest and the largest tell exactly that there is no spread.
    "skew": Kind(_number(Float64), ("n", "mean", "m2", "m3", "min", "max"), "skew"),
    "approx_percentile": Kind(_number(Float64), ("bins", "bin_counts"), "percentile", options=("q",)),
    "approx_n_unique": Kind(_number_of_distinct, ("theta",), "value", empty=0),
    "first_k": Kind(_same(ordered=False), ("first_k",), "list", options=("k",)),
    "last_k": Kind(_same(ordered=False), ("last_k",), "list", options=("k",)),
    "top_k": Kind(_same(ordered=True), ("top_k",), "list", options=("k",)),
    "decayed_sum": Kind(_number(Float64), ("decayed",), "value", empty=0, options=("half_life",)),
    # The rows that pass the numerator, and those that pass the denominator.
    "count_ratio": Kind(lambda _dtype: Float64, ("n", "n"), "ratio"),
}
"""Every aggregation by name."""
