"""A world of random values for the point-in-time join, and a naive join of it in plain Python."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from feature_store import (
    Entity,
    EventSource,
    FeatureService,
    Float64,
    Int64,
    String,
    Timestamp,
    col,
    count,
    days_since,
    feature_view,
    hour_of_day,
    last,
    sum_,
)
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.tables.store import OfflineStore
from feature_store.plans.service_plan import ServicePlan
from tests.offline.definitions import INSTANT, START, day

pair = Entity("aisle_shopper", keys={"aisle": String, "shopper_id": Int64}, description="A shopper in an aisle")
walker = Entity("walker", keys={"walker_id": Int64}, description="Somebody who walks")
moves = EventSource(
    "moves",
    asset="raw/moves",
    event_time="at",
    columns={"aisle": String, "shopper_id": Int64, "walker_id": Int64, "at": Timestamp, "name": String, "x": Float64},
    start=START,
    description="Moves",
)
_OPTIONS = {"source": moves, "namespace": "walk", "version": 1, "owner": "storekeepers", "freshness": "9d"}


def _pair_features(*, with_later: bool) -> type:
    features = {
        "n": count(over="2d", description="Moves"),
        "name": last(col("name"), over="2d", default="nobody", description="Name"),
        "when": last(col("at"), over="2d", description="Last move"),
    }
    if with_later:
        features["x"] = sum_(col("x"), over="2d", description="Distance; added later")
    features["since"] = days_since(features["when"], description="Days since the last move")
    features["hour"] = hour_of_day(description="Hour of T")
    return type("Pairs", (), {"__doc__": "Pairs.", **features})


pairs_at_first = feature_view(**_OPTIONS, entity=pair, cadence="1d", available_after="5h")(
    _pair_features(with_later=False)
)
pairs = feature_view(**_OPTIONS, entity=pair, cadence="1d", available_after="5h")(_pair_features(with_later=True))


@feature_view(**{**_OPTIONS, "freshness": "8h"}, entity=walker, cadence="1h", ttl="8h")
class Walkers:
    """Walkers, soon out of date."""

    steps = count(over="6h", description="Steps")


service = FeatureService(
    "walk_model",
    version=1,
    owner="storekeepers",
    description="A pair, and the walkers before and behind",
    features=[
        Walkers.all().as_role("leader", walker_id="leader_id"),
        pairs.all().alias(name="called"),
        Walkers["steps",].as_role("follower", walker_id="follower_id"),
    ],
)


@dataclass
class World:
    """What was written: by view, the partitions with their availability and rows by key."""

    store: OfflineStore
    plan: ServicePlan
    partitions: dict[str, list[dict]] = field(default_factory=dict)


def build_world(root: str, seed: int) -> World:
    """Write random partitions with holes, in random order; before and after a feature came, published, corrected."""
    rng = random.Random(seed)
    world = World(OfflineStore(root), compile_plan(service))
    _write_pairs(world, rng)
    _write_walkers(world, rng)
    return world


def _write_pairs(world: World, rng: random.Random) -> None:
    partitions = []
    # Declarations that lack a stored feature write nothing any more: those at first come first.
    for number in sorted(rng.sample(range(2, 14), 9), key=lambda number: number >= 6):
        view = pairs_at_first if number < 6 else pairs
        rows = {}
        for key in [(aisle, shopper) for aisle in ("1", "11", "", "é") for shopper in (1, 11, -3)]:
            if rng.random() < 0.6:
                values = {
                    "n": rng.randrange(9),
                    "name": rng.choice(["ann", "", None]),
                    "when": rng.choice([day(number, rng.randrange(24)), None]),
                    "x": rng.choice([1.5, -2.0, None]),
                }
                rows[key] = {name: values[name] for name in view.fingerprints}
        partitions += _write(world, view, day(number), timedelta(days=1), rows, rng)
    world.partitions[pairs.full_name] = partitions


def _write_walkers(world: World, rng: random.Random) -> None:
    partitions = []
    for number in rng.sample(range(5 * 24, 7 * 24), 12):
        rows = {(walker_id,): {"steps": rng.randrange(9)} for walker_id in range(4) if rng.random() < 0.5}
        partitions += _write(world, Walkers, day(0, number), timedelta(hours=1), rows, rng)
    world.partitions[Walkers.full_name] = partitions


def _write(world: World, view, start: datetime, span: timedelta, rows: dict, rng: random.Random) -> list[dict]:
    """Write a partition, maybe first without some of its rows."""
    if rng.random() < 0.3:
        first = _write_once(world, view, start, span, dict(list(rows.items())[::2]), rng)
        return [{**first, "replaced": True}, _write_once(world, view, start, span, rows, rng)]
    return [_write_once(world, view, start, span, rows, rng)]


def _write_once(world: World, view, start: datetime, span: timedelta, rows: dict, rng: random.Random) -> dict:
    schema = {"partition_start": INSTANT, **dict.fromkeys(view.keys)}
    types = {"aisle": pl.String, "shopper_id": pl.Int64, "walker_id": pl.Int64, "n": pl.Int64, "name": pl.String}
    types |= {"when": INSTANT, "x": pl.Float64, "steps": pl.Int64, "partition_start": INSTANT}
    names = [*schema, *view.fingerprints]
    records = [(start, *key, *values.values()) for key, values in rows.items()]
    frame = pl.DataFrame(records, schema={name: types[name] for name in names}, orient="row")
    values = world.store.values(view)
    values.write(frame, start, start + span, run_id="r")
    as_of = start + span
    published = as_of + timedelta(hours=rng.randrange(12)) if rng.random() < 0.7 else None
    if published is not None:
        version = values.delta_version()
        values.ledger.mark_published(as_of, published, generation=version, delta_version=version)
    promised = as_of + timedelta(microseconds=view.available_after)
    known = {"rows": rows, "features": set(view.fingerprints), "replaced": False}
    return {"as_of": as_of, "promised": promised, "published": published, **known}


def naive_join(world: World, spine: list[dict], availability: str) -> list[dict]:
    """Return, per spine row, the value and the status of each output, and the as-of of each view."""
    return [_naive_row(world, row, availability) for row in spine]


def _naive_row(world: World, row: dict, availability: str) -> dict:
    time, result = row["time"], {}
    for number, view in enumerate(world.plan.views):
        usable = [
            p for p in world.partitions[view.view] if _available(p, availability) and _available(p, availability) < time
        ]
        order = ("as_of", "published") if availability == "actual" else ("as_of",)
        partition = max(usable[::-1], key=lambda p: [p[name] for name in order], default=None)
        result[f"{view.prefix}__as_of"] = partition and partition["as_of"]
        key = tuple(row[k.column] for k in view.keys)
        for output in world.plan.outputs:
            if output.view == number:
                value, status = _naive_value(view, output, partition, key, time)
                result[output.name], result[f"{output.name}__status"] = value, status
    return result


def _available(partition: dict, availability: str) -> datetime | None:
    if availability == "promised":
        return None if partition["replaced"] else partition["promised"]
    return partition["published"] and max(partition["published"], partition["promised"])


def _naive_value(view, output, partition: dict | None, key: tuple, time: datetime) -> tuple[object, int]:
    if output.feature is None:
        return time.hour, 0
    feature = next(f for f in view.features if f.name == output.feature)
    if partition is None or (feature.name not in partition["features"] and not _expired(view, partition, time)):
        return None, 2
    if _expired(view, partition, time):
        return None, 3
    if None in key or key not in partition["rows"]:
        return _read_on(output, feature.empty, time), 1
    return _read_on(output, partition["rows"][key][feature.name], time), 0


def _expired(view, partition: dict, time: datetime) -> bool:
    return view.ttl is not None and time - partition["as_of"] > timedelta(microseconds=view.ttl)


def _read_on(output, value, time: datetime):
    if output.on_read is None or value is None:
        return value
    return (time - value) / timedelta(days=1)
