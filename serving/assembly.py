"""From the rows of several views to one feature vector per entity: pure, shared by the client and the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import DType, dtype_from_name
from feature_store.entity_keys import encode_keys
from feature_store.errors import FingerprintError
from feature_store.fingerprints import stored_column
from feature_store.on_read import compute_on_read
from feature_store.plans import PlanFeature, ServicePlan
from feature_store.rows import RowLayout
from feature_store.status import Status
from serving.requests import RequestKeys, key_column
from serving.stores.reading import RowsRead, RowsWanted
from serving.values import all_true
from serving.vectors import FeatureVectors

_Values = tuple[Column, Array]
"""Values and their status codes."""


@dataclass(frozen=True)
class Question:
    """What has to be read to answer a request.

    Attributes:
        keys: the entities.
        wanted: per view read, the entities that have a key.
        keyed: per view read, bool of shape ``(n,)``: whether the entity has a key.
    """

    keys: RequestKeys
    wanted: list[RowsWanted]
    keyed: list[Mask]


class Assembly:
    """Asks and answers for one service plan; what depends on the plan alone is worked out once.

    Args:
        plan: the service, with the features that are wanted.

    Raises:
        FingerprintError: an output of the plan reads nothing.
    """

    def __init__(self, plan: ServicePlan) -> None:
        self.plan = plan
        self._views = [_ViewReading(plan, index) for index in sorted({output.view for output in plan.outputs})]
        self._dtypes = plan.keys | {output.name: dtype_from_name(output.dtype) for output in plan.outputs}
        for output in plan.outputs:
            if output.feature is None and output.on_read is None:
                raise FingerprintError(
                    f"{plan.full_name}.{output.name}: the plan reads nothing: run `features apply` again"
                )

    def ask(self, keys: RequestKeys) -> Question:
        """Work out what to read."""
        columns = {name: key_column(keys.values[name], dtype) for name, dtype in self.plan.keys.items()}
        encoded = [encode_keys([columns[name] for name in view.columns], view.dtypes) for view in self._views]
        wanted = [RowsWanted(view.name, each.keys) for view, each in zip(self._views, encoded, strict=True)]
        return Question(keys, wanted, [each.valid for each in encoded])

    def answer(self, question: Question, reads: Sequence[RowsRead], time: int) -> FeatureVectors:
        """Put the feature vectors together.

        Args:
            question: what was asked.
            reads: what was read, in the order of ``question.wanted``.
            time: T, microseconds UTC: the instant the generations were selected for.

        Raises:
            FingerprintError: the store holds a feature that was computed by another definition.
            RowError: a row is not what its generation promised.
        """
        plan, count = self.plan, question.keys.count
        stored: dict[int, dict[str, _Values]] = {}
        as_of: dict[str, int | None] = {}
        for view, keyed, read in zip(self._views, question.keyed, reads, strict=True):
            stored[view.index] = view.values(keyed, read, time)
            as_of[view.prefix] = read.generation.as_of if read.generation is not None else None
        columns: dict[str, Column] = {}
        status: dict[str, Array] = {}
        for output in plan.outputs:
            column, codes = (
                stored[output.view][output.feature] if output.feature else (None, _all(Status.PRESENT, count))
            )
            if output.on_read is not None:
                column = compute_on_read(output.on_read, column, np.full(count, time, np.int64))
            assert column is not None
            columns[output.name] = column
            status[output.name] = codes
        return FeatureVectors(
            plan.service, plan.version, time, question.keys.values, columns, status, as_of, self._dtypes
        )


class _ViewReading:
    """How one view of a plan is read.

    Attributes:
        index: among the plan's views.
        name: full name of the view.
        prefix: of its outputs.
        columns: the request columns of its keys, in the entity's order.
        dtypes: their types.
    """

    def __init__(self, plan: ServicePlan, index: int) -> None:
        view = plan.views[index]
        self.index = index
        self.name = view.view
        self.prefix = view.prefix
        self.columns = tuple(key.column for key in view.keys)
        self.dtypes = tuple(dtype_from_name(key.dtype) for key in view.keys)
        names = {output.feature for output in plan.outputs if output.view == index}
        self._features = [feature for feature in view.features if feature.name in names]
        self._ttl = view.ttl
        self._found: _Found | None = None

    def values(self, keyed: Mask, read: RowsRead, time: int) -> dict[str, _Values]:
        """Return the stored features that are wanted; those with a value for an entity without events have it."""
        count, generation = len(keyed), read.generation
        if generation is None:
            return {feature.name: _nulls(feature, count, Status.NOT_COMPUTED) for feature in self._features}
        if self._ttl is not None and time - generation.as_of > self._ttl:
            return {feature.name: _nulls(feature, count, Status.EXPIRED) for feature in self._features}
        found = self._find(generation.layout)
        values = {feature.name: _nulls(feature, count, Status.NOT_COMPUTED) for feature in found.lacking}
        rows = _per_entity(read.rows, keyed)
        decoded = generation.layout.decode(rows, generation.as_of, only=found.columns)
        if all_true(decoded.present):
            codes = _all(Status.PRESENT, count)
            return values | {feature.name: (decoded.columns[column], codes) for feature, column in found.held}
        empty = ~decoded.present
        codes = np.where(empty, np.uint8(Status.EMPTY), np.uint8(Status.PRESENT))
        return values | {f.name: (_with_empty(decoded.columns[column], empty, f), codes) for f, column in found.held}

    def _find(self, layout: RowLayout) -> _Found:
        """Return where the wanted features stand in a layout, all of the definition that the plan was made for."""
        found = self._found
        if found is None or found.layout is not layout:
            stored = {field.name: field.fingerprint for field in layout.features}
            columns = [(f, stored_column(self.name, f.name, f.fingerprint, stored)) for f in self._features]
            held = tuple((feature, column) for feature, column in columns if column is not None)
            lacking = tuple(feature for feature, column in columns if column is None)
            found = self._found = _Found(layout, held, frozenset(column for _, column in held), lacking)
        return found


@dataclass(frozen=True)
class _Found:
    """Where the wanted features of a view stand in a layout.

    Attributes:
        layout: the layout.
        held: features and their columns.
        columns: those columns.
        lacking: features that the layout does not hold.
    """

    layout: RowLayout
    held: tuple[tuple[PlanFeature, str], ...]
    columns: frozenset[str]
    lacking: tuple[PlanFeature, ...]


def _per_entity(rows: Sequence[bytes | None], keyed: Mask) -> Sequence[bytes | None]:
    """Return a row, or None, for every entity; those without a key were not read."""
    if all_true(keyed):
        return rows
    spread = np.full(len(keyed), None, object)
    spread[keyed] = rows
    return spread.tolist()


def _with_empty(column: Column, empty: Mask, feature: PlanFeature) -> Column:
    """Return the values with the declared value of an entity without events where there is no row."""
    if feature.empty is None:
        return column
    values = column.values.copy()
    values[empty] = feature.empty
    return Column(values, column.valid | empty)


def _nulls(feature: PlanFeature, count: int, status: Status) -> _Values:
    dtype: DType = dtype_from_name(feature.dtype)
    shape = (count, dtype.length) if dtype.is_vector else (count,)
    return Column(np.zeros(shape, dtype.numpy), np.zeros(count, np.bool_)), _all(status, count)


def _all(status: Status, count: int) -> Array:
    codes = np.empty(count, np.uint8)
    codes.fill(status)
    return codes
