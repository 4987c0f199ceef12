"""Wrong calls of all that declares: one DefinitionError each, which names what is wrong and what to do."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

import feature_store
from feature_store import (
    DefinitionError,
    EmbeddingTable,
    Entity,
    EventSource,
    FeatureService,
    Int64,
    KafkaTopic,
    LookupTable,
    TableSource,
    Team,
    col,
    feature_view,
    stream_view,
)
from feature_store.declare import aggregates, features
from feature_store.expressions import functions
from feature_store.model.agreement import by_name
from tests.model.declare import (
    EVENT_COLUMNS,
    HOUSEHOLD,
    START,
    TABLE_COLUMNS,
    VIEW_OPTIONS,
    event_source,
    purchases,
    table_source,
)

VALUE = col("sales_value")
AGGREGATE = {"over": "7d", "description": "X"}
ARGUMENTS: dict[str, Any] = {
    "value": VALUE,
    "expression": VALUE,
    "numerator": VALUE > 0,
    "denominator": VALUE > 1,
    "feature": VALUE,
    "categories": [1, 2],
    "boundaries": [1.0],
    "condition": VALUE > 0,
    "left": VALUE,
    "right": VALUE,
    "k": 2,
    "q": 0.5,
    "half_life": "1d",
    "table": EmbeddingTable("t", {"a": [1.0]}),
    "name": "x",
}


def public(module: Any) -> dict[str, Callable[..., Any]]:
    found = {name: each for name, each in vars(module).items() if inspect.isfunction(each) and name[0] != "_"}
    return {name: each for name, each in found.items() if each.__module__ == module.__name__}


def right_options(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    options = AGGREGATE if "options" in parameters and function.__module__ == aggregates.__name__ else {}
    if function.__module__ == features.__name__:
        options = {"description": "X"}
    if function is functions.lookup:
        options = {"table": LookupTable("t", {"a": 1.0})}
    return {name: ARGUMENTS[name] for name in parameters if name in ARGUMENTS} | options


FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    **{
        name: (function, right_options(function))
        for module in (aggregates, features, functions)
        for name, function in public(module).items()
    },
    "Entity": (Entity, {"name": "household", "keys": HOUSEHOLD.keys, "description": "H"}),
    "EventSource": (
        EventSource,
        {
            "name": "purchases",
            "asset": "raw/transactions",
            "event_time": "purchased_at",
            "columns": EVENT_COLUMNS,
            "start": START,
            "description": "P",
        },
    ),
    "TableSource": (
        TableSource,
        {
            "name": "about",
            "asset": "raw/about",
            "time": "updated_at",
            "columns": TABLE_COLUMNS,
            "start": START,
            "description": "A",
        },
    ),
    "KafkaTopic": (KafkaTopic, {"topic": "purchases"}),
    "LookupTable": (LookupTable, {"name": "t", "values": {"a": 1}}),
    "EmbeddingTable": (EmbeddingTable, {"name": "t", "vectors": {"a": [1.0]}}),
    "Team": (Team, {"name": "growth", "slack_channel": "#growth", "email": "growth@example.com"}),
}
del FUNCTIONS["lit"]  # takes anything


class Body:
    """What households spend."""

    rows = feature_store.count(over="1h", hop="1m", description="R")


LIVE = event_source(stream=KafkaTopic("purchases"))
DECORATORS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "feature_view": (feature_view, {**VIEW_OPTIONS, "source": event_source()}),
    "stream_view": (stream_view, {**VIEW_OPTIONS, "source": LIVE, "batch_after": "2h", "available_after": "5s"}),
}


def service_options() -> dict[str, Any]:
    return {"name": "c", "version": 1, "owner": "growth", "description": "C", "features": [purchases().all()]}


def required(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]


def refused(call: Callable[[], object]) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        call()
    assert caught.value.where
    assert caught.value.problem
    assert caught.value.instead
    return caught.value


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_arguments_pass(name: str) -> None:
    function, options = FUNCTIONS[name]
    assert function(**options) is not None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_unknown_option_is_refused_by_its_name(name: str) -> None:
    function, options = FUNCTIONS[name]
    assert "'colour'" in refused(lambda: function(**options, colour=1)).problem


@pytest.mark.parametrize(
    ("name", "missing"), [(name, each) for name, (function, _) in FUNCTIONS.items() for each in required(function)]
)
def test_a_missing_argument_is_refused_by_its_name(name: str, missing: str) -> None:
    function, options = FUNCTIONS[name]
    given = {option: value for option, value in options.items() if option != missing}
    error = refused(lambda: function(**given))
    assert f"{missing}=" in error.problem
    assert f"{missing}=" in error.instead


@pytest.mark.parametrize("name", FUNCTIONS)
def test_too_many_arguments_by_place_are_refused(name: str) -> None:
    function, options = FUNCTIONS[name]
    refused(lambda: function(*[VALUE] * 30, **options))


@pytest.mark.parametrize(
    ("name", "missing"),
    [(name, each) for name, (_, options) in DECORATORS.items() for each in options if each != "available_after"],
)
def test_a_view_without_a_needed_option_is_refused_by_its_class(name: str, missing: str) -> None:
    function, options = DECORATORS[name]
    given = {option: value for option, value in options.items() if option != missing}
    error = refused(lambda: function(**given)(Body))
    assert error.where == "feature view Body"
    assert error.problem == f"{name} is not given {missing}="


@pytest.mark.parametrize("name", DECORATORS)
def test_a_view_with_an_unknown_option_is_refused_by_its_class(name: str) -> None:
    function, options = DECORATORS[name]
    error = refused(lambda: function(**options, schedule="1d")(Body))
    assert str(error) == f"feature view Body: {name} has no option 'schedule'. Instead: write cadence=."


@pytest.mark.parametrize("name", DECORATORS)
def test_a_decorator_without_its_options_is_refused(name: str) -> None:
    refused(lambda: DECORATORS[name][0](Body))
    refused(lambda: DECORATORS[name][0]()(Body))


def test_a_service_is_refused_too() -> None:
    for missing in ("name", "version", "owner", "description", "features"):
        options = service_options()
        del options[missing]
        assert f"{missing}=" in refused(lambda given=options: FeatureService(**given)).problem
    assert "'model'" in refused(lambda: FeatureService(**service_options(), model="x")).problem
    assert "role=" in refused(lambda: purchases().all().as_role()).problem


LINES: dict[str, tuple[str, str, str]] = {
    "and": ("derive(col('a') and True, description='X')", "has no truth value", "use & | ~"),
    "or": ("sum_(col('a') or 0, over='7d', description='X')", "has no truth value", "use & | ~"),
    "not": ("count(where=not col('a'), over='7d', description='X')", "has no truth value", "use & | ~"),
    "a chain": ("count(where=0 < col('x') < 5, over='7d', description='X')", "has no truth value", "(b < c)"),
    "in": ("count(where=1 in col('a'), over='7d', description='X')", "in is not defined", "is_in"),
    "math.sqrt": ("sum_(math.sqrt(col('x')), over='7d', description='X')", "those of math", "use + -"),
    "math.floor": ("sum_(math.floor(col('x')), over='7d', description='X')", "math.floor", "use + -"),
    "float": ("sum_(float(col('x')), over='7d', description='X')", "float(...)", "use + -"),
    "int": ("sum_(int(col('x')), over='7d', description='X')", "int(...)", ".cast("),
    "len": ("sum_(len(col('x')), over='7d', description='X')", "len(...)", "use + -"),
    "sum": ("sum_(sum(col('x')), over='7d', description='X')", "sum(...)", "use + -"),
    "numpy.sqrt": ("sum_(np.sqrt(col('x')), over='7d', description='X')", "sqrt of numpy", "use + -"),
    "a number of numpy": ("sum_(np.float64(2) * col('x'), over='7d', description='X')", "numpy", "write float(x)"),
    "an unknown method": ("sum_(col('x').sqrt(), over='7d', description='X')", ".sqrt is not defined", "use + -"),
    "an unknown option": ("sum_(col('x'), window='7d', description='X')", "no option 'window'", "write over="),
    "a missing argument": ("sum_(over='7d', description='X')", "sum is not given value=", "value="),
    "a feature of another view": ("ratio(spend, OTHER.spend, description='X')", "retail/other/v1.spend", "one view"),
    "power": ("sum_(col('x') ** 2, over='7d', description='X')", "** is not defined", "use + -"),
}


@pytest.mark.parametrize("name", LINES)
def test_what_fails_while_a_class_body_runs_names_the_class_and_the_feature(name: str) -> None:
    line, problem, instead = LINES[name]
    body = f"""
        class HouseholdSpend:
            '''Spend.'''

            spend = sum_(col('sales_value'), over='7d', description='S')
            broken = (
                {line}
            )
            after = count(over='7d', description='N')
    """
    names: dict[str, Any] = {**vars(feature_store), "OTHER": purchases(name="other"), **IMPORTS}
    error = refused(lambda: exec(textwrap.dedent(body), names))
    assert error.where == "HouseholdSpend.broken"
    assert problem in error.problem
    assert instead in error.instead


def test_a_selection_of_another_view_is_no_value() -> None:
    other = purchases(name="other")
    for written in (other["spend"], other, other.feature("spend")):
        draft = feature_store.ratio(col("rows"), written, description="X")
        rows = feature_store.count(over="7d", description="R")
        body = type("Spend", (), {"__doc__": "S.", "rows": rows, "x": draft})
        error = refused(lambda b=body: feature_view(**VIEW_OPTIONS, source=event_source())(b))
        assert error.where == "retail/spend/v1.x"
        assert "another view" in error.problem


def test_sources_of_one_asset_agree_on_the_types_of_its_columns() -> None:
    other = table_source(
        name="baskets",
        asset="raw/transactions",
        time="purchased_at",
        columns={**EVENT_COLUMNS, "quantity": feature_store.String},
    )
    size = feature_store.field(col("quantity"), description="Q")
    body = type("Baskets", (), {"__doc__": "B.", "size": size})
    views = [purchases(), feature_view(**VIEW_OPTIONS, source=other)(body)]
    error = refused(lambda: by_name(views))
    assert error.where == "source baskets"
    assert error.problem.startswith(
        "column 'quantity' of asset raw/transactions is String, but Int64 in source purchases"
    )


@pytest.mark.parametrize("word", ["class", "lambda", "import", "is"])
def test_words_of_python_are_no_names(word: str) -> None:
    for declare in (
        lambda: Entity(word, {"id": Int64}, "E"),
        lambda: Entity("e", {word: Int64}, "E"),
        lambda: event_source(name=word),
        lambda: Team(word, "#x", "x@example.com"),
        lambda: purchases(name=word),
        lambda: purchases(namespace=word),
        lambda: FeatureService(**{**service_options(), "name": word}),
        lambda: feature_view(**VIEW_OPTIONS, source=event_source())(
            type("Spend", (), {"__doc__": "S.", word: feature_store.count(over="7d", description="N")})
        ),
    ):
        assert "is a word of Python itself" in refused(declare).problem


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "\u2060\ufeff", "\u00ad\u200d", "\u0301"])
def test_a_description_that_shows_nothing_is_none(text: str) -> None:
    for declare in (
        lambda: Entity("e", {"id": Int64}, text),
        lambda: event_source(description=text),
        lambda: table_source(description=text),
        lambda: FeatureService(**{**service_options(), "description": text}),
        lambda: feature_view(**VIEW_OPTIONS, source=event_source())(
            type("Spend", (), {"__doc__": "S.", "x": feature_store.count(over="7d", description=text)})
        ),
        lambda: feature_view(**VIEW_OPTIONS, source=event_source())(
            type("Spend", (), {"__doc__": text, "x": feature_store.count(over="7d", description="N")})
        ),
    ):
        assert refused(declare).problem == "has no description"


def test_values_do_not_expire_while_they_are_as_fresh_as_promised() -> None:
    assert purchases(ttl="27h").ttl == 27 * 3600 * 1_000_000
    error = refused(lambda: purchases(ttl="26h"))
    assert (error.where, error.problem[:34]) == ("retail/spend/v1", "ttl='26h' is below freshness='27h'")
    slow = feature_store.count(over="7d", description="N", freshness="3d")
    body = type("Spend", (), {"__doc__": "S.", "slow": slow})
    error = refused(lambda: feature_view(**VIEW_OPTIONS, ttl="2d", source=event_source())(body))
    assert error.where == "retail/spend/v1.slow"


IMPORTS = {"math": __import__("math"), "np": __import__("numpy")}
