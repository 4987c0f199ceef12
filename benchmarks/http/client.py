"""A load generator for machines without wrk: ``python -m benchmarks.http.client ADDRESS PATH BODIES SECONDS``."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.http.load import CONNECTIONS


class Connection(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it was answered."""

    def __init__(self, requests: cycle[bytes], until: float) -> None:
        self._requests = requests
        self._until = until
        self._received = bytearray()
        self._expected = 0
        self.latencies: list[float] = []
        self.errors = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._expected:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = self._received[:head].lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._expected = head + 4 + int(length)
        if len(self._received) >= self._expected:
            self.errors += not self._received.startswith(b"HTTP/1.1 200")
            self.latencies.append(time.perf_counter() - self._asked)
            self._received.clear()
            self._expected = 0
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.done.done():
            self.errors += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        if self._asked < self._until:
            self._transport.write(next(self._requests))
        else:
            self.done.set_result(None)
            self._transport.close()


async def run(address: str, path: str, bodies: list[bytes], seconds: float) -> dict[str, float]:
    """Send the bodies over and over; return requests, seconds, latencies in milliseconds and errors."""
    parts = urlsplit(address)
    head = f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\ncontent-length: "
    requests = cycle([b"%s%d\r\n\r\n%s" % (head.encode(), len(body), body) for body in bodies])
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    made = [
        await loop.create_connection(lambda: Connection(requests, began + seconds), parts.hostname, parts.port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    latencies = [latency for _, connection in made for latency in connection.latencies]
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return {
        "requests": len(latencies),
        "seconds": time.perf_counter() - began,
        "p50": cuts[49] * 1e3,
        "p99": cuts[98] * 1e3,
        "errors": sum(connection.errors for _, connection in made),
    }


if __name__ == "__main__":
    _, given_address, given_path, given_lines, given_seconds = sys.argv
    given_bodies = Path(given_lines).read_bytes().splitlines()
    print(json.dumps(asyncio.run(run(given_address, given_path, given_bodies, float(given_seconds)))))
