"""Inputs that come with a request, and the features of a service that are computed from them and from stored ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import check_description, check_name, check_type, one_of, shown
from feature_store.checks.frozen import FrozenMapping
from feature_store.constants import Default, check_default
from feature_store.dtypes import SCALARS, DType, is_value_dtype
from feature_store.errors import DefinitionError
from feature_store.expressions.checked_types import check_depth, checked_dtype, declared_dtype
from feature_store.expressions.nodes import ColumnRef, Expression, Literal, replace_leaves
from feature_store.expressions.text import to_text
from feature_store.model.features import Feature
from feature_store.model.views import FeatureRef, FeatureView, ViewSelection


@declared_by_call
@dataclass(frozen=True)
class RequestInput:
    """A value that comes with every entity of a request; in training it is a column of the spine, of the same name.

    Attributes:
        dtype: one that columns of sources can have; values are taken as theirs are: NaN and infinities are null.
        default: the value where the request, or the spine, does not have the input at all; None: it must be given.
        description: one line for the catalog.
    """

    dtype: DType
    default: Default | None = None
    description: str = ""


@declared_by_call
@dataclass(frozen=True, eq=False)
class RequestFeature:
    """A feature that a service computes when it is read, as declared; see ``feature_store.request_feature``.

    Attributes:
        name: of the output.
        expression: over inputs, which stand as columns, and features of views (``FeatureRef``).
        description: one line for the catalog.
        dtype: Float32 to narrow a Float64; None: as inferred.
    """

    name: str
    expression: Expression
    description: str
    dtype: DType | None = None


@dataclass(frozen=True, eq=False)
class SelectedFeature:
    """A feature of a view that a service gives, or that one of its request features reads.

    Attributes:
        name: of the output; of what is read, the column that stands for it in expressions, ``prefix.feature``.
        selection: whose it is.
        feature: the feature.
    """

    name: str
    selection: ViewSelection
    feature: Feature

    @property
    def dtype(self) -> DType:
        """Type of its values."""
        return self.feature.dtype

    @property
    def description(self) -> str:
        """One line for the catalog."""
        return self.feature.description

    @property
    def full_name(self) -> str:
        """``namespace/view/vN.feature``."""
        return f"{self.selection.view.full_name}.{self.feature.name}"


@dataclass(frozen=True, eq=False)
class ComputedFeature:
    """A request feature as its service has checked it.

    Attributes:
        name: of the output.
        dtype: type of its values.
        description: one line for the catalog.
        expression: over columns of these names and types: inputs, and ``prefix.feature``.
        reads: the features it reads.
        input_dtypes: types of the inputs it reads, by name.
    """

    name: str
    dtype: DType
    description: str
    expression: Expression
    reads: tuple[SelectedFeature, ...]
    input_dtypes: Mapping[str, DType]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs it reads."""
        return tuple(self.input_dtypes)

    @property
    def logic(self) -> str:
        """How it is computed, as people read it."""
        return to_text(self.expression)


ServiceOutput = SelectedFeature | ComputedFeature
"""What a service gives."""


def checked_inputs(where: str, inputs: object) -> dict[str, RequestInput]:
    """Return the inputs of a service; a type alone stands for an input without a default."""
    check_type(where, "inputs", inputs, Mapping, "give a type by name: inputs={'amount': Float64}")
    assert isinstance(inputs, Mapping)
    found: dict[str, RequestInput] = {}
    for name, given in inputs.items():  # pyright: ignore[reportUnknownVariableType] - nobody has checked it yet
        place = f"{where}, input {shown(name)}"  # pyright: ignore[reportUnknownArgumentType]
        check_name(place, name)  # pyright: ignore[reportUnknownArgumentType]
        declared = RequestInput(given) if isinstance(given, DType) else given  # pyright: ignore[reportUnknownVariableType]
        wanted = "write a type, or RequestInput(Float64, default=0.0)"
        check_type(place, "it", declared, RequestInput, wanted)  # pyright: ignore[reportUnknownArgumentType]
        assert isinstance(declared, RequestInput)
        found[str(name)] = _checked_input(place, declared)  # pyright: ignore[reportUnknownArgumentType]
    return found


def _checked_input(place: str, declared: RequestInput) -> RequestInput:
    check_type(place, "dtype", declared.dtype, DType, "use a type of feature_store, e.g. Float64")
    if not is_value_dtype(declared.dtype):
        instead = f"use one of {', '.join(SCALARS)} or Vector(n)"
        raise DefinitionError(place, f"an input cannot be {declared.dtype}", instead)
    if declared.description != "":
        check_description(place, declared.description)
    return RequestInput(declared.dtype, check_default(place, declared.default, declared.dtype), declared.description)


def refuse_other_leaves(place: str, expression: Expression) -> None:
    """Refuse what a request feature cannot read: whole views and selections, and features without a view."""
    check_depth(place, expression)

    def check(leaf: Expression) -> Expression:
        value = leaf.value if isinstance(leaf, Literal) else None
        if isinstance(value, FeatureView | ViewSelection):
            name = value.name if isinstance(value, FeatureView) else value.view.name
            raise DefinitionError(place, f"reads {name}, not a feature of it", "write View.feature")
        if isinstance(value, Feature):
            raise DefinitionError(place, f"reads {value.name} without its view", "write View.feature")
        if not isinstance(leaf, Literal | ColumnRef | FeatureRef):
            raise DefinitionError(place, "reads a feature that no view declares", "write View.feature")
        return leaf

    replace_leaves(expression, check)


def selections_read(feature: RequestFeature) -> list[ViewSelection]:
    """Return the views that a request feature reads, each with none of its features selected, in order of first use."""
    found: dict[tuple[str, str], ViewSelection] = {}

    def note(leaf: Expression) -> Expression:
        if isinstance(leaf, FeatureRef):
            found.setdefault((leaf.prefix, leaf.view.full_name), leaf.selection)
        return leaf

    replace_leaves(feature.expression, note)
    return list(found.values())


def computed_feature(
    where: str,
    declared: RequestFeature,
    inputs: Mapping[str, RequestInput],
    selections: Mapping[str, ViewSelection],
) -> ComputedFeature:
    """Return a request feature, checked.

    Args:
        where: the service, for messages.
        declared: as written.
        inputs: of the service.
        selections: the views that the service reads, by prefix.
    """
    place = f"{where}.{declared.name}"
    reads: dict[str, SelectedFeature] = {}
    given: dict[str, DType] = {}

    def column(leaf: Expression) -> Expression:
        if isinstance(leaf, FeatureRef):
            selection = selections[leaf.prefix]
            _check_columns(place, leaf, selection)
            read = SelectedFeature(f"{leaf.prefix}.{leaf.name}", selection, leaf.view.feature(leaf.name))
            reads[read.name] = read
            return ColumnRef(read.name, read.dtype)
        if isinstance(leaf, ColumnRef):
            if leaf.name not in inputs:
                known = one_of(leaf.name, inputs) if inputs else f"declare it: inputs={{{leaf.name!r}: Float64}}"
                raise DefinitionError(place, f"reads {leaf.name!r}, which is no input of the service", known)
            given[leaf.name] = inputs[leaf.name].dtype
            return ColumnRef(leaf.name, given[leaf.name])
        return leaf

    expression = replace_leaves(declared.expression, column)
    if not reads and not given:
        raise DefinitionError(place, "reads neither an input nor a feature", "write request('name') or View.feature")
    types = given | {name: read.dtype for name, read in reads.items()}
    dtype = declared_dtype(place, declared.dtype, checked_dtype(place, expression, types))
    description = declared.description.strip()
    return ComputedFeature(declared.name, dtype, description, expression, tuple(reads.values()), FrozenMapping(given))


def _check_columns(place: str, leaf: FeatureRef, selection: ViewSelection) -> None:
    if leaf.columns and dict(leaf.columns) != dict(selection.columns or {}):
        problem = f"reads {leaf.prefix} by other columns than the service does"
        raise DefinitionError(place, problem, "leave them out, or give it a role of its own")
