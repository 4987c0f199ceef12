"""DAMAGED in every form of an answer: lists, numpy, Arrow, Polars, JSON and Arrow over HTTP, for many entities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import redis

from feature_store.codec.key_codec import encode_keys
from feature_store.dtypes import Int64
from feature_store.plans.service_plan import write_plan
from feature_store.status import Status
from serving.client import FeatureClient
from serving.read.damage import damaged_rows
from serving.stores.open_store import open_loader
from serving.stores.redis.keys import row_prefix
from tests.serving.server.test_http_server import ARROW, PATH, start_server, stop_server
from tests.serving.services import SPEND, SPEND_FIELDS, keys_of, load_spend, load_stores, service_plan
from tests.stores.sample import column

MANY = list(range(1, 1001))
HURT = (7, 500, 1000)
NAMES = [f"household_spend__{name}" for name in SPEND_FIELDS]
OTHERS = ["home__store_traffic__visits", "work__store_traffic__visits", "weekday_now"]


@pytest.fixture
def plans(tmp_path: Path, valkey: str) -> Path:
    """A service whose rows of three households are damaged: a flipped bit, the row of another, cut."""
    write_plan(tmp_path, service_plan())
    load_spend(valkey, MANY)
    load_stores(valkey, [1, 2])
    loader = open_loader(valkey)
    (generation,) = loader.generations(SPEND)
    loader.close()
    with redis.Redis.from_url(valkey) as client:
        keys = [row_prefix(generation.id) + key for key in encode_keys([column([*HURT, 8])], [Int64]).keys.to_list()]
        rows = client.mget(keys)
        client.setrange(keys[0], 12, bytes([rows[0][12] ^ 4]))
        client.set(keys[1], rows[3])
        client.set(keys[2], rows[2][:-4])
    return tmp_path


def test_a_batch_read_of_the_client_is_null_and_damaged_where_rows_are_and_right_elsewhere(
    plans: Path, valkey: str
) -> None:
    before = damaged_rows().get(SPEND, 0)
    with FeatureClient(plans, valkey) as client:
        vectors = client.get_features("churn", keys_of([*MANY, 5000, None]))
    hurt = np.isin(MANY, HURT)
    for name in NAMES:
        codes = vectors.status_names(name)
        assert [code == "DAMAGED" for code in codes[:1000]] == hurt.tolist()
        assert codes[1000:] == ["EMPTY", "EMPTY"]
        values = vectors.to_dict()[name]
        assert [values[household - 1] for household in HURT] == [None] * 3
    assert vectors.to_dict()["household_spend__baskets"][:8] == [1, 2, 3, 4, 5, 6, None, 8]
    for name in OTHERS:
        assert set(vectors.status_names(name)) == {"PRESENT"}
    assert vectors.to_dict()["home__store_traffic__visits"] == [100] * 1002
    # What is computed when it is read is null as what it reads is.
    assert vectors.to_dict()["days_since_last"][6] is None
    assert vectors.status_names("days_since_last")[6] == "DAMAGED"
    assert damaged_rows()[SPEND] == before + 3


def test_every_form_of_an_answer_holds_it(plans: Path, valkey: str) -> None:
    with FeatureClient(plans, valkey) as client:
        vectors = client.get_features("churn", keys_of([6, 7, 8]))
        numbers = client.get_features("churn", keys_of([6, 7, 8]), features=["household_spend__baskets"])
    assert numbers.to_numpy()[:, 0].tolist()[::2] == [6, 8]
    assert np.isnan(numbers.to_numpy()[1, 0])
    table = vectors.to_arrow()
    assert table["household_spend__baskets"].to_pylist() == [6, None, 8]
    assert table["household_spend__segment"].to_pylist() == ["s6é", None, "s8é"]
    assert table["household_spend__baskets__status"].to_pylist() == [Status.PRESENT, Status.DAMAGED, Status.PRESENT]
    assert vectors.to_polars()["household_spend__embedding"].to_list()[1] is None
    assert vectors.to_dicts()[1]["household_spend__baskets"] is None
    assert vectors.take(1, 2).status_names("household_spend__baskets") == ["DAMAGED"]


@pytest.fixture
def http(plans: Path, valkey: str) -> Iterator[object]:
    process, client = start_server(plans, valkey)
    yield client
    stop_server(process, client)


def test_json_and_arrow_over_http_hold_it_and_ready_counts_it(http) -> None:
    body = {"keys": keys_of([6, 7, 8])}
    answer = http.post(PATH, json=body).json()
    assert answer["features"]["household_spend__baskets"] == [6, None, 8]
    assert answer["features"]["household_spend__embedding"] == [[6, -6], None, [8, -8]]
    assert answer["status"]["household_spend__baskets"] == ["PRESENT", "DAMAGED", "PRESENT"]
    assert answer["status"]["home__store_traffic__visits"] == ["PRESENT"] * 3
    stream = http.post(PATH, json=body, headers={"accept": ARROW}).content
    table = pa.ipc.open_stream(stream).read_all()
    assert table["household_spend__baskets"].to_pylist() == [6, None, 8]
    assert table["household_spend__baskets__status"].to_pylist() == [0, 4, 0]
    ready = http.get("/ready").json()
    assert ready["damaged_rows"] == {SPEND: 2}
