"""Every error arrives from another process as itself: in workers of pools, of Spark, Dask and torch."""

import copy
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime

import pytest

from feature_store.errors import DefinitionError, FeatureStoreError, InputError
from feature_store.temporal.durations import DurationError, parse_duration
from feature_store.temporal.instants import to_microseconds
from serving.read.requests import RequestError, read_time

PACKAGES = ("feature_store", "serving", "resources", "feature_assets", "sensors")


def classes() -> Iterator[type[Exception]]:
    """Every error that the packages define."""
    for package in map(importlib.import_module, PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__") or "definitions" in found.name:
                continue
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == found.name:
                    yield value


ERRORS = sorted(set(classes()), key=lambda kind: kind.__qualname__)


def example(kind: type[Exception]) -> Exception:
    """An error with a text, or a number where one is wanted, for each argument of its constructor."""
    if "__init__" not in {name for parent in kind.__mro__[:-3] for name in vars(parent)}:
        return kind("a message")
    wanted = [each for each in inspect.signature(kind).parameters.values() if each.default is each.empty]
    given = {each: 404 if each.annotation == "int" else f"some {each.name}" for each in wanted}
    named = {each.name: value for each, value in given.items() if each.kind is each.KEYWORD_ONLY}
    return kind(*(value for each, value in given.items() if each.name not in named), **named)


def test_all_errors_are_found():
    assert {FeatureStoreError, DefinitionError, InputError, RequestError, DurationError} <= set(ERRORS)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__qualname__)
def test_an_error_survives_pickling_and_copying(kind):
    error = example(kind)
    error.add_note("seen in a worker")
    ways = [lambda each, p=p: pickle.loads(pickle.dumps(each, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    for way in (*ways, copy.copy, copy.deepcopy):
        again = way(error)
        assert type(again) is kind
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def refuse_time() -> None:
    read_time(datetime(2024, 1, 1))


def refuse_duration() -> None:
    parse_duration("soon")


def refuse_instant() -> None:
    to_microseconds(datetime(2024, 1, 1))


def refuse_definition() -> None:
    raise DefinitionError("household_spend", "is wrong", "write it right")


def test_an_error_of_a_worker_process_arrives_as_itself():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for refuse in (refuse_time, refuse_duration, refuse_instant, refuse_definition):
            with pytest.raises((FeatureStoreError, DurationError)) as here:
                refuse()
            with pytest.raises(type(here.value)) as there:
                pool.submit(refuse).result()
            assert str(there.value) == str(here.value)
            assert vars(there.value).keys() >= vars(here.value).keys()
