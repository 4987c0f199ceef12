"""The few things we do to Delta tables: open, create, append, overwrite a range, compact, drop what was replaced.

Rows that a commit replaced can be read for ``RETENTION`` longer, at the versions before it: training sets are built
again from them, and it can be said what was served.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from feature_store.errors import DamagedRecordError, UnknownTableError
from feature_store.offline.delta.faults import LostCommitError, as_damage, as_storage_errors, storage_error
from feature_store.offline.delta.s3_log import beside_mirror, is_on_s3, open_mirrored, pushed
from feature_store.offline.delta.storage_types import Shapes, with_shapes
from feature_store.temporal.instants import to_microseconds

ATTEMPTS: Final = 40
"""The tries of a commit that loses against concurrent ones before its error is raised."""

_LONGEST_PAUSE: Final = 500
"""Milliseconds."""

_DAY: Final = 86_400_000_000

RETENTION: Final = timedelta(days=90)
"""The time for which versions of a table can be read after they were replaced."""

_LOG_OUTLIVES: Final = timedelta(days=1)
"""The time by which the log that lists the files of a version outlives them."""


def keeping(replaced: timedelta) -> dict[str, str]:
    """Return the properties of a table whose files are kept for a span after they were replaced."""
    return {
        "delta.deletedFileRetentionDuration": f"interval {replaced // timedelta(hours=1)} hours",
        "delta.logRetentionDuration": f"interval {(replaced + _LOG_OUTLIVES) // timedelta(hours=1)} hours",
        # The log goes with the files, once a ledger lists what it says: see drop_replaced.
        "delta.enableExpiredLogCleanup": "false",
    }


_READER_VERSION: Final = 1
"""Of the Delta protocol, as delta-rs creates our tables; from 2 on, files may call columns otherwise."""

_FEATURES: Final = frozenset({"appendOnly", "invariants"})
"""Features of the Delta protocol that change nothing for who reads and overwrites, as we do."""

_ONCE: Final = CommitProperties(max_commit_retries=0)

StorageOptions = Mapping[str, str]
Result = TypeVar("Result")


def open_table(uri: str, options: StorageOptions, version: int | None = None) -> DeltaTable | None:
    """Return a table at its newest or a given version; None if it was never written.

    Raises:
        UnknownTableError: it uses features of the Delta protocol that we do not set, and do not know how to read.
        DamagedRecordError: its log is not what was written.
        StorageError: its log cannot be read now.
    """
    with as_damage(uri, lambda said: damaged_log(uri, f"it cannot be read ({said})")):
        try:
            table = (
                open_mirrored(uri, options, version)
                if is_on_s3(uri)
                else DeltaTable(uri, version=version, storage_options=dict(options))
            )
        except TableNotFoundError as error:
            if storage_error(error, uri, "") is not None:  # it may be there, and we may not look
                raise
            return None
        if table is None:
            return None
        protocol = table.protocol()
    unknown = {*(protocol.reader_features or ()), *(protocol.writer_features or ())} - _FEATURES
    if unknown or protocol.min_reader_version > _READER_VERSION:
        named = ", ".join(sorted(unknown)) or f"reader version {protocol.min_reader_version}"
        raise UnknownTableError(
            f"{uri}: the table has {named} of the Delta protocol, which this feature store never sets: something else "
            "wrote to it. Restore it from before that, or write it again from its inputs"
        )
    return table


def damaged_log(uri: str, problem: str) -> DamagedRecordError:
    """Return the error that the log of a table is not as it was written."""
    return DamagedRecordError(
        f"{uri}/_delta_log",
        problem,
        "put the log back as it was; or delete the table with its ledger, and write it again from its inputs",
    )


def open_or_create(
    uri: str,
    options: StorageOptions,
    like: pl.DataFrame,
    properties: Mapping[str, str],
    *,
    partition_by: Sequence[str] = (),
    arrays: Shapes = MappingProxyType({}),
) -> DeltaTable:
    """Return a table, created with the columns of a frame if it does not exist, also when two processes try at once.

    Args:
        uri: where it lies.
        options: storage options.
        like: has its columns.
        properties: of a new table, see ``keeping``.
        partition_by: columns by which files are laid out.
        arrays: which of the frame's lists are arrays.
    """
    table = open_table(uri, options)
    if table is not None:
        return table
    with as_storage_errors(uri, "it cannot be created"):
        try:
            write_deltalake(
                uri,
                with_shapes(like.head(0), arrays),
                mode="error",
                partition_by=list(partition_by),
                configuration=properties,
                storage_options=dict(options),
            )
        except DeltaError:
            if open_table(uri, options) is None:
                raise
    created = open_table(uri, options)
    assert created is not None
    return created


def retry_commit(commit: Callable[[], Result]) -> Result:
    """Call a function that opens a table and commits to it, again while concurrent commits get in its way.

    Raises:
        LostCommitError: other writers won every time.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return commit()
        except LostCommitError:
            longest = min(_LONGEST_PAUSE, 10 * 2**attempt)
            time.sleep(secrets.randbelow(longest) / 1000)
    return commit()


def read_commits(uri: str, options: StorageOptions, versions: Sequence[int], fields: pl.Schema) -> pl.DataFrame:
    """Return what commits of a table say of themselves, sorted by ``delta_version``.

    ``DeltaTable.history`` numbers them wrongly when there are commits newer than the version at which it is open.

    Args:
        uri: where the table lies.
        options: storage options.
        versions: of the commits.
        fields: ``delta_version`` and what is read: ``timestamp`` (Unix milliseconds) or tags.
    """
    written = pl.Schema({name: dtype for name, dtype in fields.items() if name != "delta_version"})
    commits = read_actions(uri, options, versions, "commitInfo", written)
    return commits.select(fields.names()).sort("delta_version")


def read_actions(
    uri: str, options: StorageOptions, versions: Sequence[int], action: str, fields: pl.Schema
) -> pl.DataFrame:
    """Return the actions of one kind of some commits: ``delta_version`` and the fields.

    Args:
        uri: where the table lies.
        options: storage options.
        versions: of the commits.
        action: its name in the Delta log, e.g. ``add``.
        fields: what is read of each.
    """
    if not versions:
        return pl.DataFrame(schema={"delta_version": pl.Int64, **fields})
    files = [f"{uri}/_delta_log/{version:020d}.json" for version in versions]
    span = f"versions {versions[0]} to {versions[-1]}"
    lines = pl.scan_ndjson(
        files, schema={action: pl.Struct(dict(fields))}, include_file_paths="file", storage_options=dict(options)
    )
    version = pl.col("file").str.extract(r"(\d{20})\.json$").cast(pl.Int64).alias("delta_version")
    with as_damage(uri, lambda said: damaged_log(uri, f"{span} cannot be read ({said})")):
        return lines.filter(pl.col(action).is_not_null()).select(version, action).unnest(action).collect()


def append(
    table: DeltaTable, frame: pl.DataFrame, *, add_columns: bool = False, commit: CommitProperties | None = None
) -> None:
    """Append rows in one commit; the newest version of the table is not read first.

    Args:
        table: to append to.
        frame: its columns; with ``add_columns`` it may have others, and lack some, which are null.
        add_columns: whether columns may differ.
        commit: what is kept with the commit.
    """
    mode = "merge" if add_columns else None
    with as_storage_errors(table, "rows cannot be written"), pushed(table):
        write_deltalake(table, frame, mode="append", schema_mode=mode, commit_properties=commit)


def replace_all(table: DeltaTable, frame: pl.DataFrame) -> None:
    """Replace all rows of a table in one commit; columns that it lacks are added.

    Raises:
        LostCommitError: there is another commit since the table was opened.
    """
    with as_storage_errors(table, "rows cannot be written"), pushed(table):
        write_deltalake(table, frame, mode="overwrite", schema_mode="merge", commit_properties=_ONCE)


def overwrite_range(
    table: DeltaTable,
    frame: pl.DataFrame,
    arrays: Shapes,
    start: datetime,
    end: datetime,
    tags: Mapping[str, str],
    *,
    whole_days: bool = False,
) -> int:
    """Replace the rows with ``partition_start`` in ``[start, end)`` in one commit, and return its version.

    Columns that the table lacks are added; columns that the frame lacks are null.

    Args:
        table: opened before anything was read on which the write depends: a later commit to the range makes it fail.
        frame: has ``partition_start`` and ``day``; may be empty.
        arrays: which of its lists are arrays.
        start: inclusive.
        end: exclusive.
        tags: kept in the Delta log with the commit.
        whole_days: whether there is nothing else on the days of the range: then no file is read. On S3 it has to be so.

    Raises:
        LostCommitError: a concurrent commit touched the range since the table was opened.
    """
    stored = pl.Schema(table.schema())
    known = set(stored.names())
    absent = [pl.lit(None, dtype=stored[name]).alias(name) for name in stored.names() if name not in frame.columns]
    with as_storage_errors(table, "rows cannot be written"), pushed(table):
        write_deltalake(
            table,
            with_shapes(frame.with_columns(absent), arrays),
            mode="overwrite",
            predicate=range_predicate(start, end, whole_days=whole_days),
            schema_mode=None if known.issuperset(frame.columns) else "merge",
            commit_properties=CommitProperties(custom_metadata=dict(tags)),
        )
    return table.version()


def compact(table: DeltaTable, days: Sequence[date] | None = None) -> None:
    """Merge the small files of a table, or of some days of one laid out by ``day``.

    When two processes do it at once rows may be there twice: for tables whose readers drop repeated rows.
    """
    filters = None if days is None else [("day", "in", [str(day) for day in days])]
    # Another process may do it just now.
    with suppress(LostCommitError), as_storage_errors(table, "its files cannot be merged"):
        beside_mirror(table).optimize.compact(filters)


def drop_replaced(table: DeltaTable) -> None:
    """Delete the files and the log of versions that were replaced longer ago than the table's properties say.

    Args:
        table: one whose ledger lists all its commits.
    """
    with as_storage_errors(table, "what was replaced long ago cannot be deleted"):
        whole = beside_mirror(table)
        whole.vacuum(dry_run=False)
        whole.create_checkpoint()
        whole.cleanup_metadata()


def range_predicate(start: datetime, end: datetime, *, whole_days: bool) -> str:
    """Select a range by day alone where that is exact: then files are dropped whole, and none is read."""
    days = f"day >= '{start.date()}' AND day <= '{(end - timedelta(microseconds=1)).date()}'"
    if whole_days or (to_microseconds(start) % _DAY == 0 and to_microseconds(end) % _DAY == 0):
        return days
    return f"{days} AND partition_start >= {_literal(start)} AND partition_start < {_literal(end)}"


def _literal(instant: datetime) -> str:
    return f"arrow_cast('{instant.isoformat()}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
