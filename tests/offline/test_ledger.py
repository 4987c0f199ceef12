"""The ledger: its current state, whatever was appended in which order, and its cost after many commits."""

from datetime import timedelta

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.durations import DAY
from feature_store.errors import InputError
from feature_store.offline.ledger import LANDED, PUBLISHED, SCHEMA, WRITING, LandedPartition, Ledger, current_state
from feature_store.offline.store import OfflineStore
from tests.offline.definitions import START, ShopperSpend, day, spend_values


def landed(number: int, version: int, **values) -> dict:
    entry = {
        "kind": LANDED,
        "partition_start": day(number),
        "as_of": day(number + 1),
        "available_at": day(number + 1, 2),
    }
    return {**entry, "landed_at": day(100, version), "delta_version": version, "rows": version, **values}


def writing(number: int, base: int) -> dict:
    return {"kind": WRITING, "partition_start": day(number), "as_of": day(number + 1), "delta_version": base}


def published(number: int, hour: float, generation: int) -> dict:
    at = {"partition_start": day(number), "as_of": day(number + 1), "published_at": day(number + 1, hour)}
    return {"kind": PUBLISHED, **at, "generation": generation}


ENTRIES = [
    landed(0, 2),
    landed(0, 5, available_at=day(1, 9)),
    landed(0, 4),
    landed(1, 5),
    writing(0, 3),
    writing(1, 5),
    writing(2, 0),
    published(0, 4, 11),
    published(0, 3, 10),
    published(0, 8, 12),
]


@given(st.permutations(ENTRIES))
def test_the_state_does_not_depend_on_the_order_of_entries(entries: list[dict]) -> None:
    state = current_state(pl.DataFrame(entries, schema=SCHEMA))
    columns = ["partition_start", "rows", "available_at", "published_at", "generation", "delta_version", "unsettled"]
    assert state.select(columns).rows() == [
        (day(0), 5, day(1, 2), day(1, 3), 12, 5, False),
        (day(1), 5, day(2, 2), None, None, 5, True),
    ]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([WRITING, LANDED]), st.integers(0, 3), st.integers(0, 9)), max_size=20))
def test_unsettled_means_announced_on_a_base_as_new_as_what_landed(drawn: list[tuple[str, int, int]]) -> None:
    entries = [(landed if kind == LANDED else writing)(number, version) for kind, number, version in drawn]
    state = current_state(pl.DataFrame(entries, schema=SCHEMA))
    for number in range(4):
        versions = [version for kind, at, version in drawn if (kind, at) == (LANDED, number)]
        bases = [version for kind, at, version in drawn if (kind, at) == (WRITING, number)]
        rows = state.filter(pl.col("partition_start") == day(number)).select("delta_version", "unsettled").rows()
        assert rows == ([(max(versions), max(bases, default=-1) >= max(versions))] if versions else [])


def test_available_at_is_frozen_when_a_partition_is_first_written(store: OfflineStore) -> None:
    ledger = Ledger(f"{store.root}/some.ledger", {})
    first = LandedPartition(day(0), day(1), day(1, 2), 1, "h")
    ledger.land([first], "a", 1)
    ledger.land([LandedPartition(day(0), day(1), day(1, 9), 2, "i", fingerprints={"x": "f"})], "b", 2)
    (row,) = ledger.partitions().to_dicts()
    assert (row["available_at"], row["rows"], row["content_hash"], row["fingerprints"]) == (
        day(1, 2),
        2,
        "i",
        '{"x": "f"}',
    )


def test_publishing_is_recorded_for_landed_partitions_only(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(2), run_id="r")
    values.ledger.mark_published(day(1), day(1, 1), generation=4)
    partitions = values.ledger.partitions()
    assert partitions["published_at"].to_list() == [day(1, 1), None]
    assert partitions["generation"].to_list() == [4, None]
    with pytest.raises(InputError, match="only what landed can be published"):
        values.ledger.mark_published(day(9), day(9, 1), generation=5)


def test_a_ledger_of_many_commits_stays_a_few_files(store: OfflineStore) -> None:
    ledger = Ledger(f"{store.root}/some.ledger", {})
    for number in range(70):
        ledger.land([LandedPartition(day(number), day(number + 1), day(number + 1), number, "h")], "r", number)
    assert len(DeltaTable(ledger.uri).file_uris()) <= 25
    assert ledger.partitions()["rows"].to_list() == list(range(70))
    assert ledger.missing(START, day(72), DAY) == [day(70), day(71)]
    assert ledger.missing(START, START + timedelta(days=70), DAY) == []


def test_a_ledger_that_was_never_written_is_empty(store: OfflineStore) -> None:
    ledger = Ledger(f"{store.root}/some.ledger", {})
    assert ledger.partitions().is_empty()
    assert ledger.partition(day(1)) is None
    assert ledger.missing(day(0), day(2), DAY) == [day(0), day(1)]
