"""``deprecated=``: it changes no value, and whoever reads the feature is told."""

import pytest

from feature_store import DefinitionError, FeatureView, col, count, sum_
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.plans.service_plan import ServicePlan
from tests.model.declare import service, view_of

TEXT = "2027-01-31, use v2"


def declared(of_view: str | None = None, of_feature: str | None = None) -> FeatureView:
    given = {} if of_feature is None else {"deprecated": of_feature}
    features = {
        "spend": sum_(col("sales_value"), over="7d", description="Spend", **given),
        "baskets": count(over="7d", description="Purchases"),
    }
    return view_of(features, deprecated=of_view)


def test_it_changes_no_fingerprint() -> None:
    marks = declared().fingerprints
    assert declared(of_view=TEXT).fingerprints == marks
    assert declared(of_feature=TEXT).fingerprints == marks


def test_a_deprecated_view_deprecates_its_features_and_a_feature_itself_alone() -> None:
    assert [f.deprecated for f in declared(of_view=TEXT)] == [TEXT, TEXT]
    assert [f.deprecated for f in declared(of_feature=TEXT)] == [TEXT, None]
    assert [f.deprecated for f in declared(TEXT, "2026-12-31, use spend_30d")] == ["2026-12-31, use spend_30d", TEXT]


def test_the_plan_of_a_service_tells_its_readers() -> None:
    plan = ServicePlan.from_json(compile_plan(service(declared(of_view=TEXT).all())).to_json())
    assert plan.deprecations == (f"spend__spend, spend__baskets: deprecated, {TEXT}",)
    assert compile_plan(service(declared().all())).deprecations == ()


@pytest.mark.parametrize("text", ["soon", "2027-01-31", "2027-01-31, ", "2027-02-30, use v2", "", True, 3])
def test_a_text_without_a_day_or_an_alternative_is_refused(text: object) -> None:
    with pytest.raises(DefinitionError, match=r"does not say until when, and what to read instead\. Instead: write"):
        declared(of_view=text)
    with pytest.raises(DefinitionError, match=r"v1\.spend: deprecated="):
        declared(of_feature=text)
