"""Search over records: one ranking, which forgives plurals and typing errors."""

import pytest

from feature_store.catalog.records import Record
from feature_store.catalog.search import SearchIndex


def record(name: str, description: str = "") -> Record:
    plain = {"entities": [], "team": "", "kind": "", "computed_from": ""}
    return {**plain, "name": name, "description": description}


def found(records: list[Record], *words: str) -> list[str]:
    return [each["name"] for each in SearchIndex(records).search(words)]


def test_whole_words_come_before_parts_and_plurals_are_known() -> None:
    records = [record("baskets_x"), record("basketball"), record("basket"), record("ask")]
    assert found(records, "basket") == ["basket", "baskets_x", "basketball"]
    assert found(records, "baskets") == ["baskets_x", "basket"]


def test_names_come_before_descriptions() -> None:
    assert found([record("a", "coupon"), record("coupon")], "coupon") == ["coupon", "a"]


@pytest.mark.parametrize("typed", ["cuopon", "copon", "couponn", "xoupon"])
def test_a_typing_error_is_forgiven_and_ranks_below_the_right_word(typed: str) -> None:
    assert found([record("coupon_lines"), record("visits")], typed) == ["coupon_lines"]
    assert found([record("coupon"), record(typed)], typed) == [typed, "coupon"]


def test_short_words_must_be_right() -> None:
    assert found([record("spend_7d")], "spend", "8d") == []


def test_every_word_must_occur_and_no_word_finds_nothing() -> None:
    records = [record("spend"), record("visits", "spend")]
    assert found(records, "visits spend") == ["visits"]
    assert found(records, "...") == []
