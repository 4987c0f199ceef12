"""The types a key or a feature can have. One type, the same in both stores and on every engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from feature_store.errors import DefinitionError


@dataclass(frozen=True)
class DType:
    """A value type: one of those below, or a ``Vector`` or ``Array``.

    Attributes:
        name: how it is spelled in code, the catalog and every stored format.
        numpy: numpy type of one stored element (``O`` for strings, which are variable in length).
        length: number of elements; 1 but for vectors and arrays.
        is_vector: whether a value is a fixed-length vector of Float32.
        slot: of an array, a fixed number of slots each of which may be null, the type of one slot.
    """

    name: str
    numpy: str
    length: int = 1
    is_vector: bool = False
    slot: DType | None = None

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers."""
        return self.name == "Int64"

    @property
    def is_float(self) -> bool:
        """Whether values are single floating-point numbers."""
        return self.name in ("Float32", "Float64")

    @property
    def is_numeric(self) -> bool:
        """Whether arithmetic is defined."""
        return self.is_integer or self.is_float

    @property
    def is_array(self) -> bool:
        """Whether a value is a fixed number of slots, each of which may be null."""
        return self.slot is not None

    @property
    def element(self) -> DType:
        """The type of one slot of an array; a type that is no array is its own."""
        return self if self.slot is None else self.slot

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one value in numpy: ``(length,)`` for vectors and arrays, ``()`` for all others."""
        return (self.length,) if self.is_vector or self.is_array else ()

    @property
    def slots(self) -> int:
        """The number of things in a value that may be null: the slots of an array, or the one value."""
        return self.length if self.is_array else 1

    def __repr__(self) -> str:
        return self.name


Int64: Final = DType("Int64", "<i8")
Float64: Final = DType("Float64", "<f8")
Float32: Final = DType("Float32", "<f4")
Boolean: Final = DType("Boolean", "|u1")
String: Final = DType("String", "O")
Timestamp: Final = DType("Timestamp", "<i8")
"""Microseconds since the Unix epoch, UTC."""

Bytes: Final = DType("Bytes", "O")
Int32: Final = DType("Int32", "<i4")
"""Of sketches in tiles; no column of a source and no feature is of these."""

KEY_DTYPES: Final = (Int64, String)
"""Types a join key can have."""

MOST_SLOTS: Final = 1000
"""Of an array that aggregates give, and of a one-hot vector: one with more is a table of its own."""

SCALARS: Final = {dtype.name: dtype for dtype in (Int64, Float64, Float32, Boolean, String, Timestamp)}
"""The types that columns, features and slots of arrays can have, by name; columns and features also vectors."""

_VECTOR: Final = re.compile(r"Vector\[([1-9]\d*)\]")
_ARRAY: Final = re.compile(r"Array\[(\w+), ([1-9]\d*)\]")


def Vector(length: int) -> DType:  # noqa: N802 - a type, spelled like its scalar siblings
    """Return the type of a fixed-length Float32 vector.

    >>> Vector(4)
    Vector[4]
    """
    _check_length(f"Vector({length!r})", length)
    return DType(f"Vector[{length}]", "<f4", length, is_vector=True)


def Array(element: DType, length: int) -> DType:  # noqa: N802 - a type, spelled like its scalar siblings
    """Return the type of a fixed number of slots, each of which may be null; one whose slots are all null is null.

    Args:
        element: type of a slot, no vector and no array.
        length: number of slots.

    >>> Array(Int64, 3), Array(Int64, 3).element
    (Array[Int64, 3], Int64)
    """
    place = f"Array({element!r}, {length!r})"
    if element not in SCALARS.values():
        raise DefinitionError(place, f"a slot cannot be {element!r}", f"use one of {', '.join(SCALARS)}")
    _check_length(place, length)
    return DType(f"Array[{element}, {length}]", element.numpy, length, slot=element)


def _check_length(place: str, length: object) -> None:
    if type(length) is not int or length < 1:
        raise DefinitionError(place, f"{length!r} is not a length", "give a whole number from 1")


def is_value_dtype(dtype: DType) -> bool:
    """Whether a column of a source can be of a type: a scalar or a vector of those above."""
    return dtype in SCALARS.values() or (dtype.is_vector and dtype == Vector(dtype.length))


def dtype_from_name(name: str) -> DType:
    """Return the type spelled ``name``, the inverse of ``DType.name``.

    Raises:
        ValueError: no such type.

    >>> dtype_from_name("Float32"), dtype_from_name("Vector[3]"), dtype_from_name("Array[String, 2]")
    (Float32, Vector[3], Array[String, 2])
    """
    if name in SCALARS:
        return SCALARS[name]
    if name in (Bytes.name, Int32.name):
        return Bytes if name == Bytes.name else Int32
    if match := _VECTOR.fullmatch(name):
        return Vector(int(match[1]))
    match = _ARRAY.fullmatch(name)
    if match is None or match[1] not in SCALARS:
        raise ValueError(
            f"{name!r} is not a type: use one of {', '.join(SCALARS)}, Vector[n] or Array[<one of those>, n]"
        )
    return Array(SCALARS[match[1]], int(match[2]))
