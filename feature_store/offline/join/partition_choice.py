"""The partition of a view that each row of a spine may see, and the stored column of each feature there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from feature_store.fingerprints import stored_column
from feature_store.offline.tables.open_table import OpenTable
from feature_store.plans.service_plan import PlanView
from feature_store.status import Status
from feature_store.temporal.availability import count_usable, is_expired

Availability = Literal["promised", "actual"]
"""Whether values count as usable from their promised available-at, or from when they were really served."""


def candidates_of(table: OpenTable, availability: Availability) -> pl.DataFrame:
    """Return what requests could be answered from: of two that are usable, from the one that comes later.

    As promised these are the partitions as they are now; actually it was each time what had been published of them, and
    served once it was available, though it may have been loaded before.

    Returns:
        The columns of ``OpenTable.partitions``, ``usable_from``, and ``read_at``: the version that holds the rows.
    """
    newest = pl.lit(table.version, pl.Int64).alias("read_at")
    if availability == "promised":
        return table.partitions.with_columns(newest, usable_from="available_at")
    same = ["partition_start", "content_hash"]
    unchanged = table.partitions.select(*same, newest)
    return table.publications.join(unchanged, on=same, how="left", maintain_order="left").with_columns(
        pl.col("read_at").fill_null(pl.col("delta_version")),
        usable_from=pl.max_horizontal("available_at", "published_at"),
    )


@dataclass(frozen=True)
class Choice:
    """The partition of one view chosen for each spine row.

    Attributes:
        candidates: those among which was chosen.
        index: row of ``candidates`` per spine row; -1: no usable partition.
        status: NOT_COMPUTED, EXPIRED, or PRESENT where the partition is to be read; int8.
        columns: by feature, the stored column that holds it, per candidate; None: none does.
    """

    candidates: pl.DataFrame
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
        """Return a column of the candidates per spine row; null without a partition."""
        padded = self.candidates[column].extend_constant(None, 1)
        return padded.gather(np.where(self.index < 0, len(padded) - 1, self.index))


def choose_partitions(view: PlanView, candidates: pl.DataFrame, time: npt.NDArray[np.int64]) -> Choice:
    """Choose for each T the newest as-of that was usable strictly before T.

    Args:
        view: the view as the service reads it.
        candidates: see ``candidates_of``.
        time: T per row, int64 microseconds.

    Raises:
        FingerprintError: a chosen partition holds a feature computed by another definition.
    """
    index = newest_usable(candidates, time)
    as_ofs = np.append(candidates["as_of"].to_physical().to_numpy(), 0)
    status = np.where(index < 0, Status.NOT_COMPUTED, Status.PRESENT).astype(np.int8)
    status[(index >= 0) & is_expired(as_ofs[index], time, view.ttl)] = Status.EXPIRED
    read = np.zeros(candidates.height + 1, np.bool_)
    read[index[status == Status.PRESENT]] = True
    fingerprints = [
        text if used else "{}" for text, used in zip(candidates["fingerprints"], read.tolist(), strict=False)
    ]
    stored: dict[str, dict[str, str]] = {text: json.loads(text) for text in set(fingerprints)}
    columns: dict[str, list[str | None]] = {}
    for feature in view.features:
        name, mark, former = feature.name, feature.fingerprint, feature.renamed_from
        by_text = {text: stored_column(view.view, name, mark, held, former) for text, held in stored.items()}
        columns[name] = [by_text[text] for text in fingerprints]
    return Choice(candidates, index, status, columns)


def newest_usable(candidates: pl.DataFrame, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each T the last candidate that was usable strictly before T; -1: none was.

    Args:
        candidates: see ``candidates_of``.
        time: T per row, int64 microseconds.
    """
    instants = candidates["usable_from"].to_physical().to_numpy()
    order = np.argsort(instants, kind="stable")
    newest = np.append(np.maximum.accumulate(order), -1)
    return newest[count_usable(instants[order], time) - 1]
