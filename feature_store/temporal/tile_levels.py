"""Levels: the spans of which a stream view keeps tiles, and which tiles make up a window at any as-of.

The levels are one second and every distinct hop of the view, ``s_1 = 1s < s_2 < ... < s_m``, each dividing the next. A
window whose hop is ``s_j`` is covered at as-of A, without gap or overlap, by

- tiles of span ``s_j`` with ``tail <= start < floor(A, s_j)``, and
- for every i < j, tiles of span ``s_i`` with ``floor(A, s_{i+1}) <= start < floor(A, s_i)``.

So which tiles count depends on the window and A alone, whoever keeps them: the same sums in the same order give the
same floats, to the last bit, offline and online. Instants and spans are int64 microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from feature_store.temporal.durations import SECOND
from feature_store.temporal.windows import Window

Instants = npt.NDArray[np.int64]


def levels_of(windows: Iterable[Window]) -> tuple[int, ...]:
    """Return the spans of a stream view's tiles, ascending.

    >>> levels_of([Window(over=3600 * SECOND, hop=300 * SECOND)]) == (SECOND, 300 * SECOND)
    True
    """
    return tuple(sorted({SECOND, *(window.hop for window in windows)}))


def floor_to(instants: Instants, span: int) -> Instants:
    """Return instants rounded down to multiples of a span since the Unix epoch."""
    return instants // span * span


def level_of(levels: Sequence[int], span: Instants) -> Instants:
    """Return which of the levels, ascending, each span is; there are few, so that comparing beats searching.

    >>> level_of([1, 10, 60], np.array([60, 1, 10])).tolist()
    [2, 0, 1]
    """
    place = np.zeros(len(span), np.int64)
    for level in levels[:-1]:
        place += span > level
    return place


def bounds(levels: Sequence[int], window: Window, as_of: Instants) -> list[tuple[Instants, Instants]]:
    """Return from where (inclusive) to where (exclusive) tiles start that a window counts, per level up to its hop.

    Args:
        levels: of the view, ascending; the window's hop is one of them.
        window: the window.
        as_of: A per row.

    >>> [(int(low[0]), int(high[0])) for low, high in bounds([1, 10, 60], Window(over=120, hop=60), np.array([305]))]
    [(300, 305), (300, 300), (180, 300)]
    """
    below = [span for span in levels if span < window.hop]
    heads = [floor_to(as_of, span) for span in (*below, window.hop)]
    tails = [*heads[1:], floor_to(as_of - window.over, window.hop)]
    return list(zip(tails, heads, strict=True))


class Counting:
    """The tiles that windows count. What all windows need is worked out once.

    Args:
        levels: of the view, ascending.
        as_of: A per row.
        row: per tile, the row that it belongs to.
        span: per tile, one of the levels.
        start: per tile.
    """

    def __init__(self, levels: Sequence[int], as_of: Instants, row: Instants, span: Instants, start: Instants) -> None:
        self._levels = levels
        self._start = start
        self._place = level_of(levels, span)
        # Where all rows share one A, as in every answer to a request, the bounds are a handful of numbers.
        is_shared = len(as_of) > 0 and bool((as_of == as_of[0]).all())
        self._as_of = as_of[:1] if is_shared else as_of
        if not is_shared:
            self._place = self._place * len(as_of) + row

    def places(self, window: Window) -> Instants:
        """Return the places of the tiles that a window counts, ascending."""
        low = np.zeros((len(self._levels), len(self._as_of)), np.int64)
        high = np.zeros_like(low)
        for level, (first, last) in enumerate(bounds(self._levels, window, self._as_of)):
            low[level], high[level] = first, last
        counted = self._start >= low.reshape(-1)[self._place]
        counted &= self._start < high.reshape(-1)[self._place]
        return np.flatnonzero(counted)


def oldest_starts(levels: Sequence[int], windows: Iterable[Window], span: int, as_of: Instants) -> Instants:
    """Return, per A, the earliest start of a tile of one level that it, or any later A, can count.

    >>> windows = [Window(over=120, hop=60), Window(over=30, hop=10)]
    >>> oldest_starts([1, 10, 60], windows, 10, np.array([305, 311])).tolist()
    [270, 280]
    >>> oldest_starts([1, 10, 60], [Window(over=120, hop=60)], 10, np.array([305])).tolist()
    [300]
    """
    starts = [floor_to(as_of - window.over, span) for window in windows if window.hop == span]
    longer = [level for level in levels if level > span]
    if longer:
        starts.append(floor_to(as_of, longer[0]))
    return np.minimum.reduce(starts)


def oldest_start(levels: Sequence[int], windows: Iterable[Window], span: int, as_of: int) -> int:
    """Return ``oldest_starts`` of one A."""
    return int(oldest_starts(levels, windows, span, np.array([as_of]))[0])
