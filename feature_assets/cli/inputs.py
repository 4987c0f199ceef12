"""The inputs of a request on the command line: ``--input amount=12.5``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feature_assets.cli.times import parse_time
from feature_store import Boolean, DType, String, Timestamp
from feature_store.dtypes import dtype_from_name
from feature_store.errors import InputError
from feature_store.plans.service_plan import ServicePlan


def parse_inputs(texts: Sequence[str], plan: ServicePlan, count: int) -> dict[str, list[Any]] | None:
    """Return the values of each input, one per entity; None: there are none.

    Args:
        texts: ``name=value``; nothing after the sign is null (of a String: empty), a vector is written ``0.1,0.9``.
            Several values of one input are those of several entities; one given once holds for all.
        plan: of the service.
        count: number of entities.

    Raises:
        InputError: not ``name=value``, no input of the service, a value of a wrong type, or another number of values.
    """
    dtypes = {each.name: dtype_from_name(each.dtype) for each in plan.inputs}
    values: dict[str, list[Any]] = {}
    for given in texts:
        name, equals, value = given.partition("=")
        if not equals:
            raise InputError(f"--input {given!r} is not name=value: write --input amount=12.5")
        if name not in dtypes:
            known = f"its inputs are {', '.join(dtypes)}" if dtypes else "it has none"
            raise InputError(f"--input {given!r}: {name!r} is no input of {plan.full_name}; {known}")
        values.setdefault(name, []).append(_value(given, value, dtypes[name]))
    for name, listed in values.items():
        if len(listed) not in (1, count):
            raise InputError(
                f"{len(listed)} values of input {name!r} for {count} entities: give {count}, or one for all"
            )
    return {name: listed * count if len(listed) == 1 else listed for name, listed in values.items()} or None


def _value(given: str, value: str, dtype: DType) -> Any:
    if dtype == String:
        return value
    if value == "":
        return None
    if dtype == Timestamp:
        return parse_time(value, f"--input {given!r}")
    try:
        return _parsed(value, dtype)
    except (ValueError, KeyError):
        raise InputError(f"--input {given!r}: {value!r} is no {dtype}") from None


def _parsed(value: str, dtype: DType) -> Any:
    if dtype == Boolean:
        return {"true": True, "false": False}[value]
    if dtype.is_vector:
        return [float(each) for each in value.split(",")]
    return int(value) if dtype.is_integer else float(value)
