"""The answer to a request: feature values with their status, as-of and T, and the forms in which callers want them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from feature_store.columns import Array, Column
from feature_store.dtypes import DType, String
from feature_store.errors import InputError
from feature_store.status import Status
from feature_store.temporal.instants import iso_instant
from serving.read.requests import KeyValue
from serving.read.values import python_values

STATUS_SUFFIX: Final = "__status"
_STATUS_NAMES: Final = np.array([status.name for status in Status], object)


@dataclass(frozen=True)
class FeatureVectors:
    """The features of one service for a list of entities, in the order they were asked for.

    Attributes:
        service: name of the feature service.
        version: its version.
        time: T, microseconds UTC; one for the whole answer.
        keys: by request column, the entities asked for.
        columns: values by feature name, in the service's order.
        status: by feature name, uint8 codes of ``feature_store.status.Status``.
        as_of: by view prefix, the as-of of the values, microseconds UTC; None where no generation is usable at T.
        dtypes: by key column, feature name and input.
        inputs: by name, what came with the entities, as far as the features read it.
    """

    service: str
    version: int
    time: int
    keys: dict[str, list[KeyValue]]
    columns: dict[str, Column]
    status: dict[str, Array]
    as_of: dict[str, int | None]
    dtypes: dict[str, DType]
    inputs: dict[str, Column] = field(default_factory=dict[str, Column])

    def __len__(self) -> int:
        return len(next(iter(self.keys.values())))

    def take(self, start: int, stop: int) -> FeatureVectors:
        """Return the answer for entities ``start`` to ``stop`` (exclusive)."""
        return FeatureVectors(
            self.service,
            self.version,
            self.time,
            {name: values[start:stop] for name, values in self.keys.items()},
            _taken(self.columns, start, stop),
            {name: codes[start:stop] for name, codes in self.status.items()},
            self.as_of,
            self.dtypes,
            _taken(self.inputs, start, stop),
        )

    def status_names(self, name: str) -> list[str]:
        """Return the status of one feature's values in words: ``PRESENT``, ``EMPTY``..."""
        return _STATUS_NAMES[self.status[name]].tolist()

    def to_dict(self) -> dict[str, list[Any]]:
        """Return keys and features as lists by name; timestamps are ``datetime`` in UTC, null is None.

        Raises:
            InputError: an instant lies outside the years that ``datetime`` knows.
        """
        return {**self.keys, **{name: self._python_values(name) for name in self.columns}}

    def _python_values(self, name: str) -> list[Any]:
        try:
            return python_values(self.columns[name], self.dtypes[name])
        except InputError as error:
            raise InputError(f"{name}: {error}") from error

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary of keys and features per entity."""
        columns = self.to_dict()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_numpy(self) -> Array:
        """Return the features as a Float64 matrix, one row per entity, in the service's order.

        Null is NaN, a boolean 0 or 1, a timestamp its microseconds since the Unix epoch; a vector or an array takes as
        many columns as it has elements.

        Raises:
            InputError: a feature is a string.
        """
        texts = [name for name in self.columns if self.dtypes[name].element == String]
        if texts:
            raise InputError(
                f"{self.service}: {', '.join(texts)} hold strings and cannot stand in a matrix of numbers: "
                f"declare an encoding of them, or use to_dict() or to_arrow()"
            )
        parts = (
            np.where(_as_matrix(column.valid), _as_matrix(column.values.astype(np.float64)), np.nan)
            for column in self.columns.values()
        )
        return np.concatenate([np.empty((len(self), 0)), *parts], axis=1)

    def to_arrow(self) -> Any:
        """Return a ``pyarrow.Table``: keys, features, and ``<feature>__status`` (uint8) columns.

        The schema's metadata holds ``service``, ``version``, ``time`` and ``as_of`` (JSON by view prefix), instants in
        ISO 8601. Needs pyarrow.
        """
        from serving.read.arrow import to_table  # noqa: PLC0415 - pyarrow is large, and most callers do without

        codes = {f"{name}{STATUS_SUFFIX}": codes for name, codes in self.status.items()}
        metadata = {
            "service": self.service,
            "version": str(self.version),
            "time": iso_instant(self.time),
            "as_of": json.dumps(self.as_of_text()),
        }
        return to_table(self.keys, self.columns, codes, self.dtypes, metadata)

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame`` with the columns of ``to_arrow``. Needs polars and pyarrow."""
        from serving.read.arrow import to_polars  # noqa: PLC0415 - as above

        return to_polars(self.to_arrow())

    def as_of_text(self) -> dict[str, str | None]:
        """Return the as-ofs in ISO 8601."""
        return {prefix: None if as_of is None else iso_instant(as_of) for prefix, as_of in self.as_of.items()}


def _taken(columns: Mapping[str, Column], start: int, stop: int) -> dict[str, Column]:
    return {name: Column(each.values[start:stop], each.valid[start:stop]) for name, each in columns.items()}


def _as_matrix(values: Array) -> Array:
    """Return an array of one row per entity, with one column where an entity has a single element."""
    return values if values.ndim > 1 else values[:, np.newaxis]
