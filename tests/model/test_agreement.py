"""Sources of one asset say the same about which partition a row belongs to."""

from dataclasses import replace

import pytest

from feature_store import DefinitionError
from feature_store.model.agreement import by_name
from tests.fixtures.flights import Delays, flights


def test_sources_of_one_asset_agree_on_known_at() -> None:
    other = replace(flights, name="careless", known_at=None)
    with pytest.raises(DefinitionError) as raised:
        by_name([Delays, replace(Delays, name="others", source=other)])
    assert str(raised.value) == (
        "asset raw/flights: is read with known_at='arrived_at' by air/delays/v1 (source flights) and with "
        "known_at=None by air/others/v1 (source careless). Instead: declare the same known_at= in both sources."
    )


def test_sources_of_one_asset_with_the_same_known_at_and_of_others_may_differ() -> None:
    other = replace(flights, name="again", allowed_lateness="1d")
    elsewhere = replace(flights, name="elsewhere", asset="raw/other", known_at=None)
    views = [Delays, replace(Delays, name="again", source=other), replace(Delays, name="others", source=elsewhere)]
    assert len(by_name(views)) == 3
