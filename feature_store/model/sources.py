"""Sources: where raw rows come from. Each names the upstream asset that lands them and declares its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Final

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import check_description, check_name, check_type, one_of, shown, stored_names_problem
from feature_store.checks.frozen import FrozenMapping
from feature_store.constants import instant_problem
from feature_store.dtypes import KEY_DTYPES, SCALARS, Boolean, DType, Int64, String, Timestamp, is_value_dtype
from feature_store.errors import DefinitionError
from feature_store.model.service_levels import check_delay
from feature_store.temporal.durations import format_duration
from feature_store.temporal.instants import from_microseconds, to_microseconds

_ASSET: Final = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_TAKEN: Final = ("partition_start", "day")
"""Columns that the store adds to landed rows; those with two leading underscores are the engines'."""
_ORDERED: Final = (Int64, String, Timestamp)
_STARTS: Final = range(1000, 9000)
"""Years of starts: a window is up to 100 years long, and must end within the calendar."""


@declared_by_call
@dataclass(frozen=True)
class KafkaTopic:
    """The topic that carries the events of a source live."""

    topic: str

    def __post_init__(self) -> None:
        check_type(f"topic {self.topic}", "topic", self.topic, str, "write KafkaTopic('purchases')")
        if not re.fullmatch(r"[\w.-]{1,249}", self.topic, re.ASCII):
            raise DefinitionError(
                f"topic {self.topic!r}", "is not a name that Kafka takes", "use letters, digits . _ -"
            )


@declared_by_call
@dataclass(frozen=True)
class EventSource:
    """Rows that happened at an instant: purchases, clicks.

    Attributes:
        name: e.g. ``purchases``.
        asset: key of the asset that lands the rows, e.g. ``raw/transactions``.
        event_time: the Timestamp column that says when a row happened.
        columns: every column and its type.
        start: start of the first partition that is landed, with a zone.
        description: one line for the catalog.
        allowed_lateness: rows later than this are left out until somebody backfills, e.g. ``2d``. With ``known_at`` it
            counts from when a row was known: a flight that lands a day after its departure is not late.
        sequence: a column that orders rows of one instant: Int64, String or Timestamp.
        truncated: whether there were rows before ``start`` that are not kept; windows must not reach there.
        stream: the same events, live.
        event_id: a column that tells events apart, Int64 or String: one that is delivered twice counts once. Of an
            entity's rows with one id in one partition of a view the first counts, by time, sequence, then the other
            columns as declared. A stream, which cannot take an event back, counts the first delivered until batch tiles
            own its time. A row without an id always counts.
        keys: by key of an entity, the column that holds it, where that is called otherwise:
            ``{"airport_id": "origin"}``.
        known_at: a Timestamp column that says when a row's values became knowable, where that is later than
            ``event_time``: the arrival of a flight, the settlement of a payment. A row counts once it is known, at the
            later of the two times: it lies in that time's partition, and changes no snapshot of before. A row without
            it is left out. Never the time at which a batch was loaded: that delay is a view's ``available_after``.
        end: where its rows end, with a zone: it is finished then, and nothing is due after it; None: it goes on.
        lateness: ``allowed_lateness`` in microseconds (computed).

    Raises:
        DefinitionError: a role is given to a column that is not there or of another type, or another option is wrong.
    """

    name: str
    asset: str
    event_time: str
    columns: Mapping[str, DType]
    start: datetime
    description: str
    allowed_lateness: str = "0s"
    sequence: str | None = None
    truncated: bool = False
    stream: KafkaTopic | None = None
    event_id: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    known_at: str | None = None
    end: datetime | None = None
    lateness: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        where = _check_common(self)
        check_role(where, self.columns, self.event_time, "event_time", (Timestamp,))
        if self.known_at is not None:
            check_role(where, self.columns, self.known_at, "known_at", (Timestamp,))
        _check_apart(where, self.event_time, {"sequence": self.sequence, "known_at": self.known_at})
        if self.event_id is not None:
            check_role(where, self.columns, self.event_id, "event_id", (Int64, String))
        check_type(where, "truncated", self.truncated, bool, "give True or False")
        check_type(where, "stream", self.stream, (KafkaTopic, type(None)), "write KafkaTopic('purchases')")
        if self.known_at is not None and self.stream is not None:
            problem = f"known_at={self.known_at!r} of a source whose events come live is not available"
            raise DefinitionError(where, problem, "leave out stream=, or declare a second source for the live events")
        object.__setattr__(self, "lateness", check_delay(where, "allowed_lateness", self.allowed_lateness))

    def canonical(self) -> object:
        """Return what determines the values read from it, as JSON."""
        told_apart = _typed(self, self.event_id)
        known = [] if self.known_at is None else [["known_at", self.known_at]]
        return ["event", self.asset, self.event_time, _typed(self, self.sequence), told_apart, *known]


@declared_by_call
@dataclass(frozen=True)
class TableSource:
    """Rows that hold until a newer one of the same key comes: a customer's address, a product, a computed feature.

    Attributes:
        name: e.g. ``demographics``.
        asset: key of the asset that lands the rows.
        time: the Timestamp column that says from when a row holds (its own time).
        columns: every column and its type.
        start: start of the first partition that is landed, with a zone.
        description: one line for the catalog.
        sequence: a column that orders rows of one key and time: Int64, String or Timestamp.
        landed_at: a Timestamp column: when the row arrived; what arrived after a snapshot's available-at is not in it.
        deleted: a Boolean column: true ends the key's row.
        valid_to: a Timestamp column: the row holds up to and including this instant.
        keys: by key of an entity, the column that holds it, where that is called otherwise.
        end: where its rows end, with a zone: it is finished then, and nothing is due after it; None: it goes on.

    Raises:
        DefinitionError: a role is given to a column that is not there or of another type, or another option is wrong.
    """

    name: str
    asset: str
    time: str
    columns: Mapping[str, DType]
    start: datetime
    description: str
    sequence: str | None = None
    landed_at: str | None = None
    deleted: str | None = None
    valid_to: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    end: datetime | None = None

    def __post_init__(self) -> None:
        where = _check_common(self)
        check_role(where, self.columns, self.time, "time", (Timestamp,))
        if self.landed_at is not None:
            check_role(where, self.columns, self.landed_at, "landed_at", (Timestamp,))
        if self.deleted is not None:
            check_role(where, self.columns, self.deleted, "deleted", (Boolean,))
        if self.valid_to is not None:
            check_role(where, self.columns, self.valid_to, "valid_to", (Timestamp,))
        _check_apart(where, self.time, {"sequence": self.sequence, "valid_to": self.valid_to})

    def canonical(self) -> object:
        """Return what determines the values read from it, as JSON."""
        return [
            "table",
            self.asset,
            self.time,
            _typed(self, self.sequence),
            self.landed_at,
            self.deleted,
            self.valid_to,
        ]


Source = EventSource | TableSource


def key_column(source: Source, key: str) -> str:
    """Return the column of a source that holds a key of an entity."""
    return source.keys.get(key, key)


def _typed(source: Source, column: str | None) -> object:
    return None if column is None else [column, source.columns[column].name]


def check_role(where: str, columns: Mapping[str, DType], column: object, role: str, dtypes: tuple[DType, ...]) -> None:
    """Refuse a role given to a column that is not there or of another type."""
    if not isinstance(column, str) or column not in columns:
        raise DefinitionError(where, f"{role}={shown(column)} is not among its columns", one_of(column, columns))
    if columns[column] not in dtypes:
        wanted = " or ".join(map(str, dtypes))
        raise DefinitionError(
            where, f"{role}={column!r} is of type {columns[column]}", f"use a column of type {wanted}"
        )


def check_start(where: str, start: datetime) -> None:
    """Refuse a start without a zone, far outside all history, or one that no UTC day begins with."""
    check_type(where, "start", start, datetime, "write datetime(..., tzinfo=UTC)")
    problem = instant_problem(start)
    if problem is not None:
        raise DefinitionError(where, f"start={start} {problem[0]}", problem[1])
    if start.year not in _STARTS:
        years = f"{_STARTS[0]} to {_STARTS[-1]}"
        raise DefinitionError(where, f"start={start} lies outside the years {years}", "say when its rows begin")
    if start.astimezone(UTC).time() != time():
        raise DefinitionError(where, f"start={start} is not the start of a UTC day", "round it down to midnight UTC")


def _check_end(where: str, start: datetime, end: datetime) -> None:
    check_type(where, "end", end, datetime, "write datetime(..., tzinfo=UTC)")
    problem = instant_problem(end)
    if problem is not None:
        raise DefinitionError(where, f"end={end} {problem[0]}", problem[1])
    if end <= start:
        raise DefinitionError(where, f"end={end} does not lie after start={start}", "say when its last rows are over")


def check_start_of_partition(where: str, start: datetime, cadence: int, whose: str = "") -> None:
    """Refuse a start at which no partition of a cadence (microseconds) starts: what came before would be in none.

    Args:
        where: what is declared, for messages.
        start: with a zone.
        cadence: partitions are aligned to the Unix epoch.
        whose: start it is, for messages.
    """
    at = to_microseconds(start)
    if at % cadence == 0:
        return
    before = from_microseconds(at // cadence * cadence)
    after = from_microseconds(at // cadence * cadence + cadence)
    span = format_duration(cadence)
    raise DefinitionError(
        where,
        f"start={start.astimezone(UTC):%Y-%m-%d}{whose}, a {start.astimezone(UTC):%A}, is not the start of a partition "
        f"of {span}: those are counted from the Unix epoch, a Thursday",
        f"start on {after:%A}, {after:%Y-%m-%d}, or on {before:%A}, {before:%Y-%m-%d}, if its rows reach back to it",
    )


def _check_common(source: Source) -> str:
    where = f"source {source.name}"
    check_name(where, source.name)
    check_type(where, "asset", source.asset, str, "give the key of the asset that lands the rows: 'raw/transactions'")
    if not _ASSET.fullmatch(source.asset):
        raise DefinitionError(
            where, f"asset={source.asset!r} is not an asset key", "join its parts by single slashes: 'raw/transactions'"
        )
    check_type(where, "columns", source.columns, Mapping, 'give columns={"household_id": Int64, ...}')
    if not source.columns:
        raise DefinitionError(where, "has no columns", 'give columns={"household_id": Int64, ...}')
    for column, dtype in source.columns.items():
        _check_column(where, column, dtype)
    problem = stored_names_problem(source.columns, _TAKEN)
    if problem is not None:
        raise DefinitionError(where, *problem)
    # Nobody can change what was checked.
    object.__setattr__(source, "columns", FrozenMapping(source.columns))
    if source.sequence is not None:
        check_role(where, source.columns, source.sequence, "sequence", _ORDERED)
    _check_keys(where, source)
    check_start(where, source.start)
    if source.end is not None:
        _check_end(where, source.start, source.end)
    check_description(where, source.description)
    return where


def _check_keys(where: str, source: Source) -> None:
    check_type(where, "keys", source.keys, Mapping, 'give keys={"airport_id": "origin"}')
    for key, column in source.keys.items():
        check_name(where, key)
        if key in source.columns:
            problem = f"keys= names {column!r} as key {key!r}, but there is a column {key!r} too"
            raise DefinitionError(where, problem, "leave the key out of keys=, or call that column otherwise")
        check_role(where, source.columns, column, f"keys[{key!r}]", KEY_DTYPES)
    object.__setattr__(source, "keys", FrozenMapping(source.keys))


def _check_column(where: str, column: object, dtype: object) -> None:
    if not isinstance(column, str) or not column:
        raise DefinitionError(where, f"column {shown(column)} has no name", "name every column by a text")
    if column.lower() in _TAKEN or column.startswith("__"):
        raise DefinitionError(where, f"column {column!r} is called like one of our own", "rename it upstream")
    if isinstance(dtype, DType) and dtype.is_array:
        raise DefinitionError(where, f"column {column!r} is an array", "land a column per slot")
    if not isinstance(dtype, DType) or not is_value_dtype(dtype):
        problem = f"column {column!r} has type {shown(dtype)}, which is not a feature_store type"
        raise DefinitionError(where, problem, f"use one of {', '.join(SCALARS)} or Vector(n)")


def _check_apart(where: str, time: str, roles: Mapping[str, str | None]) -> None:
    for role, column in roles.items():
        if column == time:
            instead = f"leave out {role}=, or name another column"
            raise DefinitionError(where, f"{role}={column!r} is its time too", instead)
