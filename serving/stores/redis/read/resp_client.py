"""A client for an event loop that keeps many commands under way on one connection, in as few writes as possible."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import hiredis
from redis import connection as redis_connection
from redis.connection import SSLConnection, UnixDomainSocketConnection

from feature_store.errors import InputError
from serving.stores.redis.connection import unavailable
from serving.stores.redis.resp import pack
from serving.stores.store import READ_TIMEOUT

MOST_UNDER_WAY: Final = 1024
"""Commands that wait for their reply at once; more means that the store has stopped answering."""

_DEFAULT_PORT: Final = 6379
_PLAIN_OPTIONS: Final = {"host", "port", "db", "username", "password", "path", "connection_class"}
_TLS_OPTIONS: Final = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


class ConnectionGoneError(Exception):
    """The connection ended before the reply came."""


@dataclass(frozen=True)
class Address:
    """The address of a server, and the login.

    Attributes:
        host, port: of a TCP server.
        path: of a Unix socket; None: TCP.
        tls: context of an encrypted connection; None: plain.
        greeting: commands that log in and choose the database.
    """

    host: str
    port: int
    path: str | None
    tls: ssl.SSLContext | None
    greeting: tuple[tuple[str, ...], ...]

    @staticmethod
    def from_url(url: str) -> Address:
        """Read a ``redis://``, ``rediss://`` or ``unix://`` URL.

        Raises:
            InputError: it holds an option that this client does not know.
        """
        options: dict[str, Any] = cast("Any", redis_connection).parse_url(url)
        encrypted = options.get("connection_class") is SSLConnection
        known = _PLAIN_OPTIONS | _TLS_OPTIONS if encrypted else _PLAIN_OPTIONS
        for name in options:
            if name not in known:
                raise InputError(
                    f"online store URL: the feature server does not know the option {name!r}: leave it out; "
                    f"it knows {', '.join(sorted(known - {'connection_class'}))}"
                )
        username, password, db = options.get("username"), options.get("password"), options.get("db", 0)
        login = (("AUTH", *((username,) if username else ()), password),) if password else ()
        select = (("SELECT", str(db)),) if db else ()
        is_unix = options.get("connection_class") is UnixDomainSocketConnection
        return Address(
            options.get("host", "localhost"),
            options.get("port", _DEFAULT_PORT),
            options["path"] if is_unix else None,
            _tls(options) if encrypted else None,
            (*login, *select),
        )


class RespClient:
    """Sends commands and returns their replies; one loop per instance.

    It connects when first used, and again after the connection was lost.

    Args:
        url: of a Redis or Valkey server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._address = Address.from_url(url)
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def execute(self, command: bytes) -> Any:
        """Send one command, in RESP, that may be repeated without harm, and return its reply.

        Raises:
            StoreUnavailableError: the server cannot be reached, does not answer in time, or refuses.
        """
        try:
            try:
                return await (await self._connected()).send(command)
            except ConnectionGoneError:
                # A server that was restarted, or that ends idle connections, is there again.
                return await (await self._connected()).send(command)
        except TimeoutError as error:
            raise unavailable(self._url, f"no answer within {READ_TIMEOUT:g} s") from error
        except (OSError, ConnectionGoneError, hiredis.HiredisError) as error:
            raise unavailable(self._url, error) from error

    async def close(self) -> None:
        """End the connection; commands under way fail."""
        if self._connection is not None:
            self._connection.end()
            self._connection = None

    async def _connected(self) -> _Connection:
        connection = self._connection
        if connection is not None and connection.is_open:
            return connection
        async with self._connecting:
            if self._connection is None or not self._connection.is_open:
                async with asyncio.timeout(READ_TIMEOUT):
                    self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> _Connection:
        loop, address = asyncio.get_running_loop(), self._address
        if address.path is not None:
            _, connection = await loop.create_unix_connection(_Connection, address.path)
        else:
            _, connection = await loop.create_connection(_Connection, address.host, address.port, ssl=address.tls)
        try:
            for command in address.greeting:
                await connection.send(pack(tuple(word.encode() for word in command)))
        except BaseException:
            connection.end()
            raise
        return connection


class _Connection(asyncio.Protocol):
    """Replies come in the order of the commands; commands of one turn of the loop leave in one write."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Send a command and return the future of its reply.

        Raises:
            ConnectionGoneError: the connection has ended, or too many commands wait already.
        """
        if not self.is_open:
            raise ConnectionGoneError("the connection was closed")
        if len(self._waiting) >= MOST_UNDER_WAY:
            raise ConnectionGoneError(f"{MOST_UNDER_WAY} commands wait for an answer already")
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(command)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((self._loop.time() + READ_TIMEOUT, future))
        if self._watch is None:
            self._watch = self._loop.call_later(READ_TIMEOUT, self._look_at_oldest)
        return future

    def end(self) -> None:
        """Close the connection without waiting."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are not registered as asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                if not self._waiting:
                    # Nobody asked: the server says why it is about to close the connection.
                    self.end()
                    return
                self._answer(reply)
        except hiredis.ProtocolError:
            # connection_lost tells those who wait.
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._fail(ConnectionGoneError(str(exc) if exc else "the server closed the connection"))

    def _look_at_oldest(self) -> None:
        """End the connection if a reply is overdue; one timer for all commands, since most are answered at once."""
        self._watch = None
        if not self._waiting:
            return
        deadline = self._waiting[0][0]
        if self._loop.time() < deadline:
            self._watch = self._loop.call_at(deadline, self._look_at_oldest)
            return
        # Whatever came now could be the reply to any command that was given up.
        self._fail(TimeoutError())
        self.end()

    def _fail(self, error: Exception) -> None:
        self.is_open = False
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)

    def _flush(self) -> None:
        if self._transport is not None and self.is_open:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def _answer(self, reply: Any) -> None:
        _, future = self._waiting.popleft()
        if future.done():
            return
        if isinstance(reply, hiredis.ReplyError):
            future.set_exception(reply)
        else:
            future.set_result(reply)


def _tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if "ssl_certfile" in options:
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
