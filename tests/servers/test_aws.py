from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.fixtures.servers.aws import Aws


def test_a_conditional_put_never_replaces_what_it_has_not_seen(s3_server: Aws) -> None:
    s3, bucket = s3_server.client("s3"), s3_server.new_bucket()
    first = s3.put_object(Bucket=bucket, Key="record", Body=b"first", IfNoneMatch="*")
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="record", Body=b"second", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="record", Body=b"third", IfMatch=first["ETag"])
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="record", Body=b"fourth", IfMatch=first["ETag"])
    assert s3.get_object(Bucket=bucket, Key="record")["Body"].read() == b"third"


def test_one_of_many_racing_creators_wins(s3_server: Aws) -> None:
    s3, bucket = s3_server.client("s3"), s3_server.new_bucket()
    barrier = threading.Barrier(8)

    def create(number: int) -> int | None:
        barrier.wait()
        try:
            s3.put_object(Bucket=bucket, Key="lease", Body=b"%d" % number, IfNoneMatch="*")
        except s3.exceptions.ClientError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(create, range(8)) if number is not None]
    assert [s3.get_object(Bucket=bucket, Key="lease")["Body"].read()] == [b"%d" % number for number in winners]


def test_two_concurrent_writers_of_a_delta_table_lose_and_double_nothing(s3_server: Aws) -> None:
    uri = f"s3://{s3_server.new_bucket()}/values"
    write_deltalake(uri, pl.DataFrame({"writer": [-1], "row": [0]}), storage_options=s3_server.storage_options)

    def append(writer: int) -> None:
        for row in range(5):
            frame = pl.DataFrame({"writer": [writer], "row": [row]})
            write_deltalake(uri, frame, mode="append", storage_options=s3_server.storage_options)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(append, range(2)))
    seen = pl.read_delta(uri, storage_options=s3_server.storage_options).sort("writer", "row").rows()
    assert seen == [(-1, 0), *((writer, row) for writer in range(2) for row in range(5))]
    assert DeltaTable(uri, storage_options=s3_server.storage_options).version() == 10


def test_items_of_a_batch_are_read_back_and_absent_ones_are_not(dynamodb: Aws) -> None:
    client = dynamodb.client("dynamodb")
    client.create_table(
        TableName="rows",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "B"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName="rows")
    items: list[dict[str, Any]] = [{"key": {"B": b"k%d" % n}, "row": {"B": b"v%d" % n}} for n in range(25)]
    written = client.batch_write_item(RequestItems={"rows": [{"PutRequest": {"Item": item}} for item in items]})
    assert written["UnprocessedItems"] == {}
    keys = [{"key": {"B": b"k%d" % n}} for n in range(20, 30)]
    found = client.batch_get_item(RequestItems={"rows": {"Keys": keys, "ConsistentRead": True}})
    assert sorted(item["row"]["B"] for item in found["Responses"]["rows"]) == [b"v%d" % n for n in range(20, 25)]
