"""From the offline store to the online store: loading what landed and recording what was published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from feature_store.checks.arguments import checked
from feature_store.errors import NotComputedError
from feature_store.model.views import FeatureView
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds
from serving.load.landed import Landed, loaded_table, wanted_partitions
from serving.stores.snapshot import Chunk, LoadReport, Snapshot
from serving.stores.store import OnlineLoader

Progress = Callable[[str], None]


@dataclass(frozen=True)
class SyncReport:
    """The state of a view in the online store after a sync.

    Attributes:
        served_as_of: as-of of the newest partition that is available; None: none is yet.
        loads: by as-of, what was loaded or found loaded: the served partition and those that wait for their time.
    """

    served_as_of: datetime | None
    loads: Mapping[datetime, LoadReport]


@checked
def sync_view(
    store: OfflineStore, view: FeatureView, writer: OnlineLoader, now: datetime, progress: Progress | None = None
) -> SyncReport:
    """Make the online store hold the newest available partition of a view and every landed one after it.

    Of a stream view these are the tiles that requests count which are served from the partition's end on. Doing it
    again changes nothing. Older partitions are not loaded: nobody is served from them.

    Args:
        store: the offline store.
        view: the view.
        writer: of the online store.
        now: the instant that divides available partitions from those that wait for their available-at.
        progress: told in words what is going on.

    Raises:
        NotComputedError: no partition has landed.
        FingerprintError: a partition was computed by another definition of a feature.
        DamagedError: the rows of a partition are not those that were written; what is served stays.
    """
    table = loaded_table(store, view)
    opened = table.open()
    if opened.partitions.is_empty():
        raise NotComputedError(f"{view.full_name}: no partition has landed: materialize its table first")
    served, wanted = wanted_partitions(opened.partitions, now)
    loads: dict[datetime, LoadReport] = {}
    for row in wanted.iter_rows(named=True):
        loads[row["as_of"]] = _load(Landed(view, opened, row), writer, table.ledger, progress)
    if opened.damaged_generations.height:
        _note_replaced(view, opened, writer, table.ledger, loads)
    return SyncReport(served, loads)


@checked
def is_synced(store: OfflineStore, view: FeatureView, writer: OnlineLoader, now: datetime) -> bool:
    """Return whether ``sync_view`` would find everything loaded.

    Raises:
        FingerprintError: as ``sync_view``.
    """
    opened = loaded_table(store, view).open()
    wanted = wanted_partitions(opened.partitions, now)[1].iter_rows(named=True)
    return not any(writer.needs(view.full_name, Landed(view, opened, row).snapshot) for row in wanted)


@checked
def outdated_as_ofs(store: OfflineStore, view: FeatureView, writer: OnlineLoader) -> list[datetime]:
    """Return the as-ofs of live generations that are no copies of what the ledger lists for them now.

    Raises:
        FingerprintError: as ``sync_view``.
    """
    opened = loaded_table(store, view).open()
    landed = {to_microseconds(row["as_of"]): row for row in opened.partitions.iter_rows(named=True)}
    newest = {each.as_of: each for each in sorted(writer.generations(view.full_name), key=lambda each: each.id)}
    listed = {as_of: Landed(view, opened, landed[as_of]).snapshot for as_of in newest if as_of in landed}
    outdated = [as_of for as_of, held in listed.items() if not held.is_held_by(newest[as_of])]
    return [from_microseconds(as_of) for as_of in outdated]


def _load(landed: Landed, writer: OnlineLoader, ledger: Ledger, progress: Progress | None) -> LoadReport:
    view, partition = landed.view.full_name, landed.partition
    snapshot, chunks = landed.snapshot, _chunks(landed)
    if writer.needs(view, snapshot):
        rows, chunks = landed.rows()
        snapshot = replace(snapshot, rows=rows)

    def told(written: int) -> None:
        if progress is not None:
            progress(f"{view} as of {partition['as_of']}: {written} of {snapshot.rows} rows loaded")

    report = writer.load(view, snapshot, chunks, told)
    if report.as_of == snapshot.as_of:
        _note(landed, snapshot, report, ledger)
    return report


def _chunks(landed: Landed) -> Iterator[Chunk]:
    """Yield the rows of a partition, which is read when the first is asked for."""
    yield from landed.rows()[1]


def _note(landed: Landed, snapshot: Snapshot, report: LoadReport, ledger: Ledger) -> None:
    """Note down in the ledger what the online store holds of a partition."""
    as_of, published_at = landed.partition["as_of"], from_microseconds(report.published_at)
    # A store that was restored from an older copy of itself gives the same number to another generation.
    known = landed.opened.publications.select("as_of", "published_at", "generation").rows()
    if (as_of, published_at, report.generation) not in known:
        version, hash_ = landed.opened.version, snapshot.content_hash
        assert version is not None
        ledger.mark_published(as_of, published_at, report.generation, version, rows=report.rows, content_hash=hash_)


def _note_replaced(
    view: FeatureView, opened: OpenTable, writer: OnlineLoader, ledger: Ledger, loads: Mapping[datetime, LoadReport]
) -> None:
    """Note down in the ledger which damaged copies are not there any more."""
    assert opened.version is not None
    loaded = {report.generation for report in loads.values() if not report.skipped}
    kept = {each.id for each in writer.generations(view.full_name)} - loaded
    for start, generation in opened.damaged_generations.select("partition_start", "generation").iter_rows():
        if generation not in kept:
            ledger.note_damage(start, opened.version, None, generation)
