"""The entities asked for on the command line: ``--key household_id=900``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from feature_store import DType, Int64
from feature_store.errors import InputError

_INT64 = range(-(2**63), 2**63)


def parse_keys(texts: Sequence[str], keys: Mapping[str, DType]) -> dict[str, list[int | str]]:
    """Return the values of each key column.

    Args:
        texts: ``column=value``; several values of one column are several entities; one given once holds for all.
        keys: key columns and their types.

    Raises:
        InputError: not ``column=value``, an unknown or missing column, a value of a wrong type, or columns with
            different numbers of values.

    >>> parse_keys(["household_id=900", "household_id=901"], {"household_id": Int64})
    {'household_id': [900, 901]}
    """
    values: dict[str, list[int | str]] = {column: [] for column in keys}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--key {text!r} is not column=value: write {_example(keys)}")
        if column not in keys:
            raise InputError(f"--key {text!r}: {column!r} is not a key here: write {_example(keys)}")
        values[column].append(_value(text, value, keys[column]))
    for column in keys:
        if not values[column]:
            raise InputError(f"key {column!r} is missing: write {_example(keys, values)}")
    count = max(len(given) for given in values.values())
    for column, given in values.items():
        if len(given) not in (1, count):
            raise InputError(
                f"{len(given)} values of {column!r} and {count} of another key: give each {count} values, or one"
            )
    return {column: given * count if len(given) == 1 else given for column, given in values.items()}


def _value(text: str, value: str, dtype: DType) -> int | str:
    if dtype != Int64:
        return value
    try:
        number = int(value)
    except ValueError:
        raise InputError(f"--key {text!r}: {value!r} is not a whole number") from None
    if number not in _INT64:
        raise InputError(f"--key {text!r}: {value} does not fit an Int64")
    return number


def _example(keys: Mapping[str, DType], given: Mapping[str, Sequence[int | str]] | None = None) -> str:
    """Return how the keys are written: with the values that were given, and made-up ones of the others."""
    made_up = {column: ["900" if dtype == Int64 else "GROCERY"] for column, dtype in keys.items()}
    shown = [(column, (given or {}).get(column) or made_up[column]) for column in keys]
    return " ".join(f"--key {shlex.quote(f'{column}={value}')}" for column, values in shown for value in values)
