"""The inputs of a view's values, and what of them has landed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feature_store.errors import MissingTilesError
from feature_store.model.views import FeatureView
from feature_store.offline.materialize.computable import Computable
from feature_store.offline.materialize.inputs import Inputs, inputs_of
from feature_store.offline.materialize.reach import reach_start
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.store import OfflineStore
from feature_store.temporal.instants import from_microseconds


@dataclass(frozen=True)
class ValueInputs:
    """The tiles of a view, or for table views the rows of its source.

    Attributes:
        view: the view.
        opened: their table.
        landed: its landed partitions.
        computable: the features that can be computed from them.
    """

    view: FeatureView
    opened: OpenTable
    landed: Inputs
    computable: Computable

    @staticmethod
    def of(store: OfflineStore, view: FeatureView) -> ValueInputs:
        """Return the inputs of a view as they are now."""
        opened = (store.source(view.source.asset) if view.is_table else store.tiles(view)).open()
        computable = Computable(view, opened.partitions)
        if view.is_table:
            return ValueInputs(view, opened, source_inputs(view, opened), computable)
        return ValueInputs(view, opened, inputs_of(f"tiles of {view.full_name}", opened.partitions), computable)

    def require(self, as_ofs: Sequence[int]) -> None:
        """Fail unless all partitions that as-ofs (microseconds, ascending) reach have landed, with some feature.

        Raises:
            MissingTilesError: they have not.
        """
        purpose = f"{self.view.full_name}: computing values up to as-of {from_microseconds(as_ofs[-1])}"
        self.landed.require(reach_start(self.view, as_ofs[0]), as_ofs[-1], purpose)
        for as_of in as_ofs:
            if not self.computable.view_at(as_of).stored_features:
                reasons = "; ".join(self.computable.reasons(as_of))
                raise MissingTilesError(f"{purpose}: none of its features can be computed: {reasons}")

    def hash_at(self, as_of: int) -> str:
        """Return a hash of what the values at an as-of are computed from."""
        computed = self.computable.view_at(as_of)
        reaching = computed if computed.stored_features else self.view
        return self.landed.hash_of(reach_start(reaching, as_of), as_of, computed.fingerprints)


def source_inputs(view: FeatureView, source: OpenTable) -> Inputs:
    """Return the landed partitions of the rows of a view's source."""
    return inputs_of(f"rows of {view.source.asset}", source.partitions)
