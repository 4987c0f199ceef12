"""Staged files: written by whoever computes them, checked by their footers, committed all at once.

A commit replaces whole days, at the version of the table that the ledger was compared with and no other:
``create_write_transaction`` alone would let two first writers of a day both commit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, Final

import numpy as np
import polars as pl
from arro3.core import RecordBatchReader, Table
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.transaction import AddAction

from feature_store.engines.engine import PartitionFacts, Staged, Target
from feature_store.engines.polars.content_hash import frame_contents
from feature_store.errors import InputError
from feature_store.offline.delta.added_files import write_file
from feature_store.offline.delta.commits import StorageOptions, range_predicate
from feature_store.offline.delta.faults import as_damage, as_storage_errors
from feature_store.offline.delta.instants import INSTANT, instants
from feature_store.offline.delta.paths import day_folder, staged_file
from feature_store.offline.delta.s3_log import pushed
from feature_store.offline.delta.stages import STAGE
from feature_store.offline.delta.storage_types import array_shapes, to_storage, with_shapes
from feature_store.offline.delta.stored_files import CHECKSUMS, damaged_files
from feature_store.temporal.instants import from_microseconds

_COMMIT_ONCE: Final = 0
"""The times that delta-rs tries again, at a later version than the one that was checked."""


def stage_day(
    target: Target, frame: pl.DataFrame, starts: Sequence[int], excluded: Mapping[int, int], without_time: int
) -> Staged:
    """Write the rows of the partitions of one day to a staged file, and describe them; see ``StoredFrames.stage``."""
    stored = to_storage(frame).sort("partition_start", *target.order, nulls_last=False, maintain_order=True)
    file, size, crc = None, 0, 0
    if stored.height:
        file = staged_file(target.stage, starts[0], target.part)
        size, crc = write_file(target.uri, target.options, file, stored)
    facts = tuple(_facts(target, stored, starts, excluded))
    return Staged(target.stage, file, _schema_bytes(frame), facts, without_time, size, crc)


def staged_checksums(staged: Sequence[Staged]) -> str:
    """Return what a commit says of the staged files that it adds: JSON of ``CHECKSUMS``."""
    files = [{"path": each.file, "size": each.size, "crc": each.crc} for each in staged if each.file is not None]
    return pl.DataFrame(files, schema=CHECKSUMS).write_json()


def rows_like(staged: Staged) -> pl.DataFrame:
    """Return a frame without rows, with the columns and types of what was staged."""
    return pl.read_ipc_stream(BytesIO(staged.schema))


def read_staged(uri: str, options: StorageOptions, staged: Staged) -> pl.DataFrame:
    """Return the rows of a staged file as they were computed, arrays as arrays."""
    like = rows_like(staged)
    if staged.file is None:
        return like
    location = f"{uri}/{staged.file}"
    rows = pl.scan_parquet(location, hive_partitioning=False, storage_options=dict(options) or None)
    with as_damage(location, lambda said: _unreadable(location, said)):
        return rows.cast(like.schema).collect()


def check_files(uri: str, options: StorageOptions, staged: Sequence[Staged]) -> list[AddAction]:
    """Return the actions that add staged files to their table, once the footer of each says what its facts do.

    Raises:
        InputError: a file is not there, or does not hold what its facts say.
    """
    schema = to_storage(rows_like(staged[0])).schema
    return [_added(uri, options, each, schema) for each in staged if each.file is not None]


def commit_days(
    table: DeltaTable,
    options: StorageOptions,
    staged: Sequence[Staged],
    files: Sequence[AddAction],
    start: datetime,
    end: datetime,
    tags: Mapping[str, str],
    *,
    whole_days: bool,
) -> None:
    """Replace the rows with ``partition_start`` in ``[start, end)`` by those of staged files, in one commit.

    Args:
        table: at the version with which the ledger was compared; it stays there.
        options: storage options.
        staged: all that was staged for the range; of one schema.
        files: the actions that add its files; see ``check_files``.
        start: inclusive.
        end: exclusive.
        tags: kept in the Delta log with the commit.
        whole_days: whether there is nothing else on the days of the range.

    Raises:
        LostCommitError: there is another commit since that version, whatever it touched.
    """
    like = rows_like(staged[0])
    arrays = array_shapes(like.schema)
    stored = to_storage(like)
    known = {field.name for field in table.schema().fields}
    if not whole_days:
        # Other partitions of the first and the last day stay: delta-rs writes their files anew.
        with as_storage_errors(table, "rows cannot be written"):
            write_deltalake(
                table,
                _stream(table.table_uri.rstrip("/"), options, staged, pl.Schema(table.schema()), stored, arrays),
                mode="overwrite",
                predicate=range_predicate(start, end, whole_days=False),
                schema_mode=None if known.issuperset(like.columns) else "merge",
                commit_properties=_once(tags),
            )
        return
    fields = Schema.from_arrow(_arrow_schema(stored, arrays)).fields
    last = (end - timedelta(microseconds=1)).date()
    with as_storage_errors(table, "rows cannot be written"), pushed(table):
        table.create_write_transaction(
            [*files],
            "overwrite",
            Schema([*table.schema().fields, *(field for field in fields if field.name not in known)]),
            partition_by=["day"],
            partition_filters=[("day", ">=", str(start.date())), ("day", "<=", str(last))],
            commit_properties=_once({**tags, STAGE: staged[0].stage}),  # from here on the table owns the files
        )


def _once(tags: Mapping[str, str]) -> CommitProperties:
    return CommitProperties(custom_metadata=dict(tags), max_commit_retries=_COMMIT_ONCE)


def _facts(
    target: Target, stored: pl.DataFrame, starts: Sequence[int], excluded: Mapping[int, int]
) -> Iterator[PartitionFacts]:
    of_day = instants([from_microseconds(start) for start in starts])
    outside = stored.filter(~pl.col("partition_start").is_in(of_day.implode(), nulls_equal=True))
    if outside.height:
        raise InputError(
            f"{target.uri}: {outside.height} rows were staged that are in no partition of {of_day.to_list()}"
        )
    firsts = stored["partition_start"].search_sorted(of_day, side="left").cast(pl.Int64).to_numpy()
    bounds = np.append(firsts, stored.height)
    contents = frame_contents(stored.drop("partition_start"), target.key, bounds, unique=target.unique)
    repeated = _repeated(stored, target.key) if target.unique else np.zeros(stored.height, np.bool_)
    for place, (start, content) in enumerate(zip(starts, contents, strict=True)):
        first, last = int(bounds[place]), int(bounds[place + 1])
        nulls = stored[first:last].null_count().row(0, named=True) if last > first else {}
        yield PartitionFacts(
            start=start,
            content=content,
            nulls={name: count for name, count in nulls.items() if count},
            repeated=int(np.count_nonzero(repeated[first:last])),
            excluded=excluded.get(start, 0),
        )


def _repeated(stored: pl.DataFrame, key: Sequence[str]) -> Any:
    """Return of each row whether it is the same as the one before in the columns that tell rows apart."""
    columns = ["partition_start", *key]
    same = stored.select(pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in columns))
    repeated = same.to_series().to_numpy(writable=True)
    repeated[:1] = False
    return repeated


def _added(uri: str, options: StorageOptions, staged: Staged, schema: pl.Schema) -> AddAction:
    """Return the action that adds a file, once its footer says what its facts do."""
    assert staged.file is not None
    location = f"{uri}/{staged.file}"
    rows = pl.scan_parquet(location, hive_partitioning=False, storage_options=dict(options) or None)
    with as_damage(location, lambda said: _unreadable(location, said)):
        found = rows.collect_schema()
        times = [name for name, dtype in found.items() if dtype == INSTANT and name in _BOUNDS]
        bounds = [bound for name in times for bound in _bounds(name)]
        numbers = rows.select(pl.len().alias("rows"), *bounds).collect().row(0, named=True)
    listed = pl.DataFrame([{"path": staged.file, "size": staged.size, "crc": staged.crc}], schema=CHECKSUMS)
    for _, problem in damaged_files(uri, options, listed):
        raise InputError(f"{location} was staged, but {problem}: run again")
    expected = sum(partition.content.rows for partition in staged.partitions)
    if found != schema or numbers["rows"] != expected:
        raise InputError(
            f"{location} was staged with {expected} rows of {dict(schema)}, but holds {numbers['rows']} of "
            f"{dict(found)}: run again"
        )
    least, most = ({name: _iso(numbers[f"{end}_{name}"]) for name in times} for end in ("min", "max"))
    statistics = {"numRecords": expected, "minValues": least, "maxValues": most}
    day = day_folder(staged.partitions[0].start).removeprefix("day=")
    return AddAction(staged.file, staged.size, {"day": day}, time.time_ns() // 1_000_000, True, json.dumps(statistics))


def _unreadable(location: str, said: str) -> InputError:
    return InputError(f"{location} was staged, but cannot be read ({said}): run again")


_BOUNDS: Final = ("partition_start", "as_of", "tile_start")
"""Columns whose bounds in each file let readers skip it."""


def _bounds(name: str) -> list[pl.Expr]:
    return [pl.col(name).min().alias(f"min_{name}"), pl.col(name).max().alias(f"max_{name}")]


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _stream(
    uri: str,
    options: StorageOptions,
    staged: Sequence[Staged],
    table: pl.Schema,
    like: pl.DataFrame,
    arrays: Mapping[str, Sequence[int]],
) -> RecordBatchReader:
    """Return staged rows as batches with all columns of the table, one file at a time."""
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in table.items() if name not in (*like.columns, "day")]
    day = pl.col("partition_start").dt.date().alias("day")

    def whole(frame: pl.DataFrame) -> Table:
        return Table.from_arrow(with_shapes(to_storage(frame).with_columns(day, *absent), arrays))

    def batches() -> Iterator[Any]:
        for each in staged:
            yield from whole(read_staged(uri, options, each)).to_batches()

    return RecordBatchReader.from_batches(whole(like).schema, batches())


def _arrow_schema(like: pl.DataFrame, arrays: Mapping[str, Sequence[int]]) -> Any:
    return Table.from_arrow(with_shapes(like, arrays)).schema


def _schema_bytes(frame: pl.DataFrame) -> bytes:
    stream = BytesIO()
    frame.clear().write_ipc_stream(stream)
    return stream.getvalue()
