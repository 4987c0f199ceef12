"""Changes of sources: which columns are gone or of another type, and everything downstream of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from feature_store.catalog.documents import Definition
from feature_store.catalog.lineage import Lineage


@dataclass(frozen=True)
class ColumnChange:
    """A column of a source's asset that is declared otherwise than before.

    Attributes:
        column: ``raw/transactions.sales_value``.
        before: its type.
        after: its type; None: it is gone.
        downstream: names of the features and services that it reaches.
    """

    column: str
    before: str
    after: str | None
    downstream: tuple[str, ...]

    def __str__(self) -> str:
        became = "is gone" if self.after is None else f"was {self.before} and is {self.after}"
        return f"{self.column} {became}: it reaches {', '.join(self.downstream) or 'nothing'}"


def column_changes(before: Iterable[Definition], after: Iterable[Definition], lineage: Lineage) -> list[ColumnChange]:
    """Return what changed of the columns that views declare of their sources; new columns are no change.

    Args:
        before: as recorded.
        after: as declared.
        lineage: of both.
    """
    old, new = _columns(before), _columns(after)
    assets = {name.rpartition(".")[0] for name in new}  # one that nobody reads any more is no change of columns
    return [
        ColumnChange(name, dtype, new.get(name), _below(name, lineage))
        for name, dtype in sorted(old.items())
        if new.get(name) != dtype and name.rpartition(".")[0] in assets
    ]


def _columns(definitions: Iterable[Definition]) -> dict[str, str]:
    """Return the types of columns by ``asset.column``."""
    return {
        f"{each.document['source']['asset']}.{column}": dtype
        for each in definitions
        if each.kind == "view"
        for column, dtype in each.document["source"]["columns"].items()
    }


def _below(column: str, lineage: Lineage) -> tuple[str, ...]:
    return tuple(node.name for node in lineage.below(column)) if column in lineage.nodes else ()
