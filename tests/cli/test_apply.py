from dataclasses import replace
from pathlib import Path

import pytest

from feature_assets.cli.applying import refuse_redefined
from feature_assets.cli.plan_folder import apply_plans
from feature_assets.project import Declarations, load_declarations
from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FingerprintError, InputError
from feature_store.plans.plan_revisions import read_plans
from feature_store.plans.service_plan import PlanFeature, ServicePlan, write_plan
from resources.settings import Settings

DECLARED = load_declarations()
CHURN = DECLARED.services["churn/v1"]
SPEND = DECLARED.views["retail/household_spend/v1"]


def only(*services: FeatureService) -> Declarations:
    return Declarations(DECLARED.views, {service.full_name: service for service in services})


def probe(*names: str, readers: tuple[str, ...] = ()) -> FeatureService:
    return FeatureService("probe", 1, "growth", "A probe", [SPEND[names]], readers)


def actions(
    folder: Path, declarations: Declarations, *, allow_redefined: bool = False
) -> dict[str, tuple[str, tuple[str, ...]]]:
    changes = apply_plans(declarations, folder, allow_redefined=allow_redefined)
    return {change.service: (change.action, change.details) for change in changes}


def test_every_service_gets_a_plan_and_applying_again_changes_nothing(features, tmp_path):
    folder = tmp_path / "state" / "plans"
    assert {change["action"] for change in features.json("apply")} == {"new"}
    plans = read_plans(folder)
    assert plans == {name: compile_plan(service) for name, service in DECLARED.services.items()}
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {change["action"] for change in features.json("apply")} == {"unchanged"}
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert "churn/v1" in features.text("apply")


def test_what_changed_is_said(tmp_path):
    assert actions(tmp_path, only(probe("spend_7d", "spend_30d"))) == {"probe/v1": ("new", ("2 features",))}
    assert actions(tmp_path, only(probe("spend_90d", "spend_7d")), allow_redefined=True) == {
        "probe/v1": ("changed", ("added household_spend__spend_90d", "removed household_spend__spend_30d"))
    }
    assert actions(tmp_path, only(probe("spend_7d", "spend_90d")), allow_redefined=True) == {
        "probe/v1": ("changed", ("other order of features",))
    }
    assert actions(tmp_path, only(probe("spend_7d", "spend_90d", readers=("stores",)))) == {
        "probe/v1": ("changed", ("owner or readers",))
    }


@pytest.mark.parametrize("changed", [("spend_7d",), ("spend_90d", "spend_7d", "spend_30d"), ("spend_30d", "spend_7d")])
def test_an_output_that_a_service_loses_or_moves_without_a_new_version_is_refused(tmp_path, changed):
    """W6."""
    apply_plans(only(probe("spend_7d", "spend_30d")), tmp_path)
    kept = read_plans(tmp_path)
    with pytest.raises(FingerprintError, match=r"service probe/v1: output household_spend__spend_\d+d was removed"):
        apply_plans(only(CHURN, probe(*changed)), tmp_path)
    assert read_plans(tmp_path) == kept
    assert actions(tmp_path, only(probe("spend_7d", "spend_30d", "spend_90d"))) == {
        "probe/v1": ("changed", ("added household_spend__spend_90d",))
    }


def test_a_feature_changed_without_a_new_version_is_refused_though_no_service_reads_it(filled, small_store):
    """W5."""
    view = next(view for view in DECLARED.views.values() if view.full_name == "retail/household_campaign/v1")
    changed = replace(view.stored_features[0], fingerprint="0" * 16)
    other = replace(view, features=(changed, *(f for f in view.features if f.name != changed.name)))
    refuse_redefined(Settings.from_environment(), [view])
    with pytest.raises(FingerprintError, match=rf"household_campaign/v1\.{changed.name} is stored as"):
        refuse_redefined(Settings.from_environment(), [other])


def test_dropping_a_feature_that_is_declared_or_not_stored_says_so(filled):
    assert "is declared: remove it from the view, then drop it" in filled.refused("drop", "household_spend.spend_7d")
    assert "stores no feature 'spent'" in filled.refused("drop", "household_spend.spent")
    assert "names no feature" in filled.refused("drop", "spent")


def test_an_undeclared_service_is_named_and_kept(tmp_path):
    apply_plans(only(CHURN, probe("spend_7d")), tmp_path)
    assert actions(tmp_path, only(CHURN)) == {"churn/v1": ("unchanged", ()), "probe/v1": ("undeclared", ())}
    assert "probe/v1" in read_plans(tmp_path)


def redefined(plan: ServicePlan) -> ServicePlan:
    def other(feature: PlanFeature) -> PlanFeature:
        return replace(feature, fingerprint="0" * 16) if feature.name == "spend_7d" else feature

    views = tuple(replace(view, features=tuple(map(other, view.features))) for view in plan.views)
    return replace(plan, views=views)


def test_a_feature_that_changed_without_a_new_version_is_refused_and_nothing_is_written(tmp_path):
    write_plan(tmp_path, redefined(compile_plan(probe("spend_7d"))))
    with pytest.raises(
        FingerprintError, match=r"retail/household_spend/v1\.spend_7d changed, but the view kept its version"
    ):
        apply_plans(only(CHURN, probe("spend_7d")), tmp_path)
    assert set(read_plans(tmp_path)) == {"probe/v1"}
    assert actions(tmp_path, only(probe("spend_7d")), allow_redefined=True) == {
        "probe/v1": ("changed", ("redefined retail/household_spend/v1.spend_7d",))
    }


def test_a_feature_renamed_and_changed_at_once_is_refused(tmp_path):
    def former(feature: PlanFeature) -> PlanFeature:
        return replace(feature, name="week", fingerprint="0" * 16)

    plan = compile_plan(probe("spend_7d"))
    views = tuple(replace(view, features=tuple(map(former, view.features))) for view in plan.views)
    write_plan(tmp_path, replace(plan, views=views))
    renamed = replace(SPEND, features=tuple(replace(feature, renamed_from="week") for feature in SPEND.features))
    service = FeatureService("probe", 1, "growth", "A probe", [renamed["spend_7d"]])
    with pytest.raises(FingerprintError, match=r"v1\.spend_7d changed, but the view kept its version"):
        apply_plans(only(service), tmp_path)


def test_a_plan_that_cannot_be_read_is_named(tmp_path):
    for text in ("{", "{}", '{"format": 1}'):
        (tmp_path / "broken.v1.json").write_text(text)
        with pytest.raises(InputError, match=r"broken\.v1\.json cannot be used.*delete it and run `features apply`"):
            apply_plans(only(CHURN), tmp_path)


def test_a_place_where_plans_cannot_be_written_is_one_line(features, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FEATURES_PLANS", str(tmp_path / "file" / "plans"))
    assert "FEATURES_PLANS: plans cannot be written there: " in features.refused("apply")
