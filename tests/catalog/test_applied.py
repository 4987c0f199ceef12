"""A definition that was not applied is not materialized."""

from dataclasses import replace

import pytest

from feature_store.catalog.applied import NotAppliedError, check_applied
from feature_store.catalog.documents import definitions_of
from feature_store.catalog.store import Catalog
from tests.catalog.declared import NOW
from tests.model.declare import demographics, purchases

VIEW = "retail/spend/v1"


def test_before_the_first_apply_everything_may_be_computed(url: str) -> None:
    check_applied(url, purchases())
    Catalog(url).close()
    check_applied(url, purchases())


def test_what_was_applied_may_be_computed_and_nothing_else(catalog: Catalog, url: str) -> None:
    catalog.apply({"growth": definitions_of([], [purchases()], [])}, by="ada", now=NOW)
    check_applied(url, purchases())
    check_applied(url, purchases(freshness="3d"))
    with pytest.raises(NotAppliedError, match="retail/about/v1 was not applied: run `features plan`"):
        check_applied(url, demographics())
    changed = purchases(cadence="1h")
    with pytest.raises(NotAppliedError, match=r"retail/spend/v1: .*was not applied as it is declared here"):
        check_applied(url, changed)


def test_a_feature_that_was_removed_may_not_be_computed(catalog: Catalog, url: str) -> None:
    whole = purchases()
    fewer = replace(whole, features=whole.features[:-1])
    for declared in (whole, fewer):
        catalog.apply({"growth": definitions_of([], [declared], [])}, by="ada", now=NOW)
    with pytest.raises(NotAppliedError, match="last_purchase was not applied"):
        check_applied(url, whole)
