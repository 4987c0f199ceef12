"""Options of views that are refused: identity, access, keys, and promises about time."""

from datetime import UTC, datetime

import pytest

from feature_store import DefinitionError, Entity, Float64, Int64, String, Timestamp, col, feature_view, sum_
from tests.model.declare import (
    EVENT_COLUMNS,
    START,
    VIEW_OPTIONS,
    Cases,
    check,
    demographics,
    event_source,
    purchases,
    table_source,
    view_of,
)


def without_docstring() -> object:
    class Spend:
        spend = sum_(col("sales_value"), over="7d", description="Spend")

    return feature_view(**VIEW_OPTIONS, source=event_source())(Spend)


def blank_docstring() -> object:
    return view_of({"__doc__": "  \n "})


def inherits() -> object:
    class Base:
        """Base."""

    class Spend(Base):
        """Spend."""

    return feature_view(**VIEW_OPTIONS, source=event_source())(Spend)


def a_function() -> object:
    def spend() -> None:
        """Spend."""

    return feature_view(**VIEW_OPTIONS, source=event_source())(spend)


CAMPAIGN = Entity("campaign", keys={"campaign_id": Int64}, description="A campaign")
HOUSEHOLD_BY_TEXT = Entity("household", keys={"household_id": String}, description="A household")

WRONG: Cases = {
    "version zero": (
        lambda: purchases(version=0),
        "retail/spend/v0: version=0 is not a version. Instead: count versions from 1.",
    ),
    "version negative": (
        lambda: purchases(version=-1),
        "retail/spend/v-1: version=-1 is not a version. Instead: count versions from 1.",
    ),
    "version text": (
        lambda: purchases(version="1"),
        "retail/spend/v1: version='1' is not a version. Instead: count versions from 1.",
    ),
    "version true": (
        lambda: purchases(version=True),
        "retail/spend/vTrue: version=True is not a version. Instead: count versions from 1.",
    ),
    "name": (
        lambda: purchases(name="Spend"),
        (
            "retail/Spend/v1: 'Spend' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "double underscore": (
        lambda: purchases(name="spend__7d"),
        (
            "retail/spend__7d/v1: 'spend__7d' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "namespace": (
        lambda: purchases(namespace="re-tail"),
        (
            "re-tail/spend/v1: 're-tail' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "namespace taken": (
        lambda: purchases(namespace="online"),
        "online/spend/v1: namespace='online' holds assets that are no views. Instead: use another namespace.",
    ),
    "assets": (
        lambda: purchases(assets="both"),
        "retail/spend/v1: assets='both' is not a choice. Instead: use 'feature' or 'view'.",
    ),
    "no docstring": (
        without_docstring,
        "retail/spend/v1: has no description. Instead: write a docstring in the class.",
    ),
    "blank docstring": (
        blank_docstring,
        "retail/spend/v1: has no description. Instead: write a docstring in the class.",
    ),
    "inherits": (
        inherits,
        "feature view Spend: inherits from Base, whose features are not read. Instead: declare them in the class.",
    ),
    "function": (
        a_function,
        "feature view spend: is not a class. Instead: decorate a class whose attributes are its features.",
    ),
    "no features": (
        lambda: view_of({}),
        "retail/spend/v1: has no features. Instead: declare at least one in the class body.",
    ),
    "unknown owner": (
        lambda: purchases(owner="grwth"),
        (
            "retail/spend/v1: unknown team 'grwth'. Instead: did you mean 'growth'? There are growth, pricing; "
            "or declare Team('grwth', slack_channel=..., email=...) before it is used."
        ),
    ),
    "owner everyone": (
        lambda: purchases(owner="everyone"),
        (
            "retail/spend/v1: unknown team 'everyone'. Instead: use one of growth, pricing; or declare "
            "Team('everyone', slack_channel=..., email=...) before it is used."
        ),
    ),
    "unknown reader": (
        lambda: purchases(readers=["pricing", "finance"]),
        (
            "retail/spend/v1: unknown team 'finance'. Instead: use one of growth, pricing; or declare "
            "Team('finance', slack_channel=..., email=...) before it is used."
        ),
    ),
    "readers as one string": (
        lambda: purchases(readers="pricing"),
        "retail/spend/v1: readers='pricing' is one string. Instead: write a list: readers=['pricing'].",
    ),
    "two owners": (
        lambda: purchases(owner=["growth", "pricing"]),
        "retail/spend/v1: owner=['growth', 'pricing'] is of type list. Instead: write the name of one team.",
    ),
    "no readers": (
        lambda: purchases(readers=None),
        "retail/spend/v1: readers=None is of type NoneType. Instead: write a list: readers=[].",
    ),
    "a reader that is no name": (
        lambda: purchases(readers=[["pricing"]]),
        "retail/spend/v1: an entry of readers=['pricing'] is of type list. Instead: write the name of a team.",
    ),
    "not an entity": (
        lambda: purchases(entity="household"),
        "retail/spend/v1: entity='household' is of type str. Instead: declare Entity(...) and give that.",
    ),
    "not a source": (
        lambda: purchases(source="raw/transactions"),
        (
            "retail/spend/v1: source='raw/transactions' is of type str. Instead: declare EventSource(...) or "
            "TableSource(...)."
        ),
    ),
    "key missing": (
        lambda: purchases(entity=CAMPAIGN),
        (
            "retail/spend/v1: key 'campaign_id' of campaign is not a column of source purchases. Instead: name the "
            "column that holds it in the source, keys={'campaign_id': '...'}; use one of household_id, basket_id, "
            "sales_value, quantity, department, "
            "is_private, purchased_at."
        ),
    ),
    "key of another type": (
        lambda: purchases(entity=HOUSEHOLD_BY_TEXT),
        (
            "retail/spend/v1: key 'household_id' is String in entity household but Int64 in source purchases. "
            "Instead: cast the column upstream."
        ),
    ),
    "cadence garbage": (
        lambda: purchases(cadence="daily"),
        (
            "retail/spend/v1: cadence='daily' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "cadence unsupported": (
        lambda: purchases(cadence="2d"),
        "retail/spend/v1: cadence='2d' is not supported. Instead: use '1h', '1d' or '7d'.",
    ),
    "cadence zero": (
        lambda: purchases(cadence="0d"),
        (
            "retail/spend/v1: cadence='0d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "available_after negative": (
        lambda: purchases(available_after="-2h"),
        (
            "retail/spend/v1: available_after='-2h' is not a duration. Instead: write a whole number and a unit, "
            "e.g. '90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "freshness impossible": (
        lambda: purchases(freshness="25h"),
        (
            "retail/spend/v1: freshness='25h' cannot be kept: values are 26h old when the next ones become "
            "available. Instead: use at least cadence + available_after, '26h'."
        ),
    ),
    "freshness garbage": (
        lambda: purchases(freshness="soon"),
        (
            "retail/spend/v1: freshness='soon' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "freshness number": (
        lambda: purchases(freshness=27),
        (
            "retail/spend/v1: freshness=27 is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "freshness beyond the calendar": (
        lambda: purchases(freshness="99999999w"),
        "retail/spend/v1: freshness='99999999w' is longer than 100 years. Instead: write at most '36500d'.",
    ),
    "ttl impossible": (
        lambda: purchases(ttl="1d"),
        (
            "retail/spend/v1: ttl='1d' lets values expire before the next ones become available. Instead: use at "
            "least cadence + available_after, '26h'."
        ),
    ),
    "ttl garbage": (
        lambda: purchases(ttl="1 day"),
        (
            "retail/spend/v1: ttl='1 day' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "row_ttl on events": (
        lambda: purchases(row_ttl="30d"),
        "retail/spend/v1: row_ttl= is for table views. Instead: leave it out; windows (over=) forget old events.",
    ),
    "row_ttl garbage": (
        lambda: demographics(row_ttl="0d"),
        (
            "retail/about/v1: row_ttl='0d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "event_id is a key": (
        lambda: purchases(source=event_source(event_id="household_id")),
        (
            "retail/spend/v1: event_id='household_id' of source purchases is a key of household. Instead: name the "
            "column that tells its events apart."
        ),
    ),
    "start at the end of the calendar": (
        lambda: purchases(start=datetime(9999, 12, 31, tzinfo=UTC), cadence="7d", freshness="20d"),
        (
            "retail/spend/v1: start=9999-12-31 00:00:00+00:00 lies outside the years 1000 to 8999. Instead: say "
            "when its rows begin."
        ),
    ),
    "zero cadence": (
        lambda: purchases(cadence="0d"),
        (
            "retail/spend/v1: cadence='0d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "naive start": (
        lambda: purchases(start=datetime(2017, 2, 1)),
        "retail/spend/v1: start=2017-02-01 00:00:00 has no time zone. Instead: write datetime(..., tzinfo=UTC).",
    ),
    "start is text": (
        lambda: purchases(start="2017-02-01"),
        "retail/spend/v1: start='2017-02-01' is of type str. Instead: write datetime(..., tzinfo=UTC).",
    ),
    "start within a day": (
        lambda: purchases(start=datetime(2017, 2, 1, 5, tzinfo=UTC)),
        (
            "retail/spend/v1: start=2017-02-01 05:00:00+00:00 is not the start of a UTC day. Instead: round it "
            "down to midnight UTC."
        ),
    ),
    "start before the source": (
        lambda: purchases(start=datetime(2016, 12, 31, tzinfo=UTC)),
        (
            "retail/spend/v1: start=2016-12-31 lies before its source's, 2017-01-01. Instead: start at "
            "2017-01-01 or later."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


def test_a_right_view_passes() -> None:
    assert purchases(available_after="0d").available_after == 0
    view = purchases(readers=["pricing", "everyone"], ttl="27h", version=3)
    assert view.full_name == "retail/spend/v3"
    assert view.start == START
    assert EVENT_COLUMNS["purchased_at"] == Timestamp
    assert demographics(
        row_ttl="30d", source=table_source(columns={**table_source().columns, "score": Float64})
    ).is_table


@pytest.mark.parametrize(("cadence", "freshness", "span"), [("1h", "3h", 0), ("1d", "27h", 0), ("7d", "8d", 7)])
@pytest.mark.parametrize("day", range(1, 15))
def test_a_view_starts_where_a_partition_of_its_cadence_does(cadence: str, freshness: str, span: int, day: int) -> None:
    """Weeks begin on Thursdays, as the Unix epoch did: 2017-01-05 was one."""
    start = datetime(2017, 1, day, tzinfo=UTC)
    options = {"cadence": cadence, "freshness": freshness}
    if span == 0 or day in (5, 12):
        assert purchases(source=event_source(start=start), **options).start == start
        assert purchases(start=start, **options).start == start
        return
    right = 5 if day < 5 else 12 if day < 12 else 19
    for given in ({"source": event_source(start=start)}, {"start": start}):
        with pytest.raises(DefinitionError) as caught:
            purchases(**given, **options)
        assert caught.value.where == "retail/spend/v1"
        assert caught.value.instead.startswith(f"start on Thursday, 2017-01-{right:02}, or on Thursday, ")
