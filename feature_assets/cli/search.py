"""Ranked search over everything that is declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from feature_assets.cli.records import Record

WEIGHTS: Final = {"name": 6.0, "description": 3.0, "entities": 2.0, "team": 2.0, "kind": 1.0, "computed_from": 1.0}
"""The weight of a word, by where it stands."""

_SHORTEST_STEM: Final = 3


def search(records: Iterable[Record], words: Sequence[str]) -> list[Record]:
    """Return the records in which every word occurs, the best first; of those with equal scores, the shorter name.

    A word occurs where a word begins with it, or begins it without its last letters (``basket`` and ``baskets``).
    A whole word counts twice a part.
    """
    wanted = [word for text in words for word in split_words(text)]
    scored = [(score(record, wanted), record) for record in records]
    found = [(points, record) for points, record in scored if points > 0]
    return [record for _, record in sorted(found, key=lambda pair: (-pair[0], len(pair[1]["name"]), pair[1]["name"]))]


def score(record: Record, wanted: Sequence[str]) -> float:
    """Return how well a record answers: the sum over the words of their best place; 0 if one does not occur."""
    texts = {where: split_words(str(record[where])) for where in WEIGHTS}
    points = [
        max(
            weight * max((_match(word, wanted_word) for word in texts[where]), default=0.0)
            for where, weight in WEIGHTS.items()
        )
        for wanted_word in wanted
    ]
    return sum(points) if points and min(points) > 0 else 0.0


def split_words(text: str) -> list[str]:
    """Return the lower-case words and numbers of a text.

    >>> split_words("household_spend.spend_7d: USD")
    ['household', 'spend', 'spend', '7d', 'usd']
    """
    return re.findall(r"[a-z0-9]+", text.lower())


def _match(word: str, wanted: str) -> float:
    if word == wanted:
        return 1.0
    if word.startswith(wanted):
        return 0.5
    is_stem = len(word) >= _SHORTEST_STEM and wanted.startswith(word) and len(wanted) - len(word) <= 2
    return 0.5 if is_stem else 0.0
