"""Fingerprints of services and of what they give: hashes of what determines it, as far as a plan knows."""

from __future__ import annotations

import json

from feature_store.expressions.nodes import ColumnRef, replace_columns
from feature_store.expressions.text import from_canonical, to_canonical
from feature_store.fingerprints import fingerprint
from feature_store.plans.service_plan import PlanExpression, PlanInput, PlanOutput, ServicePlan


def output_fingerprints(plan: ServicePlan) -> dict[str, str]:
    """Return a fingerprint by output; ``function(fingerprint)`` for an on-read feature.

    That of a request feature is of its expression, over the fingerprints of the features that it reads.
    """
    return {output.name: output_fingerprint(plan, output) for output in plan.outputs}


def service_fingerprint(plan: ServicePlan) -> str:
    """Return the hash of all that a service gives: its outputs in order (name, type, fingerprint) and its inputs."""
    outputs = [[output.name, output.dtype, output_fingerprint(plan, output)] for output in plan.outputs]
    return fingerprint(["service", outputs, [_input(each) for each in plan.inputs]])


def output_fingerprint(plan: ServicePlan, output: PlanOutput | PlanExpression) -> str:
    """Return the fingerprint of one output of a plan."""
    if isinstance(output, PlanExpression):
        return _expression_fingerprint(plan, output)
    stored = {feature.name: feature.fingerprint for feature in plan.views[output.view].features}
    read = "T" if output.feature is None else stored[output.feature]
    return read if output.on_read is None else f"{output.on_read}({read})"


def _expression_fingerprint(plan: ServicePlan, output: PlanExpression) -> str:
    # Of which view a feature is read, and in which role, counts too: two roles of one view are two values.
    marks = {read.name: f"{_reader(plan, read)}:{output_fingerprint(plan, read)}" for read in output.reads}
    expression = from_canonical(json.loads(output.expression))
    by_mark = replace_columns(expression, lambda name: ColumnRef(marks.get(name, f"input:{name}")))
    inputs = [_input(each) for each in plan.inputs if each.name in output.inputs]
    return fingerprint(["request", to_canonical(by_mark), output.dtype, inputs])


def _reader(plan: ServicePlan, read: PlanOutput) -> str:
    view = plan.views[read.view]
    return f"{view.view}({','.join(key.column for key in view.keys)})"


def _input(declared: PlanInput) -> list[object]:
    return [declared.name, declared.dtype, declared.default]
