"""Appends events one by one and says so, until it is killed: ``python -m tests.serving.streams.writer_process URL``."""

from __future__ import annotations

import sys
from datetime import timedelta

import polars as pl

from serving.streams.writer import StreamWriter
from tests.fixtures.frames import at, frame
from tests.serving.streams.purchases import COLUMNS, Purchases, purchase


def main(url: str) -> None:
    writer = StreamWriter(url, Purchases, since=at(days=5))
    for number in range(100_000):
        rows = [purchase(at(days=5) + timedelta(seconds=number), f"{number}", user) for user in (1, 2)]
        writer.append(frame(rows, COLUMNS).cast({"user": pl.Int64}))
        print(number, flush=True)  # noqa: T201 - how the test knows what was acknowledged


if __name__ == "__main__":
    main(sys.argv[1])
