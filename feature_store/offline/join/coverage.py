"""Spans of event time that are known, counted in partitions: landed batch tiles, and what the stream covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from feature_store.columns import Mask
from feature_store.plans.known_spans import known_from

Instants = npt.NDArray[np.int64]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Slots:
    """A contiguous range of partitions of a stream view, whether they landed or not; outside it nothing is known.

    Attributes:
        cadence: span of a slot, microseconds.
        first: start of the first, microseconds.
        stream_until: per slot, end of the span that the stream covers completely, from the slot's start; equal to the
            start if it covers nothing.
    """

    cadence: int
    first: int
    stream_until: Instants

    @property
    def starts(self) -> Instants:
        """Start of each slot."""
        return self.first + self.cadence * np.arange(len(self.stream_until), dtype=np.int64)

    def mask(self, starts: Instants) -> Mask:
        """Return, per slot, whether one of these partitions is it."""
        found = np.zeros(len(self.stream_until), np.bool_)
        found[(starts - self.first) // self.cadence] = True
        return found

    def all_of(self, mask: Mask, start: Instants, end: Instants) -> Mask:
        """Return whether a mask of slots holds from one bound of slots to another, exclusive; true where none lies."""
        passed = np.concatenate([[0], np.cumsum(mask)])
        low, high = (np.clip((at - self.first) // self.cadence, 0, len(mask)) for at in (start, end))
        return (start >= end) | ((passed[high] - passed[low]) * self.cadence == end - start)

    def known_from(self, mask: Mask, ends: Instants) -> Instants:
        """Return, per bound of slots, from when on a mask holds of all slots up to it; see ``streams.known``."""
        return known_from(mask, self.first, self.cadence, ends)

    def at(self, values: npt.NDArray[Value], instants: Instants) -> tuple[npt.NDArray[Value], Mask]:
        """Return the value of the slot of each instant, and whether there is such a slot."""
        number = (instants - self.first) // self.cadence
        known = (number >= 0) & (number < len(values))
        if not len(values):
            return np.zeros(len(instants), values.dtype), known
        return values[np.where(known, number, 0)], known


def slots_of(cadence: int, landed: Instants, covered: npt.NDArray[np.int64]) -> Slots:
    """Return the slots from the first to the last of which anything is known.

    Args:
        cadence: span of a slot.
        landed: starts of the landed partitions.
        covered: start and end of each span that a write of the stream covers, shape ``(n, 2)``, in any order.
    """
    merged = _merge_spans(covered[covered[:, 0] < covered[:, 1]])
    bounds = np.concatenate([landed, landed + cadence, merged.reshape(-1)])
    if not len(bounds):
        return Slots(cadence, 0, np.zeros(0, np.int64))
    first = int(bounds.min()) // cadence * cadence
    starts = np.arange(first, int(bounds.max()), cadence, dtype=np.int64)
    within = np.searchsorted(merged[:, 0], starts, side="right") - 1
    ends = np.append(merged[:, 1], np.iinfo(np.int64).min)[within]
    return Slots(cadence, first, np.clip(ends, starts, starts + cadence))


def _merge_spans(spans: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return overlapping and touching spans as one, ascending."""
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.maximum.accumulate(spans[:, 1])
    opens = np.append(True, spans[1:, 0] > ends[:-1])[: len(spans)]
    closes = np.append(opens[1:], True)[: len(spans)]
    return np.stack([spans[opens, 0], ends[closes]], axis=1)
