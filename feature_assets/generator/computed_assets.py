"""Assets that one op computes, as ``dagster.multi_asset`` makes them, in a third of its time: there are thousands.

The decorator describes every output of the op as it describes the asset, and looks up the type of each three times.
Nobody reads that: what is shown of an asset comes from its spec. So all outputs share one plain declaration here.
``tests/dagster/test_computed_assets.py`` holds what is made to what the decorator makes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, Final

import dagster as dg

from feature_assets.generator.retries import RETRIES

_REQUIRED: Final = dg.Out(dg.Nothing)
_OPTIONAL: Final = dg.Out(dg.Nothing, is_required=False)
_CHECK: Final = dg.Out(None)
_OPTIONAL_CHECK: Final = dg.Out(None, is_required=False)
_UPSTREAM: Final = dg.In(dg.Nothing)

_IO_MANAGER: Final = "dagster/io_manager_key"
_SUBSET: Final = "__subset_input__"
"""What Dagster calls an input after that is an asset of the same op, of which a run may select a part."""

_signatures: dict[CodeType, inspect.Signature] = {}


def computed_assets(
    name: str,
    specs: Sequence[dg.AssetSpec],
    compute: Callable[..., Any],
    *,
    checks: Sequence[dg.AssetCheckSpec] = (),
    backfill_policy: dg.BackfillPolicy | None = None,
    can_subset: bool = False,
) -> dg.AssetsDefinition:
    """Return the assets that a function computes.

    Args:
        name: of the op.
        specs: of the assets.
        compute: takes the context and resources, as a function that ``dagster.multi_asset`` decorates.
        checks: of the assets, which the function reports.
        backfill_policy: how a backfill is cut into runs.
        can_subset: whether a run may select some of the assets.
    """
    outputs = {spec.key.to_python_identifier(): spec for spec in specs}
    checked = {check.get_python_identifier(): check for check in checks}
    inputs = _inputs(specs, can_subset=can_subset)
    op = dg.op(
        name=name,
        ins=dict.fromkeys(inputs, _UPSTREAM),
        out={
            **{output: _out(spec, can_subset=can_subset) for output, spec in outputs.items()},
            **dict.fromkeys(checked, _OPTIONAL_CHECK if can_subset else _CHECK),
        },
        config_schema={},
        retry_policy=RETRIES,
    )(_with_signature(compute))
    return dg.AssetsDefinition(
        keys_by_input_name=inputs,
        keys_by_output_name={output: spec.key for output, spec in outputs.items()},
        node_def=op,
        can_subset=can_subset,
        backfill_policy=backfill_policy,
        check_specs_by_output_name=checked,
        specs=specs,
    )


def _out(spec: dg.AssetSpec, *, can_subset: bool) -> dg.Out:
    is_required = not (can_subset or spec.skippable)
    if _IO_MANAGER in spec.metadata:
        return _handed_over(spec.metadata[_IO_MANAGER], is_required)
    return _REQUIRED if is_required else _OPTIONAL


@lru_cache
def _handed_over(io_manager: str, is_required: bool) -> dg.Out:
    return dg.Out(None, io_manager_key=io_manager, is_required=is_required)


def _inputs(specs: Sequence[dg.AssetSpec], *, can_subset: bool) -> dict[str, dg.AssetKey]:
    """Return the assets that are read, by the name of the input; those of the op, too, where a run may be of some."""
    made = {spec.key for spec in specs}
    read = dict.fromkeys(dep.asset_key for spec in specs for dep in spec.deps)
    others = {"_".join(key.path): key for key in read if key not in made}
    own = {f"{_SUBSET}{key.to_python_identifier()}": key for key in read if key in made} if can_subset else {}
    return others | own


def _with_signature(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function, one of which is made per view, the signature that they share: Dagster asks for it 15 times."""
    code = function.__code__
    if code not in _signatures:
        _signatures[code] = inspect.signature(function)
    function.__signature__ = _signatures[code]  # pyright: ignore[reportFunctionMemberAccess]
    return function
