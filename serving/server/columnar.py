"""Columnar JSON, made for all requests of a batch at once: what they share is encoded once, the rest by slices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from feature_store.status import Status
from serving.requests import KeyValue
from serving.values import iso_instant, json_values
from serving.vectors import FeatureVectors

_STATUS_JSON: Final = [orjson.dumps(status.name) for status in Status]
_LISTS_KEPT: Final = 64


class ColumnarJson:
    """The answers of one batch as JSON.

    Args:
        vectors: of all entities of the batch.
    """

    def __init__(self, vectors: FeatureVectors) -> None:
        described = {
            "service": vectors.service,
            "version": vectors.version,
            "time": iso_instant(vectors.time),
            "as_of": vectors.as_of_text(),
        }
        self._head = orjson.dumps(described)[:-1]
        self._values = [(name, json_values(column, vectors.dtypes[name])) for name, column in vectors.columns.items()]
        # The features of a view share one array of codes, whose JSON is made once.
        shared = {id(codes): codes.tobytes() for codes in vectors.status.values()}
        self._codes = [(_field(name), shared[id(codes)]) for name, codes in vectors.status.items()]
        self._uniform = all(_is_uniform(codes) for codes in shared.values())
        self._status_of_count: dict[int, bytes] = {}

    def answer(self, keys: dict[str, list[KeyValue]], start: int, stop: int) -> bytes:
        """Return the answer to one request.

        Args:
            keys: of the request.
            start: place of its first entity in the batch.
            stop: place after its last.
        """
        features = orjson.dumps({name: values[start:stop] for name, values in self._values})
        return b'%b,"keys":%b,"features":%b,"status":%b}' % (
            self._head,
            orjson.dumps(keys),
            features,
            self._status(start, stop),
        )

    def _status(self, start: int, stop: int) -> bytes:
        if not self._uniform:
            return self._status_json(start, stop)
        # Where all entities of a batch fare alike, only their number tells one request from another.
        count = stop - start
        if count not in self._status_of_count:
            self._status_of_count[count] = self._status_json(start, stop)
        return self._status_of_count[count]

    def _status_json(self, start: int, stop: int) -> bytes:
        made: dict[int, bytes] = {}
        parts: list[bytes] = []
        for name, codes in self._codes:
            text = made.get(id(codes))
            if text is None:
                text = made[id(codes)] = _status_list(codes[start:stop])
            parts.append(name + text)
        return b"{%b}" % b",".join(parts)


def _status_list(codes: bytes) -> bytes:
    if codes and _is_uniform(codes):
        return _uniform_list(codes[0], len(codes))
    return _json_list([_STATUS_JSON[code] for code in codes])


@lru_cache(_LISTS_KEPT)
def _uniform_list(code: int, count: int) -> bytes:
    return _json_list([_STATUS_JSON[code]] * count)


def _json_list(items: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)


def _is_uniform(codes: bytes) -> bool:
    return not codes or codes.count(codes[0]) == len(codes)


@lru_cache(4096)
def _field(name: str) -> bytes:
    return orjson.dumps(name) + b":"
