"""Requests cost money and time: opening a table and writing a partition take few of them, however old the table is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feature_store.offline.delta.s3_log import object_of
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.s3.paths import S3Path
from tests.fixtures.servers.s3_proxy import S3Proxy
from tests.offline.definitions import ShopperHourly, ShopperSpend, day, purchase_rows, purchases, spend_values
from tests.offline.test_partitioned_tables import write_hours

OPENING = 10
WRITING = 30
COMPUTING = 12
"""Requests that a run adds which stages its file: its note, what the file is checked by, and that it was committed."""

FEW, WINDOW = 3, 3
"""Commits of a young table; so many that follow are looked at, since ledgers are merged at each third."""


@pytest.fixture
def store(s3_proxy: S3Proxy) -> OfflineStore:
    """Give a store whose requests are counted."""
    return OfflineStore(f"s3://{s3_proxy.server.new_bucket()}/offline", s3_proxy.aws.storage_options)


def count(proxy: S3Proxy, act: Callable[[], object]) -> tuple[int, int]:
    """Return how many requests something takes, and how many of them put files of rows."""
    proxy.counted()
    act()
    seen = proxy.counted()
    return len(seen), sum(each.startswith("PUT ") and "/day=" in each for each in seen)


def write_day(store: OfflineStore, number: int) -> None:
    rows = [(day(number), shopper, number) for shopper in range(3)]
    store.values(ShopperSpend).write(spend_values(rows), day(number), day(number + 1), run_id=f"r{number}")


@pytest.mark.parametrize("old", [12, pytest.param(60, marks=pytest.mark.full)])
def test_opening_and_writing_take_as_many_requests_at_any_age(store: OfflineStore, s3_proxy: S3Proxy, old: int) -> None:
    opened, written = [], []
    for number in range(old + WINDOW):
        requests, files = count(s3_proxy, lambda number=number: write_day(store, number))
        written.append(requests - files)
        if number in range(FEW, FEW + WINDOW) or number >= old:
            opened.append(count(s3_proxy, store.values(ShopperSpend).open)[0])
    assert max(opened) <= OPENING
    assert sorted(opened[:WINDOW]) == sorted(opened[WINDOW:])
    assert max(written[FEW : FEW + WINDOW]) <= WRITING
    assert sorted(written[FEW : FEW + WINDOW]) == sorted(written[old:])


def test_an_hour_is_written_in_as_few_requests_though_its_day_is_written_anew(
    store: OfflineStore, s3_proxy: S3Proxy
) -> None:
    write_hours(store, 0, 5)
    requests, files = count(s3_proxy, lambda: write_hours(store, 5, 6))
    assert files == 1
    assert requests <= WRITING + files
    assert store.values(ShopperHourly).scan().collect().height == 12


def test_a_run_that_computes_a_partition_keeps_to_its_requests(store: OfflineStore, s3_proxy: S3Proxy) -> None:
    rows = purchase_rows([(n % 3, day(n % 6, 5), "b", 1.0, 1) for n in range(30)])
    store.source(purchases.asset).write(rows, day(0), day(6), time_column="bought_at", run_id="land")
    compute_tiles(store, ShopperSpend, day(0), day(6), "tiles")
    compute_values(store, ShopperSpend, day(4), day(5), "first")
    s3_proxy.counted()
    compute_values(store, ShopperSpend, day(5), day(6), "second")
    of_values = [each for each in s3_proxy.counted() if "/values" in each]
    assert len(of_values) <= WRITING + COMPUTING


def test_a_large_file_goes_up_in_parts(s3_proxy: S3Proxy, tmp_path) -> None:
    place = object_of(f"s3://{s3_proxy.server.new_bucket()}", s3_proxy.aws.storage_options, "large")
    assert isinstance(place, S3Path)
    content = bytes(range(256)) * (20 * 2**12)
    (tmp_path / "large").write_bytes(content)
    s3_proxy.counted()
    with (tmp_path / "large").open("rb") as file:
        place.upload(file)
    assert sorted(each.split()[0] for each in s3_proxy.counted()) == ["POST", "POST", "PUT", "PUT", "PUT"]
    assert place.read_bytes() == content
