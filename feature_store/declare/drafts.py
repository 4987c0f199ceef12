"""Features as written in a view's class body, before the view gives them their names and checks them.

A draft is an expression, so that derived features read others by their variable: ``ratio(spend_7d, spend_90d)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from feature_store.checks.calls import class_body, written_place
from feature_store.constants import Default
from feature_store.dtypes import DType
from feature_store.errors import DefinitionError
from feature_store.expressions.nodes import ColumnRef, Expression, Scalar, replace_leaves

WRITTEN: Final = "__written_features__"
"""The entry of a class body that lists every draft made in it, with its line."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FeatureDraft(Expression):
    """A feature as written in a class body; the view gives it its name. Usable in expressions of derived features."""

    description: str = ""
    dtype: DType | None = None
    default: Default | None = None
    freshness: str | None = None
    renamed_from: str | None = None
    deprecated: str | None = None

    def __post_init__(self) -> None:
        _note_in_class_body(self)

    def __call__(self, *_arguments: object, **_options: object) -> NoReturn:
        """Say what went wrong where a feature took the name of the function that made it."""
        raise DefinitionError(
            written_place() or "a feature",
            "is called like a function: a line above gave the name of that function to a feature of this class",
            "give the feature another name, e.g. mean_7d, or call the function as feature_store.mean(...)",
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class AggregateDraft(FeatureDraft):
    """An aggregate of events, made by ``function``; see ``Aggregation`` for its options."""

    function: str
    kind: str
    value: Expression | None
    over: str | None = None
    hop: str | None = None
    where: Expression | None = None
    by: Expression | None = None
    buckets: Sequence[Scalar] | None = None
    k: int | None = None
    q: float | None = None
    half_life: str | None = None
    denominator: Expression | None = None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FieldDraft(FeatureDraft):
    """A value of a table's row; without an expression, the column of the feature's name."""

    expression: Expression | None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DerivedDraft(FeatureDraft):
    """An expression over features of the view."""

    expression: Expression


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OnReadDraft(FeatureDraft):
    """A value computed when read."""

    function: str
    read: Expression | None


def replace_drafts(expression: Expression, names: Mapping[int, str]) -> Expression:
    """Return an expression in which features written in a class body stand as columns.

    Args:
        expression: the tree.
        names: feature names by ``id`` of their draft.

    Raises:
        KeyError: a draft that is not in ``names``: it belongs to another view.
    """
    return replace_leaves(
        expression, lambda leaf: ColumnRef(names[id(leaf)]) if isinstance(leaf, FeatureDraft) else leaf
    )


def _note_in_class_body(draft: FeatureDraft) -> None:
    """List a draft in the class body being executed: one whose name a later line takes would else vanish unseen."""
    frame = class_body()
    if frame is not None:
        frame.f_locals.setdefault(WRITTEN, []).append((draft, frame.f_lineno))
