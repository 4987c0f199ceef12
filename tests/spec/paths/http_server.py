"""A feature server of this process behind real HTTP, whose clock can be set, and requests sent to it all at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Thread
from types import SimpleNamespace, TracebackType
from typing import Any, Final, Self
from unittest.mock import patch

import httpx
import orjson
import polars as pl
from granian.server.embed import Server

from feature_store import FeatureService, Status, Timestamp
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.delta.instants import INSTANT
from feature_store.oracle.expressions import microseconds
from serving.server.app import FeatureServer
from serving.server.responses import ARROW
from tests.fixtures.valkey import free_port
from tests.spec.requests import input_columns

_MOST_ENTITIES: Final = 4
"""Of one request: most have one, as those of models do."""
_PATIENCE: Final = 60.0


@contextmanager
def serving_at(time: datetime) -> Iterator[None]:
    """Set the clock by which the server answers."""
    clock = SimpleNamespace(time_ns=lambda: microseconds(time) * 1000)
    with patch("serving.server.batching.time", clock):
        yield


class HttpServer:
    """The server, on a free port, in a thread with a loop of its own, for as long as the block runs."""

    def __init__(self, plans: Path, url: str) -> None:
        self._address = f"http://127.0.0.1:{(port := free_port())}"
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._application = FeatureServer(plans, url)
        self._server = Server(self._answer, port=port, websockets=False, log_enabled=False)
        self._serving: Future[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop.call_soon_threadsafe(self._application.__rsgi_init__, self._loop)
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve(), self._loop)
        asyncio.run_coroutine_threadsafe(self._ready(), self._loop).result(_PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._serving is not None
        self._loop.call_soon_threadsafe(self._server.stop)
        self._serving.result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._application.__rsgi_del__(self._loop)  # its loop must stand still
        self._loop.close()

    async def _answer(self, scope: Any, transport: Any) -> None:
        await self._application.__rsgi__(scope, transport)

    async def _ready(self) -> None:
        async with httpx.AsyncClient(base_url=self._address) as client:
            while True:
                try:
                    if (await client.get("/ready")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.02)

    def ask(self, service: FeatureService, requests: Sequence[dict[str, Any]], rng: Random) -> pl.DataFrame:
        """Return the answers of all requests as one frame, in their order, statuses as codes."""
        parts: list[Sequence[dict[str, Any]]] = []
        start = 0
        while start < len(requests):
            size = rng.choice([1, 1, 2, _MOST_ENTITIES])
            parts.append(requests[start : start + size])
            start += size
        is_arrow = [rng.choice([True, False]) for _ in parts]
        answers = asyncio.run_coroutine_threadsafe(self._ask_all(service, parts, is_arrow), self._loop)
        return pl.concat(answers.result(_PATIENCE))

    def refusal(self, service: FeatureService, request: dict[str, Any], more: str) -> str:
        """Return the field that the server says is wrong, with 400, of a request for one entity.

        Args:
            service: asked.
            request: its keys and inputs.
            more: the name of an input that it may bring along, though the service has none of that name.
        """
        address = f"{self._address}/v1/services/{service.full_name}/features"
        body = {"keys": {name: [request[name]] for name in service.keys}, "inputs": input_columns([request], more)}
        response = httpx.post(address, content=orjson.dumps(body), headers={"content-type": "application/json"})
        assert response.status_code == httpx.codes.BAD_REQUEST, response.text
        return response.json()["error"]["field"]

    async def _ask_all(
        self, service: FeatureService, parts: Sequence[Sequence[dict[str, Any]]], is_arrow: Sequence[bool]
    ) -> list[pl.DataFrame]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=self._address, timeout=_PATIENCE, limits=limits) as client:
            asked = (self._ask(client, service, part, arrow) for part, arrow in zip(parts, is_arrow, strict=True))
            return list(await asyncio.gather(*asked))

    async def _ask(
        self, client: httpx.AsyncClient, service: FeatureService, part: Sequence[dict[str, Any]], arrow: bool
    ) -> pl.DataFrame:
        keys = {name: [each[name] for each in part] for name in service.keys}
        body = orjson.dumps({"keys": keys, "inputs": input_columns(part)})
        headers = {"content-type": "application/json", **({"accept": ARROW} if arrow else {})}
        response = await client.post(f"/v1/services/{service.full_name}/features", content=body, headers=headers)
        assert response.status_code == httpx.codes.OK, response.text
        return _of_arrow(response.content) if arrow else _of_json(service, response.json())


def _of_arrow(content: bytes) -> pl.DataFrame:
    import pyarrow as pa

    table: Any = pa.ipc.open_stream(content).read_all()
    return _with_as_ofs(pl.DataFrame(pl.from_arrow(table)), json.loads(table.schema.metadata[b"as_of"]))


def _of_json(service: FeatureService, answer: dict[str, Any]) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, values, polars_dtype(service.keys[name])) for name, values in answer["keys"].items()
    }
    for output in service.outputs:
        values = answer["features"][output.name]
        if output.dtype == Timestamp:
            columns[output.name] = (
                pl.Series(output.name, values, pl.String).str.to_datetime(time_zone="UTC").cast(INSTANT)
            )
        else:
            # Read as Float64: a Float32 is written with as many digits as tell it from its neighbours.
            columns[output.name] = pl.Series(output.name, values, strict=False).cast(polars_dtype(output.dtype))
    for output in service.outputs:
        codes = [Status[name].value for name in answer["status"][output.name]]
        columns[f"{output.name}__status"] = pl.Series(codes, dtype=pl.UInt8)
    return _with_as_ofs(pl.DataFrame(columns), answer["as_of"])


def _with_as_ofs(frame: pl.DataFrame, as_ofs: dict[str, str | None]) -> pl.DataFrame:
    found = {f"{prefix}__as_of": None if at is None else datetime.fromisoformat(at) for prefix, at in as_ofs.items()}
    return frame.with_columns(pl.lit(at, INSTANT).alias(name) for name, at in found.items())
