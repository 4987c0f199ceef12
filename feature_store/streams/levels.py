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

from feature_store.columns import Mask
from feature_store.durations import SECOND
from feature_store.windows import Window

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


def counted(
    levels: Sequence[int], window: Window, as_of: Instants, row: Instants, span: Instants, start: Instants
) -> Mask:
    """Return which tiles a window counts.

    Args:
        levels: of the view, ascending.
        window: the window.
        as_of: A per row.
        row: per tile, the row that it belongs to.
        span: per tile.
        start: per tile.
    """
    mask = np.zeros(len(row), np.bool_)
    for level, (low, high) in zip(levels, bounds(levels, window, as_of), strict=False):
        of_level = np.flatnonzero(span == level)
        rows, starts = row[of_level], start[of_level]
        mask[of_level] = (starts >= low[rows]) & (starts < high[rows])
    return mask


def oldest_start(levels: Sequence[int], windows: Iterable[Window], span: int, as_of: int) -> int:
    """Return the earliest start of a tile of one level that an as-of, or any later one, can count.

    >>> oldest_start([1, 10, 60], [Window(over=120, hop=60), Window(over=30, hop=10)], 10, 305)
    270
    >>> oldest_start([1, 10, 60], [Window(over=120, hop=60)], 10, 305)
    300
    """
    longer = next((level for level in levels if level > span), None)
    starts = [window.tail(as_of) for window in windows if window.hop == span]
    if longer is not None:
        starts.append(as_of // longer * longer)
    return min(starts)
