"""Every declaration survives pickling and copying, so that Spark, Dask and torch can hand it to their workers."""

import copy
import dataclasses
import multiprocessing
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from typing import Any

import numpy as np
import pytest

from feature_assets.project import load_declarations
from feature_store import EmbeddingTable, Int64, Vector, bucketise, col, embed, lit, one_hot, sum_, when
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.expressions.checked_types import DEEPEST
from feature_store.expressions.text import to_canonical, to_text
from feature_store.model.views import FeatureView
from feature_store.plans.compile_stream import compile_stream_plan
from tests.fixtures import stream_views
from tests.fixtures import views as engine_views
from tests.model.declare import HOUSEHOLD, START, event_source, table_source

DECLARED = load_declarations()
VIEWS = [
    *DECLARED.views.values(),
    *(v for module in (engine_views, stream_views) for v in vars(module).values() if isinstance(v, FeatureView)),
]
SERVICES = list(DECLARED.services.values())

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda declared: pickle.loads(pickle.dumps(declared)),
    "first pickle": lambda declared: pickle.loads(pickle.dumps(declared, 0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
of_every_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))

EXPRESSIONS = [
    col("a"),
    lit(None),
    (col("a") + 1) / -col("b"),
    when(col("a").is_null() | (col("b") > START)).then("x").otherwise(col("c").lower()),
    col("a").cast(Vector(3)),
    one_hot(col("a"), ["x", "y"]),
    bucketise(col("a"), [0.5, 1]),
    embed(col("a"), EmbeddingTable("brands", {"x": [0.5], "y": [1.0]})),
]
OTHERS = [HOUSEHOLD, event_source(), table_source(), EmbeddingTable("brands", {1: np.array([1.0, 2.0])}), Int64, START]


def same(one: Any, other: Any) -> bool:
    """Whether two objects are of the same types and the same in all their parts."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, each.name), getattr(other, each.name)) for each in dataclasses.fields(one))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@of_every_way
@pytest.mark.parametrize("declared", [*VIEWS, *SERVICES, *OTHERS], ids=repr)
def test_a_declaration_is_the_same_afterwards(declared, way):
    assert same(way(declared), declared)


@of_every_way
@pytest.mark.parametrize("expression", EXPRESSIONS, ids=to_text)
def test_an_expression_is_the_same_afterwards(expression, way):
    again = way(expression)
    assert same(again, expression)
    assert to_canonical(again + 1) == to_canonical(expression + 1)


@of_every_way
def test_the_deepest_expression_is_the_same_afterwards(way):
    deepest = reduce(lambda inner, _: inner + 1, range(DEEPEST), col("a"))
    assert to_canonical(way(deepest)) == to_canonical(deepest)


@of_every_way
def test_what_an_expression_says_twice_is_kept_once(way):
    """Doubling 300 times is 300 operations, not 2^300."""
    doubled = reduce(lambda inner, _: inner + inner, range(DEEPEST), col("a"))
    again = way(doubled)
    assert again.depth == DEEPEST
    assert again.arguments[0] is again.arguments[1]


@of_every_way
def test_a_feature_that_is_not_yet_named_is_the_same_afterwards(way):
    draft = sum_(col("a") * 2, over="7d", where=col("b") > 0, description="A")
    assert same(way(draft), draft)


@of_every_way
def test_plans_are_the_same_afterwards(way):
    plans = [compile_plan(each) for each in SERVICES]
    plans += [compile_stream_plan(view, ()) for view in VIEWS if view.is_stream]
    assert plans
    for plan in plans:
        assert same(way(plan), plan)


def test_what_was_checked_cannot_be_changed_afterwards():
    for declared in (HOUSEHOLD, event_source()):
        again = pickle.loads(pickle.dumps(declared))
        fields = again.keys if declared is HOUSEHOLD else again.columns
        with pytest.raises(TypeError):
            fields["new"] = Int64


def logic(view: FeatureView) -> list[str]:
    return [feature.logic for feature in view]


def test_a_worker_process_reads_views_as_they_were_declared():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(logic, VIEWS)) == [logic(view) for view in VIEWS]


def test_a_selection_is_the_same_afterwards():
    selection = next(view for view in VIEWS if len(view.features) > 1).all()
    assert same(pickle.loads(pickle.dumps(selection)), selection)
