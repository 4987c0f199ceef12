"""What ``features backfill`` and ``features land`` refuse, in one line each, before anything runs."""

import pytest

from tests.cli.conftest import Features

BACKFILL = [
    (("spend", "2017-06-01", "2017-06-02"), "there is no view, feature or service called 'spend'"),
    (("household_spend.spend_7d", "2017-06-01", "2017-06-02"), "household_spend.spend_7d is not a view"),
    (("household_spend", "2017-06-02", "2017-06-02"), "does not lie before --to"),
    (
        ("household_spend", "2016-06-01", "2017-06-02"),
        "lies before retail/household_spend/v1 starts: its first partition",
    ),
    (
        ("household_spend", "2017-12-01", "2018-01-03"),
        "its last partition that is over ends at 2018-01-02T00:00:00+00:00",
    ),
    (
        ("household_spend", "2017-06-01T06:00:00Z", "2017-06-02"),
        "lies inside a partition of retail/household_spend/v1 (1d",
    ),
    (("household_spend", "yesterday", "2017-06-02"), "--from 'yesterday' is not a time"),
    (("household_spend", "2017-06-01", "2017-06-02T00:00:00"), "--to '2017-06-02T00:00:00' has no time zone"),
]
LAND = [
    (("raw/transaction", "2017-06-01", "2017-06-02"), "did you mean raw/transactions"),
    (("online/retail/household_spend_v1", "2017-06-01", "2017-06-02"), "is no source that a code location"),
    (("raw/transactions", "2016-06-01", "2017-06-02"), "lies before raw/transactions starts"),
    (("raw/transactions", "2017-12-01", "2018-02-01"), "ends at 2018-01-02T00:00:00+00:00"),
]


@pytest.mark.parametrize(("given", "problem"), BACKFILL)
def test_a_backfill_that_cannot_be_is_refused(filled: Features, given: tuple[str, str, str], problem: str) -> None:
    name, start, end = given
    assert problem in filled.refused("backfill", name, "--from", start, "--to", end)


@pytest.mark.parametrize(("given", "problem"), LAND)
def test_a_landing_that_cannot_be_is_refused(filled: Features, given: tuple[str, str, str], problem: str) -> None:
    asset, start, end = given
    assert problem in filled.refused("land", asset, "--from", start, "--to", end)
