from __future__ import annotations

from pathlib import Path

import sqlalchemy
from dagster import AssetKey, AssetMaterialization, DagsterInstance, asset, materialize

from tests.fixtures.servers.postgres import Postgres


def test_psql_reads_what_sqlalchemy_wrote(postgres: Postgres) -> None:
    url = postgres.new_database()
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE records (name text, as_of timestamptz)"))
        connection.execute(sqlalchemy.text("INSERT INTO records VALUES ('spend', '2026-01-02T03:04:05.000006Z')"))
    engine.dispose()
    seen = postgres.psql("SELECT name, as_of AT TIME ZONE 'UTC' FROM records", url.rpartition("/")[2])
    assert seen == "spend|2026-01-02 03:04:05.000006\n"


def test_an_instance_of_dagster_keeps_its_events_there(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    (tmp_path / "dagster.yaml").write_text(
        f"storage: {{postgres: {{postgres_url: '{url}'}}}}\ntelemetry: {{enabled: false}}\n"
    )

    @asset
    def spend() -> None: ...

    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert materialize([spend], instance=instance).success
        instance.report_runless_asset_event(AssetMaterialization("outside"))
    with DagsterInstance.from_config(str(tmp_path)) as again:
        assert again.get_latest_materialization_event(AssetKey("spend")) is not None
        assert again.get_latest_materialization_event(AssetKey("outside")) is not None
    assert int(postgres.psql("SELECT count(*) FROM event_logs", url.rpartition("/")[2])) > 2
