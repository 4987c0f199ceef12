"""From the rows of several views to one feature vector per entity: pure, shared by the client and the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Array, Column, Mask
from feature_store.dtypes import dtype_from_name
from feature_store.engines.numpy.on_read import compute_on_read
from feature_store.engines.numpy.request_features import RequestFeature
from feature_store.errors import FingerprintError
from feature_store.plans.service_plan import PlanExpression, PlanOutput, ServicePlan
from feature_store.status import Status
from serving.read.request_values import typed_column
from serving.read.requests import RequestKeys, select_features
from serving.read.snapshot_decoder import SnapshotDecoder, Values, all_of
from serving.read.stream_decoder import StreamDecoder
from serving.read.vectors import FeatureVectors
from serving.stores.errors import StoreError
from serving.stores.rows import RowsRead, RowsWanted

_MOST_SELECTIONS: Final = 256


@dataclass(frozen=True)
class Question:
    """The reads that answer a request.

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

    Attributes:
        plan: the same.
        width: how many values it gives per entity, at least 1; a vector has as many as elements.

    Raises:
        FingerprintError: an output of the plan reads nothing, or what is not there.
    """

    def __init__(self, plan: ServicePlan) -> None:
        _check_outputs(plan)
        self.plan = plan
        self._only: dict[tuple[str, ...], Assembly] = {}
        self._views = [_PlannedView(plan, index) for index in sorted({read.view for read in plan.reads})]
        self._computed = {each.name: RequestFeature(each) for each in plan.outputs if isinstance(each, PlanExpression)}
        self._inputs = {each.name: dtype_from_name(each.dtype) for each in plan.needed_inputs}
        self._dtypes = plan.keys | {each.name: dtype_from_name(each.dtype) for each in (*plan.outputs, *plan.inputs)}
        self.width = max(1, sum(dtype_from_name(output.dtype).length for output in plan.outputs))

    def only(self, features: tuple[str, ...]) -> Assembly:
        """Return what answers with some of the features, in the order given; one object for the same ones.

        Raises:
            RequestError: the service has no such feature, or one is named twice.
        """
        if features not in self._only:
            chosen = Assembly(select_features(self.plan, features))
            if len(self._only) >= _MOST_SELECTIONS:
                self._only.clear()
            self._only[features] = chosen
        return self._only[features]

    def ask(self, keys: RequestKeys) -> Question:
        """Work out what to read."""
        columns = {name: typed_column(keys.values[name], dtype) for name, dtype in self.plan.keys.items()}
        encoded = [encode_keys([columns[name] for name in view.columns], view.dtypes) for view in self._views]
        wanted = [
            RowsWanted(view.name, each.keys, view.is_stream) for view, each in zip(self._views, encoded, strict=True)
        ]
        return Question(keys, wanted, [each.valid for each in encoded])

    def answer(self, question: Question, reads: Sequence[RowsRead | StoreError], time: int) -> FeatureVectors:
        """Put the feature vectors together.

        Args:
            question: what was asked.
            reads: what was read, or why not, in the order of ``question.wanted``.
            time: T, microseconds UTC: the instant the generations were selected for.

        Raises:
            StoreError: a view could not be read.
            FingerprintError: the store holds a feature that was computed by another definition.
        """
        plan, count = self.plan, question.keys.count
        stored: dict[int, dict[str, Values]] = {}
        as_of: dict[str, int | None] = {}
        for view, keyed, wanted, read in zip(self._views, question.keyed, question.wanted, reads, strict=True):
            if isinstance(read, StoreError):
                raise read
            stored[view.index] = view.decoder.values(keyed, wanted.entities, read, time)
            as_of[view.prefix] = view.decoder.as_of(read, time)
        inputs = {name: typed_column(question.keys.inputs[name], dtype) for name, dtype in self._inputs.items()}

        def read_one(read: PlanOutput) -> Values:
            column, codes = stored[read.view][read.feature] if read.feature else (None, all_of(Status.PRESENT, count))
            if read.on_read is not None:
                column = compute_on_read(read.on_read, column, np.full(count, time, np.int64))
            assert column is not None
            return column, codes

        columns: dict[str, Column] = {}
        status: dict[str, Array] = {}
        for output in plan.outputs:
            if isinstance(output, PlanExpression):
                reads_of_it = [read_one(each) for each in output.reads]
                column, codes = self._computed[output.name].compute(reads_of_it, inputs, count)
            else:
                column, codes = read_one(output)
            columns[output.name], status[output.name] = column, codes
        return FeatureVectors(
            plan.service, plan.version, time, question.keys.values, columns, status, as_of, self._dtypes, inputs
        )


def _check_outputs(plan: ServicePlan) -> None:
    stored = {(place, feature.name) for place, view in enumerate(plan.views) for feature in view.features}
    for output in plan.reads:
        of_time_alone = output.feature is None and output.on_read is not None and output.view in range(len(plan.views))
        if not of_time_alone and (output.view, output.feature) not in stored:
            raise FingerprintError(
                f"{plan.full_name}.{output.name}: the plan reads nothing: run `features apply` again"
            )


class _PlannedView:
    """The reading of one view of a plan.

    Attributes:
        index: among the plan's views.
        name: full name of the view.
        prefix: of its outputs.
        columns: the request columns of its keys, in the entity's order.
        dtypes: their types.
        is_stream: whether it is merged from tiles.
        decoder: makes values of what was read.
    """

    def __init__(self, plan: ServicePlan, index: int) -> None:
        view = plan.views[index]
        self.index = index
        self.name = view.view
        self.prefix = view.prefix
        self.columns = tuple(key.column for key in view.keys)
        self.dtypes = tuple(dtype_from_name(key.dtype) for key in view.keys)
        names = {read.feature for read in plan.reads if read.view == index}
        features = [feature for feature in view.features if feature.name in names]
        self.is_stream = view.stream is not None
        self.decoder = (
            SnapshotDecoder(view, features) if view.stream is None else StreamDecoder(view, view.stream, features)
        )
