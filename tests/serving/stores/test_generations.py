"""Which of a view's generations is served at T, and which can go; and whose a list of them is."""

from __future__ import annotations

import numpy as np
import pytest

from serving.stores.errors import DamagedListError
from serving.stores.generations import (
    READER_LAG,
    Generation,
    decode_generations,
    encode_generations,
    outdated,
    select,
)
from serving.stores.records import Sealed
from tests.stores.sample import (
    LAYOUT,
)


def generation(number: int, as_of: int, available_at: int) -> Generation:
    return Generation(number, as_of, available_at, available_at, 0, 0, "h", LAYOUT)


def test_outdated_generations_are_exactly_those_never_selected_again() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        some = [
            generation(number, int(rng.integers(4)), int(rng.integers(8))) for number in range(int(rng.integers(1, 6)))
        ]
        present = int(rng.integers(10))
        selected = {each.id for time in range(present, 20) if (each := select(some, time)) is not None}
        gone = outdated(some, present + READER_LAG)
        assert {each.id for each in gone} == {each.id for each in some} - selected
        assert [each.rank for each in gone] == sorted((each.rank for each in gone), reverse=True)


def test_a_list_is_of_its_own_view_even_where_its_digest_came_along() -> None:
    pointer = Sealed(*encode_generations("shop/visits/v1", [generation(1, 2, 3)]))
    assert decode_generations("shop/visits/v1", pointer) == (generation(1, 2, 3),)
    with pytest.raises(DamagedListError, match="not what was written"):
        decode_generations("shop/visits/v2", pointer)
