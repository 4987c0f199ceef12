"""The inputs of partitions: whether all of it has landed, and a hash that says which it was."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate

import polars as pl

from feature_store.errors import MissingTilesError
from feature_store.temporal.instants import from_microseconds

_MODULUS = 1 << 128


@dataclass(frozen=True)
class Inputs:
    """The landed partitions of one table, as the inputs of something computed from them. Instants are microseconds.

    Attributes:
        table: how messages name the table.
        starts: starts of the partitions, ascending.
        ends: their ends.
        sums: running sums of the partitions' hashes, from 0; so the hash of any span is one subtraction.
    """

    table: str
    starts: list[int]
    ends: list[int]
    sums: list[int]

    def hash_of(self, start: int, end: int, computation: object) -> str:
        """Return a hash of the contents of the partitions that overlap ``[start, end)``, and of what is computed.

        Args:
            start: inclusive.
            end: exclusive.
            computation: identifies the computation, as JSON.
        """
        contents = self.sums[bisect_left(self.starts, end)] - self.sums[bisect_right(self.ends, start)]
        return _digest([computation, contents % _MODULUS]).hex()

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of ``[start, end)`` that no partition covers."""
        gaps: list[tuple[int, int]] = []
        covered = start
        for index in range(bisect_right(self.ends, start), bisect_left(self.starts, end)):
            if self.starts[index] > covered:
                gaps.append((covered, self.starts[index]))
            covered = max(covered, self.ends[index])
        return [*gaps, (covered, end)] if covered < end else gaps

    def begin(self, instant: int) -> int:
        """Return the start of the partition that covers an instant, or the instant where none does."""
        index = bisect_right(self.starts, instant) - 1
        return self.starts[index] if index >= 0 and instant < self.ends[index] else instant

    def require(self, start: int, end: int, purpose: str) -> None:
        """Fail unless partitions cover all of ``[start, end)``.

        Raises:
            MissingTilesError: they do not; names what is missing and what for.
        """
        gaps = self.gaps(start, end)
        if gaps:
            spans = ", ".join(f"[{from_microseconds(a)}, {from_microseconds(b)})" for a, b in gaps[:5])
            more = f" and {len(gaps) - 5} more spans" if len(gaps) > 5 else ""
            raise MissingTilesError(
                f"{purpose} needs {self.table} of {spans}{more}, which its ledger does not list: materialize them"
            )


def inputs_of(table: str, partitions: pl.DataFrame) -> Inputs:
    """Return the landed partitions of a table as inputs.

    Args:
        table: how messages name the table.
        partitions: its ledger's current state.
    """
    starts = partitions["partition_start"].to_physical().to_list()
    ends = partitions["as_of"].to_physical().to_list()
    hashes = zip(starts, partitions["content_hash"], strict=True)
    sums = accumulate((int.from_bytes(_digest(list(pair))) for pair in hashes), initial=0)
    return Inputs(table, starts, ends, list(sums))


def _digest(value: object) -> bytes:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).digest()
