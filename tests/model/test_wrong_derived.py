"""Derived and on-read features that are refused: cycles, what they read, their types."""

import pytest

from feature_store import col, count, day_of_week, days_since, derive, hour_of_day, last, lit, ratio, sum_, when
from feature_store.temporal.durations import HOUR
from tests.model.declare import Cases, check, events

SPEND = {"over": "7d", "description": "Spend"}


def spend() -> object:
    return sum_(col("sales_value"), **SPEND)


def purchase() -> object:
    return last(col("purchased_at"), over="90d", description="Last purchase")


def derived(expression: object, **others: object) -> object:
    return events(spend=spend(), x=derive(expression, description="X"), **others)


def of_another_view() -> object:
    other = spend()
    events(spend=other)
    return derived(other + 1)


def days_of_another_view() -> object:
    other = purchase()
    events(last_purchase=other)
    return events(days=days_since(other, description="Days"))


def days_of_days() -> object:
    last_purchase = purchase()
    days = days_since(last_purchase, description="Days")
    return events(last_purchase=last_purchase, days=days, more=days_since(days, description="More"))


def derived_from_on_read() -> object:
    last_purchase = purchase()
    days = days_since(last_purchase, description="Days")
    return events(last_purchase=last_purchase, days=days, weeks=derive(days / 7, description="Weeks"))


WRONG: Cases = {
    "reads itself": (
        lambda: derived(col("x") + 1),
        "retail/spend/v1.x: reads itself: x -> x. Instead: break the cycle.",
    ),
    "a cycle of two": (
        lambda: derived(col("y") + 1, y=derive(col("x") + 1, description="Y")),
        "retail/spend/v1.x: reads itself: x -> y -> x. Instead: break the cycle.",
    ),
    "a cycle of two, entered from outside": (
        lambda: events(
            a=derive(col("b") + 1, description="A"),
            b=derive(col("c") + 1, description="B"),
            c=derive(col("b") + 1, description="C"),
        ),
        "retail/spend/v1.b: reads itself: b -> c -> b. Instead: break the cycle.",
    ),
    "a long chain of derived features": (
        lambda: events(
            spend=spend(),
            **{f"x{n}": derive(col(f"x{n + 1}" if n < 21 else "spend") + 1, description="X") for n in range(1, 22)},
        ),
        (
            "retail/spend/v1.x1: builds on 20 derived features in a row, which is more than 19. Instead: write more "
            "of it in one expression, or compute it upstream."
        ),
    ),
    "a very deep expression": (
        lambda: derived(sum([col("spend")] * 5000)),
        (
            "retail/spend/v1.x: is 5000 operations deep, which is more than 300. Instead: compute parts of it "
            "upstream, or add up many terms in groups: (a + b) + (c + d)."
        ),
    ),
    "unknown feature": (
        lambda: derived(col("spent") + 1),
        (
            "retail/spend/v1.x: reads 'spent', which is not a feature of the view. Instead: did you mean "
            "'spend'? There are spend, x."
        ),
    ),
    "a source column": (
        lambda: derived(col("sales_value") + 1),
        (
            "retail/spend/v1.x: reads 'sales_value', which is not a feature of the view, but a column of the "
            "source. Instead: aggregate it first."
        ),
    ),
    "no feature": (
        lambda: derived(lit(1) + 2),
        (
            "retail/spend/v1.x: reads no feature of the view. Instead: derive it from features, by variable or "
            "as col('feature')."
        ),
    ),
    "a name as text": (
        lambda: derived("spend"),
        (
            "retail/spend/v1.x: reads no feature of the view, it is 'spend'. Instead: derive it from features, "
            "by variable or as col('feature')."
        ),
    ),
    "when without otherwise": (
        lambda: derived(when(col("spend") > 1).then(1)),
        (
            "retail/spend/v1.x: reads no feature of the view, it is when(...).then(...) without .otherwise(...). "
            "Instead: derive it from features, by variable or as col('feature')."
        ),
    ),
    "a feature of another view": (
        of_another_view,
        (
            "retail/spend/v1.x: reads a feature of another view. Instead: declare both in one view, or combine them in "
            "a service: request_feature(name, expression)."
        ),
    ),
    "a feature computed when read": (
        derived_from_on_read,
        (
            "retail/spend/v1.weeks: reads 'days', which is computed only when read. Instead: derive it from "
            "stored features."
        ),
    ),
    "types that do not fit": (
        lambda: derived(col("spend") + "USD"),
        (
            "retail/spend/v1.x: arithmetic needs numbers, not Float64 and String. Instead: use .cast(...) where "
            "the type does not fit."
        ),
    ),
    "and by the keyword": (
        lambda: derived(col("spend") > 1 and col("spend") < 5),
        (
            "an expression over spend: has no truth value; it is used with and, or, not, in, if, or in a chain a "
            "< b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "ratio of a timestamp": (
        lambda: events(n=spend(), at=purchase(), x=ratio(col("at"), col("n"), description="X")),
        (
            "retail/spend/v1.x: division needs numbers, not Timestamp and Float64. Instead: use .cast(...) where "
            "the type does not fit."
        ),
    ),
    "freshness impossible": (
        lambda: events(spend=spend(), x=derive(col("spend") * 2, description="X", freshness="1h")),
        (
            "retail/spend/v1.x: freshness='1h' cannot be kept: values are 26h old when the next ones become "
            "available. Instead: use at least cadence + available_after, '26h'."
        ),
    ),
    "days since a number": (
        lambda: events(n=spend(), x=days_since(col("n"), description="X")),
        "retail/spend/v1.x: days_since reads n, which is Float64. Instead: give it a Timestamp feature.",
    ),
    "days since an expression": (
        lambda: events(at=purchase(), x=days_since(col("at").fill_null(None), description="X")),
        (
            "retail/spend/v1.x: days_since does not read a stored feature of the view. Instead: write "
            "days_since(<feature>), and derive or aggregate that first."
        ),
    ),
    "days since an unknown feature": (
        lambda: events(at=purchase(), x=days_since(col("att"), description="X")),
        (
            "retail/spend/v1.x: days_since does not read a stored feature of the view. Instead: write "
            "days_since(<feature>), and derive or aggregate that first."
        ),
    ),
    "days since a name": (
        lambda: events(at=purchase(), x=days_since("at", description="X")),
        (
            "retail/spend/v1.x: days_since does not read a stored feature of the view. Instead: write "
            "days_since(<feature>), and derive or aggregate that first."
        ),
    ),
    "days since days": (
        days_of_days,
        (
            "retail/spend/v1.more: days_since does not read a stored feature of the view. Instead: write "
            "days_since(<feature>), and derive or aggregate that first."
        ),
    ),
    "days since nothing": (
        lambda: events(at=purchase(), x=days_since(None, description="X")),
        (
            "retail/spend/v1.x: days_since does not read a stored feature of the view. Instead: write "
            "days_since(<feature>), and derive or aggregate that first."
        ),
    ),
    "days since another view's feature": (
        days_of_another_view,
        (
            "retail/spend/v1.days: reads a feature of another view. Instead: declare both in one view, or combine "
            "them in a service: request_feature(name, expression)."
        ),
    ),
    "hour of a count": (
        lambda: events(n=count(over="7d", description="N"), x=hour_of_day(col("n"), description="X")),
        "retail/spend/v1.x: hour_of_day reads n, which is Int64. Instead: give it a Timestamp feature.",
    ),
    "no description": (
        lambda: events(x=day_of_week(description="")),
        "retail/spend/v1.x: has no description. Instead: give description='...'.",
    ),
    "description left out of derive": (
        lambda: events(spend=spend(), x=derive(col("spend"))),
        "retail/spend/v1.x: has no description. Instead: give description='...'.",
    ),
    "description left out of ratio": (
        lambda: events(spend=spend(), x=ratio(col("spend"), col("spend"))),
        "retail/spend/v1.x: has no description. Instead: give description='...'.",
    ),
    "description left out of days_since": (
        lambda: events(at=purchase(), x=days_since(col("at"))),
        "retail/spend/v1.x: has no description. Instead: give description='...'.",
    ),
    "derive with a default": (
        lambda: derive(col("spend"), default=0),
        (
            "derive(...): has no option 'default'. Instead: use one of description, deprecated, dtype, freshness, "
            "renamed_from."
        ),
    ),
    "days_since with an SLA of its own": (
        lambda: days_since(col("at"), freshness="27h", description="X"),
        "days_since(...): has no option 'freshness'. Instead: use one of description, deprecated.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


def test_what_is_computed_when_read_is_as_fresh_as_what_it_reads() -> None:
    at = last(col("purchased_at"), over="90d", description="Last", freshness="50h")
    view = events(at=at, days=days_since(at, description="Days"), hour=hour_of_day(description="Hour of T"))
    assert view.feature("days").freshness == view.feature("at").freshness == 50 * HOUR
    assert view.feature("hour").freshness == view.freshness


def test_a_ratio_can_keep_the_data_of_a_former_name() -> None:
    view = events(n=spend(), share=ratio(col("n"), col("n"), description="Share", renamed_from="part"))
    assert view.feature("share").renamed_from == "part"


def test_right_ones_pass_in_any_order() -> None:
    view = events(
        days=days_since(col("at"), description="Days"),
        twice=derive(col("once") * 2, description="Twice"),
        once=derive(col("spend") + 1, description="Once"),
        at=purchase(),
        spend=spend(),
        today=day_of_week(description="Day of T"),
    )
    assert [feature.kind for feature in view] == ["on-read", "derived", "derived", "aggregate", "aggregate", "on-read"]
    assert [feature.reads for feature in view] == [("at",), ("once",), ("spend",), (), (), ()]
