"""Request features across views are what the oracle says: in training sets, to the client and over HTTP."""

import pytest

from tests.spec.held import OF_REQUESTS
from tests.spec.paths import requests
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import BOUGHT


@pytest.mark.spec("point-in-time join", *OF_REQUESTS)
def test_training_sets() -> None:
    holds_on_invented_worlds(requests.check, BOUGHT, share=0.1)
    holds_on_seeded_worlds(requests.check, BOUGHT, share=2, stores=2)


@pytest.mark.spec("online read", *OF_REQUESTS)
def test_answers_to_the_client(valkey: str) -> None:
    check = lambda span, worlds, rng: requests.check_client(valkey, span, worlds, rng)  # noqa: E731
    holds_on_invented_worlds(check, BOUGHT, share=0.1)
    holds_on_seeded_worlds(check, BOUGHT, share=2)


@pytest.mark.spec("HTTP", *OF_REQUESTS, "read.rows")
def test_answers_over_http(valkey: str) -> None:
    check = lambda span, worlds, rng: requests.check_http(valkey, span, worlds, rng)  # noqa: E731
    holds_on_invented_worlds(check, BOUGHT, share=0.1)
    holds_on_seeded_worlds(check, BOUGHT, share=2)
