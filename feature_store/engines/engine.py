"""The seam between planning and computing: plans that a driver makes, the engine that executes one, what it returns.

A driver makes a plan from the ledgers, once: which partitions, from which rows, with which features. An engine executes
it, in this process or in many, and stages files that no reader sees; it returns facts, never frames. The driver has
them audited and commits all files of a table at once. Plans and facts are plain data, and can be pickled. Instants and
spans are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from feature_store.codec.content_hash import Content
from feature_store.engines.shuffle import Shuffle
from feature_store.model.views import FeatureView


@dataclass(frozen=True)
class StoredRows:
    """Partitions of a stored table, at one version.

    Attributes:
        uri: where the table lies.
        options: storage options.
        version: of the table; None: it was never written, and there are no partitions.
        partitions: start and end of each, ascending.
        shared: of a table of a branch, where the one lies whose partitions it reads beside its own, and its version.
    """

    uri: str
    options: Mapping[str, str]
    version: int | None
    partitions: tuple[tuple[int, int], ...]
    shared: tuple[str, int] | None = None

    def beginning_in(self, start: int, end: int) -> StoredRows:
        """Return the partitions that begin in ``[start, end)``."""
        return replace(self, partitions=tuple(each for each in self.partitions if start <= each[0] < end))

    def overlapping(self, start: int, end: int) -> StoredRows:
        """Return the partitions that overlap ``[start, end)``."""
        return replace(self, partitions=tuple(each for each in self.partitions if each[0] < end and start < each[1]))


@dataclass(frozen=True)
class Target:
    """A table for which files are staged.

    Attributes:
        uri: where the table lies.
        options: storage options.
        stage: the stage that the files belong to.
        order: columns by which the rows of a partition are sorted in a file.
        key: columns that tell the rows of a partition apart.
        part: tells the files of one day apart, where several tasks write it.
        unique: whether the key tells every row apart.
    """

    uri: str
    options: Mapping[str, str]
    stage: str
    order: tuple[str, ...]
    key: tuple[str, ...]
    part: int = 0
    unique: bool = True


@dataclass(frozen=True)
class TilePlan:
    """Tiles of the partitions of ``[start, end)``.

    Attributes:
        view: a view of events.
        start: start of the first partition.
        end: end of the last.
        source: rows of its source; those partitions that overlap the range.
        target: its tiles.
    """

    view: FeatureView
    start: int
    end: int
    source: StoredRows
    target: Target


@dataclass(frozen=True)
class HistoryPlan:
    """The state of all history from which the first as-of of a range is computed.

    Attributes:
        at: a multiple of ``span``: the state holds everything before it.
        span: how far apart states are kept.
        stored: the partition that holds the state; None: there is nothing before ``at``.
        target: the table of states; those that are passed are staged for it.
    """

    at: int
    span: int
    stored: StoredRows | None
    target: Target


@dataclass(frozen=True)
class AsOfs:
    """As-ofs for which the same features can be computed.

    Attributes:
        view: the view with these features only.
        instants: the as-ofs, ascending; each is the end of a partition.
        history: of a view with all-history aggregations.
    """

    view: FeatureView
    instants: tuple[int, ...]
    history: HistoryPlan | None


@dataclass(frozen=True)
class ValuePlan:
    """Values of contiguous partitions, each as of its end.

    Attributes:
        view: the view with all its features; those that cannot be computed are null.
        ranges: what can be computed, in order of time.
        inputs: its tiles, of a table view the rows of its source: all partitions that any as-of reads.
        target: its values.
    """

    view: FeatureView
    ranges: tuple[AsOfs, ...]
    inputs: StoredRows
    target: Target


@dataclass(frozen=True)
class PartitionFacts:
    """Facts of the rows of a partition in one staged file.

    Attributes:
        start: of the partition.
        content: number of its rows, and the sums of their columns.
        nulls: by column that holds any, how many nulls.
        repeated: rows that are the same as another one in the columns that tell rows apart.
        excluded: source rows left out for want of a key.
    """

    start: int
    content: Content
    nulls: Mapping[str, int] = field(default_factory=dict[str, int])
    repeated: int = 0
    excluded: int = 0

    def __add__(self, other: PartitionFacts) -> PartitionFacts:
        """Return what is known of the rows of both, which are other rows of the same partition."""
        nulls = {name: self.nulls.get(name, 0) + other.nulls.get(name, 0) for name in {**self.nulls, **other.nulls}}
        repeated, excluded = self.repeated + other.repeated, self.excluded + other.excluded
        return PartitionFacts(self.start, self.content + other.content, nulls, repeated, excluded)


@dataclass(frozen=True)
class Staged:
    """Partitions of one day that were staged for a table.

    Attributes:
        stage: the stage they belong to.
        file: relative to the table; None: there are no rows.
        schema: columns and types of the rows, an Arrow IPC stream without rows.
        partitions: each that begins on this day, also those without rows.
        without_time: source rows left out for want of a time.
        size: of the file, bytes.
        crc: the CRC-32 of its bytes, as they were given to the store.
    """

    stage: str
    file: str | None
    schema: bytes
    partitions: tuple[PartitionFacts, ...]
    without_time: int = 0
    size: int = 0
    crc: int = 0


class Engine(Protocol):
    """Whatever computes tiles and values. The memory that it needs does not grow with the length of the range."""

    @property
    def parts(self) -> int:
        """The number of tasks that write each day; they number their files from 0, see ``Target.part``."""
        ...

    @property
    def shuffle(self) -> Shuffle | None:
        """The cluster that runs its tasks, for what else is computed there; None: this process computes alone."""
        ...

    def tiles(self, plan: TilePlan) -> Iterator[Staged]:
        """Build and stage tiles, yielding what was staged.

        Every partition of the range is yielded: in as many pieces as there are tasks, also if it has no rows.

        Raises:
            InputError: the rows do not have the declared columns, or a sum of integers does not fit Int64.
        """
        ...

    def values(self, plan: ValuePlan) -> Iterator[Staged]:
        """Compute and stage values, and the all-history states that are passed; see ``tiles``.

        States are yielded with the values, in any order among them.

        Raises:
            InputError: a sum of integers does not fit Int64.
        """
        ...
