"""The ledger: its current state, whatever was listed in which order, and its cost after many commits."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from feature_store.codec.content_hash import Content
from feature_store.errors import InputError
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.ledger.ledger_entries import (
    COMMIT,
    LANDED,
    PUBLISHED,
    SCHEMA,
    UNCHANGED,
    LandedPartition,
    commit_tags,
    current_state,
    entries_of,
    publications,
)
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.durations import DAY, HOUR
from tests.offline.definitions import START, ShopperSpend, day, spend_values


def landed(number: int, version: int, **values) -> dict:
    entry = {
        "kind": LANDED,
        "partition_start": day(number),
        "as_of": day(number + 1),
        "available_at": day(number + 1, 2),
    }
    return {**entry, "landed_at": day(100, version), "delta_version": version, "rows": version, **values}


def published(number: int, hour: float, generation: int, version: int = 9) -> dict:
    at = {"partition_start": day(number), "as_of": day(number + 1), "published_at": day(number + 1, hour)}
    return {"kind": PUBLISHED, **at, "generation": generation, "delta_version": version}


ENTRIES = [
    landed(0, 2),
    landed(0, 5, available_at=day(1, 9)),
    landed(0, 4),
    landed(1, 5),
    {"kind": UNCHANGED, "delta_version": 0},
    {"kind": UNCHANGED, "delta_version": 3},
    published(0, 4, 11, version=5),
    published(0, 3, 10, version=3),
    published(0, 8, 12, version=5),
]


@given(st.permutations([*ENTRIES, *ENTRIES[:6]]))
def test_the_state_does_not_depend_on_the_order_of_entries_nor_on_repeated_ones(entries: list[dict]) -> None:
    frame = pl.DataFrame(entries, schema=SCHEMA)
    columns = ["partition_start", "rows", "available_at", "published_at", "generation", "delta_version"]
    assert current_state(frame).select(columns).rows() == [
        (day(0), 5, day(1, 2), day(1, 3), 12, 5),
        (day(1), 5, day(2, 2), None, None, 5),
    ]
    # A version holds what landed last up to it.
    assert publications(frame).select(columns).rows() == [
        (day(0), 2, day(1, 2), day(1, 3), 10, 3),
        (day(0), 5, day(1, 2), day(1, 4), 11, 5),
        (day(0), 5, day(1, 2), day(1, 8), 12, 5),
    ]


HASHES = st.one_of(st.none(), st.text(max_size=3))
PARTITIONS = st.lists(
    st.builds(
        LandedPartition,
        *[st.datetimes(day(0).replace(tzinfo=None), timezones=st.just(START.tzinfo)) for _ in range(3)],
        content=st.builds(
            Content,
            st.integers(0, 2**62),
            st.just(("k", "é")),
            st.dictionaries(st.sampled_from(["k", "é", "*"]), st.integers(0, 2**64 - 1)),
        ),
        inputs_hash=HASHES,
        fingerprints=st.dictionaries(st.sampled_from(["a", "b", "é"]), st.just("f")),
        excluded=st.integers(0, 9),
    ),
    min_size=1,
    max_size=4,
)


@given(PARTITIONS)
def test_what_a_commit_is_tagged_with_is_what_the_ledger_lists(partitions: list[LandedPartition]) -> None:
    tags = commit_tags(partitions, "r")
    assert all(isinstance(text, str) for text in tags.values())
    commit = pl.DataFrame([{"delta_version": 7, "timestamp": 1_704_067_200_000, **tags}], schema=COMMIT)
    listed = entries_of(commit)
    assert listed.schema == SCHEMA
    assert listed.select("kind", "run_id", "delta_version", "landed_at").unique().rows() == [("landed", "r", 7, START)]
    facts = [
        {
            **row,
            "fingerprints": json.loads(row["fingerprints"]),
            "content": Content.from_text(row["rows"], row["column_sums"]),
        }
        for row in listed.to_dicts()
    ]
    assert [LandedPartition(**{name: row[name] for name in vars(partitions[0])}) for row in facts] == partitions
    assert listed["content_hash"].to_list() == [partition.content.digest for partition in partitions]


def test_a_ledger_begun_before_there_were_column_sums_is_read_and_written_on(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(1), run_id="a")
    old = pl.read_delta(values.ledger.uri).drop("column_sums", "digest")
    shutil.rmtree(values.ledger.uri)
    old.write_delta(values.ledger.uri)
    values.write(spend_values([(day(1), 1, 1)]), day(1), day(2), run_id="b")
    partitions = values.ledger.partitions()
    assert partitions["run_id"].to_list() == ["a", "b"]
    assert partitions["column_sums"].is_null().to_list() == [True, False]


def test_a_commit_made_before_there_were_column_sums_is_listed_without() -> None:
    (landed,) = PARTITION_WITHOUT_SUMS
    commit = pl.DataFrame([{"delta_version": 7, "timestamp": 0, **landed}], schema=COMMIT)
    listed = entries_of(commit)
    assert listed.select("kind", "rows", "content_hash", "column_sums").rows() == [("landed", 3, "old", None)]


PARTITION_WITHOUT_SUMS = [
    {
        "run_id": "r",
        "fingerprints": "{}",
        "partitions": json.dumps(
            [
                {
                    "partition_start": "2024-01-01T00:00:00.000000+00:00",
                    "as_of": "2024-01-02T00:00:00.000000+00:00",
                    "available_at": "2024-01-02T00:00:00.000000+00:00",
                    "rows": 3,
                    "excluded": 0,
                    "content_hash": "old",
                    "inputs_hash": None,
                    "lacks": [],
                }
            ]
        ),
    }
]
"""Tags as they were."""


def test_a_commit_without_tags_changed_nothing() -> None:
    commit = pl.DataFrame([{"delta_version": 7, "timestamp": 0}], schema=COMMIT)
    assert entries_of(commit).select("kind", "delta_version", "partition_start").rows() == [(UNCHANGED, 7, None)]
    assert current_state(entries_of(commit)).is_empty()


def test_available_at_is_frozen_when_a_partition_is_first_written(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(1), run_id="a")
    (first,) = values.ledger.partitions().to_dicts()
    later = replace(ShopperSpend, available_after=9 * HOUR)
    store.values(later).write(spend_values([(day(0), 1, 2), (day(0), 2, 2)]), day(0), day(1), run_id="b")
    (row,) = values.ledger.partitions().to_dicts()
    assert (first["available_at"], first["rows"], first["run_id"]) == (day(1, 2), 1, "a")
    assert (row["available_at"], row["rows"], row["run_id"]) == (day(1, 2), 2, "b")
    assert row["content_hash"] != first["content_hash"]


def test_publishing_is_recorded_for_landed_partitions_only(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    values.write(spend_values([(day(0), 1, 1)]), day(0), day(2), run_id="r")
    values.ledger.mark_published(day(1), day(1, 1), generation=4, delta_version=1)
    partitions = values.ledger.partitions()
    assert partitions["published_at"].to_list() == [day(1, 1), None]
    assert partitions["generation"].to_list() == [4, None]
    with pytest.raises(InputError, match="only what landed can be published"):
        values.ledger.mark_published(day(9), day(9, 1), generation=5, delta_version=1)


def test_a_ledger_of_many_commits_stays_a_few_files(store: OfflineStore) -> None:
    values = store.values(ShopperSpend)
    for number in range(70):
        values.write(spend_values([(day(number), 1, number)]), day(number), day(number + 1), run_id="r")
    ledger = DeltaTable(values.ledger.uri)
    assert len(ledger.file_uris()) <= 25
    assert values.ledger.partitions()["partition_start"].to_list() == [day(number) for number in range(70)]
    assert values.ledger.missing(START, day(72), DAY) == [day(70), day(71)]
    assert values.ledger.missing(START, START + timedelta(days=70), DAY) == []


def test_a_ledger_that_was_never_written_is_empty(store: OfflineStore) -> None:
    ledger = Ledger(f"{store.root}/some", {})
    assert ledger.partitions().is_empty()
    assert ledger.partition(day(1)) is None
    assert ledger.missing(day(0), day(2), DAY) == [day(0), day(1)]
