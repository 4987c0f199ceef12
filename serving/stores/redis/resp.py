"""Commands as the store's protocol, RESP, writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import hiredis

# hiredis declares a command to be one word.
pack: Final[Callable[[tuple[bytes, ...]], bytes]] = cast("Any", hiredis).pack_command
"""Return a command, given as its words: ``*<words>``, then each word after ``$<length>``."""


def pack_words(words: tuple[bytes, ...]) -> bytes:
    r"""Return some words of a command, without the number of all its words that stands before them.

    >>> pack_words((b"GET", b"key")), pack_words(())
    (b'$3\r\nGET\r\n$3\r\nkey\r\n', b'')
    """
    return pack(words).partition(b"\r\n")[2] if words else b""
