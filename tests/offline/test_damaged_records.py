"""What describes stored rows is not believed either: logs, ledgers, manifests, plans, and what they say of files."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import DamagedError, DamagedRecordError, FingerprintError, InputError
from feature_store.offline.delta import stored_files
from feature_store.offline.delta.stages import open_stage, remove_abandoned
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.repair import damaged_days_of, repair_day
from feature_store.offline.materialize.staged_values import stage_values
from feature_store.offline.tables.partitioned_table import PartitionedTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, load_training_set, write_training_set
from feature_store.offline.verify import accept_loss, tables_of, verify_table
from feature_store.plans.service_plan import PlanError, ServicePlan, read_plan, write_plan
from feature_store.temporal.instants import to_microseconds
from tests.offline.damage import damage_day, files_of, flip, forget_checksums
from tests.offline.definitions import (
    INSTANT,
    ShopperEver,
    ShopperSpend,
    day,
    purchase_rows,
    service,
    spend_values,
)

ROWS = [(n % 7, day(n % 6, n % 11), f"b{n}", n / 8, n) for n in range(200)]


def values_of(store: OfflineStore, days: int = 3) -> PartitionedTable:
    rows = [(day(number), shopper, number * 1000 + shopper) for number in range(days) for shopper in range(60)]
    table = store.values(ShopperSpend)
    table.write(spend_values(rows), day(0), day(days), run_id="r")
    return table


def landed(store: OfflineStore, last: int = 6) -> PartitionedTable:
    source = store.source("raw/shop_purchases")
    source.write(purchase_rows(ROWS), day(0), day(last), time_column="bought_at", run_id="r")
    return source


def spine(number: int) -> pl.DataFrame:
    return pl.DataFrame({"shopper_id": [1, 2]}).with_columns(pl.lit(day(number, 3), INSTANT).alias("time"))


def commit_of(table: PartitionedTable, version: int = -1) -> Path:
    """Return the file of a commit; the newest by default."""
    return sorted((Path(table.uri) / "_delta_log").glob("*.json"))[version]


def change_text(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def exchange_values(table: PartitionedTable, number: int) -> None:
    """Give the values of a day to other entities, in a file that is as good as it was: rows and bytes are not known."""
    forget_checksums(table)
    (file,) = files_of(table, number)
    rows = pl.read_parquet(file, hive_partitioning=False)
    changed = rows.with_columns(pl.col("pieces_3d").reverse())
    damage_day(table, number, changed.write_parquet)
    commits = [commit for commit in (Path(table.uri) / "_delta_log").glob("*.json") if file.name in commit.read_text()]
    for commit in commits:
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if action.get("add", {}).get("path", "").endswith(file.name):
                action["add"]["size"] = file.stat().st_size
        commit.write_text("\n".join(map(json.dumps, actions)))


def test_an_entry_of_a_ledger_that_was_changed_is_refused_by_readers_and_writers(store: OfflineStore) -> None:
    table = values_of(store)
    listed = pl.read_delta(table.ledger.uri)
    listed.with_columns(pl.col("rows") + 1).write_delta(table.ledger.uri, mode="overwrite")
    again = spend_values([(day(1), 7, 7)])
    for use in (table.open, table.ledger.partitions, lambda: table.write(again, day(1), day(2), run_id="w")):
        with pytest.raises(DamagedRecordError, match=r"values.ledger: \d entries are not as they were written, e.g."):
            use()
    assert verify_table(table).records


def test_the_ledger_of_another_table_is_refused(store: OfflineStore) -> None:
    table = values_of(store)
    shutil.copytree(table.ledger.uri, f"{store.values(ShopperEver).uri}.ledger")
    shutil.copytree(table.uri, store.values(ShopperEver).uri)
    with pytest.raises(DamagedRecordError, match=r"shopper_ever/v1/values.ledger"):
        store.values(ShopperEver).open()


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_bytes(b"PAR1"), Path.unlink, flip], ids=["cut", "gone", "bit"]
)
def test_a_ledger_whose_file_is_damaged_is_an_error_of_ours(store: OfflineStore, spoil: Callable[[Path], None]) -> None:
    table = values_of(store)
    for file in Path(table.ledger.uri).glob("*.parquet"):
        spoil(file)
    with pytest.raises(DamagedRecordError, match=r"values.ledger.*put its folder back"):
        table.scan().collect()


def test_a_ledger_that_was_deleted_is_made_again_from_the_commits(store: OfflineStore) -> None:
    table = values_of(store)
    before = table.ledger.partitions()
    shutil.rmtree(table.ledger.uri)
    assert table.ledger.partitions().equals(before)


def test_what_a_commit_says_of_itself_is_refused_once_it_was_changed(store: OfflineStore) -> None:
    table = values_of(store)
    shutil.rmtree(table.ledger.uri)
    change_text(commit_of(table), '\\"rows\\":60', '\\"rows\\":61')
    with pytest.raises(DamagedRecordError, match="what version 2 says of itself is not what was written"):
        table.open()


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:200], lambda _: "\0" * 50, lambda text: text.replace(":", ";", 9)]
)
def test_a_log_that_cannot_be_read_is_an_error_of_ours(store: OfflineStore, spoil: Callable[[str], str]) -> None:
    table = values_of(store)
    file = commit_of(table)
    file.write_text(spoil(file.read_text()))
    with pytest.raises((DamagedRecordError, DamagedError), match="shopper_spend/v1/values"):
        table.scan().collect()


def test_a_table_whose_log_is_gone_is_damaged_and_not_merely_empty(store: OfflineStore) -> None:
    table = values_of(store)
    shutil.rmtree(Path(table.uri) / "_delta_log")
    with pytest.raises(DamagedRecordError, match="it ends with version -1, but the ledger lists version 2"):
        table.open()


def test_newest_commits_that_were_lost_are_told_and_can_be_given_up(store: OfflineStore) -> None:
    table = values_of(store)
    table.write(spend_values([(day(1), 7, 7)]), day(1), day(2), run_id="new")
    commit_of(table).unlink()
    (problem,) = verify_table(table).records
    assert "commits were lost, or it was put back from an older copy" in str(problem)
    assert list(accept_loss(store, ShopperSpend)) == [table.uri]
    assert verify_table(table).is_sound
    assert table.scan(day(1), day(2)).collect().height == 60


def test_bounds_in_the_log_that_are_wrong_leave_no_row_out(store: OfflineStore) -> None:
    table = values_of(store)
    written = build_training_set(store, service, spine(2), allow_missing=True)
    write_training_set(store, "set", written, run_id="r")
    kept = PartitionedTable(f"{store.root}/training/set", {})
    for each, name in ((table, "2024-01-02"), (kept, "2024-01-03")):
        for commit in (Path(each.uri) / "_delta_log").glob("*.json"):
            lines = commit.read_text().splitlines()
            wrong = [line.replace(f"{name}T", "2019-01-01T") if '"add"' in line else line for line in lines]
            commit.write_text(re.sub(r'(shopper_id\\":)(0|59)', r"\g<1>77", "\n".join(wrong)))
    opened = table.open()
    partitions = opened.between(day(1), day(2))
    assert opened.scan(partitions).collect().height == 60
    assert opened.scan_some(partitions).filter(pl.col("shopper_id") == 3).collect()["pieces_3d"].to_list() == [1003]
    assert point_in_time_join(store, compile_plan(service), spine(2), "time", allow_missing=True).height == 2
    assert load_training_set(store, "set").collect().height == 2
    assert load_training_set(store, "set", as_="arrow").count_rows() == 2


def test_a_file_that_was_replaced_and_is_listed_again_is_noticed_by_who_reads_a_row(store: OfflineStore) -> None:
    table = values_of(store)
    (old,) = files_of(table, 1)
    rows = [(day(1), shopper, 5000 + shopper) for shopper in range(60)]
    table.write(spend_values(rows), day(1), day(2), run_id="new")
    (new,) = files_of(table, 1)
    folder = '"add":{"path":"day=2024-01-02/'
    change_text(commit_of(table), f"{folder}{new.name}", f"{folder}{old.name}")
    change_text(commit_of(table), f'"size":{new.stat().st_size}', f'"size":{old.stat().st_size}')
    kept = [line for line in commit_of(table).read_text().splitlines() if '"remove"' not in line]
    commit_of(table).write_text("\n".join(kept))
    opened = table.open()
    with pytest.raises(DamagedError, match="it was replaced, but is listed again"):
        opened.scan_some(opened.between(day(1), day(2)))


def test_a_column_that_the_log_lost_is_noticed(store: OfflineStore) -> None:
    table = values_of(store)
    for commit in (Path(table.uri) / "_delta_log").glob("*.json"):
        commit.write_text(commit.read_text().replace('\\"name\\":\\"spend_3d\\"', '\\"name\\":\\"spend_3e\\"'))
    for look in (
        table.scan,
        lambda: point_in_time_join(store, compile_plan(service), spine(2), "time", allow_missing=True),
    ):
        with pytest.raises(DamagedRecordError, match="does not know the columns spend_3d, which were written"):
            look()


def test_rows_are_compared_by_joins_training_sets_and_whatever_is_computed(store: OfflineStore) -> None:
    table = values_of(store)
    exchange_values(table, 1)
    with pytest.raises(DamagedError, match="pieces_3d differ from what was written"):
        point_in_time_join(store, compile_plan(service), spine(2), "time", allow_missing=True)
    with pytest.raises(DamagedError, match="pieces_3d differ from what was written"):
        build_training_set(store, service, spine(2), allow_missing=True)
    with pytest.raises(DamagedError, match="pieces_3d differ from what was written"):
        table.scan().collect()
    opened = table.open()
    # Nor does who reads a few rows believe files of which the bytes are not known.
    with pytest.raises(DamagedError, match="pieces_3d differ"):
        opened.scan_some(opened.between(day(1), day(2))).collect()
    assert point_in_time_join(store, compile_plan(service), spine(1), "time", allow_missing=True).height == 2


def test_rows_that_are_computed_from_are_compared(store: OfflineStore) -> None:
    source = landed(store)
    forget_checksums(source)
    (file,) = files_of(source, 2)
    rows = pl.read_parquet(file, hive_partitioning=False).with_columns(pl.col("pieces") + 1)
    size = file.stat().st_size
    damage_day(source, 2, rows.write_parquet)
    for commit in (Path(source.uri) / "_delta_log").glob("*.json"):
        commit.write_text(commit.read_text().replace(f'"size":{size}', f'"size":{file.stat().st_size}'))
    with pytest.raises(DamagedError, match="pieces differ from what was written"):
        compute_tiles(store, ShopperSpend, day(0), day(6), "r")


def test_a_staged_file_is_known_by_what_was_to_be_written_to_it(store: OfflineStore) -> None:
    landed(store)
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    tiles = store.tiles(ShopperSpend)
    # Its writer died before the ledger was written, and nobody read the file back.
    shutil.rmtree(tiles.ledger.uri)
    damage_day(tiles, 2, flip)
    opened = tiles.open()
    with pytest.raises(DamagedError, match="its bytes are others than were written"):
        opened.scan_some(opened.between(day(2), day(3)))


def test_a_file_that_was_damaged_since_it_was_staged_is_not_committed(store: OfflineStore) -> None:
    landed(store)
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    with stage_values(store, ShopperSpend, day(5), day(6), "r") as values:
        (staged,) = values.staged
        flip(Path(values.table.uri) / str(staged.file))
        with pytest.raises(InputError, match="was staged, but its bytes are others than were written: run again"):
            values.commit()


def test_a_damaged_state_is_computed_again_and_what_needs_it_goes_on(store: OfflineStore) -> None:
    rows = [(n % 3, day(n), f"b{n}", n / 8, n) for n in range(70)]
    store.source("raw/shop_purchases").write(purchase_rows(rows), day(0), day(70), time_column="bought_at", run_id="r")
    compute_tiles(store, ShopperEver, day(0), day(70), "r")
    compute_values(store, ShopperEver, day(0), day(70), "r")
    state, values = store.state(ShopperEver), store.values(ShopperEver)
    written = state.ledger.partitions().select("partition_start", "content_hash")
    before = values.ledger.partitions()["content_hash"].to_list()
    last = written["partition_start"][-1]
    (file,) = (Path(state.uri) / f"day={last.date()}").glob("*.parquet")
    flip(file)
    stored_files._checked.clear()
    assert [damage.day for damage in verify_table(state).damages] == [last.date()]
    (damaged,) = damaged_days_of(store, ShopperEver)
    assert (damaged.part, damaged.start.date() >= last.date()) == ("state", True)
    compute_values(store, ShopperEver, day(69), day(70), "r")
    repair_day(store, ShopperEver, damaged, "repair")
    assert list(damaged_days_of(store, ShopperEver)) == []
    assert verify_table(state).is_sound
    assert state.ledger.partitions().select("partition_start", "content_hash").equals(written)
    assert values.ledger.partitions()["content_hash"].to_list() == before


def test_tiles_of_a_feature_that_changed_are_refused_where_they_are_written(store: OfflineStore) -> None:
    landed(store)
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    before = store.tiles(ShopperSpend).delta_version()
    changed = replace(ShopperSpend.feature("pieces_3d"), fingerprint="0123456789abcdef")
    features = tuple(changed if f.name == "pieces_3d" else f for f in ShopperSpend.features)
    with pytest.raises(FingerprintError, match=r"^shop/shopper_spend/v1.pieces_3d is stored as"):
        compute_tiles(store, replace(ShopperSpend, features=features), day(0), day(6), "r")
    left_out = tuple(f for f in ShopperSpend.features if f.name != "spend_3d")
    with pytest.raises(FingerprintError, match="spend_3d is stored, but this code location does not declare it"):
        compute_tiles(store, replace(ShopperSpend, features=left_out), day(0), day(6), "r")
    assert store.tiles(ShopperSpend).delta_version() == before


def test_a_feature_that_was_dropped_may_be_left_out_of_tiles(store: OfflineStore) -> None:
    landed(store)
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    compute_values(store, ShopperSpend, day(5), day(6), "r")
    without = replace(ShopperSpend, features=tuple(f for f in ShopperSpend.features if f.name != "spend_3d"))
    store.values(without).drop_feature("spend_3d")
    assert compute_tiles(store, without, day(0), day(6), "r").rows
    assert compute_values(store, without, day(5), day(6), "r")


def test_definitions_in_the_log_that_were_changed_are_refused(store: OfflineStore) -> None:
    table = values_of(store)
    for commit in (Path(table.uri) / "_delta_log").glob("*.json"):
        commit.write_text(
            commit.read_text()
            .replace('\\\\"dropped\\\\": false', '\\\\"dropped\\\\": true')
            .replace('\\"dropped\\": false', '\\"dropped\\": true')
        )
    with pytest.raises(DamagedRecordError, match="the definitions in it are not what was written"):
        table.write(spend_values([(day(1), 7, 7)]), day(1), day(2), run_id="w")


def written_set(store: OfflineStore) -> PartitionedTable:
    values_of(store)
    built = build_training_set(store, service, spine(2), allow_missing=True)
    write_training_set(store, "set", built, run_id="r")
    return PartitionedTable(f"{store.root}/training/set", {})


def test_a_manifest_that_was_changed_exchanged_or_lost_is_refused(store: OfflineStore) -> None:
    table = written_set(store)
    uri = f"{table.uri}.manifests"
    stored = pl.read_delta(uri)
    changed = stored.with_columns(pl.col("manifest").str.replace("promised", "imagined"))
    for wrong in (changed, stored.with_columns(pl.lit("0" * 32).alias("id"))):
        wrong.write_delta(uri, mode="overwrite")
        with pytest.raises(DamagedRecordError, match=r"training/set.manifests: manifest \w+ is"):
            load_training_set(store, "set")
    for file in Path(uri).glob("*.parquet"):
        file.write_bytes(b"")
    with pytest.raises(DamagedRecordError, match="it cannot be read"):
        load_training_set(store, "set")


def test_a_plan_of_which_a_letter_was_changed_is_refused(tmp_path: Path) -> None:
    plan = compile_plan(service)
    path = write_plan(tmp_path, plan)
    text = path.read_text()
    for place in range(0, len(text), max(len(text) // 150, 1)):
        path.write_text(text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :])
        with suppress(PlanError):
            assert read_plan(path) == plan
    without = json.loads(text)
    del without["digest"]
    assert ServicePlan.from_json(json.dumps(without)) == plan
    without["digest"] = "0" * 32
    with pytest.raises(PlanError, match="not what was written"):
        ServicePlan.from_json(json.dumps(without))


def test_by_a_changed_note_of_a_stage_nothing_is_removed(store: OfflineStore) -> None:
    landed(store)
    compute_tiles(store, ShopperSpend, day(0), day(6), "r")
    tiles = store.tiles(ShopperSpend)
    first, last, cadence = to_microseconds(day(0)), to_microseconds(day(6)), ShopperSpend.cadence
    with open_stage(tiles.uri, {}, "dead", 0, first, last, cadence) as stage:
        note = Path(f"{tiles.uri}.stages") / f"{stage.name}.json"
        kept = note.read_text()
    own = files_of(tiles, 2)[0].stem.rpartition("-")[0]
    # As if it were the note of the stage whose files were committed, and the table had been newer when it began.
    note.write_text(kept.replace(stage.name, own).replace('"version": 0', '"version": 99'))
    note.rename(note.with_stem(own))
    remove_abandoned(tiles.uri, {}, "other")
    assert tiles.scan().collect().height == compute_tiles(store, ShopperSpend, day(0), day(6), "r").rows


def test_of_a_view_all_is_verified_that_is_stored(store: OfflineStore) -> None:
    landed(store)
    compute_tiles(store, ShopperEver, day(0), day(6), "r")
    for table in tables_of(store, ShopperEver).values():
        assert verify_table(table).is_sound
