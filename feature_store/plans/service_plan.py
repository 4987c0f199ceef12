"""The service plan: everything a server needs to answer for one feature service, as one JSON file.

``features apply`` writes plans beside the data; servers read nothing else about definitions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from feature_store.checks.files import file_errors
from feature_store.dtypes import DType, dtype_from_name
from feature_store.errors import FeatureStoreError, InputError
from feature_store.fingerprints import record_digest
from feature_store.plans.stream_plan import StreamPlan
from feature_store.s3.paths import S3Path

PLAN_FORMAT: Final = 1

_DIGEST: Final = "digest"

Value = int | float | bool | str | list[float] | list[int | float | bool | str | None] | None


class PlanError(InputError):
    """A service plan cannot be used."""


@dataclass(frozen=True)
class PlanKey:
    """A join key of a view: its name there, its type, and the request (and spine) column it is read from."""

    name: str
    dtype: str
    column: str


@dataclass(frozen=True)
class PlanFeature:
    """A stored feature.

    Attributes:
        name: what it is called.
        dtype: name of its type.
        fingerprint: of its definition.
        empty: JSON value of an entity without events; a timestamp is integer microseconds UTC, an array a list of its
            slots.
        renamed_from: its former name; None: it never had another.
    """

    name: str
    dtype: str
    fingerprint: str
    empty: Value
    renamed_from: str | None = None


@dataclass(frozen=True)
class PlanView:
    """A view as one service reads it.

    Attributes:
        view: full name, ``namespace/name/vN``; also the name of its space in the online store.
        prefix: what its outputs' names start with: the view's name, or ``role__name``.
        keys: in the order of the entity's keys.
        ttl: microseconds after the as-of from which values are EXPIRED; None: never.
        freshness: the view's SLA, microseconds; None: none is promised.
        features: the stored features this service needs, in declared order.
        stream: of a stream view, how they are merged from its tiles; None: they are stored as they are.
    """

    view: str
    prefix: str
    keys: tuple[PlanKey, ...]
    ttl: int | None
    freshness: int | None
    features: tuple[PlanFeature, ...]
    stream: StreamPlan | None = None


@dataclass(frozen=True)
class PlanOutput:
    """One feature of the response.

    Attributes:
        name: column name in the response and in training sets: ``view__feature``, ``role__view__feature`` or an alias.
        dtype: type of the values.
        view: index into ``ServicePlan.views``.
        feature: the stored feature that is read; None for an on-read feature of T alone.
        on_read: the function computed from it when read; None: the stored value as it is.
        deprecated: until when it can be relied on, and what to read instead; None: it is not deprecated.
    """

    name: str
    dtype: str
    view: int
    feature: str | None
    on_read: str | None = None
    deprecated: str | None = None


@dataclass(frozen=True)
class PlanExpression:
    """One request feature of the response: computed when read, from inputs and features.

    Attributes:
        name: column name in the response and in training sets.
        dtype: type of the values.
        expression: over columns, as canonical JSON text; the columns carry their types.
        reads: the features that it reads, by the columns that stand for them.
        inputs: names of the inputs that it reads, which are columns too.
    """

    name: str
    dtype: str
    expression: str
    reads: tuple[PlanOutput, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class PlanInput:
    """A value that comes with every entity of a request; in training sets a column of the spine.

    Attributes:
        name: of the input.
        dtype: its type.
        default: JSON value where a request or a spine does not have it, as ``PlanFeature.empty``; None: it must.
    """

    name: str
    dtype: str
    default: Value = None


@dataclass(frozen=True)
class ServicePlan:
    """A compiled service: what it returns and how.

    Attributes:
        service: name of the feature service.
        version: its version.
        owner: owning team.
        readers: teams that may read it; ``everyone`` stands for all.
        views: views read, each once per role.
        outputs: features returned, in the service's order.
        inputs: what requests can bring along.
    """

    service: str
    version: int
    owner: str
    readers: tuple[str, ...]
    views: tuple[PlanView, ...]
    outputs: tuple[PlanOutput | PlanExpression, ...]
    inputs: tuple[PlanInput, ...] = ()

    @property
    def full_name(self) -> str:
        """``name/vN``."""
        return f"{self.service}/v{self.version}"

    @property
    def deprecations(self) -> tuple[str, ...]:
        """What its readers must know of deprecated features, a line per reason."""
        reasons: dict[str, list[str]] = {}
        for output in self.outputs:
            for read in output.reads if isinstance(output, PlanExpression) else (output,):
                if read.deprecated is not None:
                    reasons.setdefault(read.deprecated, []).append(output.name)
        return tuple(f"{', '.join(names)}: deprecated, {reason}" for reason, names in reasons.items())

    @cached_property
    def keys(self) -> dict[str, DType]:
        """Request columns and their types, in order of first use."""
        return {key.column: dtype_from_name(key.dtype) for view in self.views for key in view.keys}

    @cached_property
    def reads(self) -> tuple[PlanOutput, ...]:
        """The features of views that its outputs are or read."""
        return tuple(
            read
            for output in self.outputs
            for read in (output.reads if isinstance(output, PlanExpression) else (output,))
        )

    @cached_property
    def needed_inputs(self) -> tuple[PlanInput, ...]:
        """The inputs that its outputs read."""
        read = {name for output in self.outputs if isinstance(output, PlanExpression) for name in output.inputs}
        return tuple(each for each in self.inputs if each.name in read)

    def to_json(self) -> str:
        """Return the plan as JSON text, with a digest of all that it says."""
        record = {"format": PLAN_FORMAT, **asdict(self)}
        return json.dumps({**record, _DIGEST: _digest(record)}, indent=1)

    @staticmethod
    def from_json(text: str) -> ServicePlan:
        """Read a plan from JSON text.

        Raises:
            PlanError: it was written in another format, or is not what was written.
            ValueError, LookupError, TypeError, AttributeError: it is no plan; ``read_plan`` names its file.
        """
        record: dict[str, Any] = json.loads(text)
        if record.get("format") != PLAN_FORMAT:
            raise PlanError("this service plan is of another format: run `features apply` again")
        digest = record.pop(_DIGEST, None)  # plans of before there were digests have none
        if digest is not None and digest != _digest(record):
            raise PlanError("this service plan is not what was written: run `features apply` again")
        return ServicePlan(
            service=record["service"],
            version=record["version"],
            owner=record["owner"],
            readers=tuple(record["readers"]),
            views=tuple(_view(view) for view in record["views"]),
            outputs=tuple(_output(output) for output in record["outputs"]),
            inputs=tuple(PlanInput(**each) for each in record.get("inputs", ())),  # older plans have none
        )


def _output(record: dict[str, Any]) -> PlanOutput | PlanExpression:
    if "expression" not in record:
        return PlanOutput(**record)
    return PlanExpression(
        name=record["name"],
        dtype=record["dtype"],
        expression=record["expression"],
        reads=tuple(PlanOutput(**read) for read in record["reads"]),
        inputs=tuple(record["inputs"]),
    )


def _digest(record: Mapping[str, Any]) -> str:
    return record_digest("service plan", record)


def _view(record: dict[str, Any]) -> PlanView:
    stream = record.get("stream")  # plans of before there were streams have none
    return PlanView(
        view=record["view"],
        prefix=record["prefix"],
        keys=tuple(PlanKey(**key) for key in record["keys"]),
        ttl=record["ttl"],
        freshness=record["freshness"],
        features=tuple(PlanFeature(**feature) for feature in record["features"]),
        stream=None if stream is None else StreamPlan.from_record(stream),
    )


def plan_path(folder: Path, service: str, version: int) -> Path:
    """Return where the plan of a service version lies."""
    return folder / plan_name(service, version)


def plan_name(service: str, version: int) -> str:
    """Return what the file of the plan of a service version is called."""
    return f"{service}.v{version}.json"


def write_plan(folder: Path, plan: ServicePlan) -> Path:
    """Write a plan whole or not at all: servers that watch the folder never see half a file.

    Raises:
        StorageError: it cannot be written.
    """
    path = plan_path(folder, plan.service, plan.version)
    partial = path.with_suffix(".partial")
    with file_errors(folder, "plans cannot be written there"):
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(plan.to_json())
        partial.replace(path)
    return path


def read_plan(path: Path | S3Path) -> ServicePlan:
    """Read one plan.

    Raises:
        PlanError: the file holds none, or is not there; the message names it.
        StorageError: it cannot be read.
    """
    try:
        with file_errors(path, "it cannot be read"):
            content = path.read_bytes()
    except FileNotFoundError as error:
        raise PlanError(f"there is no plan file {path}: run `features plans sync`") from error
    try:
        plan = ServicePlan.from_json(content.decode())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, FeatureStoreError) as error:
        raise PlanError(
            f"plan file {path.name} cannot be used ({type(error).__name__}: {error}): run `features plans sync`"
        ) from error
    own = plan_name(plan.service, plan.version)
    if path.name != own:
        raise PlanError(f"plan file {path.name} cannot be used: it is a copy of {own}: delete it")
    return plan
