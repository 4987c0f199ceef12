"""Ranked search over everything that is declared, tolerant of typing errors: one index in memory, one ranking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from feature_store.catalog.records import Record

WEIGHTS: Final = {"name": 6.0, "description": 3.0, "entities": 2.0, "team": 2.0, "kind": 1.0, "computed_from": 1.0}
"""How much a word counts, by the field of the record in which it stands."""

WHOLE, PART, TYPO = 1.0, 0.5, 0.3
"""How much a word counts that is the wanted one, begins with it (or is its stem), or is it but for typing errors."""

_SHORTEST_STEM: Final = 3
_ERRORS: Final = {4: 1, 8: 2}
"""How many typing errors are forgiven from what length on; short words must be right."""


class SearchIndex:
    """The words of some records.

    Args:
        records: each with the fields of ``WEIGHTS``.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = list(records)
        self._weights: dict[str, dict[int, float]] = {}
        for number, record in enumerate(self._records):
            for field, weight in WEIGHTS.items():
                for word in split_words(str(record[field])):
                    held = self._weights.setdefault(word, {})
                    held[number] = max(weight, held.get(number, 0.0))
        self._vocabulary = list(self._weights)

    def search(self, words: Sequence[str]) -> list[Record]:
        """Return the records in which every word occurs, the best first; of equal ones the shorter name.

        A word occurs where a word is the same, begins with it, begins it without its last letters (``basket`` and
        ``baskets``), or differs from it by typing errors. A record's score is the sum over the words of their best
        places, each weighted by its field and by how the words match.
        """
        wanted = [word for text in words for word in split_words(text)]
        if not wanted:
            return []
        scores = [self._score(word) for word in wanted]
        found = [number for number in scores[0] if all(number in others for others in scores[1:])]
        total = {number: sum(each[number] for each in scores) for number in found}
        order = sorted(found, key=lambda n: (-total[n], len(self._records[n]["name"]), self._records[n]["name"]))
        return [self._records[number] for number in order]

    def _score(self, wanted: str) -> dict[int, float]:
        """Return the score of a word by record; records in which it does not occur are left out."""
        scores: dict[int, float] = {}
        for word, match in self._matches(wanted).items():
            for number, weight in self._weights[word].items():
                scores[number] = max(scores.get(number, 0.0), weight * match)
        return scores

    def _matches(self, wanted: str) -> dict[str, float]:
        errors = max((errors for length, errors in _ERRORS.items() if len(wanted) >= length), default=0)
        near = process.extract(
            wanted, self._vocabulary, scorer=DamerauLevenshtein.distance, score_cutoff=errors, limit=None
        )
        matches = {word: TYPO for word, distance, _ in near if distance > 0}
        matches |= {word: PART for word in self._vocabulary if word.startswith(wanted) or _is_stem(word, wanted)}
        return matches | ({wanted: WHOLE} if wanted in self._weights else {})


def split_words(text: str) -> list[str]:
    """Return the lower-case words and numbers of a text.

    >>> split_words("household_spend.spend_7d: USD")
    ['household', 'spend', 'spend', '7d', 'usd']
    """
    return re.findall(r"[a-z0-9]+", text.lower())


def _is_stem(word: str, wanted: str) -> bool:
    return len(word) >= _SHORTEST_STEM and wanted.startswith(word) and len(wanted) - len(word) <= 2
