"""``features apply``: compiles the declared services into the plans that servers read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from feature_assets.project import Declarations
from feature_assets.project.broken import BrokenTeam
from feature_store import FeatureService
from feature_store.engines.numpy.compile_service import compile_plan
from feature_store.errors import FingerprintError, InputError
from feature_store.plans.plan_revisions import read_plans
from feature_store.plans.service_plan import PlanView, ServicePlan, plan_path, write_plan


@dataclass(frozen=True)
class PlanChange:
    """The outcome of applying one service.

    Attributes:
        service: ``name/vN``.
        action: ``new``, ``changed``, ``unchanged``, ``kept``: its team is broken; or ``undeclared``: its service is
            declared no more. Such a plan stays until somebody deletes its file, since a model may still read it.
        details: what changed, a line each.
        path: the plan's file.
    """

    service: str
    action: str
    details: tuple[str, ...]
    path: Path


def apply_plans(declarations: Declarations, folder: Path, *, allow_redefined: bool = False) -> list[PlanChange]:
    """Compile every service and write the plans that changed; write none if one cannot be.

    Args:
        declarations: all views and services.
        folder: where the plans lie.
        allow_redefined: write plans although a feature means something else than in the plans that are there.

    Raises:
        PlanError: a file in the folder is no plan.
        FingerprintError: a feature was changed without a new version of its view: what is stored is of the former one;
            or outputs of a service were removed, changed or moved without a new version of it.
    """
    former = read_plans(folder)
    plans = {name: compile_plan(service) for name, service in declarations.services.items()}
    if not allow_redefined:
        _refuse_redefined(former, plans.values())
        _refuse_reshaped(former, plans.values())
    changes = [_apply(folder, former.get(name), plan) for name, plan in plans.items()]
    left = [plan for name, plan in former.items() if name not in plans]
    return changes + [_left(folder, plan, declarations.broken) for plan in left]


def find_plan(folder: Path, name: str) -> ServicePlan | None:
    """Return the plan that servers read for a service, ``name`` (its newest version) or ``name/vN``; None: no plan.

    Raises:
        PlanError: a file in the folder is no plan.
    """
    plans = sorted(read_plans(folder).values(), key=lambda plan: plan.version)
    return next((plan for plan in reversed(plans) if name in (plan.service, plan.full_name)), None)


def applied_plan(folder: Path, service: FeatureService) -> ServicePlan:
    """Return the plan that servers read for a service.

    Raises:
        InputError: none was written yet, or a file in the folder is no plan.
    """
    plan = read_plans(folder).get(service.full_name)
    if plan is None:
        raise InputError(f"{service.full_name} has no plan in {folder}: run `features apply`")
    return plan


def _left(folder: Path, plan: ServicePlan, broken: Iterable[BrokenTeam]) -> PlanChange:
    path = plan_path(folder, plan.service, plan.version)
    if any(each.team == plan.owner for each in broken):
        return PlanChange(plan.full_name, "kept", (f"team {plan.owner} is broken",), path)
    return PlanChange(plan.full_name, "undeclared", (), path)


def _apply(folder: Path, former: ServicePlan | None, plan: ServicePlan) -> PlanChange:
    path = plan_path(folder, plan.service, plan.version)
    if former == plan:
        return PlanChange(plan.full_name, "unchanged", (), path)
    write_plan(folder, plan)
    if former is None:
        return PlanChange(plan.full_name, "new", (f"{len(plan.outputs)} features",), path)
    return PlanChange(plan.full_name, "changed", tuple(_differences(former, plan)), path)


def _differences(former: ServicePlan, plan: ServicePlan) -> Iterable[str]:
    before = {output.name: output for output in former.outputs}
    after = {output.name: output for output in plan.outputs}
    yield from (f"added {name}" for name in after if name not in before)
    yield from (f"removed {name}" for name in before if name not in after)
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield "other order of features"
    old_marks, new_marks = _fingerprints(former.views), _fingerprints(plan.views)
    yield from (f"redefined {name}" for name in new_marks if old_marks.get(name, new_marks[name]) != new_marks[name])
    if (former.owner, former.readers) != (plan.owner, plan.readers):
        yield "owner or readers"
    yield from _view_differences({view.prefix: view for view in former.views}, plan.views)


def _view_differences(former: Mapping[str, PlanView], views: Iterable[PlanView]) -> Iterable[str]:
    for view in views:
        before = former.get(view.prefix)
        if before is None:
            continue
        if before.view != view.view:
            yield f"{view.prefix}: {view.view} instead of {before.view}"
        for option in ("ttl", "freshness", "keys"):
            if getattr(before, option) != getattr(view, option):
                yield f"{view.prefix}: {option}"
        empty = {feature.name: feature.empty for feature in before.features}
        yield from (
            f"{view.prefix}.{f.name}: empty value {f.empty}"
            for f in view.features
            if empty.get(f.name, f.empty) != f.empty
        )


def _refuse_redefined(former: Mapping[str, ServicePlan], plans: Iterable[ServicePlan]) -> None:
    known = _fingerprints(view for plan in former.values() for view in plan.views)
    now = [(view.view, feature) for plan in plans for view in plan.views for feature in view.features]
    redefined = {
        f"{view}.{feature.name}"
        for view, feature in now
        for name in (feature.name, feature.renamed_from)
        if known.get(f"{view}.{name}", feature.fingerprint) != feature.fingerprint
    }
    if redefined:
        raise FingerprintError(
            f"{', '.join(sorted(redefined))} changed, but the view kept its version: what is stored is of the old "
            "definition. Give the view a new version, or apply with --allow-redefined and materialize the view again"
        )


def _refuse_reshaped(former: Mapping[str, ServicePlan], plans: Iterable[ServicePlan]) -> None:
    """Refuse a service whose readers would lose an output, or find another in its place; more at the end are fine."""
    for plan in plans:
        before = _outputs(former[plan.full_name]) if plan.full_name in former else []
        after = _outputs(plan)
        moved = [was[0] for place, was in enumerate(before) if after[place : place + 1] != [was]]
        if moved:
            raise FingerprintError(
                f"service {plan.full_name}: output {moved[0]} was removed, changed or moved, but the service kept "
                "its version: readers would lose it. Give the service a new version, add outputs at the end only, or "
                "apply with --allow-redefined"
            )


def _outputs(plan: ServicePlan) -> list[tuple[str, ...]]:
    """Return what the outputs of a service are, in its order; not what they read, which is compared by itself."""
    return [(output.name, output.dtype) for output in plan.outputs]


def _fingerprints(views: Iterable[PlanView]) -> dict[str, str]:
    return {f"{view.view}.{feature.name}": feature.fingerprint for view in views for feature in view.features}
