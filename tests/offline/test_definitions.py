"""W5: a feature has one meaning per version of its view; another one is refused where it is written, in the commit."""

import json
import subprocess
import sys
import time

import pytest
from deltalake import DeltaTable

from feature_store import fingerprints as fingerprints_module
from feature_store.errors import FingerprintError, InputError
from feature_store.offline.tables import partitioned_table
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.tables.view_tables import ValueTable
from tests.offline.definition_writer import REFUSED, view_of, write
from tests.offline.definitions import day

SEVEN, EIGHT = view_of({"pieces": "7d"}), view_of({"pieces": "8d"})


def fingerprints(store: OfflineStore) -> list[dict[str, str]]:
    return [json.loads(text) for text in store.values(SEVEN).ledger.partitions()["fingerprints"]]


def test_a_changed_feature_is_refused_and_what_is_stored_stays(store: OfflineStore) -> None:
    write(store, SEVEN, 0, 5)
    version = store.values(SEVEN).delta_version()
    for number in (0, 1):
        with pytest.raises(FingerprintError) as raised:
            write(store, EIGHT, number, 9)
        told = str(raised.value)
        assert "defined/v1.pieces is stored as" in told
        assert "7d" in told
        assert "8d" in told
        assert "give the view a new one" in told
    assert store.values(SEVEN).delta_version() == version
    assert store.values(SEVEN).scan().collect()["pieces"].to_list() == [5, 5]


def test_a_changed_feature_is_refused_on_a_table_that_is_older_than_definitions(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(ValueTable, "_agree", PartitionedTable._agree)
        write(store, SEVEN, 0)
    assert "feature_store.definitions" not in DeltaTable(store.values(SEVEN).uri).metadata().configuration
    with pytest.raises(FingerprintError, match="pieces is stored as"):
        write(store, EIGHT, 1)
    write(store, SEVEN, 1)
    assert "feature_store.definitions" in DeltaTable(store.values(SEVEN).uri).metadata().configuration


def test_a_feature_may_be_added_and_an_older_writer_is_refused_until_it_is_dropped(store: OfflineStore) -> None:
    write(store, SEVEN, 0)
    more = view_of({"pieces": "7d", "lately": "2d"})
    write(store, more, 1)
    with pytest.raises(FingerprintError, match="lately is stored, but this code location does not declare it"):
        write(store, SEVEN, 2)
    with pytest.raises(FingerprintError, match="is declared: remove it from the view"):
        store.values(more).drop_feature("lately")
    with pytest.raises(InputError, match="stores no feature 'late': it stores lately, pieces"):
        store.values(SEVEN).drop_feature("late")
    store.values(SEVEN).drop_feature("lately")
    write(store, SEVEN, 2)
    assert [sorted(held) for held in fingerprints(store)] == [["pieces"], ["lately", "pieces"], ["pieces"]]
    # It may come back as it was, and as nothing else.
    with pytest.raises(FingerprintError, match="lately is stored as"):
        write(store, view_of({"pieces": "7d", "lately": "3d"}), 3)
    write(store, more, 3)


def test_a_renamed_feature_stays_the_one_it_was(store: OfflineStore) -> None:
    write(store, SEVEN, 0)
    write(store, view_of({"units": "7d"}, renamed_from="pieces"), 1)
    write(store, view_of({"units": "7d"}), 2)
    with pytest.raises(FingerprintError, match="units is stored, but this code location does not declare it"):
        write(store, SEVEN, 3)
    with pytest.raises(FingerprintError, match="pieces is stored as"):
        write(store, view_of({"units": "7d", "pieces": "8d"}), 3)


def test_writing_the_same_definitions_again_commits_none(store: OfflineStore) -> None:
    write(store, SEVEN, 0)
    before = store.values(SEVEN).delta_version()
    write(store, SEVEN, 1)
    assert store.values(SEVEN).delta_version() == before + 1


def test_a_writer_that_dies_after_its_definitions_is_completed_by_the_next(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, SEVEN, 0)
    more = view_of({"pieces": "7d", "lately": "2d"})

    def die(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(partitioned_table, "overwrite_range", die)
        with pytest.raises(KeyboardInterrupt):
            write(store, more, 1)
    assert [sorted(held) for held in fingerprints(store)] == [["pieces"]]
    assert store.values(SEVEN).scan().collect().height == 2
    write(store, more, 1)
    assert [sorted(held) for held in fingerprints(store)] == [["pieces"], ["lately", "pieces"]]


def test_definitions_that_changed_since_a_writer_looked_make_its_commit_fail(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, SEVEN, 0)
    more = view_of({"pieces": "7d", "lately": "2d"})
    overwrite = partitioned_table.overwrite_range

    def interrupted(*arguments: object, **options: object) -> int:
        monkeypatch.setattr(partitioned_table, "overwrite_range", overwrite)
        # Between the comparison and the commit, of another day.
        write(store, more, 5)
        return overwrite(*arguments, **options)

    monkeypatch.setattr(partitioned_table, "overwrite_range", interrupted)
    with pytest.raises(FingerprintError, match="lately is stored"):
        write(store, SEVEN, 1)
    assert store.values(SEVEN).ledger.partitions()["partition_start"].to_list() == [day(0), day(5)]


def test_of_processes_that_write_different_definitions_at_once_those_of_one_are_stored(store: OfflineStore) -> None:
    begin = time.time() + 6
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.offline.definition_writer", store.root, over, first, last, str(begin)]
        )
        for over, first, last in (("7d", "0", "3"), ("8d", "10", "13"))
    ]
    ended = sorted(writer.wait(timeout=150) for writer in writers)
    assert ended == [0, REFUSED]
    found = fingerprints(store)
    assert len(found) == 3
    assert all(held == found[0] for held in found)


def test_a_higher_revision_of_our_semantics_restates_and_a_lower_one_is_refused(
    store: OfflineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, SEVEN, 0)
    with monkeypatch.context() as newer:
        newer.setattr(fingerprints_module, "SEMANTICS_REVISION", fingerprints_module.SEMANTICS_REVISION + 1)
        write(store, view_of({"pieces": "7d"}), 0)
        with pytest.raises(FingerprintError, match="pieces is stored as"):
            write(store, view_of({"pieces": "8d"}), 0)
    with pytest.raises(FingerprintError, match="pieces is stored as"):
        write(store, SEVEN, 1)
