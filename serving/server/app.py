"""The application: a bare RSGI callable, since on the hot route a framework costs more than the work."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, Final, Protocol, cast

import orjson

from feature_store.errors import FeatureStoreError
from feature_store.s3.paths import Place
from serving.read.assembly import Assembly
from serving.read.damage import damaged_rows
from serving.read.plan_folder import PLAN_SECONDS, PlanFolder
from serving.read.requests import RequestError, read_features, read_keys
from serving.server.batching import MicroBatcher
from serving.server.responses import (
    ARROW,
    JSON,
    HttpError,
    Response,
    error_response,
    features_arrow,
    features_json,
    json_response,
    services_json,
)
from serving.stores.open_store import open_async_reader

MOST_ENTITIES: Final = 10_000
"""Entities in one request."""

MOST_VALUES: Final = 100_000
"""Values in one answer: making more would keep the requests of others waiting."""

MOST_BYTES: Final = 4 * 2**20
"""Bytes of one request's body."""

_FEATURES: Final = re.compile(r"/v1/services/([^/]+(?:/v[1-9][0-9]*)?)/features")
_PATHS_KEPT: Final = 1024
_INTERNAL_ERROR: Final = 500
_BODY_FIELDS: Final = ("keys", "inputs", "features")
_logger: Final = logging.getLogger("serving.server")


class Scope(Protocol):
    """The part of an RSGI scope that is used."""

    method: str
    path: str

    @property
    def headers(self) -> Any:
        """Request headers; ``get(name)`` of a lower-case name."""
        ...


class Transport(Protocol):
    """The part of an RSGI protocol object that is used."""

    async def __call__(self) -> bytes:
        """Return the request's body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the request's body in pieces, as they arrive."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the response."""
        ...


def build(plans: Place, url: str) -> Any:
    """Return the ``FeatureServer`` of one worker process (Any: granian's types know plain callables only)."""
    return FeatureServer(plans, url)


class FeatureServer:
    """Answers feature requests from plans and the online store.

    Args:
        plans: the folder that ``features apply`` writes; changes are picked up within a second or so.
        url: of the online store.
    """

    def __init__(self, plans: Place, url: str) -> None:
        self._plans = PlanFolder(plans)
        self._reader = open_async_reader(url)
        self._batcher = MicroBatcher(self._reader)
        self._watcher: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._refresh()
        self._watcher = loop.create_task(self._watch())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        loop.run_until_complete(self._reader.close())

    async def __rsgi__(self, scope: Scope, transport: Transport) -> None:
        try:
            response = await self._respond(scope, transport)
        except (HttpError, FeatureStoreError) as error:
            response = error_response(error)
            if response.status == _INTERNAL_ERROR:
                _logger.error("%s %s: %s", scope.method, scope.path, error)
        except Exception:
            _logger.exception("%s %s failed", scope.method, scope.path)
            response = json_response(
                {"error": {"field": "server", "message": "internal error; see the server's log"}}, 500
            )
        headers = [("content-type", response.content_type), *response.headers]
        transport.response_bytes(response.status, headers, response.body)

    async def _respond(self, scope: Scope, transport: Transport) -> Response:
        service = _service_of(scope.path)
        if service is not None:
            if scope.method != "POST":
                raise _wrong_method(scope.method, "POST")
            return await self._features(service, scope.headers, transport)
        if scope.path not in ("/health", "/ready", "/v1/services"):
            raise HttpError(
                404,
                "path",
                f"no {scope.path}; there are POST /v1/services/NAME[/vN]/features, GET /v1/services, GET /health and "
                f"GET /ready",
            )
        if scope.method not in ("GET", "HEAD"):
            raise _wrong_method(scope.method, "GET, HEAD")
        if scope.path == "/ready":
            return await self._ready()
        return services_json(self._plans.plans) if scope.path == "/v1/services" else json_response({"status": "alive"})

    async def _features(self, service: str, headers: Any, transport: Transport) -> Response:
        content_type = headers.get("content-type", JSON)
        if content_type != JSON and content_type.partition(";")[0].strip().lower() != JSON:
            raise HttpError(415, "content-type", f"unsupported content type {content_type!r}: send {JSON}")
        length = headers.get("content-length")
        if length is not None and int(length) > MOST_BYTES:
            raise _too_long()
        raw = await (_pieces(transport) if length is None else transport())
        body = _read_body(raw)
        assembly = self._plans.find(service, read_features(body.get("features")))
        # Entities take a byte each at least: a short body cannot hold too many.
        if len(raw) > MOST_ENTITIES or len(raw) * assembly.width > MOST_VALUES:
            _refuse_many(assembly, body.get("keys"))
        keys = read_keys(assembly.plan, body.get("keys"), body.get("inputs"))
        answer = await self._batcher.get(assembly, keys)
        if ARROW in headers.get("accept", ""):
            return features_arrow(answer)
        return features_json(keys, answer)

    async def _ready(self) -> Response:
        plans, problems = self._plans.plans, self._plans.problems
        if not plans:
            raise HttpError(503, "plans", "; ".join(["no plan is loaded: run `features apply`", *problems.values()]))
        await self._reader.check()
        noted = {"unusable_plans": problems, "damaged_rows": damaged_rows()}
        return json_response({"status": "ready", "services": len(plans), **{k: v for k, v in noted.items() if v}})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PLAN_SECONDS)
            await asyncio.to_thread(self._refresh)

    def _refresh(self) -> None:
        try:
            changed = self._plans.refresh()
        except Exception:
            _logger.exception("the plans folder cannot be looked at; the plans read before stay in use")
            return
        if changed:
            _logger.info("plans: %s", ", ".join(plan.full_name for plan in self._plans.plans))
            for problem in self._plans.problems.values():
                _logger.error("%s", problem)
            for plan in self._plans.plans:
                for deprecation in plan.deprecations:
                    _logger.warning("%s: %s", plan.full_name, deprecation)


@lru_cache(_PATHS_KEPT)
def _service_of(path: str) -> str | None:
    match = _FEATURES.fullmatch(path)
    return None if match is None else match[1]


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError("body", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise RequestError("body", 'not a JSON object: send {"keys": {...}}')
    fields = cast("dict[str, Any]", value)
    for name in fields:
        if name not in _BODY_FIELDS:
            raise RequestError(name, f"unknown; a request has {', '.join(_BODY_FIELDS)}")
    return fields


def _wrong_method(method: str, allowed: str) -> HttpError:
    return HttpError(405, "method", f"{method} is not allowed here: use {allowed}", (("allow", allowed),))


async def _pieces(transport: Transport) -> bytes:
    """Return a body of unknown length; one that is too long is given up as soon as that is known."""
    body = bytearray()
    async for piece in transport:
        body += piece
        if len(body) > MOST_BYTES:
            raise _too_long()
    return bytes(body)


def _too_long() -> HttpError:
    return HttpError(413, "body", f"longer than {MOST_BYTES} bytes: send fewer entities with one request")


def _refuse_many(assembly: Assembly, keys: object) -> None:
    """Count what would be answered before anything is done for it."""
    columns = cast("dict[str, object]", keys).values() if isinstance(keys, dict) else ()
    count = max((len(cast("list[object]", each)) for each in columns if isinstance(each, list)), default=0)
    most = min(MOST_ENTITIES, MOST_VALUES // assembly.width)
    if count > most:
        raise RequestError(
            "keys",
            f"{count} entities x {assembly.width} values: send at most {MOST_ENTITIES} entities and {MOST_VALUES} "
            f"values, here {most} entities, with one request",
        )
