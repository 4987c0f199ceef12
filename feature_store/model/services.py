"""Feature services: the named, versioned list of features that one model reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from feature_store.checks.calls import declared_by_call
from feature_store.checks.declared import check_description, check_name, check_type, check_version, one_of
from feature_store.checks.frozen import FrozenMapping
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.model.request_features import (
    ComputedFeature,
    RequestFeature,
    RequestInput,
    SelectedFeature,
    ServiceOutput,
    checked_inputs,
    computed_feature,
    selections_read,
)
from feature_store.model.teams import EVERYONE, check_access
from feature_store.model.views import FeatureView, ViewSelection

_COLUMN: Final = re.compile(r"[A-Za-z]\w*", re.ASCII)


@declared_by_call
@dataclass(frozen=True, eq=False)
class FeatureService:
    """All that one model reads: outputs are named ``view__feature``, ``role__view__feature``, or by alias.

    Attributes:
        name, version: its identity.
        owner: the team whose model it is.
        description: one line for the catalog.
        features: selections of views and request features, in the order of the response.
        readers: other teams that may read it, or ``everyone``.
        inputs: what comes with every entity of a request, by name: a type, or a ``RequestInput``.
        selections: how each view is read, those that only request features read included.
        outputs: what it gives, in order.

    Raises:
        DefinitionError: its owner may not read a view, two columns clash, an expression does not fit, or another
            option is wrong.
    """

    name: str
    version: int
    owner: str
    description: str
    features: Sequence[ViewSelection | RequestFeature]
    readers: Sequence[str] = ()
    inputs: Mapping[str, DType | RequestInput] = field(default_factory=dict[str, DType | RequestInput])
    selections: tuple[ViewSelection, ...] = field(init=False, repr=False)
    outputs: tuple[ServiceOutput, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"service {self.name}/v{self.version}"
        check_name(where, self.name)
        check_version(where, self.version)
        check_description(where, self.description)
        check_access(where, self.owner, self.readers)
        check_type(where, "features", self.features, Sequence, "write a list: features=[view.all()]")
        if not self.features:
            raise DefinitionError(where, "reads no features", "select some: features=[view.all()]")
        for selection in self.features:
            instead = "write view.all() or view['a', 'b'], or request_feature(name, expression)"
            check_type(where, "an entry of features", selection, (ViewSelection, RequestFeature), instead)
            if isinstance(selection, ViewSelection):
                _check_selection(where, selection)
        # Nobody can change what was checked.
        object.__setattr__(self, "features", tuple(self.features))
        object.__setattr__(self, "readers", tuple(self.readers))
        object.__setattr__(self, "inputs", FrozenMapping(checked_inputs(where, self.inputs)))
        object.__setattr__(self, "selections", _selections(where, self.features))
        self._check_views(where)
        self._check_prefixes(where)
        self._check_key_types(where)
        object.__setattr__(self, "outputs", self._checked_outputs(where))
        self._check_outputs(where)

    @property
    def full_name(self) -> str:
        """``name/vN``."""
        return f"{self.name}/v{self.version}"

    @property
    def views(self) -> tuple[FeatureView, ...]:
        """The distinct views it reads."""
        return tuple(dict.fromkeys(selection.view for selection in self.selections))

    @property
    def keys(self) -> dict[str, DType]:
        """Request (and spine) columns and their types, in order of first use."""
        return {s.key_column(key): dtype for s in self.selections for key, dtype in s.view.entity.keys.items()}

    @property
    def request_inputs(self) -> Mapping[str, RequestInput]:
        """Its inputs, checked."""
        return checked_inputs(f"service {self.full_name}", self.inputs)

    @property
    def reads(self) -> tuple[SelectedFeature, ...]:
        """The features of views that it gives or computes from, each once per role."""
        found: dict[tuple[str, str], SelectedFeature] = {}
        for output in self.outputs:
            for read in (output,) if isinstance(output, SelectedFeature) else output.reads:
                found.setdefault((read.selection.prefix, read.feature.name), read)
        return tuple(found.values())

    def _checked_outputs(self, where: str) -> tuple[ServiceOutput, ...]:
        by_prefix = {selection.prefix: selection for selection in self.selections}
        outputs: list[ServiceOutput] = []
        for entry in self.features:
            if isinstance(entry, RequestFeature):
                outputs.append(computed_feature(where, entry, self.request_inputs, by_prefix))
            else:
                view = entry.view
                outputs += [SelectedFeature(entry.output_name(n), entry, view.feature(n)) for n in entry.names]
        return tuple(outputs)

    def _check_views(self, where: str) -> None:
        # A service passes its views on to its readers, so each of them needs the owner's leave too.
        for view in self.views:
            allowed = {view.owner, *view.readers}
            for reader in (self.owner, *self.readers):
                if not {reader, EVERYONE} & allowed:
                    raise DefinitionError(
                        where,
                        f"team {reader} may not read {view.full_name}",
                        f"ask {view.owner} to add {reader!r} to readers=",
                    )

    def _check_prefixes(self, where: str) -> None:
        by_prefix: dict[str, ViewSelection] = {}
        by_columns: dict[object, ViewSelection] = {}
        for selection in self.selections:
            view, prefix = selection.view, selection.prefix
            columns = tuple(selection.key_column(key) for key in view.keys)
            if by_columns.setdefault((view.full_name, columns), selection) is not selection:
                raise DefinitionError(
                    where,
                    f"reads {view.full_name} twice by {', '.join(columns)}",
                    "select all its features at once, or map the keys of a role: .as_role('origin', key='column')",
                )
            other = by_prefix.setdefault(prefix, selection)
            if other is not selection:
                names = " and ".join(dict.fromkeys((other.view.full_name, view.full_name)))
                raise DefinitionError(where, f"reads {names} under one name, {prefix}", "give each a role of its own")

    def _check_key_types(self, where: str) -> None:
        for selection in self.selections:
            for key, dtype in selection.view.entity.keys.items():
                column = selection.key_column(key)
                if self.keys[column] != dtype:
                    raise DefinitionError(
                        where,
                        f"column {column!r} is both {self.keys[column]} and {dtype}",
                        f"map one of the keys to another column: .as_role(role, {key}='column')",
                    )

    def _check_outputs(self, where: str) -> None:
        keys = self.keys
        for name in self.inputs:
            if name in keys:
                raise DefinitionError(where, f"input {name!r} is called like a key column", "give it another name")
            if not any(name in output.inputs for output in self.outputs if isinstance(output, ComputedFeature)):
                instead = "leave it out, or read it: request_feature(name, request('...') * 2)"
                raise DefinitionError(where, f"input {name!r} is read by no request feature", instead)
        names: set[str] = set()
        for name in (output.name for output in self.outputs):
            if name in names or name in keys or name in self.inputs:
                raise DefinitionError(where, f"two columns would be called {name!r}", "give one of them an alias")
            names.add(name)
        self._check_added_columns(where, names)

    def _check_added_columns(self, where: str, names: set[str]) -> None:
        """Refuse outputs called like the columns that tell the status of outputs and the as-of of views."""
        for name in names:
            if f"{name}__status" in names:
                problem = f"'{name}__status' is what the status of {name!r} is called"
                raise DefinitionError(where, problem, "give one of them another alias")
        for selection in self.selections:
            if f"{selection.prefix}__as_of" in names:
                problem = f"'{selection.prefix}__as_of' is what the as-of of {selection.view.full_name} is called"
                raise DefinitionError(where, problem, "give the feature another alias")


def _selections(where: str, entries: Sequence[ViewSelection | RequestFeature]) -> tuple[ViewSelection, ...]:
    """Return how each view is read: as it is selected, or as a request feature reads it."""
    selected = [entry for entry in entries if isinstance(entry, ViewSelection)]
    found = {(selection.prefix, selection.view.full_name): selection for selection in reversed(selected)}
    added: list[ViewSelection] = []
    for entry in entries:
        for selection in selections_read(entry) if isinstance(entry, RequestFeature) else ():
            if found.setdefault((selection.prefix, selection.view.full_name), selection) is selection:
                _check_columns(where, selection)
                added.append(selection)
    if not selected and not added:
        raise DefinitionError(where, "reads no feature of a view", "select some, or read one: View.feature")
    return (*selected, *added)


def _check_selection(where: str, selection: ViewSelection) -> None:
    prefix = selection.prefix
    if not selection.names:
        raise DefinitionError(where, f"selects nothing of {prefix}", "name features, or write view.all()")
    _check_columns(where, selection)
    for feature, alias in (selection.aliases or {}).items():
        if feature not in selection.names:
            problem = f"aliases {feature!r}, which is not selected of {prefix}"
            raise DefinitionError(where, problem, one_of(feature, selection.names))
        _check_column_name(where, "alias", alias)


def _check_columns(where: str, selection: ViewSelection) -> None:
    prefix, keys = selection.prefix, selection.view.keys
    if selection.role is not None:
        check_name(where, selection.role)
    for key in selection.columns or ():
        if key not in keys:
            raise DefinitionError(where, f"maps {key!r}, which is not a key of {prefix}", one_of(key, keys))
    columns = [selection.key_column(key) for key in keys]
    if len(set(columns)) < len(columns):
        raise DefinitionError(where, f"maps several keys of {prefix} to one column", "map each key to its own column")
    for column in columns:
        _check_column_name(where, "key column", column)


def _check_column_name(where: str, what: str, name: object) -> None:
    if not isinstance(name, str) or not _COLUMN.fullmatch(name):
        raise DefinitionError(
            where, f"{what} {name!r} is not a valid column name", "use letters, digits and underscores"
        )
