"""Names of features that are refused, and features that get no name at all."""

import re

import pytest

from feature_store import DefinitionError, col, derive, feature_view, mean, sum_
from feature_store.declare.drafts import AggregateDraft
from tests.model.declare import VIEW_OPTIONS, Cases, check, event_source, events


def spend(**options: str) -> AggregateDraft:
    return sum_(col("sales_value"), **{"over": "7d", "description": "Spend", **options})


def same_feature_twice() -> object:
    once = spend()
    return events(spend=once, other=once)


WRONG: Cases = {
    "like a key": (
        lambda: events(household_id=spend()),
        "retail/spend/v1.household_id: is called like a key of household. Instead: give the feature another name.",
    ),
    "like a stored column: partition_start": (
        lambda: events(partition_start=spend()),
        (
            "retail/spend/v1.partition_start: 'partition_start' is a column of every stored view. Instead: give "
            "the feature another name."
        ),
    ),
    "like a stored column: as_of": (
        lambda: events(as_of=spend()),
        "retail/spend/v1.as_of: 'as_of' is a column of every stored view. Instead: give the feature another name.",
    ),
    "like a stored column: day": (
        lambda: events(day=spend()),
        "retail/spend/v1.day: 'day' is a column of every stored view. Instead: give the feature another name.",
    ),
    "double underscore": (
        lambda: events(spend__7d=spend()),
        (
            "retail/spend/v1.spend__7d: 'spend__7d' is not a valid name. Instead: use lower-case words joined by "
            "single underscores, e.g. 'spend_7d'."
        ),
    ),
    "capitals": (
        lambda: events(Spend=spend()),
        (
            "retail/spend/v1.Spend: 'Spend' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "like an asset of the generator": (
        lambda: events(_table=spend()),
        (
            "retail/spend/v1._table: '_table' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "trailing underscore": (
        lambda: events(spend_=spend()),
        (
            "retail/spend/v1.spend_: 'spend_' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "dunder": (
        lambda: events(__spend__=spend()),
        (
            "retail/spend/v1.__spend__: '__spend__' is not a valid name. Instead: use lower-case words joined by "
            "single underscores, e.g. 'spend_7d'."
        ),
    ),
    "umlaut": (
        lambda: events(umsätze=spend()),
        (
            "retail/spend/v1.umsätze: 'umsätze' is not a valid name. Instead: use lower-case words joined by "
            "single underscores, e.g. 'spend_7d'."
        ),
    ),
    "same feature twice": (
        same_feature_twice,
        "retail/spend/v1.other: is the same feature as spend. Instead: declare it once.",
    ),
    "an expression, not a feature": (
        lambda: events(spend=col("sales_value")),
        ("retail/spend/v1.spend: is an expression, not a feature. Instead: wrap it in derive(...) or field(...)."),
    ),
    "a number": (
        lambda: events(spend=3),
        "retail/spend/v1.spend: is of type int, not a feature. Instead: move it out of the class.",
    ),
    "a declared feature of another view": (
        lambda: events(spend=events(spend=spend()).feature("spend")),
        ("retail/spend/v1.spend: is a feature of another view, already declared. Instead: declare it again here."),
    ),
    "a type without a value": (
        lambda: events(spend=spend(), __annotations__={"baskets": int}),
        "retail/spend/v1.baskets: has a type but no value. Instead: write baskets = ..., or leave it out.",
    ),
    "too long": (
        lambda: events(**{"x" * 64: spend()}),
        (
            "retail/spend/v1.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: its name has 64 "
            "characters. Instead: use at most 63."
        ),
    ),
    "a method": (
        lambda: events(spend=lambda self: self),
        "retail/spend/v1.spend: is of type function, not a feature. Instead: move it out of the class.",
    ),
    "no description": (
        lambda: events(spend=sum_(col("sales_value"), over="7d")),
        "retail/spend/v1.spend: has no description. Instead: give description='...'.",
    ),
    "description of whitespace": (
        lambda: events(spend=spend(description=" \n")),
        "retail/spend/v1.spend: has no description. Instead: give description='...'.",
    ),
    "description of None": (
        lambda: events(spend=spend(description=None)),
        "retail/spend/v1.spend: has no description. Instead: give description='...'.",
    ),
    "renamed from itself": (
        lambda: events(spend=spend(renamed_from="spend")),
        (
            "retail/spend/v1.spend: renamed_from='spend' is still a feature of the view. Instead: name a feature "
            "that is gone."
        ),
    ),
    "renamed from a feature that is there": (
        lambda: events(spend=spend(renamed_from="old"), old=spend()),
        (
            "retail/spend/v1.spend: renamed_from='old' is still a feature of the view. Instead: name a feature "
            "that is gone."
        ),
    ),
    "renamed from a key": (
        lambda: events(spend=spend(renamed_from="household_id")),
        "retail/spend/v1.spend: renamed_from='household_id' is a key of household. Instead: name a former feature.",
    ),
    "two renamed from one": (
        lambda: events(spend=spend(renamed_from="old"), other=spend(renamed_from="old")),
        "retail/spend/v1.spend: renamed_from='old' is that of other too. Instead: name it in one of them.",
    ),
    "renamed from no name": (
        lambda: events(spend=spend(renamed_from="Old")),
        (
            "retail/spend/v1.spend: 'Old' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


NAMELESS = (
    "retail/spend/v1: the feature written on line N has no name: it stands inside another one, or a later line takes "
    "its name. Instead: give every feature a line and a name of its own."
)


def test_a_name_assigned_twice_is_refused_not_overwritten() -> None:
    with pytest.raises(DefinitionError) as caught:

        @feature_view(**VIEW_OPTIONS, source=event_source())
        class Spend:
            """What households spend."""

            spend_7d = sum_(col("sales_value"), over="7d", description="Last 7 days")
            spend_7d = sum_(col("sales_value"), over="30d", description="Last 30 days")  # noqa: PIE794

    assert re.sub(r"line \d+", "line N", str(caught.value)) == NAMELESS


def test_a_feature_that_took_the_name_of_its_function_is_told_apart_from_it() -> None:
    with pytest.raises(DefinitionError) as caught:

        @feature_view(**VIEW_OPTIONS, source=event_source())
        class Spend:
            """What households spend."""

            mean = mean(col("sales_value"), over="7d", description="Last 7 days")
            mean_30d = mean(col("sales_value"), over="30d", description="Last 30 days")

    assert str(caught.value) == (
        "Spend.mean_30d: is called like a function: a line above gave the name of that function to a feature of this "
        "class. Instead: give the feature another name, e.g. mean_7d, or call the function as feature_store.mean(...)."
    )


def test_a_feature_written_inside_another_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:

        @feature_view(**VIEW_OPTIONS, source=event_source())
        class Spend:
            """What households spend."""

            doubled = derive(sum_(col("sales_value"), over="7d") * 2, description="Twice the spend")

    assert re.sub(r"line \d+", "line N", str(caught.value)) == NAMELESS


def test_helpers_loops_and_comprehensions_may_make_features() -> None:
    def over(window: str) -> AggregateDraft:
        return sum_(col("sales_value"), over=window, description=f"Last {window}")

    @feature_view(**VIEW_OPTIONS, source=event_source())
    class Spend:
        """What households spend."""

        spend_7d = over("7d")
        for window in ("30d", "90d"):
            locals()[f"spend_{window}"] = over(window)
        del window

    assert [feature.name for feature in Spend] == ["spend_7d", "spend_30d", "spend_90d"]
