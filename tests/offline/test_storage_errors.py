"""D5: whatever is wrong with a table's files, log, ledger, rights or room, users meet an error of ours that says where.

Every kind of breakage of every table meets every public function. Whether a value may be wrong is not looked at here
(``test_damaged_files``): only what is raised. What is trouble of the storage never passes for damage, nor the reverse:
the one is tried again, the other repaired.
"""

import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake.exceptions import DeltaError

from feature_assets.explain import explain
from feature_assets.landing import land
from feature_assets.parity.stored import check_stored
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import ConflictError, DamagedError, FeatureStoreError, InputError, StorageError
from feature_store.model.services import FeatureService
from feature_store.offline.delta import commits, stored_files
from feature_store.offline.delta.faults import as_damage, as_storage_errors
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.repair import damaged_days_of
from feature_store.offline.materialize.stale import stale_partitions, stale_tiles
from feature_store.offline.tables.source_table import SourceTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import (
    build_training_set,
    load_manifest,
    load_training_set,
    write_training_set,
)
from feature_store.offline.verify import tables_of, verify_table
from feature_store.temporal.durations import DAY
from tests.offline.breakages import KINDS, TROUBLES, as_somebody_else, broken
from tests.offline.damage import files_of
from tests.offline.definitions import ShopperEver, day, purchase_rows, purchases

DAYS = 4
PLAN = compile_plan(
    FeatureService("ever", version=1, owner="storekeepers", description="All of it", features=[ShopperEver.all()])
)
ROWS = purchase_rows([(n % 7, day(n % DAYS, n % 23), f"b{n}", n / 8, n) for n in range(60)])
SPINE = pl.DataFrame({"shopper_id": [1, 2], "time": [day(3, 5), day(4, 1)]})
TABLES = {
    "source": "raw/shop_purchases",
    "tiles": "views/shop/shopper_ever/v1/tiles",
    "values": "views/shop/shopper_ever/v1/values",
    "training set": "training/ever",
}


def write(store: OfflineStore) -> None:
    built = build_training_set(store, PLAN, SPINE, allow_missing=True)
    write_training_set(store, "ever", built, run_id="r")


def verify(store: OfflineStore) -> None:
    for table in tables_of(store, ShopperEver).values():
        verify_table(table)


def scan(store: OfflineStore) -> None:
    for table in (store.source(purchases.asset), store.tiles(ShopperEver), store.values(ShopperEver)):
        table.scan().collect()


def ledger(store: OfflineStore) -> None:
    for table in tables_of(store, ShopperEver).values():
        table.ledger.partitions()


def load(store: OfflineStore) -> None:
    load_training_set(store, "ever").collect()
    load_training_set(store, "ever", as_="arrow").to_table()


def mark_published(store: OfflineStore) -> None:
    store.values(ShopperEver).ledger.mark_published(day(3), day(3, 1), 7, 1)


READERS: dict[str, Callable[[OfflineStore], object]] = {
    "ledger": ledger,
    "stale tiles": lambda store: stale_tiles(store, ShopperEver, day(0), day(DAYS)),
    "stale values": lambda store: stale_partitions(store, ShopperEver, day(0), day(DAYS)),
    "scan": scan,
    "join": lambda store: point_in_time_join(store, PLAN, SPINE, "time", allow_missing=True),
    "training set": lambda store: build_training_set(store, PLAN, SPINE, allow_missing=True),
    "load training set": load,
    "manifest": lambda store: load_manifest(store, "ever"),
    "explain": lambda store: explain(
        store, ShopperEver, ShopperEver.feature("pieces_2d"), {"shopper_id": 1}, day(3, 5), None
    ),
    "parity": lambda store: check_stored(store, ShopperEver, None, day(4, 5)),
    "damaged days": lambda store: list(damaged_days_of(store, ShopperEver)),
    "verify": verify,
}
WRITERS: dict[str, Callable[[OfflineStore], object]] = {
    "publish": mark_published,
    "write training set": write,
    "land": lambda store: land(store, purchases, ROWS, day(0), day(DAYS), run_id="again", cadence=DAY),
    "compute tiles": lambda store: compute_tiles(store, ShopperEver, day(0), day(DAYS), "again"),
    "compute values": lambda store: compute_values(store, ShopperEver, day(1), day(DAYS), "again"),
}


@pytest.fixture(scope="module")
def filled() -> Iterator[Path]:
    """A store whose folders everybody may enter; each function was called once, so that all is imported."""
    folder = Path(tempfile.mkdtemp(prefix="storage-errors-"))
    folder.chmod(0o755)
    store = OfflineStore(str(folder / "store"))
    land(store, purchases, ROWS, day(0), day(DAYS), run_id="r", cadence=DAY)
    compute_tiles(store, ShopperEver, day(0), day(DAYS), "r")
    compute_values(store, ShopperEver, day(0), day(DAYS), "r")
    write(store)
    copy = OfflineStore(str(shutil.copytree(store.root, folder / "warm")))
    for function in (*READERS.values(), *WRITERS.values()):
        function(copy)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def store(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OfflineStore]:
    monkeypatch.setattr(stored_files, "_checked", set())
    monkeypatch.setattr(commits, "ATTEMPTS", 2)
    store = OfflineStore(str(filled / "broken"))
    yield store
    shutil.rmtree(store.root)


def assert_ours(error: BaseException, called: str) -> None:
    told = f"{called}: {type(error).__mro__[:2]} {error}"
    assert isinstance(error, FeatureStoreError), told
    text = str(error)
    assert any(name in text for name in ("raw/shop_purchases", "shopper_ever", "training/ever", "'ever'")), told
    assert "\x1b" not in text, told
    assert "<unknown>" not in text, told
    assert len(text) < 1200, told
    assert str(pickle.loads(pickle.dumps(error))) == text


def assert_kind(error: BaseException, kind: str, called: str) -> None:
    if not isinstance(error, ConflictError):
        assert isinstance(error, StorageError) == (kind in TROUBLES), f"{called}: {error!r}"


def cases() -> Iterator[Any]:
    """Every kind of breakage of every table and ledger; outside of ``full`` each second kind, and table, once."""
    places = [*TABLES.items(), *((f"ledger of {name}", f"{place}.ledger") for name, place in TABLES.items())]
    for number, kind in enumerate(KINDS):
        for other, (name, place) in enumerate(places):
            is_chosen = number % 2 == 0 and (number // 2 - other) % len(places) == 0
            marks = () if is_chosen else (pytest.mark.full,)
            yield pytest.param(kind, place, id=f"{name}: {kind}", marks=marks)


@pytest.mark.parametrize(("kind", "table"), [*cases()])
def test_nothing_that_breaks_a_table_reaches_a_caller_raw(
    filled: Path, store: OfflineStore, kind: str, table: str
) -> None:
    place = Path(store.root, table)
    for functions in (READERS, *({name: function} for name, function in WRITERS.items())):
        shutil.rmtree(store.root, ignore_errors=True)
        shutil.copytree(filled / "store", store.root)
        with broken(place, kind):
            for name, function in functions.items():
                try:
                    function(store)
                except BaseException as error:  # noqa: BLE001 - panics are no Exception
                    assert_ours(error, name)
                    assert_kind(error, kind, name)
        if kind in TROUBLES:
            assert not list(damaged_days_of(store, ShopperEver))
            verify(store)


def test_commits_that_always_lose_are_a_conflict_and_leave_what_was_there(
    store: OfflineStore, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(filled / "store", store.root)
    source = store.source(purchases.asset)
    competing = SourceTable(source.uri, source.options)

    def write(table: SourceTable, run_id: str) -> None:
        rows = ROWS.filter(pl.col("bought_at") < day(1))
        table.write(rows, day(0), day(1), time_column="bought_at", run_id=run_id)

    monkeypatch.setattr(source, "_agree", lambda _: write(competing, "other"))
    with pytest.raises(ConflictError) as raised:
        write(source, "mine")
    assert_ours(raised.value, "write")
    assert "Nothing was written: run again" in str(raised.value)
    assert competing.ledger.partitions()["run_id"].to_list() == ["other", "r", "r", "r"]


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("parquet: underlying IO error: No space left on device (os error 28)", "make room there"),
        ("Unable to open file: Permission denied (os error 13)", "let this process read and write there"),
        ("Generic S3 error: error sending request for url", "see that the disk or the store is there"),
        ("transport endpoint is not connected (os error 107)", "see that the disk or the store is there"),
        ("lacked the necessary privileges: Error performing GET http://s3: 403 Forbidden", "let this process read"),
        ("Kernel error: No table metadata or protocol found in delta log.", "see what `features verify` says"),
    ],
)
def test_the_cure_follows_from_what_is_said(said: str, cure: str) -> None:
    for error in (
        OSError(said),
        DeltaError(said),
        pl.exceptions.ComputeError(said),
        pl.exceptions.PanicException(said),
    ):
        with pytest.raises(StorageError, match=cure) as raised, as_storage_errors("lake/x", "rows cannot be written"):
            raise error
        assert str(raised.value).startswith(f"lake/x: rows cannot be written ({said}). Instead: ")
        assert raised.value.__cause__ is error


def test_what_is_no_fault_of_the_store_passes() -> None:
    for error in (KeyboardInterrupt(), SystemExit(3), ConflictError("ours")):
        with pytest.raises(type(error)) as raised, as_storage_errors("lake/raw/x", "rows cannot be written"):
            raise error
        assert raised.value is error


@pytest.mark.parametrize(
    "said",
    [
        "No such file or directory (os error 2): /lake/raw/x",
        "object-store error: Object at location x.parquet not found: Error performing HEAD http://s3/x: 404 Not Found",
        "Is a directory (os error 21)",
        "Invalid Parquet file: /lake/connect/permission_denied/timeouts/forbidden/5/x.parquet",
    ],
)
def test_what_is_gone_or_garbage_is_damage_whatever_it_is_called(said: str) -> None:
    for error in (OSError(said), DeltaError(said), pl.exceptions.ComputeError(said)):
        with pytest.raises(InputError) as raised, as_damage("lake/x", lambda said: InputError(f"damaged: {said}")):
            raise error
        assert str(raised.value) == f"damaged: {said}"


def test_a_store_that_may_not_be_entered_is_not_taken_for_one_without_tables(store: OfflineStore, filled: Path) -> None:
    shutil.copytree(filled / "store", store.root)
    with (
        as_somebody_else(Path(store.root), 0o000),
        pytest.raises(StorageError, match="let this process read and write there"),
    ):
        store.source(purchases.asset).open()


def test_trouble_while_a_file_is_read_lists_no_damage(store: OfflineStore, filled: Path) -> None:
    shutil.copytree(filled / "store", store.root)
    table = store.values(ShopperEver)
    (file, *_) = files_of(table, 2)
    opened = table.open()
    for read in (opened.scan, opened.scan_some, opened.read):
        with as_somebody_else(file, 0o000), pytest.raises(StorageError, match=file.name):
            read(opened.partitions)
    assert table.ledger.damaged().is_empty()


def test_a_file_that_changes_while_it_is_read_is_damage_for_whoever_collects_it(
    store: OfflineStore, filled: Path
) -> None:
    shutil.copytree(filled / "store", store.root)
    table = store.values(ShopperEver)
    opened = table.open()
    rows = opened.scan_some(opened.partitions)
    for number in range(DAYS):
        for file in files_of(table, number):
            file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(DamagedError, match=r"values: day 2024-01-0\d: it cannot be read"):
        rows.filter(pl.col("shopper_id") == 2).select("pieces_2d").collect()
