"""Which partition of a view each row of a spine may see, and which stored column holds each feature there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.fingerprints import stored_column
from feature_store.plans import PlanView
from feature_store.status import Status

Availability = Literal["promised", "actual"]
"""Whether values count as usable from their promised available-at, or from when they were really served."""


@dataclass(frozen=True)
class Choice:
    """The partition of one view chosen for each spine row.

    Attributes:
        partitions: the ledger's current state, ascending.
        index: row of ``partitions`` per spine row; -1: no usable partition.
        status: NOT_COMPUTED, EXPIRED, or PRESENT where the partition is to be read; int8.
        columns: by feature, the stored column that holds it, per partition; None: none does.
    """

    partitions: pl.DataFrame
    index: npt.NDArray[np.int64]
    status: npt.NDArray[np.int8]
    columns: Mapping[str, list[str | None]]

    @property
    def is_read(self) -> npt.NDArray[np.bool_]:
        """Whether a row's partition is to be read."""
        return self.status == Status.PRESENT

    def lacks(self, feature: str) -> npt.NDArray[np.bool_]:
        """Return whether the partition of a row that is to be read does not hold a feature."""
        absent = np.array([column is None for column in self.columns[feature]] + [False])
        return self.is_read & absent[self.index]

    @property
    def as_of(self) -> pl.Series:
        """The as-of per spine row; null without a partition."""
        return self.of_rows("as_of")

    def of_rows(self, column: str) -> pl.Series:
        """Return a column of the ledger per spine row; null without a partition."""
        padded = self.partitions[column].extend_constant(None, 1)
        return padded.gather(np.where(self.index < 0, len(padded) - 1, self.index))


def choose_partitions(
    view: PlanView, partitions: pl.DataFrame, time: npt.NDArray[np.int64], availability: Availability
) -> Choice:
    """Choose for each T the newest as-of that was available strictly before T.

    Args:
        view: the view as the service reads it.
        partitions: the current state of its ledger.
        time: T per row, int64 microseconds.
        availability: see ``Availability``.

    Raises:
        FingerprintError: a chosen partition holds a feature computed by another definition.
    """
    index = newest_available(partitions, time, availability)
    as_ofs = np.append(partitions["as_of"].to_physical().to_numpy(), 0)
    status = np.where(index < 0, Status.NOT_COMPUTED, Status.PRESENT).astype(np.int8)
    if view.ttl is not None:
        status[(index >= 0) & (time - as_ofs[index] > view.ttl)] = Status.EXPIRED
    read = np.zeros(partitions.height + 1, np.bool_)
    read[index[status == Status.PRESENT]] = True
    fingerprints = [
        text if used else "{}" for text, used in zip(partitions["fingerprints"], read.tolist(), strict=False)
    ]
    stored: dict[str, dict[str, str]] = {text: json.loads(text) for text in set(fingerprints)}
    columns: dict[str, list[str | None]] = {}
    for feature in view.features:
        name, mark, former = feature.name, feature.fingerprint, feature.renamed_from
        by_text = {text: stored_column(view.view, name, mark, held, former) for text, held in stored.items()}
        columns[name] = [by_text[text] for text in fingerprints]
    return Choice(partitions, index, status, columns)


def newest_available(
    partitions: pl.DataFrame, time: npt.NDArray[np.int64], availability: Availability
) -> npt.NDArray[np.int64]:
    """Return for each T the row of the newest as-of that was available strictly before T; -1: none was.

    Args:
        partitions: the current state of a ledger, ascending.
        time: T per row, int64 microseconds.
        availability: see ``Availability``.
    """
    return _newest(_available(partitions, availability), time)


def _available(partitions: pl.DataFrame, availability: Availability) -> pl.Series:
    """Return from when each partition could be used; null: never.

    A partition may be loaded before its available-at, but is served from then on only.
    """
    if availability == "promised":
        return partitions["available_at"]
    served = pl.max_horizontal("available_at", "published_at")
    return partitions.select(pl.when(pl.col("published_at").is_not_null()).then(served)).to_series()


def _newest(available: pl.Series, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    usable = np.flatnonzero(available.is_not_null().to_numpy())
    instants = available.drop_nulls().to_physical().to_numpy()
    order = np.argsort(instants, kind="stable")
    # Partitions ascend by as-of, so the newest of those available by some instant is the one of the largest number.
    newest = np.append(np.maximum.accumulate(usable[order]), -1)
    return newest[np.searchsorted(instants[order], time, side="left") - 1]
