"""The facts of an explanation. Plain facts: how they are printed is the command line's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from feature_assets.parity.report import Value
from feature_assets.parity.text import iso

Record = dict[str, Any]


@dataclass(frozen=True)
class PartitionFacts:
    """The partition that a request at T is answered from.

    Attributes:
        status: what a reader is told: ``PRESENT``, ``EMPTY``, ``NOT_COMPUTED`` or ``EXPIRED``; of the online side alone
            also ``DAMAGED``.
        as_of: the instant that its values describe; None: no partition is usable.
        batch_end: of a stream view: batch tiles own the time before it; what follows is of them.
        available_at: from when it may be used.
        landed_at: when it was written last.
        published_at: when it was first served online; None: never.
        generation: the one last published.
        rows: entities that it holds.
        run_id: of the run that wrote it.
        ttl: age of the as-of from which values are expired; None: never.
        expires_at: the last T at which it is not.
        notes: what else is to be known, such as holes in the ledger.
    """

    status: str
    as_of: datetime | None = None
    batch_end: datetime | None = None
    available_at: datetime | None = None
    landed_at: datetime | None = None
    published_at: datetime | None = None
    generation: int | None = None
    rows: int | None = None
    run_id: str | None = None
    ttl: str | None = None
    expires_at: datetime | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class WindowFacts:
    """The span of events that can count: ``tail <= time < head``. ``over`` and ``hop`` are None for all history."""

    tail: datetime
    head: datetime
    over: str | None
    hop: str | None


@dataclass(frozen=True)
class Tile:
    """A tile of the entity within the window, and the state that it contributes."""

    start: datetime
    end: datetime
    origin: str
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """An event of the entity.

    Attributes:
        time: when it happened.
        value: what is aggregated of it; True for plain counting.
        columns: what the feature's expressions read.
        reason: why it does not count; empty if it does.
        off_by: for events outside of the window, how far; for events in it that were known too late, when they were.
        place: where in the result its value is: ``value``, of a list ``value 2``, or the bucket; empty: nowhere.
    """

    time: datetime
    value: Any
    columns: Mapping[str, Any]
    reason: str = ""
    off_by: str = ""
    place: str = ""


@dataclass(frozen=True)
class Listing:
    """The first of many things, and how many there are."""

    shown: Sequence[Any]
    total: int


@dataclass(frozen=True)
class WindowContents:
    """The inputs of an aggregate.

    Attributes:
        window: its bounds.
        tiles: the newest first.
        counted: events, the newest first.
        missed: by reason, events that do not count, the nearest first.
        looked_at: bounds within which events were looked for; of when they were known, where the source says that.
    """

    window: WindowFacts
    tiles: Listing
    counted: Listing
    missed: Mapping[str, Listing]
    looked_at: tuple[datetime, datetime]


@dataclass(frozen=True)
class TableRow:
    """A row of the entity in a table source, and why it won or lost."""

    columns: Mapping[str, Any]
    verdict: str


@dataclass(frozen=True)
class Sides:
    """One value as everybody has it.

    Attributes:
        recomputed: in plain Python from the raw rows; None where no partition says what to compute.
        offline: in a training row at T.
        online: as served at T; None where nothing can be compared, see ``online_note``.
        online_note: why there is no online value.
        verdict: whether they agree.
        agree: whether all that could be compared do.
    """

    recomputed: Value | None
    offline: Value
    online: Value | None
    online_note: str
    verdict: str
    agree: bool


@dataclass(frozen=True)
class Read:
    """A feature that a derived or on-read one reads."""

    feature: str
    logic: str
    sides: Sides
    window: WindowFacts | None = None
    counted: int | None = None


@dataclass(frozen=True)
class Explanation:
    """The explanation of a feature's value.

    Attributes:
        feature: ``namespace/view/vN.feature``.
        kind: ``aggregate``, ``field``, ``derived`` or ``on-read``.
        dtype: of its values.
        logic: how it is computed.
        keys: of the entity.
        time: T.
        partition: what T is answered from.
        sides: the value as everybody has it.
        contents: for aggregates.
        rows: for fields of a table.
        reads: for derived and on-read features.
    """

    feature: str
    kind: str
    dtype: str
    logic: str
    keys: Mapping[str, Any]
    time: datetime
    partition: PartitionFacts
    sides: Sides
    contents: WindowContents | None = None
    rows: Listing | None = None
    reads: Sequence[Read] = ()

    def to_record(self) -> Record:
        """Return it as JSON holds it: instants as ISO 8601 text, statuses by name."""
        record: Record = plain(self)
        return record


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return iso(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
