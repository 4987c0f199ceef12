"""The batched event log stores what Dagster's own does, in few transactions."""

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

from resources.event_log import BatchedSqliteEventLogStorage

DAILY = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-03-01")
KEYS = [dg.AssetKey(["retail", "spend", f"f{i}"]) for i in range(3)]
SPECS = [dg.AssetSpec(key, partitions_def=DAILY) for key in KEYS]
RANGE = {"dagster/asset_partition_range_start": "2024-01-02", "dagster/asset_partition_range_end": "2024-01-21"}


CHECK = dg.AssetCheckSpec("odd", asset=KEYS[0])


@dg.multi_asset(specs=SPECS, check_specs=[CHECK], backfill_policy=dg.BackfillPolicy.single_run())
def spend(context: dg.AssetExecutionContext):
    for key in KEYS:
        for number, partition in enumerate(context.partition_keys):
            context.add_asset_metadata({"rows": number}, asset_key=key, partition_key=partition)
        yield dg.MaterializeResult(asset_key=key)
    yield dg.AssetCheckResult(asset_key=KEYS[0], check_name="odd", passed=True)


OWN = ("dagster._core.storage.event_log", "SqliteEventLogStorage")
BATCHED = ("resources.event_log", "BatchedSqliteEventLogStorage")


def instance_with(storage: tuple[str, str], folder):
    module, name = storage
    return dg.instance_for_test(
        overrides={"event_log_storage": {"module": module, "class": name, "config": {"base_dir": str(folder)}}}
    )


def materialise(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([spend], instance=instance, tags=RANGE).success


def facts(instance: dg.DagsterInstance) -> list[tuple]:
    """What can be asked about the materialisations, across runs and by run."""
    found = []
    for key in KEYS:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key), limit=100, ascending=True
        ).records
        found += [(key, r.partition_key, r.asset_materialization.metadata["rows"].value) for r in records]
        found.append((key, sorted(instance.get_materialized_partitions(key))))
        found.append((key, instance.get_latest_materialization_event(key).dagster_event.partition))
    run = instance.get_runs()[0]
    checks = instance.event_log_storage.get_asset_check_execution_history(CHECK.key, limit=5)
    found.append([(check.status.value, check.run_id == run.run_id) for check in checks])
    logged = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    found.append(
        sorted(
            (str(r.event_log_entry.dagster_event.asset_key), r.event_log_entry.dagster_event.partition) for r in logged
        )
    )
    return found


def test_holds_what_dagsters_own_storage_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    with instance_with(OWN, tmp_path / "own") as instance:
        materialise(instance)
        expected = facts(instance)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    with instance_with(BATCHED, tmp_path / "batched") as instance:
        assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
        materialise(instance)
        assert facts(instance) == expected
        assert len(expected[-1]) == len(KEYS) * 20


def test_dagsters_own_storage_reads_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "50")
    with instance_with(BATCHED, tmp_path) as instance:
        materialise(instance)
    stock = SqliteEventLogStorage(str(tmp_path))
    assert len(stock.get_materialized_partitions(KEYS[0])) == 20


def test_few_transactions(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "restored after the test")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    transactions = []
    connect = BatchedSqliteEventLogStorage._connect

    def counted(storage, shard):
        transactions.append(shard)
        return connect(storage, shard)

    monkeypatch.setattr(BatchedSqliteEventLogStorage, "_connect", counted)
    with instance_with(BATCHED, tmp_path) as instance:
        before = len(transactions)
        materialise(instance)
        assert len(transactions) - before < len(KEYS) * 20


def test_lies_in_dagster_home_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1")
    storage = BatchedSqliteEventLogStorage()
    assert (tmp_path / "home" / "history" / "runs" / "index.db").exists()
    storage.dispose()
