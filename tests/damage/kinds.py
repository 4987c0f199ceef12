"""The ways in which a file, or a value of the online store, is damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

Kind = Callable[[bytes, Sequence[bytes], Random], bytes | None]
"""Takes what stands there, what stands in its neighbours (older ones last), and dice; None: nothing is left."""


def _flipped(content: bytes, _others: Sequence[bytes], dice: Random) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << dice.randrange(8))]) + content[place + 1 :]


def _cut(content: bytes, _others: Sequence[bytes], dice: Random) -> bytes:
    return content[: dice.choice([0, 8, len(content) - 4, len(content) - 1, dice.randrange(len(content))])]


def _swapped(content: bytes, others: Sequence[bytes], dice: Random) -> bytes:
    return dice.choice([other for other in others if other != content] or [content[::-1]])


def _older(content: bytes, others: Sequence[bytes], _dice: Random) -> bytes:
    alike = [other for other in others if other != content and len(other) == len(content)]
    return (alike or [other for other in others if other != content] or [content[::-1]])[-1]


KINDS: Final[Mapping[str, Kind]] = {
    "one byte": _flipped,
    "cut": _cut,
    "swap": _swapped,
    "missing": lambda _content, _others, _dice: None,
    "doubled": lambda content, _others, _dice: content * 2,
    "older": _older,
}
