"""The offline store of this process: production's, or that of the branch that ``FEATURES_BRANCH`` names."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from feature_store.model.views import FeatureView
from feature_store.offline.tables import branch as offline
from feature_store.offline.tables.branch import Meaning
from feature_store.offline.tables.store import OfflineStore, store_of
from resources.settings import Settings, user

if TYPE_CHECKING:
    from feature_store.catalog.branches import Branch
    from feature_store.catalog.store import Catalog


def open_store(settings: Settings) -> OfflineStore:
    """Return the offline store, for reading.

    Raises:
        UnknownBranchError: the branch did not begin, or is being dropped.
    """
    if not settings.branch:
        return OfflineStore(settings.offline_root, settings.storage_options)
    with closing(_catalog(settings)) as catalog:
        return _store(settings, catalog.branch(settings.branch))


def open_store_to_write(settings: Settings) -> OfflineStore:
    """Return the offline store for writing; a branch that did not begin does so.

    Raises:
        UnknownBranchError: the branch is being dropped.
    """
    begin_branch(settings)
    return open_store(settings)


def begin_branch(settings: Settings) -> None:
    """Begin the branch of this process, if there is one and it did not begin yet.

    Raises:
        UnknownBranchError: it is being dropped.
    """
    if settings.branch:
        with closing(_catalog(settings)) as catalog:
            if any(each.name == settings.branch and not each.is_going for each in catalog.branches()):
                return
            # By the real clock, as the commits of production are, whatever FEATURES_NOW says.
            catalog.begin_branch(settings.branch, by=user(), now=datetime.now(UTC))


def note_written(settings: Settings, view: FeatureView) -> None:
    """Record on the branch what a view means that is about to be written there: who knows its name only reads that."""
    from feature_store.catalog.documents import definitions_of  # noqa: PLC0415 - as in _catalog

    begin_branch(settings)
    (definition,) = definitions_of([], [view], [])
    with closing(_catalog(settings)) as catalog:
        known = catalog.current("view", view.full_name)
        if known is None or known.digest != definition.digest:
            catalog.note_view(definition, by=user(), now=settings.fixed_now or datetime.now(UTC))


def _catalog(settings: Settings) -> Catalog:
    from feature_store.catalog.store import Catalog  # noqa: PLC0415 - only who works on a branch needs a database

    return Catalog(settings.catalog_url, settings.branch)


def _store(settings: Settings, branch: Branch) -> OfflineStore:
    @cache
    def known(full_name: str) -> Meaning | None:
        with closing(_catalog(settings)) as catalog:
            recorded = catalog.current("view", full_name)
        if recorded is None:
            return None
        features = recorded.document["features"]
        marks = {each["name"]: each["fingerprint"] for each in features if each["stored"]}
        return Meaning(marks, recorded.document["source"]["asset"])

    return store_of(
        offline.Branch(branch.name, settings.offline_root, branch.began_at, known), settings.storage_options
    )
