"""One view's part of the point-in-time join: what each row may see of it, and reading just that.

What was actually served of a stream view came from the batch tiles as they were when they were published. Rows that are
answered from tiles which were corrected since are joined publication by publication, all others at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.columns import Mask
from feature_store.offline.join.coverage import Instants
from feature_store.offline.join.opened_views import Opened
from feature_store.offline.join.partition_choice import Availability, candidates_of, choose_partitions, newest_usable
from feature_store.offline.join.partition_join import read_partitions
from feature_store.offline.join.spines import Spine
from feature_store.offline.join.stream_choice import OpenStream, choose_stream
from feature_store.offline.join.stream_join import read_stream
from feature_store.offline.tables.open_table import PatchedTable, patched
from feature_store.plans.service_plan import PlanView
from feature_store.status import Status

Statuses = npt.NDArray[np.int8]


@dataclass(frozen=True)
class ViewJoin:
    """The values of a view that each row of a spine may see.

    Attributes:
        status: NOT_COMPUTED, EXPIRED, or PRESENT where something is read; int8.
        as_of: of what is read; null where there is nothing.
        lacking: by feature, the rows where it is not known although something is read.
        read: returns per row of the spine the stored features, whether the entity was found (``FOUND``), and which
            sums do not fit (``unfit_column``).
    """

    status: Statuses
    as_of: pl.Series
    lacking: Mapping[str, Mask]
    read: Callable[[Spine], pl.DataFrame]

    @property
    def is_read(self) -> Mask:
        """Whether anything is read for a row."""
        return self.status == Status.PRESENT


def join_view(view: PlanView, opened: Opened, time: Instants, availability: Availability) -> ViewJoin:
    """Choose what the rows of a spine see of a view.

    Args:
        view: the view as the service reads it.
        opened: what is kept of it.
        time: T per row, int64 microseconds.
        availability: see ``Availability``.

    Raises:
        FingerprintError: something that is read was computed by another definition.
        VersionExpiredError: something that was served is no longer kept.
    """
    if not isinstance(opened, OpenStream):
        choice = choose_partitions(view, candidates_of(opened, availability), time)
        lacking = {feature.name: choice.lacks(feature.name) for feature in view.features}
        return ViewJoin(choice.status, choice.as_of, lacking, partial(read_partitions, opened, view, choice))
    parts = [
        (rows, _join_stream(view, part, usable, time[rows]))
        for rows, part, usable in _by_publication(opened, time, availability)
    ]
    return parts[0][1] if len(parts) == 1 else _scattered(parts)


def _join_stream(view: PlanView, opened: OpenStream, usable: pl.DataFrame, time: Instants) -> ViewJoin:
    assert view.stream is not None
    choice = choose_stream(view, view.stream, opened, usable, time)
    read = partial(read_stream, opened, view, view.stream, choice)
    return ViewJoin(choice.status, choice.as_of, choice.lacking, read)


def _by_publication(
    opened: OpenStream, time: Instants, availability: Availability
) -> Iterator[tuple[Instants, OpenStream, pl.DataFrame]]:
    """Yield rows, and from which state of the tiles and which candidates they are answered."""
    usable = candidates_of(opened.tiles, availability)
    index = newest_usable(usable, time)
    past: dict[int, PatchedTable] = {}
    if availability == "actual":
        for number in np.unique(index[index >= 0]).tolist():
            publication = usable.row(number, named=True)
            tiles = patched(opened.tiles, publication["delta_version"], publication["as_of"])
            if tiles.differs:
                past[number] = tiles
    yield np.flatnonzero(~np.isin(index, list(past))), opened, usable[np.setdiff1d(np.arange(len(usable)), list(past))]
    for number, tiles in past.items():
        yield np.flatnonzero(index == number), OpenStream(tiles, opened.copy), usable[number : number + 1]


def _scattered(parts: list[tuple[Instants, ViewJoin]]) -> ViewJoin:
    """Return one join of the joins of some of the rows each."""
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))

    def read(spine: Spine) -> pl.DataFrame:
        return pl.concat([join.read(spine.take(rows)) for rows, join in parts], how="diagonal")[order]

    return ViewJoin(
        np.concatenate([join.status for _, join in parts])[order],
        pl.concat([join.as_of for _, join in parts])[order],
        {
            feature: np.concatenate([join.lacking[feature] for _, join in parts])[order]
            for feature in parts[0][1].lacking
        },
        read,
    )
