"""What a feature service gives for a request or a row of a spine: features of views, and what is computed of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from feature_store.model.request_features import ComputedFeature
from feature_store.model.services import FeatureService
from feature_store.oracle.expressions import Row, as_type, evaluate
from feature_store.oracle.point_in_time import History, read_view
from feature_store.oracle.snapshots import Values
from feature_store.status import Status

Found = tuple[Any, Status]
"""A value and its status."""


def service_row(
    service: FeatureService,
    histories: Mapping[str, History],
    row: Row,
    time: datetime,
    availability: str = "promised",
) -> Values:
    """Return what a feature service gives for one request or spine row at T.

    Args:
        service: the service.
        histories: by the view's full name, what was written of it.
        row: the key columns, as the service names them (a null key is EMPTY), and the inputs.
        time: T, the same for every view of the row.
        availability: ``promised`` or ``actual``.

    Returns:
        Per output its value and ``<output>__status``; per view ``<prefix>__as_of``.
    """
    answer: Values = {}
    read: dict[str, Found] = {}
    for selection in service.selections:
        keys = tuple(row[selection.key_column(key)] for key in selection.view.keys)
        history = histories[selection.view.full_name]
        found, answer[f"{selection.prefix}__as_of"] = read_view(selection.view, history, keys, time, availability)
        read |= {f"{selection.prefix}.{name}": value for name, value in found.items()}
    for output in service.outputs:
        if isinstance(output, ComputedFeature):
            result = computed_value(
                output, {each.name: read[each.name] for each in output.reads}, inputs_of(service, row)
            )
        else:
            result = read[f"{output.selection.prefix}.{output.feature.name}"]
        answer[output.name], answer[f"{output.name}__status"] = result
    return answer


def inputs_of(service: FeatureService, row: Row) -> Values:
    """Return the inputs that came with a row, as columns of their types hold them; a default where one did not come."""
    return {
        name: as_type(row.get(name, declared.default), declared.dtype)
        for name, declared in service.request_inputs.items()
    }


def computed_value(output: ComputedFeature, reads: Mapping[str, Found], inputs: Row) -> Found:
    """Return a request feature: null where a feature that it reads has no value for a reason."""
    status = worst([status for _value, status in reads.values()])
    if status not in (Status.PRESENT, Status.EMPTY):
        return None, status
    columns = {name: value for name, (value, _status) in reads.items()} | {name: inputs[name] for name in output.inputs}
    dtypes = {**{each.name: each.dtype for each in output.reads}, **output.input_dtypes}
    return as_type(evaluate(output.expression, columns, dtypes), output.dtype), status


def worst(statuses: Sequence[Status]) -> Status:
    """Return the status of what is computed of several features; of inputs alone it is PRESENT."""
    for lost in (Status.DAMAGED, Status.NOT_COMPUTED, Status.EXPIRED):
        if lost in statuses:
            return lost
    return Status.EMPTY if statuses and all(status == Status.EMPTY for status in statuses) else Status.PRESENT
