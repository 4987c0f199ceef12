"""Sources, entities and teams that are refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from feature_store import EVERYONE, DefinitionError, DType, Entity, Float64, Int64, KafkaTopic, String, Team, Timestamp
from feature_store.dtypes import Bytes
from tests.model.declare import EVENT_COLUMNS, TABLE_COLUMNS, Cases, check, event_source, table_source


def entity(name: object = "household", keys: object = None, description: object = "A household") -> object:
    return Entity(name, {"household_id": Int64} if keys is None else keys, description)


def team(name: str = "sales", slack_channel: str = "#sales", email: str = "sales@example.com") -> object:
    return Team(name, slack_channel, email)


WRONG: Cases = {
    "source name": (
        lambda: event_source(name="Purchases"),
        (
            "source Purchases: 'Purchases' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "end before start": (
        lambda: event_source(end=datetime(1999, 1, 1, tzinfo=UTC)),
        (
            "source purchases: end=1999-01-01 00:00:00+00:00 does not lie after start=2017-01-01 00:00:00+00:00. "
            "Instead: say when its last rows are over."
        ),
    ),
    "end without a zone": (
        lambda: table_source(end=datetime(2030, 1, 1)),
        "source demographics: end=2030-01-01 00:00:00 has no time zone. Instead: write datetime(..., tzinfo=UTC).",
    ),
    "asset empty": (
        lambda: event_source(asset=""),
        (
            "source purchases: asset='' is not an asset key. Instead: join its parts by single slashes: "
            "'raw/transactions'."
        ),
    ),
    "asset absolute": (
        lambda: event_source(asset="/raw/transactions"),
        (
            "source purchases: asset='/raw/transactions' is not an asset key. Instead: join its parts by single "
            "slashes: 'raw/transactions'."
        ),
    ),
    "asset with an empty part": (
        lambda: event_source(asset="raw//transactions"),
        (
            "source purchases: asset='raw//transactions' is not an asset key. Instead: join its parts by single "
            "slashes: 'raw/transactions'."
        ),
    ),
    "asset that climbs": (
        lambda: event_source(asset="raw/../secrets"),
        (
            "source purchases: asset='raw/../secrets' is not an asset key. Instead: join its parts by single "
            "slashes: 'raw/transactions'."
        ),
    ),
    "asset with a space": (
        lambda: table_source(asset="raw/my table"),
        (
            "source demographics: asset='raw/my table' is not an asset key. Instead: join its parts by single "
            "slashes: 'raw/transactions'."
        ),
    ),
    "asset missing": (
        lambda: event_source(asset=None),
        (
            "source purchases: asset=None is of type NoneType. Instead: give the key of the asset that lands the "
            "rows: 'raw/transactions'."
        ),
    ),
    "event time missing": (
        lambda: event_source(event_time=None),
        (
            "source purchases: event_time=None is not among its columns. Instead: use one of household_id, "
            "basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "stream as text": (
        lambda: event_source(stream="purchases"),
        "source purchases: stream='purchases' is of type str. Instead: write KafkaTopic('purchases').",
    ),
    "truncated as text": (
        lambda: event_source(truncated="no"),
        "source purchases: truncated='no' is of type str. Instead: give True or False.",
    ),
    "key's type as text": (
        lambda: entity(keys={"household_id": "Int64"}),
        (
            "entity household: key 'household_id' has type 'Int64', which is not a feature_store type. Instead: "
            "use Int64 or String of feature_store."
        ),
    ),
    "event time unknown": (
        lambda: event_source(event_time="purchase_at"),
        (
            "source purchases: event_time='purchase_at' is not among its columns. Instead: did you mean "
            "'purchased_at'? There are household_id, basket_id, sales_value, quantity, department, is_private, "
            "purchased_at."
        ),
    ),
    "event time of another type": (
        lambda: event_source(event_time="basket_id"),
        "source purchases: event_time='basket_id' is of type Int64. Instead: use a column of type Timestamp.",
    ),
    "event time as a list": (
        lambda: event_source(event_time=["purchased_at"]),
        (
            "source purchases: event_time=['purchased_at'] is not among its columns. Instead: did you mean "
            "'purchased_at'? There are household_id, basket_id, sales_value, quantity, department, is_private, "
            "purchased_at."
        ),
    ),
    "sequence as a list": (
        lambda: event_source(sequence=["basket_id"]),
        (
            "source purchases: sequence=['basket_id'] is not among its columns. Instead: did you mean 'basket_id'? "
            "There are household_id, basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "sequence by the event time": (
        lambda: event_source(sequence="purchased_at"),
        (
            "source purchases: sequence='purchased_at' is its time too. Instead: leave out sequence=, or name "
            "another column."
        ),
    ),
    "event_id unknown": (
        lambda: event_source(event_id="line"),
        (
            "source purchases: event_id='line' is not among its columns. Instead: use one of household_id, "
            "basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "event_id of floats": (
        lambda: event_source(event_id="sales_value"),
        ("source purchases: event_id='sales_value' is of type Float64. Instead: use a column of type Int64 or String."),
    ),
    "known_at unknown": (
        lambda: event_source(known_at="paid_at"),
        (
            "source purchases: known_at='paid_at' is not among its columns. Instead: use one of household_id, "
            "basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "known_at of integers": (
        lambda: event_source(known_at="basket_id"),
        "source purchases: known_at='basket_id' is of type Int64. Instead: use a column of type Timestamp.",
    ),
    "known_at by the event time": (
        lambda: event_source(known_at="purchased_at"),
        (
            "source purchases: known_at='purchased_at' is its time too. Instead: leave out known_at=, or name "
            "another column."
        ),
    ),
    "known_at of a stream": (
        lambda: event_source(
            known_at="paid_at", columns={**EVENT_COLUMNS, "paid_at": Timestamp}, stream=KafkaTopic("purchases")
        ),
        (
            "source purchases: known_at='paid_at' of a source whose events come live is not available. Instead: leave "
            "out stream=, or declare a second source for the live events."
        ),
    ),
    "sequence unknown": (
        lambda: event_source(sequence="line"),
        (
            "source purchases: sequence='line' is not among its columns. Instead: use one of household_id, "
            "basket_id, sales_value, quantity, department, is_private, purchased_at."
        ),
    ),
    "sequence of floats": (
        lambda: event_source(sequence="sales_value"),
        (
            "source purchases: sequence='sales_value' is of type Float64. Instead: use a column of type Int64 or "
            "String or Timestamp."
        ),
    ),
    "no columns": (
        lambda: event_source(columns={}),
        'source purchases: has no columns. Instead: give columns={"household_id": Int64, ...}.',
    ),
    "columns as a list": (
        lambda: event_source(columns=["household_id"]),
        (
            "source purchases: columns=['household_id'] is of type list. Instead: give columns={\"household_id\": "
            "Int64, ...}."
        ),
    ),
    "column of a Python type": (
        lambda: event_source(columns={**EVENT_COLUMNS, "price": float}),
        (
            "source purchases: column 'price' has type <class 'float'>, which is not a feature_store type. "
            "Instead: use one of Int64, Float64, Float32, Boolean, String, Timestamp or Vector(n)."
        ),
    ),
    "column called by a number": (
        lambda: event_source(columns={**EVENT_COLUMNS, 5: Int64}),
        "source purchases: column 5 has no name. Instead: name every column by a text.",
    ),
    "column without a name": (
        lambda: event_source(columns={**EVENT_COLUMNS, "": Int64}),
        "source purchases: column '' has no name. Instead: name every column by a text.",
    ),
    "column of a type of one's own": (
        lambda: event_source(columns={**EVENT_COLUMNS, "price": DType("Int32", "<i4")}),
        (
            "source purchases: column 'price' has type Int32, which is not a feature_store type. Instead: use one "
            "of Int64, Float64, Float32, Boolean, String, Timestamp or Vector(n)."
        ),
    ),
    "column of sketches": (
        lambda: event_source(columns={**EVENT_COLUMNS, "price": Bytes}),
        (
            "source purchases: column 'price' has type Bytes, which is not a feature_store type. Instead: use one "
            "of Int64, Float64, Float32, Boolean, String, Timestamp or Vector(n)."
        ),
    ),
    "column of the store": (
        lambda: event_source(columns={**EVENT_COLUMNS, "partition_start": Timestamp}),
        "source purchases: column 'partition_start' is called like one of our own. Instead: rename it upstream.",
    ),
    "column of the store: day": (
        lambda: table_source(columns={**TABLE_COLUMNS, "day": Int64}),
        "source demographics: column 'day' is called like one of our own. Instead: rename it upstream.",
    ),
    "column of the engines": (
        lambda: event_source(columns={**EVENT_COLUMNS, "__time": Int64}),
        "source purchases: column '__time' is called like one of our own. Instead: rename it upstream.",
    ),
    "lateness garbage": (
        lambda: event_source(allowed_lateness="two days"),
        (
            "source purchases: allowed_lateness='two days' is not a duration. Instead: write a whole number and "
            "a unit, e.g. '90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "naive start": (
        lambda: event_source(start=datetime(2017, 1, 1)),
        "source purchases: start=2017-01-01 00:00:00 has no time zone. Instead: write datetime(..., tzinfo=UTC).",
    ),
    "start is a date": (
        lambda: event_source(start=date(2017, 1, 1)),
        "source purchases: start=datetime.date(2017, 1, 1) is of type date. Instead: write datetime(..., tzinfo=UTC).",
    ),
    "start outside the calendar": (
        lambda: event_source(start=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))),
        (
            "source purchases: start=0001-01-01 00:00:00+05:00 lies outside the years 1 to 9999 of UTC. Instead: "
            "write an instant within them."
        ),
    ),
    "start at the end of the calendar": (
        lambda: event_source(start=datetime(9999, 12, 31, tzinfo=UTC)),
        (
            "source purchases: start=9999-12-31 00:00:00+00:00 lies outside the years 1000 to 8999. Instead: say "
            "when its rows begin."
        ),
    ),
    "start within a day": (
        lambda: table_source(start=datetime(2017, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        (
            "source demographics: start=2017-01-01 00:00:00.000001+00:00 is not the start of a UTC day. Instead: "
            "round it down to midnight UTC."
        ),
    ),
    "no description": (
        lambda: event_source(description="  "),
        "source purchases: has no description. Instead: give description='...'.",
    ),
    "topic of another type": (
        lambda: event_source(stream=KafkaTopic(3)),
        "topic 3: topic=3 is of type int. Instead: write KafkaTopic('purchases').",
    ),
    "topic": (
        lambda: event_source(stream=KafkaTopic("my topic")),
        "topic 'my topic': is not a name that Kafka takes. Instead: use letters, digits . _ -.",
    ),
    "time of a table unknown": (
        lambda: table_source(time="updated"),
        (
            "source demographics: time='updated' is not among its columns. Instead: did you mean 'updated_at'? "
            "There are household_id, updated_at, landed_at, valid_to, is_deleted, income, size."
        ),
    ),
    "landed_at of another type": (
        lambda: table_source(landed_at="size"),
        "source demographics: landed_at='size' is of type Int64. Instead: use a column of type Timestamp.",
    ),
    "deleted as a list": (
        lambda: table_source(deleted=["is_deleted"]),
        (
            "source demographics: deleted=['is_deleted'] is not among its columns. Instead: did you mean "
            "'is_deleted'? There are household_id, updated_at, landed_at, valid_to, is_deleted, income, size."
        ),
    ),
    "valid_to of its own time": (
        lambda: table_source(valid_to="updated_at"),
        (
            "source demographics: valid_to='updated_at' is its time too. Instead: leave out valid_to=, or name "
            "another column."
        ),
    ),
    "deleted of another type": (
        lambda: table_source(deleted="size"),
        "source demographics: deleted='size' is of type Int64. Instead: use a column of type Boolean.",
    ),
    "valid_to unknown": (
        lambda: table_source(valid_to="ends_at"),
        (
            "source demographics: valid_to='ends_at' is not among its columns. Instead: use one of household_id, "
            "updated_at, landed_at, valid_to, is_deleted, income, size."
        ),
    ),
    "entity name": (
        lambda: entity("Household"),
        (
            "entity Household: 'Household' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "entity without keys": (
        lambda: entity(keys={}),
        'entity household: has no join keys. Instead: give keys={"household_id": Int64}.',
    ),
    "entity keys as a list": (
        lambda: entity(keys=["household_id"]),
        "entity household: keys=['household_id'] is of type list. Instead: give keys={\"household_id\": Int64}.",
    ),
    "key of floats": (
        lambda: entity(keys={"household_id": Float64}),
        "entity household: key 'household_id' is of type Float64. Instead: use Int64 or String, cast upstream.",
    ),
    "key name": (
        lambda: entity(keys={"household__id": Int64}),
        (
            "entity household: 'household__id' is not a valid name. Instead: use lower-case words joined by "
            "single underscores, e.g. 'spend_7d'."
        ),
    ),
    "key of the store": (
        lambda: entity(keys={"day": String}),
        "entity household: key 'day' is a column of every stored table. Instead: give it another name.",
    ),
    "key of the tiles": (
        lambda: entity(keys={"tile_start": Int64}),
        "entity household: key 'tile_start' is a column of every stored table. Instead: give it another name.",
    ),
    "entity without description": (
        lambda: entity(description=""),
        "entity household: has no description. Instead: give description='...'.",
    ),
    "team name": (
        lambda: team("Sales Team"),
        (
            "team Sales Team: 'Sales Team' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "team everyone": (
        lambda: team(EVERYONE),
        "team everyone: is the reader that stands for all teams. Instead: give the team another name.",
    ),
    "team without a channel": (
        lambda: team(slack_channel=None),
        "team sales: slack_channel=None is no channel. Instead: write '#growth-alerts'.",
    ),
    "team without an address": (
        lambda: team(email=None),
        "team sales: email=None is no address. Instead: write 'growth@example.com'.",
    ),
    "team channel": (
        lambda: team(slack_channel=""),
        "team sales: slack_channel='' is no channel. Instead: write '#growth-alerts'.",
    ),
    "team email": (
        lambda: team(email="sales"),
        "team sales: email='sales' is no address. Instead: write 'growth@example.com'.",
    ),
    "team declared twice": (
        lambda: team("growth"),
        "team growth: is declared twice, differently. Instead: declare each team once.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


def test_nobody_can_change_what_was_checked() -> None:
    keys, columns = {"household_id": Int64}, dict(EVENT_COLUMNS)
    household, purchases = entity(keys=keys), event_source(columns=columns)
    keys["basket_id"], columns["price"] = Int64, Float64
    assert dict(household.keys) == {"household_id": Int64}
    assert dict(purchases.columns) == EVENT_COLUMNS
    with pytest.raises(TypeError):
        purchases.columns["price"] = Float64


def test_right_ones_pass() -> None:
    source = event_source(asset="dbt/my-model.v2", allowed_lateness="2d", sequence="basket_id")
    assert source.lateness == 2 * 24 * 3600 * 1_000_000
    assert [event_source(allowed_lateness=f"0{unit}").lateness for unit in "smhdw"] == [0] * 5
    table_source(time="as_of", columns={**TABLE_COLUMNS, "as_of": Timestamp})  # values that another view stored
    table_source(sequence="size", landed_at="landed_at", deleted="is_deleted", valid_to="valid_to")
    assert Team("growth", "#growth", "growth@example.com") == Team("growth", "#growth", "growth@example.com")


def spellings(name: str) -> list[str]:
    return sorted({name, name.upper(), name.title(), name.capitalize(), name.swapcase()})


@pytest.mark.parametrize("name", [*spellings("day"), *spellings("partition_start")])
def test_no_column_is_called_like_one_of_our_own_in_any_case(name):
    for declare, columns in ((event_source, EVENT_COLUMNS), (table_source, TABLE_COLUMNS)):
        with pytest.raises(DefinitionError, match=f"column '{name}' is called like one of our own"):
            declare(columns={**columns, name: Int64})


@pytest.mark.parametrize("name", ["Household_Id", "PURCHASED_AT", "Sales_value"])
def test_columns_that_differ_by_case_only_are_refused(name):
    with pytest.raises(DefinitionError, match=f"columns '{name.lower()}' and '{name}' differ by case only"):
        event_source(columns={**EVENT_COLUMNS, name: Int64})


@pytest.mark.parametrize("name", ["*", "^a$", "^.*$", "^$"])
def test_a_column_called_like_a_pattern_is_refused(name):
    for declare, columns in ((event_source, EVENT_COLUMNS), (table_source, TABLE_COLUMNS)):
        with pytest.raises(DefinitionError, match=r"is called like a pattern for names\. Instead: rename it"):
            declare(columns={**columns, name: Int64})
