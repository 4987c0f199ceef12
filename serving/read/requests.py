"""What a caller asks for, checked, for the client and the server alike: every error names the field that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from feature_store.dtypes import dtype_from_name
from feature_store.plans.service_plan import PlanInput, ServicePlan
from serving.read.request_values import RequestError, microseconds, read_values

KeyValue = int | str | None


class UnknownServiceError(RequestError):
    """No plan describes the feature service that was asked for."""


@dataclass(frozen=True)
class RequestKeys:
    """The entities of a request, or of several together, and what came with them.

    Attributes:
        count: how many.
        values: by request column, as they came, all of the key's type or null.
        inputs: by name of the inputs that the answer needs, one value per entity; see ``read_values``.
    """

    count: int
    values: dict[str, list[KeyValue]]
    inputs: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])


def read_keys(plan: ServicePlan, keys: object, inputs: object = None) -> RequestKeys:
    """Check the keys and inputs of a request against the service's.

    Args:
        plan: of the service asked, with the features that are wanted.
        keys: a mapping from request column to a list (or array) of whole numbers, strings or nulls.
        inputs: a mapping from input to a list (or array) of as many values; None: there are none.

    Raises:
        RequestError: a column is missing, unknown, of another length, or holds a value of another type.
    """
    wanted = plan.keys
    if not isinstance(keys, Mapping):
        raise RequestError("keys", f'give the key columns with their values, e.g. {{"{next(iter(wanted))}": [1, 2]}}')
    given = cast("Mapping[object, object]", keys)
    for name in given:
        if name not in wanted:
            raise RequestError(f"keys.{name}", f"not a key of {plan.full_name}; its keys are {', '.join(wanted)}")
    values: dict[str, list[KeyValue]] = {}
    for name, dtype in wanted.items():
        if name not in given:
            raise RequestError(f"keys.{name}", f"missing: {plan.full_name} needs this key ({dtype.name})")
        values[name] = read_values(f"keys.{name}", given[name], dtype, "key")
    counts = set(map(len, values.values()))
    if len(counts) != 1:
        lengths = {name: len(column) for name, column in values.items()}
        raise RequestError("keys", f"columns of unequal lengths {lengths}: give every entity a value, or null, in each")
    count = counts.pop()
    # Most services have no inputs.
    brought = _read_inputs(plan, inputs, count) if plan.inputs or inputs is not None else {}
    return RequestKeys(count, values, brought)


def _read_inputs(plan: ServicePlan, inputs: object, count: int) -> dict[str, list[Any]]:
    """Return the inputs that a plan needs; others of the service are checked and left out."""
    if not isinstance(inputs, Mapping | None):
        raise RequestError("inputs", f'give the inputs with their values, e.g. {{"{_first(plan)}": [12.5]}}')
    given = cast("Mapping[object, object]", inputs or {})
    declared = {each.name: each for each in plan.inputs}
    values: dict[str, list[Any]] = {}
    for name, each in given.items():
        if name not in declared:
            known = f"its inputs are {', '.join(declared)}" if declared else "it has none"
            raise RequestError(f"inputs.{name}", f"not an input of {plan.full_name}; {known}")
        read = read_values(f"inputs.{name}", each, dtype_from_name(declared[str(name)].dtype), "input")
        if len(read) != count:
            message = f"{len(read)} values for {count} entities: give every entity a value, or null"
            raise RequestError(f"inputs.{name}", message)
        values[str(name)] = read
    return {
        each.name: values[each.name] if each.name in values else _default(plan, each, count)
        for each in plan.needed_inputs
    }


def _default(plan: ServicePlan, declared: PlanInput, count: int) -> list[Any]:
    if declared.default is None:
        raise RequestError(
            f"inputs.{declared.name}",
            f"missing: {plan.full_name} needs this input ({declared.dtype}), a value per entity",
        )
    return [declared.default] * count


def _first(plan: ServicePlan) -> str:
    return plan.inputs[0].name if plan.inputs else "name"


def read_features(features: object) -> tuple[str, ...] | None:
    """Check the names of the features wanted; None: all of the service's.

    Raises:
        RequestError: it is no list, or holds something else than names.
    """
    if features is None:
        return None
    if isinstance(features, str) or not isinstance(features, Sequence):
        raise RequestError("features", f"{features!r} is not a list of feature names")
    names = tuple(cast("Sequence[object]", features))
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise RequestError(f"features[{place}]", f"{name!r} is not a feature name")
    return cast("tuple[str, ...]", names)


def select_features(plan: ServicePlan, features: Sequence[str]) -> ServicePlan:
    """Return the plan with only some of its features, in the order asked for.

    Raises:
        RequestError: the service has no such feature, or one is named twice.
    """
    outputs = {output.name: output for output in plan.outputs}
    for place, name in enumerate(features):
        if name not in outputs:
            raise RequestError(
                f"features[{place}]", f"{name!r} is not in {plan.full_name}; it has {', '.join(outputs)}"
            )
        if name in features[:place]:
            raise RequestError(f"features[{place}]", f"{name!r} is named twice")
    return replace(plan, outputs=tuple(outputs[name] for name in features))


def read_time(time: datetime | None) -> int:
    """Return T in microseconds UTC; None: now.

    Raises:
        RequestError: it is no time, or has no zone.
    """
    if time is None:
        return microseconds("time", datetime.now(UTC))
    if not isinstance(time, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check types
        raise RequestError("time", f"{time!r} is not a datetime: write e.g. datetime(..., tzinfo=timezone.utc)")
    return microseconds("time", time)
