"""Branches of the offline store: they read of production what did not change, as it was, and write their own alone."""

import hashlib
import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FingerprintError, InputError, VersionExpiredError
from feature_store.model.views import FeatureView
from feature_store.offline.delta.paths import source_uri
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.materialize.stale import stale_partitions
from feature_store.offline.tables.branch import Branch, Meaning
from feature_store.offline.tables.store import OfflineStore, store_of
from feature_store.offline.verify import tables_of, verify_table
from feature_store.status import Status
from tests.fixtures.frames import at
from tests.fixtures.stream_views import Live
from tests.offline.definitions import INSTANT, START, ShopperEver, ShopperSpend, day, purchases, spend_values
from tests.offline.stream_world import DAYS as DAYS_STREAMED
from tests.offline.stream_world import ENTITIES, build_world, stream, times_of_interest
from tests.offline.stream_world import land as land_tiles
from tests.offline.test_materialize import land, some_purchases
from tests.offline.test_stream_join import join

DAYS = 8


def changed(view: FeatureView) -> FeatureView:
    """Return the view as if its first feature had another meaning under the same version."""
    first, *others = view.features
    return replace(view, features=(replace(first, fingerprint=f"{first.fingerprint}x"), *others))


def begin(store: OfflineStore, *views: FeatureView, name: str = "late6") -> OfflineStore:
    """Return the branch of a store, which begins now; by name, it knows some views."""
    time.sleep(0.003)
    known = {view.full_name: Meaning.of(view) for view in views}
    branch = store_of(Branch(name, store.root, datetime.now(UTC), known.get), store.storage_options)
    time.sleep(0.003)
    return branch


def digest_of(root: str) -> str:
    """Return a digest of every file of production, which is all but its branches."""
    files = sorted(path for path in Path(root).rglob("*") if path.is_file() and "branches" not in path.parts)
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def values_of(store: OfflineStore, view: FeatureView) -> pl.DataFrame:
    return store.values(view).scan().sort("partition_start", "shopper_id").collect()


@pytest.fixture
def production(store: OfflineStore) -> OfflineStore:
    """Give a store in which a windowed view and one of all history were computed."""
    land(store, some_purchases(DAYS), START, day(DAYS))
    for view in (ShopperSpend, ShopperEver):
        compute_tiles(store, view, START, day(DAYS), "tiles")
        compute_values(store, view, START, day(6), "values")
    return store


def test_a_view_that_did_not_change_is_read_as_it_was_when_the_branch_began(production: OfflineStore) -> None:
    before = values_of(production, ShopperSpend)
    branch = begin(production, ShopperSpend)
    land(production, some_purchases(DAYS, seed=1), START, day(DAYS))
    compute_tiles(production, ShopperSpend, START, day(DAYS), "again")
    compute_values(production, ShopperSpend, START, day(DAYS), "again")
    assert not values_of(production, ShopperSpend).equals(before)
    digest = digest_of(production.root)
    assert values_of(branch, ShopperSpend).equals(before)
    by_name = branch.stored_values(ShopperSpend.full_name).scan().sort("partition_start", "shopper_id").collect()
    assert by_name.equals(before)
    assert digest_of(production.root) == digest


@pytest.mark.parametrize("view", [ShopperSpend, ShopperEver])
def test_partitions_that_production_lacks_are_computed_on_the_branch_beside_the_shared_ones(
    production: OfflineStore, tmp_path: Path, view: FeatureView
) -> None:
    branch, digest = begin(production), digest_of(production.root)
    assert stale_partitions(branch, view, START, day(DAYS)) == [day(6), day(7)]
    compute_values(branch, view, day(6), day(DAYS), "branch")
    assert stale_partitions(branch, view, START, day(DAYS)) == []
    assert branch.values(view).ledger.partitions().height == DAYS
    assert digest_of(production.root) == digest
    compute_values(production, view, day(6), day(DAYS), "production")
    assert values_of(branch, view).equals(values_of(production, view))


def test_a_changed_view_shares_nothing_but_its_source_and_may_change_again(production: OfflineStore) -> None:
    other = changed(ShopperSpend)
    branch, digest = begin(production, other), digest_of(production.root)
    assert branch.values(other).ledger.partitions().is_empty()
    compute_tiles(branch, other, START, day(DAYS), "branch")
    compute_values(branch, other, day(4), day(6), "branch")
    assert values_of(branch, other)["partition_start"].unique().sort().to_list() == [day(4), day(5)]
    again = changed(other)
    compute_tiles(branch, again, START, day(3), "branch")
    compute_values(branch, again, START, day(3), "branch")
    assert branch.values(again).ledger.partitions().height == 3
    assert branch.values(other).ledger.partitions().height == 2
    assert values_of(branch, ShopperSpend).equals(values_of(production, ShopperSpend))
    assert digest_of(production.root) == digest
    with pytest.raises(FingerprintError):
        compute_values(production, other, day(4), day(5), "production")


def test_a_source_that_is_landed_on_the_branch_unshares_everything_computed_from_it(production: OfflineStore) -> None:
    branch, digest = begin(production), digest_of(production.root)
    compute_values(branch, ShopperSpend, day(6), day(7), "branch")
    land(branch, some_purchases(DAYS, seed=1), day(2), day(3))
    assert branch.source(purchases.asset).ledger.partitions().height == DAYS
    for view in (ShopperSpend, ShopperEver):
        assert branch.tiles(view).ledger.partitions().is_empty()
    assert branch.values(ShopperSpend).ledger.partitions()["partition_start"].to_list() == [day(6)]
    assert branch.values(ShopperEver).ledger.partitions().is_empty()
    assert branch.state(ShopperEver).ledger.partitions().is_empty()
    compute_tiles(branch, ShopperSpend, START, day(DAYS), "branch")
    compute_values(branch, ShopperSpend, START, day(DAYS), "branch")
    assert digest_of(production.root) == digest
    rows = pl.concat(
        [
            some_purchases(DAYS).filter(~pl.col("bought_at").is_between(day(2), day(3), closed="left")),
            some_purchases(DAYS, seed=1).filter(pl.col("bought_at").is_between(day(2), day(3), closed="left")),
        ]
    )
    land(production, rows, START, day(DAYS))
    compute_tiles(production, ShopperSpend, START, day(DAYS), "production")
    compute_values(production, ShopperSpend, START, day(DAYS), "production")
    assert values_of(branch, ShopperSpend).equals(values_of(production, ShopperSpend))


def test_training_rows_of_a_branch_are_of_its_own_and_of_shared_partitions(production: OfflineStore) -> None:
    branch = begin(production, ShopperSpend)
    compute_values(branch, ShopperSpend, day(6), day(DAYS), "branch")
    service = FeatureService("m", 1, "storekeepers", "A model", [ShopperSpend.all()])
    times = [day(number, 3) for number in range(1, DAYS + 1) for _ in range(5)]
    spine = pl.DataFrame({"shopper_id": [*range(5)] * DAYS, "time": times}, schema_overrides={"time": INSTANT})
    found = point_in_time_join(branch, compile_plan(service), spine, "time", with_status=True)
    compute_values(production, ShopperSpend, day(6), day(DAYS), "production")
    assert found.equals(point_in_time_join(production, compile_plan(service), spine, "time", with_status=True))


def test_verifying_a_branch_reads_what_it_shares_and_writes_nothing_there(production: OfflineStore) -> None:
    branch = begin(production)
    compute_values(branch, ShopperSpend, day(6), day(DAYS), "branch")
    file = next(Path(production.root).glob("views/shop/shopper_spend/v1/values/day=2024-01-02/*.parquet"))
    file.write_bytes(file.read_bytes()[:-9])
    digest = digest_of(production.root)
    found = {name: verify_table(table) for name, table in tables_of(branch, ShopperSpend).items()}
    assert [len(each.damages) for each in found.values()] == [0, 0, 1]
    assert found["values"].partitions == DAYS
    assert digest_of(production.root) == digest


def test_a_branch_whose_rows_of_production_are_gone_says_so(production: OfflineStore) -> None:
    branch = begin(production)
    land(production, some_purchases(DAYS, seed=1), START, day(DAYS))
    land(production, some_purchases(DAYS), START, day(DAYS))
    table = DeltaTable(source_uri(production.root, purchases.asset))
    table.vacuum(dry_run=False)
    assert branch.source(purchases.asset).scan().collect().height  # what was replaced is kept for longer than a branch
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(VersionExpiredError, match=r"branch late6 reads production as it was .* drop it and begin anew"):
        branch.source(purchases.asset).scan().collect()
    assert production.source(purchases.asset).scan().collect().height


def test_a_source_of_other_types_or_partitions_than_production_is_refused(production: OfflineStore) -> None:
    branch = begin(production)
    with pytest.raises(FingerprintError, match="is stored as Int64, but is String now"):
        land(branch, some_purchases(DAYS).cast({"pieces": pl.String}), START, day(1))
    hourly = some_purchases(DAYS).filter(pl.col("bought_at").is_between(START, day(0, 1), closed="left"))
    with pytest.raises(InputError, match="overlaps partition"):
        branch.source(purchases.asset).write(
            hourly, START, day(0, 1), time_column="bought_at", run_id="x", cadence=3_600_000_000
        )
    assert branch.source(purchases.asset).ledger.partitions().height == DAYS
    assert branch.values(ShopperSpend).ledger.partitions().height == 6  # nothing was landed


def test_a_stream_on_a_branch_is_read_as_it_was_until_the_branch_writes_its_own(tmp_path: Path) -> None:
    world = build_world(tmp_path / "offline", seed=3)
    times = random.Random(5).sample(times_of_interest(world), 60)
    rows = [(number, time, *ENTITIES[number % 4]) for number, time in enumerate(times)]
    before = join(world, rows)
    branch = replace(world, store=begin(world.store, Live), landed=set(world.landed), covered=[*world.covered])
    moved = {**world.rows[0], "value": 1000.0}
    for day_, sequence in ((DAYS_STREAMED - 1, 31), (DAYS_STREAMED - 2, 32)):
        event = {**moved, "time": at(days=day_, hours=1)}
        stream(world, [event], at(days=day_), at(days=day_, hours=20), sequence=sequence)
    world.rows.append({**moved, "time": at(days=3, hours=2)})
    land_tiles(world, 3)
    assert not join(world, rows).equals(before)
    digest = digest_of(world.store.root)
    assert join(branch, rows).equals(before)
    end = at(days=DAYS_STREAMED)
    stream(branch, branch.rows, at(days=DAYS_STREAMED - 6), end, sequence=1)
    assert branch.store.stream_copy(Live.full_name).open().writes.height == 1
    land_tiles(branch, 7)  # the day that production lacks
    assert branch.store.tiles(Live).ledger.partitions().height == world.store.tiles(Live).ledger.partitions().height + 1
    joined = join(branch, rows)
    known = {name for name in joined.columns if name.endswith("__status")}
    missing = [sum((frame[name] == Status.NOT_COMPUTED).sum() for name in known) for frame in (before, joined)]
    assert missing[1] < missing[0]
    assert digest_of(world.store.root) == digest


@dataclass
class Model:
    """What lies where, as plain data: by day, the label of the rows."""

    source: dict[int, int] = field(default_factory=dict[int, int])
    values: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def copy(self) -> "Model":
        return Model(dict(self.source), dict(self.values))


VIEWS = {"same": ShopperSpend, "changed": changed(ShopperSpend)}
WRITES = st.tuples(
    st.sampled_from(["production", "production", "branch"]),
    st.sampled_from(["source", "same", "same", "changed"]),
    st.integers(0, 3),
)


def put(store: OfflineStore, what: str, number: int, label: int) -> None:
    if what == "source":
        rows = some_purchases(4).filter(pl.col("bought_at").is_between(day(number), day(number + 1), closed="left"))
        land(store, rows.with_columns(pieces=pl.lit(label, pl.Int64)), day(number), day(number + 1))
    else:
        store.values(VIEWS[what]).write(
            spend_values([(day(number), 1, label)]), day(number), day(number + 1), run_id=str(label)
        )


def labels(rows: pl.LazyFrame, at: str) -> dict[int, int]:
    """Return the label by day; every row of a day has it."""
    found = rows.select(((pl.col(at) - START).dt.total_days()).alias("day"), "pieces").unique().collect()
    assert found["day"].is_unique().all()
    return dict(found.iter_rows())


def check(store: OfflineStore, model: Model, what: str) -> None:
    if what == "source":
        table, expected, at = store.source(purchases.asset), model.source, "partition_start"
    else:
        table, at = store.values(VIEWS[what]), "partition_start"
        expected = {number: label for (view, number), label in model.values.items() if view == what}
    listed = table.ledger.partitions()["partition_start"].to_list()
    assert listed == [day(number) for number in sorted(expected)]
    opened = table.open()
    assert opened.partitions["partition_start"].to_list() == listed
    if not expected:
        return
    column = "pieces" if what == "source" else "pieces_3d"
    for rows in (
        opened.scan(opened.partitions),
        opened.scan_some(opened.partitions),
        opened.read(opened.partitions).lazy(),
    ):
        assert labels(rows.rename({column: "pieces"}), at) == expected


@pytest.mark.full
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(before=st.lists(WRITES.filter(lambda w: w[1] != "changed"), max_size=4), after=st.lists(WRITES, max_size=7))
def test_a_branch_reads_what_the_rule_says_whatever_was_written_when(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    with TemporaryDirectory() as folder:
        production, model = OfflineStore(folder), Model()
        branch, then, own = production, Model(), Model()
        for label, (where, what, number) in enumerate([*before, ("begin", "", 0), *after], start=1):
            if where == "begin":
                branch, then = begin(production, ShopperSpend), model.copy()
                continue
            if branch is production or where == "production":
                if what == "changed":
                    continue
                store, written = production, model
            else:
                store, written = branch, own
            put(store, what, number, label)
            if what == "source":
                written.source[number] = label
            else:
                written.values[what, number] = label
        shared = {} if own.source else then.values
        seen = Model(then.source | own.source, shared | own.values)
        for what in ("source", "same", "changed"):
            check(branch, seen, what)
            if what != "changed":
                check(production, model, what)
