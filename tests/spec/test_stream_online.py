"""Stream views read online at any T are what the oracle says."""

import pytest

from tests.spec.held import OF_STREAMS
from tests.spec.paths import stream_online
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import LIVE

pytestmark = pytest.mark.spec("stream online", *OF_STREAMS)


def test_worlds_that_are_invented(valkey: str) -> None:
    holds_on_invented_worlds(lambda *arguments: stream_online.check(valkey, *arguments), LIVE, share=0.25)


def test_worlds_of_fixed_seeds(valkey: str) -> None:
    holds_on_seeded_worlds(lambda *arguments: stream_online.check(valkey, *arguments), LIVE, share=3, stores=2)
