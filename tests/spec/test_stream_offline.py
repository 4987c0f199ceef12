"""Stream views read offline at any T are what the oracle says."""

import pytest

from tests.spec.held import OF_STREAMS
from tests.spec.paths import stream_offline
from tests.spec.properties import holds_on_invented_worlds, holds_on_seeded_worlds
from tests.spec.ranges import LIVE

pytestmark = pytest.mark.spec("stream offline", *OF_STREAMS)


def test_worlds_that_are_invented() -> None:
    holds_on_invented_worlds(stream_offline.check, LIVE, share=0.25)


def test_worlds_of_fixed_seeds() -> None:
    holds_on_seeded_worlds(stream_offline.check, LIVE, share=5, stores=5)
