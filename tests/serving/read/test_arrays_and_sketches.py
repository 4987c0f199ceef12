"""The same value of every new aggregation, from raw rows to the answer: stored, trained on and served."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_store import FeatureService, FeatureView
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize.materialize import compute_tiles, compute_values
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training.training_sets import build_training_set, load_training_set, write_training_set
from feature_store.oracle import snapshots as oracle
from feature_store.plans.service_plan import write_plan
from serving.client import FeatureClient
from serving.load.sync import sync_view
from serving.stores.open_store import open_loader
from serving.stores.store import OnlineLoader
from tests.fixtures.computed_values import computed_values
from tests.fixtures.frames import START, assert_value, at, frame
from tests.fixtures.views import COLUMNS, Bucketed, Grown, Spread

END = at(days=21)
NOW = END + timedelta(hours=1)


@pytest.fixture
def writer(valkey: str) -> Iterator[OnlineLoader]:
    writer = open_loader(valkey)
    yield writer
    writer.close()


def rows() -> list[dict[str, Any]]:
    dice = random.Random(11)

    def row(place: int) -> dict[str, Any]:
        values = {
            "time": START + timedelta(minutes=dice.randrange(21 * 24 * 60)),
            "sequence": dice.choice([None, 0, 1]),
            "number": dice.randrange(4),
            "value": dice.choice([None, 0.1, -2.5, 1e6, dice.lognormvariate(0, 2)]),
            "narrow": dice.choice([0.5, 3.0, None]),
            "flag": dice.choice([True, False]),
            "text": dice.choice(["a", "b", "", "é", None]),
            "moment": dice.choice([START, at(days=1), None]),
            "left": dice.choice("xyz"),
            "right": dice.choice("uv"),
        }
        # Some entities have rows, but hardly anything in them.
        keep = {"time", "sequence", "number", "left", "right"}
        return values if place % 9 else {name: value if name in keep else None for name, value in values.items()}

    return [row(place) for place in range(300)]


def keys_of(view: FeatureView) -> dict[str, list[Any]]:
    """Every entity there is and one that is not."""
    if len(view.keys) == 1:
        return {"number": [0, 1, 2, 3, 99]}
    pairs = [(left, right) for left in "xyz" for right in "uv"] + [("nobody", "u")]
    return dict(zip(view.keys, map(list, zip(*pairs, strict=True)), strict=True))


@pytest.mark.parametrize("view", [Spread, Bucketed, Grown], ids=repr)
def test_stored_trained_and_served_values_equal_the_oracle(
    view: FeatureView, writer: OnlineLoader, valkey: str, tmp_path: Path
) -> None:
    happened = rows()
    store = OfflineStore(str(tmp_path / "offline"))
    materialize(store, view, happened)
    sync_view(store, view, writer, NOW)
    service = FeatureService("arrays", 1, "engine", "Arrays and sketches", [view.all()])
    plan = compile_plan(service)
    write_plan(tmp_path / "plans", plan)
    asked = keys_of(view)
    with FeatureClient(tmp_path / "plans", valkey) as client:
        served = client.get_features("arrays", asked, time=NOW)
    spine = pl.DataFrame(asked).with_columns(pl.lit(NOW).dt.cast_time_unit("us").alias("time"))
    trained = point_in_time_join(store, plan, spine, "time", with_status=True)
    assert_oracle(view, happened, trained)
    in_arrow = served.to_polars()
    assert in_arrow.equals(trained.select(pl.col(name).cast(in_arrow.schema[name]) for name in in_arrow.columns))
    outputs = [output.name for output in plan.outputs]
    assert served.to_dict() == trained.select(*asked, *outputs).to_dict(as_series=False)
    training_set = build_training_set(store, service, spine)
    write_training_set(store, "arrays", training_set, run_id="train")
    read = load_training_set(store, "arrays").collect().sort(*asked).select(*asked, *outputs)
    assert read.equals(trained.sort(*asked).select(*asked, *outputs))


def materialize(store: OfflineStore, view: FeatureView, happened: list[dict[str, Any]]) -> None:
    source = frame(happened, COLUMNS)
    store.source(view.source.asset).write(source, START, END, time_column="time", run_id="land")
    compute_tiles(store, view, START, END, "tiles")
    last = END - timedelta(microseconds=view.cadence)
    computed = computed_values(store, view, last, END)
    compute_values(store, view, last, END, "values")
    again = computed_values(store, view, last, END)
    assert again.frame.equals(computed.frame)


def assert_oracle(view: FeatureView, happened: list[dict[str, Any]], trained: pl.DataFrame) -> None:
    wanted = oracle.snapshot(view, happened, END)
    assert 1 < len(wanted) < trained.height
    for row in trained.to_dicts():
        keys = tuple(row[key] for key in view.keys)
        own = [event for event in happened if oracle.keys_of(view, event) == keys]
        expected = wanted.get(keys, oracle.empty_values(view))
        for feature in islice(view.stored_features, len(view.aggregations)):
            scale = oracle.float_scale(view, feature, own, END)
            found = row[f"{view.name}__{feature.name}"]
            assert_value(found, expected[feature.name], feature.dtype, scale, f"{feature.name} of {keys}")
