"""The plans that servers read, as commands look for them."""

from __future__ import annotations

from feature_store import FeatureService
from feature_store.errors import InputError
from feature_store.plans.plan_revisions import read_plans
from feature_store.plans.service_plan import ServicePlan
from feature_store.s3.paths import Place


def find_plan(folder: Place, name: str) -> ServicePlan | None:
    """Return the plan that servers read for a service, ``name`` (its newest version) or ``name/vN``; None: no plan.

    Raises:
        PlanError: a file in the folder is no plan.
    """
    plans = sorted(read_plans(folder).values(), key=lambda plan: plan.version)
    return next((plan for plan in reversed(plans) if name in (plan.service, plan.full_name)), None)


def applied_plan(folder: Place, service: FeatureService) -> ServicePlan:
    """Return the plan that servers read for a service.

    Raises:
        InputError: none was written yet, or a file in the folder is no plan.
    """
    plan = read_plans(folder).get(service.full_name)
    if plan is None:
        raise InputError(f"{service.full_name} has no plan in {folder}: run `features apply`")
    return plan
