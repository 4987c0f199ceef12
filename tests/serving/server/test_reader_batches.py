"""What is sent for a batch, and how requests are gathered into batches."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import hiredis
import numpy as np
import orjson
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.byte_strings import from_lengths
from feature_store.codec.key_codec import encode_keys
from feature_store.columns import Column
from feature_store.dtypes import Array, Boolean, DType, Float32, Float64, Int64, String, Timestamp, Vector
from serving.read.assembly import Assembly
from serving.read.requests import read_keys, select_features
from serving.read.values import json_values
from serving.read.vectors import FeatureVectors
from serving.server import batching
from serving.server.batching import MicroBatcher
from serving.server.json_answers import FEW_ENTITIES, ColumnarJson
from serving.stores.errors import StoreError, StoreUnavailableError
from serving.stores.generations import decode_generations
from serving.stores.open_store import open_async_reader, open_reader
from serving.stores.records import Sealed
from serving.stores.redis.keys import pointer_keys, row_key_words, row_prefix
from serving.stores.redis.read import multi_get
from tests.serving.services import SPEND, STORE, keys_of, load_spend, load_stores, service_plan
from tests.stores.sample import HOUR, column, now

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
        reader = open_async_reader(url)
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
    monkeypatch.setattr(batching, "MOST_VALUES_AT_ONCE", 3 * Assembly(service_plan()).width)
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
    assert all(
        isinstance(each, StoreUnavailableError) and "overloaded (2 requests waiting)" in str(each)
        for each in bodies[2:]
    )


SPEND_ONLY = select_features(service_plan(), ["household_spend__baskets", "household_spend__segment"])
STORE_ONLY = select_features(service_plan(), ["home__store_traffic__visits"])


def voucher_key(client: redis.Redis, view: str) -> bytes:
    (generation,) = decode_generations(view, Sealed(*client.mget(pointer_keys(view))))
    return row_prefix(generation.id)


def test_a_view_whose_rows_are_gone_fails_those_that_read_it_alone(valkey: str) -> None:
    load_spend(valkey, [1, 2])
    load_stores(valkey, [1])
    with redis.Redis.from_url(valkey) as client:
        client.delete(voucher_key(client, STORE))
    requests = [keys_of([household]) for household in (1, 2, 1, 2)]
    bodies = answers(valkey, requests, Assembly(SPEND_ONLY), Assembly(STORE_ONLY))
    assert [bodies[place]["features"]["household_spend__baskets"] for place in (0, 2)] == [[1], [1]]
    for failed in (bodies[1], bodies[3]):
        assert isinstance(failed, StoreError)
        assert STORE in str(failed)
        assert SPEND not in str(failed)


@pytest.mark.parametrize("pointer", [b"", b"{garbage", b'{"a": 1}', b"[1]", b'[{"id": 1}]', b"\xff"])
def test_a_pointer_that_cannot_be_read_fails_those_that_read_its_view_alone(valkey: str, pointer: bytes) -> None:
    load_spend(valkey, [1, 2])
    with redis.Redis.from_url(valkey) as client:
        client.set(pointer_keys(STORE)[0], pointer)
    good, bad = answers(valkey, [keys_of([1])] * 2, Assembly(SPEND_ONLY), Assembly(STORE_ONLY))
    assert good["features"]["household_spend__baskets"] == [1]
    assert isinstance(bad, StoreError)
    assert re.search(f"{STORE}: .* cannot be read", str(bad))
    load_stores(valkey, [1])
    (body,) = answers(valkey, [keys_of([1])], Assembly(STORE_ONLY))
    assert body["features"]["home__store_traffic__visits"] == [100], "loading the view again is the remedy"


@pytest.mark.parametrize("damaged", [lambda row: row[:-2], lambda row: row[:-2] + b"\xff\xfe", lambda _: b""])
def test_a_damaged_row_is_null_for_its_entity_alone(valkey: str, damaged: Callable[[bytes], bytes]) -> None:
    load_spend(valkey, [1, 2, 3, 7])
    with redis.Redis.from_url(valkey) as client:
        key = voucher_key(client, SPEND) + encode_keys([column([7])], [Int64]).keys.to_list()[0]
        client.set(key, damaged(client.get(key)))
    requests = [keys_of(households) for households in ([1], [2, None], [7], [None, 3], [3, 7], [])]
    bodies = answers(valkey, requests, Assembly(SPEND_ONLY))
    name = "household_spend__baskets"
    told = [list(zip(body["features"][name], body["status"][name], strict=True)) for body in bodies]
    damaged_one, empty = (None, "DAMAGED"), (0, "EMPTY")
    assert told == [
        [(1, "PRESENT")],
        [(2, "PRESENT"), empty],
        [damaged_one],
        [empty, (3, "PRESENT")],
        [(3, "PRESENT"), damaged_one],
        [],
    ]


def test_long_reads_are_split_so_that_others_are_served_between(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_get, "KEYS_PER_COMMAND", 100)
    load_spend(valkey, list(range(1, 251)))
    load_stores(valkey, [1, 2])
    keys = keys_of([*range(1, 270), None], home=[1 + each % 2 for each in range(270)])
    reader = open_reader(valkey)
    lengths: list[int] = []
    execute = reader._execute

    def counting(command: bytes) -> Any:
        lengths.append(int(command[1 : command.index(b"\r")]) - 1)
        return execute(command)

    monkeypatch.setattr(reader, "_execute", counting)
    assembly = Assembly(service_plan())
    question = assembly.ask(read_keys(assembly.plan, keys))
    for _ in range(2):
        lengths.clear()
        vectors = assembly.answer(question, reader.read(question.wanted, now()), now()).to_dict()
        assert vectors["household_spend__baskets"] == [*range(1, 251), *[0] * 20]
        assert vectors["home__store_traffic__visits"] == [100, 200] * 135
        assert max(lengths) <= 100 + 4, "rows, and what vouches for them"
    assert len(lengths) == 9, "as few as hold them"
    reader.close()


def test_the_parts_of_a_long_read_are_of_one_generation(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_get, "KEYS_PER_COMMAND", 100)
    households = list(range(1, 501))
    as_of = now() - 30 * HOUR
    load_spend(valkey, households, as_of)
    reader = open_reader(valkey)
    execute, commands = reader._execute, 0

    def publishing_meanwhile(command: bytes) -> Any:
        nonlocal commands
        commands += 1
        values = execute(command)
        if commands in (3, 6):
            load_spend(valkey, households, as_of + commands * HOUR, factor=commands)
        if commands == 9:
            reader._pointers.forget(SPEND)
        return values

    monkeypatch.setattr(reader, "_execute", publishing_meanwhile)
    assembly = Assembly(SPEND_ONLY)
    question = assembly.ask(read_keys(assembly.plan, keys_of(households)))
    values = assembly.answer(question, reader.read(question.wanted, now()), now()).to_dict()
    factors = {
        value // household for value, household in zip(values["household_spend__baskets"], households, strict=True)
    }
    assert len(factors) == 1
    assert commands > 5
    reader.close()


@st.composite
def columns(draw: st.DrawFn) -> tuple[Column, DType]:
    dtype = draw(st.sampled_from([Int64, Float64, Float32, Boolean, String, Timestamp]))
    dtype = draw(st.sampled_from([dtype, dtype, Array(dtype, 2), Vector(2)]))
    floats = {"Float32": st.floats(width=32, allow_nan=False, allow_infinity=False)}
    plain: dict[str, st.SearchStrategy[Any]] = {
        **floats,
        "Float64": st.floats(allow_nan=False, allow_infinity=False),
        "Int64": st.integers(-(2**63), 2**63 - 1),
        "Boolean": st.integers(0, 1),
        "String": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        "Timestamp": st.integers(-(2**50), 2**50),
    }
    count = draw(st.integers(0, 2 * FEW_ENTITIES))
    shape = (count, *dtype.shape)
    valid = np.array(draw(st.lists(st.booleans(), min_size=count * dtype.slots, max_size=count * dtype.slots)), bool)
    values = np.empty(int(np.prod(shape)), dtype.numpy)
    element = plain[dtype.element.name if not dtype.is_vector else "Float32"]
    values[:] = draw(st.lists(element, min_size=len(values), max_size=len(values)))
    return Column(values.reshape(shape), valid.reshape(shape if dtype.is_array else count)), dtype


@given(columns(), st.data())
def test_json_holds_the_values_and_float32_with_its_own_digits(made: tuple[Column, DType], data: st.DataObject) -> None:
    column, dtype = made
    start = data.draw(st.integers(0, len(column)))
    stop = data.draw(st.integers(start, len(column)))
    status = {"f": np.zeros(len(column), np.uint8)}
    vectors = FeatureVectors("s", 1, 0, {"k": list(range(len(column)))}, {"f": column}, status, {}, {"f": dtype})
    made_json = ColumnarJson(vectors)
    found = json.loads(made_json.answer({"k": []}, start, stop))["features"]["f"]
    wanted = json_values(column, dtype)[start:stop]
    if dtype.element == Float32 or dtype.is_vector:
        found, wanted = (json.loads(json.dumps(each), parse_float=np.float32) for each in (found, wanted))
    assert found == wanted
    few, many = (
        orjson.loads(orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY))
        for each in (made_json._lists, made_json._arrays)
    )
    assert few == many, "the number of entities changes no digit"


def test_a_float32_has_its_own_digits_in_json() -> None:
    column = Column(np.array([0.1, 16777216, 0.1], np.float32), np.array([True, True, False]))
    vectors = FeatureVectors(
        "s", 1, 0, {"k": [1, 2, 3]}, {"f": column}, {"f": np.zeros(3, np.uint8)}, {}, {"f": Float32}
    )
    assert b'"features":{"f":[0.1,16777216.0,null]}' in ColumnarJson(vectors).answer({}, 0, 3)


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
