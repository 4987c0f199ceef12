"""Public functions refuse arguments that are not what they say, whichever function, option and value it is."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from feature_assets.generator.definitions import build_feature_assets
from feature_assets.generator.source_assets import source_asset
from feature_assets.generator.training_assets import Model, TrainingSet
from feature_assets.landing import land
from feature_store.checks.arguments import checked, checked_declaration, is_checked
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import DefinitionError, InputError
from feature_store.offline.join.point_in_time import point_in_time_join
from feature_store.offline.materialize import materialize
from feature_store.offline.tables.store import OfflineStore
from feature_store.offline.training import training_sets
from serving.client import FeatureClient
from serving.load import sync, verify
from tests.offline.definitions import ShopperSpend, purchases, service

START = datetime(2024, 1, 2, tzinfo=UTC)
NAIVE = datetime(2024, 1, 2)
FUNCTIONS: list[Callable[..., Any]] = [
    point_in_time_join,
    land,
    build_feature_assets,
    source_asset,
    *(f for module in (training_sets, materialize, sync) for f in vars(module).values() if is_checked(f)),
]
CONSTRUCTORS: list[Any] = [FeatureClient, TrainingSet, Model]
PLAN = compile_plan(service)
STORE = OfflineStore("/nowhere")
SPINE = pl.DataFrame({"shopper_id": [1], "time": [START]})
VALID: dict[str, Any] = {
    "store": STORE,
    "service": service,
    "plan": PLAN,
    "spine": SPINE,
    "time_column": "time",
    "name": "churn",
    "start": START,
    "end": START,
    "now": START,
    "run_id": "r",
    "view": ShopperSpend,
    "source": purchases,
    "rows": SPINE,
    "plans": "plans",
    "url": "redis://127.0.0.1:1/0",
    "owner": "storekeepers",
    "description": "A model",
}
NEVER = object()


def test_every_public_function_of_these_modules_is_checked():
    for module in (training_sets, materialize, sync, verify):
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_":
                assert is_checked(value), f"{module.__name__}.{name}"
    assert all(map(is_checked, FUNCTIONS))
    assert all(is_checked(each.__init__) for each in CONSTRUCTORS)


def wrong_values(hint: Any) -> Iterator[Any]:
    """Values that an annotation does not allow."""
    allowed = typing.get_args(hint) if typing.get_origin(hint) not in (Literal, Sequence, Mapping) else ()
    plain = [typing.get_origin(each) or each for each in (allowed or [hint])]
    if Any in plain or any(getattr(each, "_is_protocol", False) for each in plain if isinstance(each, type)):
        return
    yield NEVER
    if type(None) not in plain:
        yield None
    if str not in plain and Path not in plain:
        yield "yes"
    if typing.get_origin(hint) is Literal:
        yield from ("Promised", "", 1, "pandas")
    if datetime in plain:
        yield from (NAIVE, "2024-01-01", 1_704_067_200, START.date())
    if bool in plain:
        yield from ("no", 0, 1)
    if str in plain:
        yield from (5, b"r", ["r"])
    if int in plain:
        yield from (True, 1.5)


def cases() -> Iterator[Any]:
    for function in [*FUNCTIONS, *CONSTRUCTORS]:
        target = function.__init__ if inspect.isclass(function) else function
        hints = typing.get_type_hints(inspect.unwrap(target))
        for name in inspect.signature(function).parameters:
            if name in hints:
                for value in wrong_values(hints[name]):
                    yield pytest.param(function, name, value, id=f"{function.__name__}-{name}-{str(value)[:12]}")


@pytest.mark.parametrize(("function", "name", "value"), list(cases()))
def test_a_wrong_argument_is_refused_by_name(function, name, value):
    required = [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    ]
    valid = {**VALID, "spine": lambda *_: SPINE} if function is TrainingSet else VALID
    given = {each: valid.get(each) for each in required} | {name: value}
    with pytest.raises((InputError, DefinitionError)) as raised:
        function(**given)
    assert type(raised.value) in (InputError, DefinitionError)
    message = str(raised.value)
    assert message.startswith(function.__name__)
    if all(given[each] is not None for each in required if each != name):
        assert f"{name}=" in message


@pytest.mark.parametrize("function", [*FUNCTIONS, *CONSTRUCTORS], ids=lambda each: each.__name__)
def test_missing_and_unknown_arguments_are_refused(function):
    for call in (function, lambda: function(no_such_option=1)):
        with pytest.raises((InputError, DefinitionError)):
            call()


def test_choices_are_named():
    spelt = r"build_training_set: availability='Promised' is none of its choices: did you mean 'promised'\?"
    with pytest.raises(InputError, match=spelt):
        training_sets.build_training_set(STORE, service, SPINE, availability="Promised")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="as_='pandas' is none of its choices: use one of polars, arrow"):
        training_sets.load_training_set(STORE, "churn", as_="pandas")  # type: ignore[arg-type]
    by_name = "service='churn/v1' is of type str: give FeatureService or ServicePlan"
    with pytest.raises(InputError, match=by_name):
        training_sets.build_training_set(STORE, "churn/v1", SPINE)  # type: ignore[arg-type]


def test_a_service_that_is_no_name_is_refused_online(tmp_path):
    with FeatureClient(tmp_path, "redis://127.0.0.1:1/0") as client:
        for name in (service, None, ["churn"], 5):
            with pytest.raises(InputError, match=r"^service: .* is not the name of a service"):
                client.get_features(name, {"shopper_id": [1]})  # type: ignore[arg-type]


@checked
def every_kind(
    one: int,
    number: float = 0.0,
    flag: bool = False,
    names: Sequence[str] = (),
    choice: Literal["a", 1] = "a",
    at: datetime | None = None,
    by: Mapping[str, int] | None = None,
    call: Callable[[], None] | None = None,
    anything: Any = None,
) -> int:
    return one


def test_what_fits_is_taken_as_it_is():
    assert every_kind(1, 2, True, ["a"], 1, START, {"a": 1}, lambda: None, NEVER) == 1
    assert every_kind(one=1, names=("a", "b"), number=0.5, choice="a") == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"one": True}, "one=True is of type bool: give int"),
        ({"one": 1.0}, "one=1.0 is of type float: give int"),
        ({"number": "1"}, "number='1' is of type str: give float"),
        ({"flag": 1}, "flag=1 is of type int: give bool"),
        ({"names": "ab"}, "names='ab' is of type str: give Sequence of str"),
        ({"names": ["a", 1]}, "names=.* is of type list: give Sequence of str"),
        ({"choice": True}, "choice=True is none of its choices: use one of a, 1"),
        ({"at": NAIVE}, "at=2024-01-02T00:00:00 has no time zone"),
        ({"by": [("a", 1)]}, "by=.* is of type list: give Mapping of str, int or None"),
        ({"call": 5}, "call=5 is of type int: give Callable or None"),
        ({"two": 2}, "unexpected keyword argument 'two': it takes one, number"),
    ],
)
def test_what_does_not_fit_is_told(options, problem):
    with pytest.raises(InputError, match=f"^every_kind: .*{problem}"):
        every_kind(**{"one": 1, **options})


def test_declarations_are_refused_by_a_definition_error():
    with pytest.raises(DefinitionError, match=r"one='x' is of type str\. Instead: give int"):
        checked_declaration(inspect.unwrap(every_kind))("x")
