"""Content hashes of partitions: equal for equal rows, whatever process, library version or row order wrote them.

Rows are put into a canonical order, and the plain bytes of every column (validity, lengths, values) are hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

Bounds = npt.NDArray[np.int64]
"""Row numbers at which partitions begin, and the number of rows: shape ``(partitions + 1,)``."""

_Buffer = tuple[memoryview, Bounds]

_FLOATS: Final = (pl.Float32, pl.Float64)


def content_hashes(frame: pl.DataFrame, bounds: Bounds) -> list[str]:
    """Return one hash per partition, 32 hexadecimal digits.

    Args:
        frame: rows in canonical order, partition after partition; the order of columns does not count.
        bounds: where partitions begin.
    """
    rows = np.diff(bounds).tolist()
    hashes = [hashlib.blake2b(count.to_bytes(8), digest_size=16) for count in rows]
    for name in sorted(frame.columns):
        header = f"{name}:{_type_name(frame.schema[name])};".encode()
        buffers = list(_buffers(frame[name], bounds))
        for partition, digest in enumerate(hashes):
            digest.update(header)
            for view, ends in buffers:
                digest.update(view[int(ends[partition]) : int(ends[partition + 1])])
    return [digest.hexdigest() for digest in hashes]


def _type_name(dtype: pl.DataType) -> str:
    """Name a type in our own words, since a library may rename its own."""
    if isinstance(dtype, pl.List):
        return f"list<{_type_name(pl.Series(dtype=dtype.inner).dtype)}>"
    if isinstance(dtype, pl.Struct):
        return f"struct<{','.join(f'{f.name}:{_type_name(pl.Series(dtype=f.dtype).dtype)}' for f in dtype.fields)}>"
    if isinstance(dtype, pl.Decimal):
        return f"decimal<{dtype.scale}>"
    return "instant" if isinstance(dtype, pl.Datetime) else type(dtype).__name__.lower()


def _buffers(column: pl.Series, bounds: Bounds) -> Iterator[_Buffer]:
    yield _fixed(column.is_not_null().to_numpy(), bounds)
    dtype = column.dtype
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            yield from _buffers(column.struct.field(field.name), bounds)
    elif isinstance(dtype, pl.List):
        lengths = column.list.len().fill_null(0).cast(pl.Int64).to_numpy()
        yield _fixed(lengths, bounds)
        elements = column.filter(column.list.len() > 0).explode()
        yield from _buffers(elements, _ends(lengths)[bounds])
    elif isinstance(dtype, pl.String):
        lengths = column.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()
        yield _fixed(lengths, bounds)
        text = column.drop_nulls().str.join("").item() if len(column) else ""
        yield memoryview((text or "").encode()), _ends(lengths)[bounds]
    elif isinstance(dtype, pl.Binary):
        lengths = column.bin.size().fill_null(0).cast(pl.Int64).to_numpy()
        yield _fixed(lengths, bounds)
        yield memoryview(b"".join(column.drop_nulls())), _ends(lengths)[bounds]
    elif isinstance(dtype, pl.Decimal):
        yield from _buffers(column.cast(pl.String), bounds)  # numpy has no integers of 128 bits
    else:
        yield _fixed(_numbers(column), bounds)


def _numbers(column: pl.Series) -> npt.NDArray[Any]:
    if isinstance(column.dtype, _FLOATS):
        values = column.fill_null(0).to_numpy() + 0.0  # -0.0 becomes 0.0
        return np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    if isinstance(column.dtype, pl.Boolean):
        return column.fill_null(value=False).to_numpy()
    return column.to_physical().fill_null(0).to_numpy()


def _fixed(values: npt.NDArray[Any], bounds: Bounds) -> _Buffer:
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return memoryview(little.tobytes()), bounds * values.dtype.itemsize


def _ends(lengths: npt.NDArray[np.int64]) -> Bounds:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
