"""The point-in-time join, from rows to training set, with holes in the ledger and T around every bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

import polars as pl
from polars.testing import assert_frame_equal

from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.engines.polars.dtypes import polars_dtype
from feature_store.offline.delta.instants import INSTANT
from feature_store.offline.join.partition_choice import Availability
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.tables.store import OfflineStore
from feature_store.oracle.point_in_time import History
from feature_store.oracle.services import service_row
from tests.spec.requests import spine_types, with_inputs
from tests.spec.services import assert_service_row, instants, service_of, some_keys, world_known_to, write_with_holes
from tests.spec.stores import folder
from tests.spec.worlds import Range, World, in_some_zone

ROWS_PER_WORLD = 3

Join = Callable[..., pl.DataFrame]
"""A way to join: ``point_in_time_join``, or what does the same."""


def check(span: Range, worlds: Sequence[World], rng: Random) -> None:
    """Fail where a row of a training set is not what the oracle says, or is lost, multiplied or moved."""
    build(span, worlds, rng).compare()


def build(span: Range, worlds: Sequence[World], rng: Random, by: Join = point_in_time_join) -> TrainingSet:
    """Build a training set of a cadence or table view."""
    with folder() as root:
        store = OfflineStore(str(root))
        written = write_with_holes(store, span, worlds, rng)
        times = instants(span, written)
        asked = [(world, rng.choice(times)) for world in worlds for _ in range(ROWS_PER_WORLD)]
        rng.shuffle(asked)
        return join(
            store,
            service_of(span.view),
            asked,
            lambda world: {span.view.full_name: [partition.of(world) for partition in written]},
            rng,
            availability=rng.choice(["promised", "actual"]),
            by=by,
        )


@dataclass(frozen=True)
class TrainingSet:
    """A training set, and what it was built from.

    Attributes:
        service: whose features it has.
        asked: worlds and times, in the order of the rows.
        requests: the rows of the spine.
        histories: gives what was written of a world.
        availability: as asked.
        rows: of the training set.
    """

    service: FeatureService
    asked: Sequence[tuple[World, datetime]]
    requests: Sequence[dict]
    histories: Callable[[World], Mapping[str, History]]
    availability: Availability
    rows: Sequence[dict]

    def compare(self) -> None:
        """Fail where a row is not what the oracle says."""
        service = self.service
        for (world, time), request, row in zip(self.asked, self.requests, self.rows, strict=True):
            history = self.histories(world)
            wanted = service_row(service, history, request, time, self.availability)
            known = {
                view: world_known_to(history[view.full_name], world, time, self.availability) for view in service.views
            }
            assert_service_row(service, known, request, row, wanted)


def join(
    store: OfflineStore,
    service: FeatureService,
    asked: Sequence[tuple[World, datetime]],
    histories: Callable[[World], Mapping[str, History]],
    rng: Random,
    availability: Availability = "promised",
    by: Join = point_in_time_join,
) -> TrainingSet:
    """Join a spine of some worlds and times, some of it twice; fails where rows are lost, multiplied or moved."""
    asked = [*asked, *asked[: rng.choice([0, 1, 5])]]
    requests = [{**some_keys(world, rng), "time": time, "label": n} for n, (world, time) in enumerate(asked)]
    requests = with_inputs(requests, rng)
    spine = _spine(service, requests, rng)
    joined = by(
        store,
        compile_plan(service),
        spine,
        "time",
        allow_missing=True,
        with_status=True,
        availability=availability,
    )
    assert_frame_equal(joined.select(spine.columns), spine)
    return TrainingSet(service, asked, requests, histories, availability, joined.to_dicts())


def _spine(service: FeatureService, requests: list[dict], rng: Random) -> pl.DataFrame:
    """Return the requests in one or several chunks, their times maybe in a zone that puts its clocks forward."""
    keys = {name: polars_dtype(dtype) for name, dtype in service.keys.items()}
    schema = {**keys, "time": INSTANT, "label": pl.Int64, **spine_types(requests)}
    cut = rng.choice(range(len(requests) + 1))
    parts = [pl.DataFrame(part, schema=schema, strict=False) for part in (requests[:cut], requests[cut:])]
    return in_some_zone(pl.concat(parts, rechunk=False), rng)
