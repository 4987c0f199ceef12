"""Dagster's SQLite event log, written in batches.

A materialisation is one event per asset and partition. Dagster's own SQLite storage opens two databases and a new
connection pool for each (about 15 ms), so a run over 60 days of a view of 12 features spends 19 s on events alone; in
batches it takes 1.7 s. Every run has a database of its own, which Dagster makes by some 30 statements and a look at all
its migrations (0.15 s); here it is a copy of the first one. The files are the same: either class can read and write
what the other wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

from dagster import Field, StringSource
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.pool import NullPool, QueuePool

from resources.settings import project_root

BATCH_SIZE: Final = 500
"""Events per transaction; about 0.1 s, so that other writers of the index do not wait long."""


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """SQLite event log that writes the materialisations of an output in few transactions.

    In ``dagster.yaml``::

        event_log_storage:
          module: resources.event_log
          class: BatchedSqliteEventLogStorage

    Loading it switches on Dagster's batching of events (``DAGSTER_EVENT_BATCH_SIZE``), unless that is set already.

    Args:
        base_dir: folder of the databases; ``$DAGSTER_HOME/history/runs``, as Dagster's own, if not given; without
            ``DAGSTER_HOME`` the project's ``.state/dagster`` stands for it.
        inst_data: how the instance was configured.
    """

    def __init__(self, base_dir: str | None = None, inst_data: ConfigurableClassData | None = None) -> None:
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))
        self._engines: dict[str, Engine] = {}
        self._open_run: Engine | None = None
        super().__init__(base_dir or str(_default_folder()), inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the options of ``config:`` in ``dagster.yaml``."""
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BatchedSqliteEventLogStorage:
        """Return the storage that ``dagster.yaml`` describes."""
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run: asset events in two transactions, others one by one."""
        of_assets: list[EventLogEntry] = []
        others: list[EventLogEntry] = []
        for event in events:
            is_of_asset = event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS
            (of_assets if is_of_asset else others).append(event)
        if of_assets:
            self._store_asset_events(of_assets)
        for event in others:
            self.store_event(event)

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        insert = SqlEventLogStorageTable.insert()
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(insert, rows)
        with self.index_transaction() as connection:
            ids = [_inserted_id(connection.execute(insert, row)) for row in rows]
            self._store_asset_event_tags(connection, events, ids)
            newest = {event.get_dagster_event().asset_key: (event, id_) for event, id_ in zip(events, ids, strict=True)}
            for event, id_ in newest.values():
                self._store_asset_event(connection, event, id_)

    def dispose(self) -> None:
        """Close all connections."""
        super().dispose()
        for engine in self._engines.values():
            engine.dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                given = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
                engine = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=QueuePool,
                    pool_size=1,
                    max_overflow=0,
                    connect_args=given,
                )
                self._make_database(engine, Path(self.path_for_shard(shard)))
                # Kept for its cache of compiled statements.
                self._engines[shard] = engine
            if shard != INDEX_SHARD_NAME and engine is not self._open_run:
                # Only the index and the newest run keep their connection: there may be many runs.
                if self._open_run is not None:
                    self._open_run.dispose()
                self._open_run = engine
            with engine.connect() as connection, connection.begin():
                yield connection

    def _make_database(self, engine: Engine, file: Path) -> None:
        """Make sure that a database is there, with all its tables."""
        if file.exists() or not _put(file, self._empty_database):
            self._initdb(engine)

    @cached_property
    def _empty_database(self) -> bytes:
        with TemporaryDirectory() as folder:
            engine = create_engine(create_db_conn_string(folder, "empty"), poolclass=NullPool)
            self._initdb(engine)
            with engine.connect() as connection:
                # What was written goes from the log beside the file into the file.
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return Path(folder, "empty.db").read_bytes()


def _put(file: Path, content: bytes) -> bool:
    """Make a file of this content at once; return False if another process was first."""
    new = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        new.write_bytes(content)
        os.link(new, file)
    except FileExistsError:
        return False
    finally:
        new.unlink(missing_ok=True)
    return True


def _default_folder() -> Path:
    home = os.environ.get("DAGSTER_HOME")
    return (Path(home) if home else project_root() / ".state" / "dagster") / "history" / "runs"


def _inserted_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    assert key is not None
    return key[0]
