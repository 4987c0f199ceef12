"""Windows and hops that are refused."""

from datetime import UTC, datetime

import pytest

from feature_store import DefinitionError, count
from tests.model.declare import Cases, check, event_source, view_of

HOURLY = {"cadence": "1h", "available_after": "0s", "freshness": "2h"}
KEPT_FROM_MARCH = event_source(truncated=True, start=datetime(2017, 3, 1, tzinfo=UTC))


def rows(over: object = None, hop: object = None, **options: object) -> object:
    return view_of({"rows": count(over=over, hop=hop, description="Rows")}, **options)


WRONG: Cases = {
    "garbage": (
        lambda: rows("a week"),
        (
            "retail/spend/v1.rows: over='a week' is not a duration. Instead: write a whole number and a unit, "
            "e.g. '90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "no unit": (
        lambda: rows("7"),
        (
            "retail/spend/v1.rows: over='7' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "a number": (
        lambda: rows(7),
        (
            "retail/spend/v1.rows: over=7 is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "zero": (
        lambda: rows("0d"),
        (
            "retail/spend/v1.rows: over='0d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "negative": (
        lambda: rows("-7d"),
        (
            "retail/spend/v1.rows: over='-7d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "a fraction": (
        lambda: rows("1.5d"),
        (
            "retail/spend/v1.rows: over='1.5d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "spaces": (
        lambda: rows("7 d"),
        (
            "retail/spend/v1.rows: over='7 d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "other digits": (
        lambda: rows("\u0667d"),
        (
            "retail/spend/v1.rows: over='\u0667d' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "longer than the calendar": (
        lambda: rows("9999999w"),
        "retail/spend/v1.rows: over='9999999w' is longer than 100 years. Instead: write at most '36500d'.",
    ),
    "hop garbage": (
        lambda: rows("7d", "often"),
        (
            "retail/spend/v1.rows: hop='often' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "hop zero": (
        lambda: rows("7d", "0h"),
        (
            "retail/spend/v1.rows: hop='0h' is not a duration. Instead: write a whole number and a unit, e.g. "
            "'90s', '5m', '12h', '7d', '2w'."
        ),
    ),
    "not a multiple of its hop": (
        lambda: rows("7d", "5h"),
        "retail/spend/v1.rows: over='7d' is not a multiple of its hop, 5h. Instead: use '170h'.",
    ),
    "shorter than its hop": (
        lambda: rows("1d", "2d"),
        "retail/spend/v1.rows: over='1d' is not a multiple of its hop, 2d. Instead: use '2d'.",
    ),
    "not a multiple of the default hop": (
        lambda: rows("300h"),
        (
            "retail/spend/v1.rows: over='300h' is not a multiple of the default hop for its length, 1d. Instead: "
            "give hop='1h'."
        ),
    ),
    "shorter than the default hop": (
        lambda: rows("30s"),
        (
            "retail/spend/v1.rows: over='30s' is not a multiple of the default hop for its length, 1m. Instead: "
            "give hop='1s'."
        ),
    ),
    "hop and cadence do not divide": (
        lambda: rows("10h", "5h"),
        (
            "retail/spend/v1.rows: hop 5h and cadence 1d do not divide one another. Instead: give a hop= that "
            "divides the cadence, or is a multiple of it."
        ),
    ),
    "hop and hourly cadence do not divide": (
        lambda: rows("3h", "90m", **HOURLY),
        (
            "retail/spend/v1.rows: hop 90m and cadence 1h do not divide one another. Instead: give a hop= that "
            "divides the cadence, or is a multiple of it."
        ),
    ),
    "hop without a window": (
        lambda: rows(None, "1h"),
        "retail/spend/v1.rows: hop='1h' without a window. Instead: give over=, or leave out hop=.",
    ),
    "all history, hourly": (
        lambda: rows(**HOURLY),
        "retail/spend/v1.rows: covers all history at an hourly cadence. Instead: give over=, or use a daily view.",
    ),
    "all history, truncated": (
        lambda: rows(source=KEPT_FROM_MARCH),
        "retail/spend/v1.rows: covers all history, which source purchases does not keep. Instead: give over=.",
    ),
    "reaches before a truncated source": (
        lambda: rows("7d", source=KEPT_FROM_MARCH),
        (
            "retail/spend/v1.rows: over='7d' reaches before 2017-03-01, from which on source purchases keeps "
            "rows. Instead: start the view at 2017-03-07 or later, or use a shorter window."
        ),
    ),
    "reaches before a truncated source by its hop": (
        lambda: rows("2d", "1d", **HOURLY, source=KEPT_FROM_MARCH),
        (
            "retail/spend/v1.rows: over='2d' reaches before 2017-03-01, from which on source purchases keeps "
            "rows. Instead: start the view at 2017-03-03 or later, or use a shorter window."
        ),
    ),
    "reaches by hours": (
        lambda: rows("30h", source=KEPT_FROM_MARCH, **HOURLY),
        (
            "retail/spend/v1.rows: over='30h' reaches before 2017-03-01, from which on source purchases keeps "
            "rows. Instead: start the view at 2017-03-03 or later, or use a shorter window."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


@pytest.mark.parametrize(
    ("options", "first_day"),
    [
        ({"over": "7d"}, 7),
        ({"over": "1d"}, 1),
        ({"over": "14d"}, 14),
        ({"over": "30h", **HOURLY}, 3),
        ({"over": "3d", "hop": "1d", **HOURLY}, 4),
    ],
)
def test_the_earliest_start_over_a_truncated_source_is_exact(options: dict[str, object], first_day: int) -> None:
    start = datetime(2017, 3, first_day, tzinfo=UTC)
    view = rows(**options, source=KEPT_FROM_MARCH, start=start)
    assert view.windows[0].tail(_microseconds(start) + view.cadence) >= _microseconds(KEPT_FROM_MARCH.start)
    if first_day > 1:
        with pytest.raises(DefinitionError, match=f"start the view at 2017-03-{first_day:02} or later"):
            rows(**options, source=KEPT_FROM_MARCH)


def _microseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000
