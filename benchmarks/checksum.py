"""The cost of the checksum of online rows: reading many entities with it and without it, call by call in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch

import numpy as np

from benchmarks.measure import OURS, Result, Sample
from benchmarks.online import valkey
from feature_store.codec import sealed_rows
from feature_store.codec.row_codec import LayoutField, RowLayout
from feature_store.columns import Column
from feature_store.dtypes import Float32, String
from feature_store.plans.service_plan import PlanFeature, PlanKey, PlanOutput, PlanView, ServicePlan, write_plan
from serving.client import FeatureClient
from serving.stores.open_store import open_loader
from serving.stores.snapshot import Snapshot

LIMIT: Final = 5.0
"""Percent of a call that the checksum may cost."""

_WITHOUT: Final = "without checksum"
_VIEW: Final = "bench/sealed/v1"


def checksum(entities: int, rows: int, features: int, texts: int, calls: int, rounds: int) -> Result:
    """Measure what verifying the checksums adds to a call of the Python client.

    Args:
        entities: in the store.
        rows: entities per call.
        features: per entity.
        texts: how many of them are strings, of 4 to 12 characters; the others are Float32.
        calls: of each measurement, with and without in turn.
        rounds: of measurements.
    """
    layout = _layout(features, texts)
    wanted = np.random.default_rng(1).integers(0, entities, (calls, rows)).tolist()
    with TemporaryDirectory() as folder, valkey() as url:
        write_plan(Path(folder), _plan(layout))
        _load(url, layout, entities)
        with FeatureClient(folder, url) as client:
            samples = [_in_turn(lambda ids: client.get_features("sealed", {"id": ids}), wanted) for _ in range(rounds)]
    cost = statistics.median(sample[OURS].details["cost %"] for sample in samples)
    return Result(
        f"Python client, {rows:,} entities x {features} features, {texts} of them strings, per call, verified",
        "entities/s",
        {name: [sample[name] for sample in samples] for name in (OURS, _WITHOUT)},
        [f"the checksum costs {cost:.1f} % of a call; the limit is {LIMIT:.0f} %"],
    )


def _in_turn(call: Callable[[list[int]], object], wanted: list[list[int]]) -> dict[str, Sample]:
    """Time the same calls with and without the checksum, one after the other, each first in every second pair."""
    seconds: dict[str, list[float]] = {OURS: [], _WITHOUT: []}
    for number, ids in enumerate(wanted):
        for name in (OURS, _WITHOUT) if number % 2 else (_WITHOUT, OURS):
            with _checksums_taken_as_right() if name == _WITHOUT else _as_it_is():
                began = time.perf_counter()
                call(ids)
                seconds[name].append(time.perf_counter() - began)
    # The quarter of calls that whatever else the machine does disturbs least: the checksum is a small part of a call.
    typical = {name: statistics.quantiles(each, n=4)[0] for name, each in seconds.items()}
    cost = {name: 100 * (each / typical[_WITHOUT] - 1) for name, each in typical.items()}
    return {name: Sample(len(wanted[0]) / each, {"cost %": cost[name]}) for name, each in typical.items()}


@contextmanager
def _checksums_taken_as_right() -> Iterator[None]:
    with patch.object(sealed_rows, "has_checksum", lambda rows, _: np.ones(len(rows), np.bool_)):
        yield


@contextmanager
def _as_it_is() -> Iterator[None]:
    with patch.object(sealed_rows, "has_checksum", sealed_rows.has_checksum):
        yield


def _layout(features: int, texts: int) -> RowLayout:
    dtypes = [String] * texts + [Float32] * (features - texts)
    return RowLayout(tuple(LayoutField(f"f{place}", dtype, f"fp{place}") for place, dtype in enumerate(dtypes)))


def _plan(layout: RowLayout) -> ServicePlan:
    stored = tuple(PlanFeature(f.name, f.dtype.name, f.fingerprint, None) for f in layout.features)
    outputs = tuple(PlanOutput(f.name, f.dtype.name, 0, f.name) for f in layout.features)
    view = PlanView(_VIEW, "sealed", (PlanKey("id", "Int64", "id"),), None, 86_400_000_000, stored)
    return ServicePlan("sealed", 1, "benchmarks", ("everyone",), (view,), outputs)


def _load(url: str, layout: RowLayout, entities: int) -> None:
    random, every, now = np.random.default_rng(7), np.ones(entities, np.bool_), time.time_ns() // 1000
    words = np.array(["x" * length for length in range(4, 13)], object)
    columns = {
        field.name: Column(
            words[random.integers(0, len(words), entities)] if field.dtype == String else random.random(entities, "f4"),
            every,
        )
        for field in layout.features
    }
    snapshot = Snapshot(now - 7_200_000_000, now - 3_600_000_000, layout, f"{now}", entities)
    with closing(open_loader(url)) as loader:
        loader.load(_VIEW, snapshot, [([Column(np.arange(entities), every)], columns)])
