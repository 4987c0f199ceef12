from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import polars as pl
from deltalake import write_deltalake

from tests.fixtures.servers.aws import Aws


def test_racing_writers_of_a_delta_table_lose_and_double_nothing(versitygw: Aws) -> None:
    uri = f"s3://{versitygw.new_bucket()}/values"
    write_deltalake(uri, pl.DataFrame({"writer": [-1], "row": [0]}), storage_options=versitygw.storage_options)

    def append(writer: int) -> None:
        for row in range(8):
            frame = pl.DataFrame({"writer": [writer], "row": [row]})
            write_deltalake(uri, frame, mode="append", storage_options=versitygw.storage_options)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(append, range(3)))
    seen = pl.read_delta(uri, storage_options=versitygw.storage_options).sort("writer", "row").rows()
    assert seen == [(-1, 0), *((writer, row) for writer in range(3) for row in range(8))]
