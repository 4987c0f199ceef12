"""Computing what a view stores: tiles from its source, values from its tiles (or, for table views, from its source).

The ledgers say what is to be computed (``plans``), an engine computes and stages it, and one commit makes all of it
readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from feature_store.checks.arguments import checked
from feature_store.engines.engine import Engine
from feature_store.model.sources import EventSource
from feature_store.model.views import FeatureView
from feature_store.offline.delta.instants import partition_starts
from feature_store.offline.delta.stages import open_stage
from feature_store.offline.materialize.default_engine import default_engine
from feature_store.offline.materialize.plans import plan_tiles
from feature_store.offline.materialize.staged_values import Progress, stage_values
from feature_store.offline.materialize.stale import tile_inputs_hash
from feature_store.offline.materialize.value_inputs import source_inputs
from feature_store.offline.tables.source_table import check_layout
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds, to_microseconds


@dataclass(frozen=True)
class TileReport:
    """The outcome of building tiles.

    Attributes:
        rows: tiles written.
        partitions: partitions written.
        excluded: source rows without a key, by partition start.
        without_time: source rows without a time (or ``known_at``), which are of no partition; some may never have
            landed.
    """

    rows: int
    partitions: int
    excluded: Mapping[datetime, int]
    without_time: int


@checked
def compute_tiles(
    store: OfflineStore,
    view: FeatureView,
    start: datetime,
    end: datetime,
    run_id: str,
    *,
    engine: Engine | None = None,
) -> TileReport:
    """Build and store the tiles of the partitions of ``[start, end)``.

    Args:
        store: the offline store.
        view: a view of events.
        start: start of the first partition.
        end: end of the last.
        run_id: of the run that writes.
        engine: computes; None: the default.

    Raises:
        MissingTilesError: source partitions of the range have not landed.
        FingerprintError: they were landed by a source that declared another ``known_at``.
        ConflictError: another run wrote some of the partitions meanwhile: build them again.
    """
    starts = partition_starts(start, end, view.cadence)
    table, engine = store.tiles(view), engine or default_engine()
    first, last, version = to_microseconds(start), to_microseconds(end), table.delta_version()
    with open_stage(table.uri, table.options, run_id, version, first, last, view.cadence, engine.parts) as stage:
        source = store.source(view.source.asset).open()
        inputs = source_inputs(view, source)
        needed = max(first, to_microseconds(view.source.start))
        inputs.require(needed, last, f"{view.full_name}: building tiles")
        read = source.between(from_microseconds(inputs.begin(first)), end)
        assert isinstance(view.source, EventSource)
        check_layout(view.source, read)
        plan = plan_tiles(view, source, first, last, table.target(stage))
        staged = list(engine.tiles(plan))
        hashes = {at: tile_inputs_hash(view, inputs, at) for at in starts}
        rows = table.commit(stage, staged, start, end, inputs_hash=hashes)
    facts = [partition for each in staged for partition in each.partitions]
    return TileReport(
        rows=rows,
        partitions=len(starts),
        excluded={from_microseconds(each.start): each.excluded for each in facts if each.excluded},
        without_time=sum(each.without_time for each in staged) + int(read["excluded"].sum()),
    )


@checked
def compute_values(
    store: OfflineStore,
    view: FeatureView,
    start: datetime,
    end: datetime,
    run_id: str,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> int:
    """Compute and store the values of the partitions of ``[start, end)``; return the number of rows.

    See ``stage_values``, which does the same in two steps, with a look at the values in between.
    """
    with stage_values(store, view, start, end, run_id, engine=engine, progress=progress) as values:
        return values.commit()
