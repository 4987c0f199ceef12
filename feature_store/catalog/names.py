"""Names as people write them: shortened, and sometimes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from feature_store.catalog.documents import Definition, Document
from feature_store.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Named:
    """A recorded view or service, or a feature of a view.

    Attributes:
        definition: the view or the service.
        feature: the document of the feature; None: the whole definition is meant.
    """

    definition: Definition
    feature: Document | None = None

    @property
    def full_name(self) -> str:
        """``retail/household_spend/v1``, ``retail/household_spend/v1.spend_7d`` or ``churn/v1``."""
        return self.definition.name if self.feature is None else f"{self.definition.name}.{self.feature['name']}"


def find_named(definitions: Iterable[Definition], name: str) -> Named:
    """Return the view, feature or service of a name.

    Names can be shortened: ``household_spend``, ``household_spend/v1`` and ``retail/household_spend/v1`` are a view
    (the newest version if none is given), with ``.spend_7d`` a feature of it, ``churn`` and ``churn/v1`` a service.

    Raises:
        InputError: nothing is called so; says what was probably meant.
    """
    names = _by_name(definitions)
    return picked(names, name, _features_called(names))


def picked(names: Mapping[str, T], name: str, features: Mapping[str, Sequence[str]]) -> T:
    """Return the view, feature or service of a name.

    Args:
        names: all that there are, also shortened.
        name: what was given.
        features: names of features by their own name, without their view.

    Raises:
        InputError: nothing is called so; says what was probably meant.
    """
    if name not in names:
        # Names without a version say the same, shorter.
        likely = names if "/" in name else [known for known in names if "/" not in known]
        raise unknown("view, feature or service", name, likely, features)
    return names[name]


def short_names(view: Definition) -> tuple[str, str, str]:
    """Return what a view is called, the shortest first.

    >>> short_names(Definition("view", "retail/household_spend/v1", "growth", {}))
    ('household_spend', 'household_spend/v1', 'retail/household_spend/v1')
    """
    _, short, version = view.name.rsplit("/", 2)
    return short, f"{short}/{version}", view.name


def unknown(what: str, name: str, known: Iterable[str], parts: Mapping[str, Sequence[str]] | None = None) -> InputError:
    """Return the error for a name that is not among the known ones, with the likeliest ones.

    Args:
        what: kind of thing.
        name: what was given.
        known: names of that kind.
        parts: names by a part that people may take for the whole.
    """
    by_part = parts or {}
    close = [*by_part.get(name, ())] or get_close_matches(name, list(known), n=2, cutoff=0.55)
    if not close:
        close = [whole for part in get_close_matches(name, by_part, n=1, cutoff=0.7) for whole in by_part[part]]
    hint = f"did you mean {' or '.join(close)}?" if close else "see `features list`"
    return InputError(f"there is no {what} called {name!r}: {hint}")


def version_of(definition: Definition) -> int:
    """Return the version of a view or service, the last part of its name."""
    return int(definition.name.rpartition("/v")[2])


def _by_name(definitions: Iterable[Definition]) -> dict[str, Named]:
    names: dict[str, Named] = {}
    versioned = [each for each in definitions if each.kind != "team"]
    # Newer versions come later, and take over the short names.
    for each in sorted(versioned, key=version_of):
        called = short_names(each) if each.kind == "view" else (each.name.rpartition("/")[0], each.name)
        for known in called:
            names[known] = Named(each)
            for feature in each.document.get("features", ()):
                names[f"{known}.{feature['name']}"] = Named(each, feature)
    return names


def _features_called(names: Mapping[str, Named]) -> dict[str, list[str]]:
    """Return ``view.feature`` names by the feature's own name."""
    found: dict[str, list[str]] = {}
    for name, named in names.items():
        if named.feature is not None and "/" not in name:
            found.setdefault(named.feature["name"], []).append(name)
    return found
