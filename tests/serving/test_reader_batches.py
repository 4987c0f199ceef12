"""What is sent for a batch, and how requests are gathered into batches."""

from __future__ import annotations

import asyncio
from typing import Any

import hiredis
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.ragged import from_lengths
from serving.assembly import Assembly
from serving.requests import read_keys
from serving.server import batching
from serving.server.batching import MicroBatcher
from serving.stores.async_reader import AsyncOnlineReader
from serving.stores.errors import StoreUnavailableError
from serving.stores.keys import row_key_words, row_prefix
from tests.serving.services import keys_of, load_spend, load_stores, service_plan

ENTITIES = st.one_of(
    st.lists(st.binary(max_size=12), max_size=9),
    st.integers(1, 12).flatmap(lambda width: st.lists(st.binary(min_size=width, max_size=width), max_size=9)),
)


@given(ENTITIES, st.integers(0, 2**32 - 1))
def test_the_words_of_a_command_are_the_keys_of_the_rows(entities: list[bytes], generation: int) -> None:
    ragged = from_lengths(
        np.frombuffer(b"".join(entities), np.uint8), np.array([len(each) for each in entities], np.int64)
    )
    reader = hiredis.Reader()
    reader.feed(b"*%d\r\n" % len(entities) + row_key_words(generation, ragged))
    assert reader.gets() == [row_prefix(generation) + each for each in entities]
    assert not reader.has_data()


def answers(url: str, requests: list[dict[str, Any]], *assemblies: Assembly) -> list[Any]:
    """Ask for everything in one turn of the loop; return JSON bodies, or the errors, in order."""

    async def main() -> list[Any]:
        reader = AsyncOnlineReader(url)
        batcher = MicroBatcher(reader)

        async def ask(number: int, keys: dict[str, Any]) -> Any:
            assembly = assemblies[number % len(assemblies)]
            answer = await batcher.get(assembly, read_keys(assembly.plan, keys))
            return orjson.loads(answer.batch.json.answer(keys, answer.start, answer.stop))

        try:
            return await asyncio.gather(*(ask(*each) for each in enumerate(requests)), return_exceptions=True)
        finally:
            await reader.close()

    return asyncio.run(main())


def test_each_request_of_a_batch_gets_its_part(valkey: str) -> None:
    load_spend(valkey, list(range(1, 40)))
    load_stores(valkey, [1])
    requests = [keys_of([household, None, 99][: household % 4]) for household in range(1, 39)]
    for number, body in enumerate(answers(valkey, requests, Assembly(service_plan()), Assembly(service_plan(2)))):
        households = requests[number]["household_id"]
        assert (body["version"], body["keys"]) == (1 + number % 2, requests[number])
        wanted = [household if household in range(1, 40) else 0 for household in households]
        assert body["features"]["household_spend__baskets"] == wanted
        status = ["PRESENT" if household in range(1, 40) else "EMPTY" for household in households]
        assert body["status"]["household_spend__baskets"] == status
        assert body["status"]["weekday_now"] == ["PRESENT"] * len(households)


def test_large_batches_are_split(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MOST_ENTITIES_AT_ONCE", 3)
    load_spend(valkey, list(range(1, 40)))
    requests = [keys_of(list(range(1, 1 + count))) for count in (2, 2, 1, 9, 3, 1)]
    bodies = answers(valkey, requests, Assembly(service_plan()))
    assert [body["features"]["household_spend__baskets"] for body in bodies] == [
        request["household_id"] for request in requests
    ]
    assert len({body["time"] for body in bodies}) == 5, "only the second and the third request fit into one batch"


def test_requests_beyond_the_bound_are_refused_at_once(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MOST_WAITING", 2)
    load_spend(valkey, [1])
    bodies = answers(valkey, [keys_of([1])] * 4, Assembly(service_plan()))
    assert [body["features"]["household_spend__baskets"] for body in bodies[:2]] == [[1], [1]]
    assert all(isinstance(each, StoreUnavailableError) and "2 requests wait" in str(each) for each in bodies[2:])


def test_statuses_that_differ_between_views_and_entities(valkey: str) -> None:
    load_stores(valkey, [1, 2])
    (body,) = answers(valkey, [keys_of([3, 4], home=[1, 7])], Assembly(service_plan()))
    assert body["status"]["household_spend__baskets"] == ["NOT_COMPUTED"] * 2
    assert body["status"]["home__store_traffic__visits"] == ["PRESENT", "EMPTY"]
    assert body["status"]["work__store_traffic__visits"] == ["PRESENT"] * 2
    assert body["features"]["household_spend__embedding"] == [None, None]


def test_no_entities_at_all(valkey: str) -> None:
    load_spend(valkey, [1])
    (body,) = answers(valkey, [keys_of([])], Assembly(service_plan()))
    assert set(map(tuple, body["features"].values())) == set(map(tuple, body["status"].values())) == {()}
