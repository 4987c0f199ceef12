"""The reading of a cadence or table view of a plan: from rows to values and their status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from feature_store.codec.byte_strings import Ragged
from feature_store.codec.row_codec import RowLayout
from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import dtype_from_name
from feature_store.fingerprints import stored_column
from feature_store.plans.service_plan import PlanFeature, PlanView
from feature_store.status import Status
from feature_store.temporal.availability import is_expired
from serving.read.damage import count_damaged
from serving.read.values import all_true
from serving.stores.rows import RowsRead

Values = tuple[Column, Array]
"""Values and their status codes."""


class SnapshotDecoder:
    """The reading of one view whose values are stored as they are.

    Args:
        view: of a plan.
        features: its stored features that are wanted.
    """

    def __init__(self, view: PlanView, features: Sequence[PlanFeature]) -> None:
        self._name = view.view
        self._ttl = view.ttl
        self._features = features
        self._columns: _Columns | None = None

    def as_of(self, read: RowsRead, _time: int) -> int | None:
        """Return the as-of of the values, microseconds UTC; None: nothing is usable at T."""
        return None if read.generation is None else read.generation.as_of

    def values(self, keyed: Mask, entities: Ragged, read: RowsRead, time: int) -> dict[str, Values]:
        """Return the stored features that are wanted; those with a value for an entity without events have it.

        Args:
            keyed: whether each entity has a key.
            entities: the encoded keys of those that have one.
            read: their rows.
            time: T, microseconds UTC.

        Raises:
            FingerprintError: the store holds a feature that was computed by another definition.
        """
        count, generation = len(keyed), read.generation
        if generation is None:
            return {feature.name: nulls(feature, count, Status.NOT_COMPUTED) for feature in self._features}
        if is_expired(generation.as_of, time, self._ttl):
            return {feature.name: nulls(feature, count, Status.EXPIRED) for feature in self._features}
        columns = self._columns_of(generation.layout)
        values = {feature.name: nulls(feature, count, Status.NOT_COMPUTED) for feature in columns.lacking}
        decoded = generation.layout.decode(read.rows, entities, generation.as_of, only=columns.names)
        if not all_true(keyed):
            decoded = decoded.spread(keyed)
        if all_true(decoded.present):
            codes = all_of(Status.PRESENT, count)
            return values | {feature.name: (decoded.columns[column], codes) for feature, column in columns.held}
        empty = ~(decoded.present | decoded.damaged)
        codes = np.where(empty, np.uint8(Status.EMPTY), np.uint8(Status.PRESENT))
        if np.count_nonzero(decoded.damaged):
            codes[decoded.damaged] = Status.DAMAGED
            count_damaged(self._name, int(np.count_nonzero(decoded.damaged)))
        return values | {f.name: (_with_empty(decoded.columns[column], empty, f), codes) for f, column in columns.held}

    def _columns_of(self, layout: RowLayout) -> _Columns:
        """Return where the wanted features stand in a layout, all of the definition that the plan was made for."""
        known = self._columns  # another thread may replace it meanwhile
        if known is None or known.layout is not layout:
            stored = {field.name: field.fingerprint for field in layout.features}
            columns = [
                (f, stored_column(self._name, f.name, f.fingerprint, stored, f.renamed_from)) for f in self._features
            ]
            held = tuple((feature, column) for feature, column in columns if column is not None)
            lacking = tuple(feature for feature, column in columns if column is None)
            known = self._columns = _Columns(layout, held, frozenset(column for _, column in held), lacking)
        return known


@dataclass(frozen=True)
class _Columns:
    """The places of the wanted features of a view in a layout.

    Attributes:
        layout: the layout.
        held: features and their columns.
        names: of those columns.
        lacking: features that the layout does not hold.
    """

    layout: RowLayout
    held: tuple[tuple[PlanFeature, str], ...]
    names: frozenset[str]
    lacking: tuple[PlanFeature, ...]


def nulls(feature: PlanFeature, count: int, status: Status) -> Values:
    """Return nulls of a feature's type, all of one status."""
    dtype = dtype_from_name(feature.dtype)
    values = np.zeros((count, *dtype.shape), dtype.numpy)
    return Column(values, np.zeros(values.shape if dtype.is_array else count, np.bool_)), all_of(status, count)


def all_of(status: Status, count: int) -> Array:
    """Return the codes of entities that are all of one status."""
    codes = np.empty(count, np.uint8)
    codes.fill(status)
    return codes


def _with_empty(column: Column, empty: Mask, feature: PlanFeature) -> Column:
    """Return the values with the declared value of an entity without events where there is no row."""
    if feature.empty is None:
        return column
    values, valid = column.values.copy(), column.valid.copy()
    if dtype_from_name(feature.dtype).is_array:
        slots = cast("list[Any]", feature.empty)
        values[empty] = [0 if slot is None else slot for slot in slots]
        valid[empty] = [slot is not None for slot in slots]
    else:
        values[empty] = feature.empty
        valid |= empty
    return Column(values, valid)
