"""Verifying what is online: each generation is compared with the partition that it was loaded from, row by row.

A read cannot find a row that is gone, nor a whole one of other values: this does. What is found is listed in the ledger
of what is loaded, so that it is told, and loaded again; the rows themselves are changed by loads alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import polars as pl

from feature_store.checks.arguments import checked
from feature_store.errors import DamagedError, FingerprintError, VersionExpiredError
from feature_store.model.views import FeatureView
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds
from serving.load.compared_rows import Differences, RowsGoneError, check_rows, compare_rows, some_of
from serving.load.compared_streams import compare_stream
from serving.load.landed import Landed, loaded_table, wanted_partitions
from serving.stores.errors import DamagedListError
from serving.stores.generations import Generation
from serving.stores.store import OnlineInspector, OnlineLoader

Progress = Callable[[int, int], None]
"""Called with the number of rows that were looked at, and about how many there are."""

_LOST: Final = (
    "the ledger lists it as loaded, and the store does not hold it (emptied, or restored from an older copy?)"
)


@dataclass(frozen=True)
class OnlineDamage:
    """Something online that is not as it was loaded.

    Attributes:
        as_of: of the generation; None: it is the stream, or the list of generations.
        generation: its id; None: loading it again does not mend this.
        problem: what is wrong.
    """

    as_of: datetime | None
    generation: int | None
    problem: str

    def __str__(self) -> str:
        if self.as_of is None:
            return self.problem
        what = f"as of {self.as_of:%Y-%m-%d %H:%M} UTC"
        return f"{what if self.generation is None else f'{what} (generation {self.generation})'}: {self.problem}"


@dataclass(frozen=True)
class OnlineVerification:
    """The state of a view online, as it was found.

    Attributes:
        view: its full name.
        generations: how many of it are listed.
        rows: how many rows were compared, of the stream too.
        unverifiable: generations whose partition is there no more: their rows were compared with their checksums alone.
        damages: what is wrong.
        due: as-ofs that wait to be loaded, which is no damage.
    """

    view: str
    generations: int = 0
    rows: int = 0
    unverifiable: int = 0
    damages: tuple[OnlineDamage, ...] = ()
    due: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class OnlineStores:
    """The online store, as it is verified.

    Attributes:
        inspector: sees all that lies there.
        loader: knows what would be loaded.
        row_counts: rows by generation and stream; see ``OnlineInspector.row_counts``. None: they were not counted, and
            only a sample is compared.
        sample: so many rows of each generation are compared, about; None: all.
    """

    inspector: OnlineInspector
    loader: OnlineLoader
    row_counts: Mapping[int, int] | None = field(default=None, repr=False)
    sample: int | None = None


@checked
def verify_online(
    store: OfflineStore, view: FeatureView, online: OnlineStores, now: datetime, progress: Progress | None = None
) -> OnlineVerification:
    """Compare all generations of a view with what they were loaded from, and list in the ledger what is damaged.

    Args:
        store: the offline store.
        view: the view.
        online: the online store.
        now: divides the partitions that may be served from those that wait for their time.
        progress: called after some rows each.

    Raises:
        StoreError: the store does not answer.
    """
    verifying = _Verifying(store, view, online, progress)
    verifying.generations()
    verifying.stream()
    verifying.lost(now)
    verifying.note(loaded_table(store, view).ledger.note_damage)
    return verifying.found


@checked
def damaged_loads(store: OfflineStore, view: FeatureView, now: datetime) -> dict[datetime, str]:
    """Return what is wrong with the generations that are known to be damaged and that a load replaces, by as-of.

    Args:
        store: the offline store.
        view: the view.
        now: as in ``verify_online``.
    """
    opened = loaded_table(store, view).open()
    wanted = wanted_partitions(opened.partitions, now)[1].select("partition_start", "as_of")
    known = opened.damaged_generations.join(wanted, on="partition_start", how="inner").sort("as_of", "generation")
    return dict(known.select("as_of", "problem").rows())


class _Verifying:
    """A view that is verified, and what was found of it so far."""

    def __init__(self, store: OfflineStore, view: FeatureView, online: OnlineStores, progress: Progress | None) -> None:
        self.found = OnlineVerification(view.full_name)
        self._view = view
        self._store = store
        self._opened = loaded_table(store, view).open()
        self._online = online
        self._progress = progress
        self._total = 0
        self._seen = 0
        self._listed: set[tuple[datetime, int]] = set()

    def generations(self) -> None:
        """Compare all generations that are listed."""
        try:
            listed = self._online.inspector.generations(self._view.full_name)
        except DamagedListError as problem:
            self._add(OnlineDamage(None, None, str(problem)))
            return
        self._total = sum(each.rows for each in listed)
        for generation in listed:
            self._generation(generation)

    def _generation(self, generation: Generation) -> None:
        as_of = from_microseconds(generation.as_of)
        try:
            problems = list(self._problems(generation))
        except RowsGoneError:
            if generation not in self._online.inspector.generations(self._view.full_name):
                return  # it was replaced meanwhile
            problems = ["it is listed, and its rows are gone (evicted, or deleted by hand?)"]
        self.found = replace(self.found, generations=self.found.generations + 1)
        self._listed.add((as_of, generation.id))
        if problems:
            self._add(OnlineDamage(as_of, generation.id, "; ".join(problems)))

    def stream(self) -> None:
        """Compare the rows of the stream with their checksums, and with the copy that its writer keeps, if it does."""
        try:
            stream = self._online.inspector.stream(self._view.full_name) if self._view.is_stream else None
        except DamagedListError as problem:
            self._add(OnlineDamage(None, None, f"the stream: {problem}"))
            return
        if stream is None:
            return
        listed = self._online.inspector.entities(self._view.full_name, stream)
        try:
            found = check_rows(self._online.inspector, stream, some_of(listed, self._online.sample), self._told)
            compared = compare_stream(self._store, self._online.inspector, self._view, stream, self._online.sample)
        except RowsGoneError:
            self._add(
                OnlineDamage(None, None, "the stream: its rows are gone: restart its writer, which begins a new one")
            )
            return
        except DamagedError as damage:
            problem = f"the stream: it cannot be compared with its offline copy, which is damaged itself: {damage}"
            self._add(OnlineDamage(None, None, problem))
            return
        self._count(found)
        wrong = [f"{found.damaged:,} of {found.rows:,} rows are damaged"] if found.damaged else []
        wrong += [] if compared is None else compared.problems("the stream's offline copy")
        if wrong:
            cure = "load batch tiles up to now, and begin the stream anew with a later `since`"
            self._add(OnlineDamage(None, None, f"the stream: {'; '.join(wrong)}: {cure}"))

    def lost(self, now: datetime) -> None:
        """Look for partitions that were loaded and are not there any more, and for those that wait to be loaded."""
        known = {damage.as_of for damage in self.found.damages}
        published = set(self._opened.publications.select("as_of", "content_hash").rows())
        for row in wanted_partitions(self._opened.partitions, now)[1].iter_rows(named=True):
            snapshot = replace(Landed(self._view, self._opened, row).snapshot, damaged=frozenset())
            if row["as_of"] in known or not self._online.loader.needs(self._view.full_name, snapshot):
                continue
            if (row["as_of"], row["content_hash"]) in published:
                self._add(OnlineDamage(row["as_of"], row["generation"], _LOST))
            else:
                self.found = replace(self.found, due=(*self.found.due, row["as_of"]))

    def note(self, note_damage: Callable[[datetime, int, str | None, int], None]) -> None:
        """List what was found in the ledger, and that former damage is none any more."""
        starts = dict(self._opened.partitions.select("as_of", "partition_start").rows())
        noted = {
            (start, generation): problem
            for start, generation, problem in self._opened.damaged_generations.select(
                "partition_start", "generation", "problem"
            ).iter_rows()
        }
        wrong = {
            (starts[damage.as_of], damage.generation): damage.problem
            for damage in self.found.damages
            if damage.as_of in starts and damage.generation is not None
        }
        there = {(starts[as_of], generation) for as_of, generation in self._listed if as_of in starts}
        sound = {key for key in noted.keys() - wrong.keys() if self._online.sample is None or key not in there}
        for (start, generation), problem in [*wrong.items(), *((key, None) for key in sorted(sound))]:
            if noted.get((start, generation)) != problem:
                assert self._opened.version is not None
                note_damage(start, self._opened.version, problem, generation)

    def _problems(self, generation: Generation) -> Iterator[str]:
        inspector, landed = self._online.inspector, self._origin(generation)
        found: Differences | None = None
        if landed is not None:
            try:
                count, chunks = landed.rows()
                if count != generation.rows:
                    yield f"it was published with {generation.rows:,} rows, its partition has {count:,}"
                dtypes = list(self._view.entity.keys.values())
                share = 1.0 if self._online.sample is None else self._online.sample / max(count, 1)
                found = compare_rows(inspector, generation, chunks, dtypes, share, self._told)
            except DamagedError as damage:
                problem = f"it cannot be compared with its partition, which is damaged itself: {damage}"
                self._add(OnlineDamage(from_microseconds(generation.as_of), None, problem))
        if found is None:
            self.found = replace(self.found, unverifiable=self.found.unverifiable + 1)
            entities = inspector.entities(self._view.full_name, generation)
            found = check_rows(inspector, generation, entities, self._told)
            if found.rows != generation.rows:
                yield f"it was published with {generation.rows:,} rows, {found.rows:,} are listed"
        self._count(found)
        yield from found.problems("their partition")
        strangers = self._strangers(generation, found.rows - found.missing)
        if strangers:
            yield f"{strangers:,} rows are of entities that were never loaded"

    def _strangers(self, generation: Generation, known: int) -> int:
        """Return how many entities have a row that should have none."""
        counts = self._online.row_counts
        if counts is None or self._online.sample is not None or counts.get(generation.id, 0) <= known:
            return 0
        # What was counted may have counted twice; this cannot.
        found = {entity for piece in self._online.inspector.entities_with_rows(generation) for entity in piece}
        return len(found) - known

    def _origin(self, generation: Generation) -> Landed | None:
        """Return the partition that a generation was loaded from, as it was then; None: it is there no more."""
        as_of = from_microseconds(generation.as_of)
        published = self._opened.publications.filter(pl.col("as_of") == as_of, pl.col("generation") == generation.id)
        versions = [self._opened.version, *reversed(published["delta_version"].to_list())]
        for version in dict.fromkeys(versions):
            try:
                opened = self._opened.at(version)
                landed = [
                    Landed(self._view, opened, row)
                    for row in opened.partitions.filter(pl.col("as_of") == as_of).iter_rows(named=True)
                ]
                if landed and _is_of(generation, landed[0]):
                    return landed[0]
            except (VersionExpiredError, FingerprintError):
                continue
        return None

    def _told(self, rows: int) -> None:
        self._seen += rows
        if self._progress is not None:
            self._progress(self._seen, max(self._total, self._seen))

    def _count(self, found: Differences) -> None:
        self.found = replace(self.found, rows=self.found.rows + found.rows)

    def _add(self, damage: OnlineDamage) -> None:
        self.found = replace(self.found, damages=(*self.found.damages, damage))


def _is_of(generation: Generation, landed: Landed) -> bool:
    """Whether a generation was loaded from a partition as it is; how many rows it got is another matter."""
    return replace(landed.snapshot, rows=None, damaged=frozenset()).is_held_by(generation)
