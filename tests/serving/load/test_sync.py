"""From the offline store to the online one: what is loaded is what the point-in-time join reads."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_store import FeatureService, FeatureView, count, feature_view, fingerprints, sum_
from feature_store.columns import Column
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FingerprintError
from feature_store.expressions.functions import col
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan, write_plan
from serving.client import FeatureClient
from serving.load.landed import Landed
from serving.load.sync import is_synced, sync_view
from serving.stores.errors import IncompleteLoadError
from serving.stores.open_store import open_loader
from serving.stores.snapshot import ROWS_PER_STEP, Chunk, LoadReport, Snapshot
from serving.stores.store import OnlineLoader
from tests.offline.definitions import INSTANT, day, purchases, shopper

NOW = day(9)


@pytest.fixture
def store(tmp_path: Path) -> OfflineStore:
    return OfflineStore(str(tmp_path / "offline"))


@pytest.fixture
def writer(valkey: str) -> Iterator[OnlineLoader]:
    writer = open_loader(valkey)
    yield writer
    writer.close()


def view_of(**features: object) -> FeatureView:
    body = type("ShopperCounts", (), {"__doc__": "How much a shopper buys.", **features})
    return feature_view(
        entity=shopper,
        source=purchases,
        namespace="shop",
        version=1,
        owner="storekeepers",
        cadence="1d",
        freshness="2d",
    )(body)


def pieces(**options: str) -> object:
    return sum_(col("pieces"), **{"over": "3d", "description": "Pieces in three days", **options})


def written(store: OfflineStore, view: FeatureView, start: datetime) -> None:
    values = {feature.name: [41, 42] for feature in view.stored_features}
    frame = pl.DataFrame({"partition_start": [start] * 2, "shopper_id": [1, 2], **values})
    store.values(view).write(frame.cast({"partition_start": INSTANT}), start, start + (day(1) - day(0)), run_id="r")


def plan_of(view: FeatureView) -> ServicePlan:
    service = FeatureService("counts", 1, "storekeepers", "Counts of a shopper", [view.all()])
    return compile_plan(service)


def served_and_trained(store: OfflineStore, plan: ServicePlan, url: str, folder: Path) -> tuple[pl.DataFrame, ...]:
    write_plan(folder, plan)
    with FeatureClient(folder, url) as client:
        vectors = client.get_features("counts", {"shopper_id": [1, 2, 3]}, time=NOW)
    spine = pl.DataFrame({"shopper_id": [1, 2, 3]}).with_columns(pl.lit(NOW, INSTANT).alias("time"))
    trained = point_in_time_join(store, plan, spine, "time", allow_missing=True, with_status=True)
    served = vectors.to_polars()
    return served, trained.select(pl.col(name).cast(served.schema[name]) for name in served.columns)


def test_a_renamed_feature_is_served_from_its_former_column(
    store: OfflineStore, writer: OnlineLoader, valkey: str, tmp_path: Path
) -> None:
    former = view_of(pieces_3d=pieces())
    written(store, former, day(5))
    sync_view(store, former, writer, NOW)
    renamed = view_of(pieces=pieces(renamed_from="pieces_3d"))
    assert not is_synced(store, renamed, writer, NOW)
    sync_view(store, renamed, writer, NOW)
    assert is_synced(store, renamed, writer, NOW)
    served, trained = served_and_trained(store, plan_of(renamed), valkey, tmp_path / "plans")
    assert served["shopper_counts__pieces"].to_list() == [41, 42, 0]
    assert served.equals(trained)


def test_a_feature_renamed_and_changed_at_once_is_neither_loaded_nor_served(
    store: OfflineStore, writer: OnlineLoader, valkey: str, tmp_path: Path
) -> None:
    former = view_of(pieces_3d=pieces())
    written(store, former, day(5))
    sync_view(store, former, writer, NOW)
    changed = view_of(pieces=pieces(over="4d", renamed_from="pieces_3d"))
    with pytest.raises(FingerprintError, match=r"pieces is renamed_from='pieces_3d'"):
        sync_view(store, changed, writer, NOW)
    write_plan(tmp_path / "plans", plan_of(changed))
    with (
        FeatureClient(tmp_path / "plans", valkey) as client,
        pytest.raises(FingerprintError, match=r"pieces is renamed_from='pieces_3d'"),
    ):
        client.get_features("counts", {"shopper_id": [1]}, time=NOW)


def test_a_partition_is_loaded_piece_by_piece(
    store: OfflineStore, writer: OnlineLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, count = view_of(pieces_3d=pieces()), 3 * ROWS_PER_STEP
    frame = pl.DataFrame({"partition_start": [day(5)], "pieces_3d": [7]}).join(
        pl.DataFrame({"shopper_id": range(count)}), how="cross"
    )
    store.values(view).write(frame.cast({"partition_start": INSTANT}), day(5), day(6), run_id="r")
    lengths: list[int] = []
    load = writer.load

    def watched(name: str, snapshot: Snapshot, chunks: Iterator[Chunk], *rest: Any) -> LoadReport:
        def counted() -> Iterator[Chunk]:
            for keys, features in chunks:
                lengths.append(len(keys[0]))
                yield keys, features

        return load(name, snapshot, counted(), *rest)

    monkeypatch.setattr(writer, "load", watched)
    monkeypatch.setattr("serving.load.landed.ROWS_AT_ONCE", ROWS_PER_STEP)
    (report,) = sync_view(store, view, writer, NOW).loads.values()
    assert report.rows == sum(lengths) == count
    assert max(lengths) <= ROWS_PER_STEP


def test_at_an_available_at_the_partition_before_is_still_served_and_loaded(
    store: OfflineStore, writer: OnlineLoader, valkey: str, tmp_path: Path
) -> None:
    view = view_of(pieces_3d=pieces())
    for start in (day(7), day(8)):
        written(store, view, start)
    available_at = store.values(view).ledger.partitions().sort("as_of")["available_at"][-1]
    assert available_at == NOW
    assert sorted(sync_view(store, view, writer, available_at).loads) == [day(8), day(9)]
    served, trained = served_and_trained(store, plan_of(view), valkey, tmp_path / "plans")
    assert served["shopper_counts__pieces_3d"].to_list() == [41, 42, 0]
    assert served.equals(trained)


def test_a_feature_newer_than_the_partition_is_not_computed(
    store: OfflineStore, writer: OnlineLoader, valkey: str, tmp_path: Path
) -> None:
    written(store, view_of(pieces_3d=pieces()), day(5))
    more = view_of(pieces_3d=pieces(), purchases_3d=count(over="3d", description="Purchases in three days"))
    sync_view(store, more, writer, NOW)
    served, trained = served_and_trained(store, plan_of(more), valkey, tmp_path / "plans")
    assert served["shopper_counts__purchases_3d"].to_list() == [None] * 3
    assert served.equals(trained)


def test_equal_values_of_another_definition_are_loaded_again(
    store: OfflineStore, writer: OnlineLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row's layout holds the fingerprints that readers check."""
    before = view_of(pieces_3d=pieces())
    written(store, before, day(5))
    sync_view(store, before, writer, NOW)
    assert is_synced(store, before, writer, NOW)
    monkeypatch.setattr(fingerprints, "SEMANTICS_REVISION", fingerprints.SEMANTICS_REVISION + 1)
    after = view_of(pieces_3d=pieces())
    written(store, after, day(5))
    assert not is_synced(store, after, writer, NOW)
    (load,) = sync_view(store, after, writer, NOW).loads.values()
    assert not load.skipped
    assert is_synced(store, after, writer, NOW)


def test_a_partition_of_which_rows_cannot_be_read_is_not_published(
    store: OfflineStore, writer: OnlineLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = view_of(pieces_3d=pieces())
    written(store, view, day(5))
    sync_view(store, view, writer, day(6, 5))
    written(store, view, day(6))
    whole = Landed._values
    with monkeypatch.context() as patched:
        patched.setattr(Landed, "_values", lambda landed: iter([cut(chunk) for chunk in whole(landed)]))
        with pytest.raises(IncompleteLoadError, match=f"{view.full_name} as of 2024-.*1 rows were read .* promises 2"):
            sync_view(store, view, writer, day(7, 5))
    assert not is_synced(store, view, writer, day(7, 5))
    assert [each.rows for each in writer.generations(view.full_name)] == [2]
    sync_view(store, view, writer, day(7, 5))
    assert is_synced(store, view, writer, day(7, 5))


def cut(chunk: Chunk) -> Chunk:
    """Leave out all but the first entity."""
    keys, features = chunk
    first = {name: Column(column.values[:1], column.valid[:1]) for name, column in features.items()}
    return [Column(key.values[:1], key.valid[:1]) for key in keys], first
