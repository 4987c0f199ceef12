"""What a branch reads of production, and where it writes: the one place that knows.

A branch writes below a root of its own. Of production, as it was when the branch began, it reads

- of a source, every partition that it has not landed itself;
- of a view's tables, every partition that it has not written itself, as long as the view means what production stores
  (each stored feature has the fingerprint that is stored) and nothing of its source was landed on the branch;
- nothing else: what follows from a source that was landed on the branch is computed on it.

The tables of a view that means something else lie elsewhere (by a mark of its fingerprints), so a change can be changed
again, and what was computed before is found where the change is taken back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import polars as pl

from feature_store.model.views import FeatureView
from feature_store.offline.delta.commits import StorageOptions
from feature_store.offline.delta.paths import branch_uri, source_uri, view_uri
from feature_store.offline.ledger.ledger import Ledger
from feature_store.offline.tables.definitions import read_definitions
from feature_store.offline.tables.open_table import OpenTable
from feature_store.offline.tables.overlaid_table import Shared, open_past
from feature_store.offline.tables.stream_copy import OpenStreamCopy, StreamCopy


@dataclass(frozen=True)
class Meaning:
    """The part of a view that decides what it shares with production.

    Attributes:
        fingerprints: of its stored features, by name.
        asset: of its source.
    """

    fingerprints: Mapping[str, str]
    asset: str

    @staticmethod
    def of(view: FeatureView) -> Meaning:
        """Return that of a declared view."""
        return Meaning(view.fingerprints, view.source.asset)

    @property
    def mark(self) -> str:
        """Tells it from other meanings of the view, in a path."""
        return hashlib.blake2b(json.dumps(self.fingerprints, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Branch:
    """A branch of an offline store.

    Attributes:
        name: of the branch.
        production: root of the store.
        began_at: production is read as it was then, UTC.
        known: returns what a view means on the branch that is known by its full name only; None: nobody declared it.
    """

    name: str
    production: str
    began_at: datetime
    known: Callable[[str], Meaning | None]

    @property
    def root(self) -> str:
        """The root below which the branch writes: another one for a branch of that name that begins anew."""
        return f"{branch_uri(self.production, self.name)}/{self.began_at:%Y%m%dT%H%M%S%f}"

    def source(self, asset: str, options: StorageOptions) -> tuple[str, Shared]:
        """Return where the rows of a source that are landed on the branch lie, and what is read beside them."""
        return self._own_source(asset), partial(self._past, source_uri(self.production, asset), options)

    def table(self, full_name: str, part: str, meaning: Meaning | None, options: StorageOptions) -> tuple[str, Shared]:
        """Return where a table of a view lies that the branch writes, and what is read beside it."""

        def shared() -> OpenTable | None:
            if not self.shares(full_name, meaning, options):
                return None
            return self._past(view_uri(self.production, full_name, part), options)

        return self._own_view(full_name, part, meaning), shared

    def stream_copy(self, full_name: str, options: StorageOptions) -> StreamCopy:
        """Return the copy of a stream of the branch; until it is written, that of production as it was."""
        meaning = self.known(full_name)

        def shared() -> OpenStreamCopy | None:
            if not self.shares(full_name, meaning, options):
                return None
            now = StreamCopy(view_uri(self.production, full_name, "stream"), options).open()
            past = now.writes.filter(pl.col("landed_at") < self.began_at)
            return now.at(past.select(pl.col("delta_version").max()).item() if past.height else None)

        return StreamCopy(self._own_view(full_name, "stream", meaning), options, shared)

    def shares(self, full_name: str, meaning: Meaning | None, options: StorageOptions) -> bool:
        """Return whether the branch reads the partitions of a view that production holds.

        Args:
            full_name: of the view.
            meaning: what it means on the branch; None: nobody declared it, so nobody changed it.
            options: storage options.
        """
        if meaning is None:
            return True
        if not Ledger(self._own_source(meaning.asset), options).partitions().is_empty():
            return False
        return self._stored(full_name, options) in ({}, meaning.fingerprints)

    def _stored(self, full_name: str, options: StorageOptions) -> Mapping[str, str]:
        """Return the fingerprints of the features of a view that production stored; none: nothing was stored."""
        for part in ("values", "tiles"):
            past = self._past(view_uri(self.production, full_name, part), options)
            if past is not None and past.table is not None:
                newest: dict[str, str] = {}
                if past.partitions.height:
                    newest = json.loads(past.partitions["fingerprints"][-1])
                stored = read_definitions(past.table, newest)
                return {name: each.fingerprint for name, each in stored.items() if not each.dropped}
        return {}

    def _past(self, uri: str, options: StorageOptions) -> OpenTable | None:
        return open_past(uri, options, self.began_at, f"branch {self.name}")

    def _own_source(self, asset: str) -> str:
        return source_uri(f"{self.root}/sources", asset)

    def _own_view(self, full_name: str, part: str, meaning: Meaning | None) -> str:
        mark = "undeclared" if meaning is None else meaning.mark
        return view_uri(f"{self.root}/meanings/{mark}", full_name, part)
