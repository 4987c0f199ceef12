"""Commands as the store's protocol, RESP, writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import hiredis

# hiredis declares a command to be one word.
pack: Final[Callable[[tuple[bytes, ...]], bytes]] = cast("Any", hiredis).pack_command
"""Return a command, given as its words: ``*<words>``, then each word after ``$<length>``."""
