"""Commands as the store's protocol, RESP, writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import hiredis
import numpy as np

from feature_store.codec.byte_strings import Ragged, from_lengths, gather
from feature_store.columns import Array

# hiredis declares a command to be one word.
pack: Final[Callable[[tuple[bytes, ...]], bytes]] = cast("Any", hiredis).pack_command
"""Return a command, given as its words: ``*<words>``, then each word after ``$<length>``."""


def pack_words(words: tuple[bytes, ...]) -> bytes:
    r"""Return some words of a command, without the number of all its words that stands before them.

    >>> pack_words((b"GET", b"key")), pack_words(())
    (b'$3\r\nGET\r\n$3\r\nkey\r\n', b'')
    """
    return pack(words).partition(b"\r\n")[2] if words else b""


def bulk_strings(values: Ragged) -> list[Ragged | bytes]:
    """Return the parts of RESP bulk strings: a length line, the bytes, an end of line."""
    lines = _length_lines(values.lengths) if values.width is None else b"$%d\r\n" % values.width
    return [lines, values, b"\r\n"]


def _length_lines(lengths: Array) -> Ragged:
    different, which = np.unique(lengths, return_inverse=True)
    lines = [b"$%d\r\n" % length for length in different.tolist()]
    table = from_lengths(np.frombuffer(b"".join(lines), np.uint8), np.array([len(line) for line in lines], np.int64))
    return gather(table.buffer, table.offsets[which], table.lengths[which])
