"""The branches of the project: which there are, and how one goes with all that it wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from typing import Final

from feature_store.catalog.branches import Branch, UnknownBranchError
from feature_store.catalog.store import Catalog
from feature_store.errors import InputError
from feature_store.offline.delta.paths import branch_uri
from feature_store.offline.delta.stages import delete_folder
from feature_store.plans.plan_revisions import branch_plans
from feature_store.s3.paths import delete_places
from resources.online import running_url
from resources.settings import Settings
from serving.stores.open_store import open_loader
from serving.stores.spaces import in_space

Told = Callable[[str], None]
"""Told in words what is being dropped."""

_SILENT: Final[Told] = lambda _: None  # noqa: E731


def list_branches(settings: Settings) -> list[Branch]:
    """Return the branches, the oldest first."""
    with closing(Catalog(settings.catalog_url)) as catalog:
        return catalog.branches()


def drop_branch(settings: Settings, name: str, progress: Told = _SILENT) -> None:
    """Delete everything that a branch wrote: online, its plans, its runs, offline; then nothing is known of it.

    From the first moment on nobody reads or writes the branch. If it is interrupted, it is called again.

    Raises:
        InputError: this process is on that branch.
        UnknownBranchError: there is no such branch.
        StoreUnavailableError: the online store does not answer; what is left of the branch stays.
    """
    if settings.branch == name:
        raise InputError(f"this is branch {name}: unset FEATURES_BRANCH, then drop it")
    with closing(Catalog(settings.catalog_url)) as catalog:
        names = [each.name for each in catalog.branches()]
        if name not in names:
            known = f"there are {', '.join(names)}" if names else "there is none"
            raise UnknownBranchError(f"there is no branch {name!r}: {known}")
        with closing(Catalog(settings.catalog_url, name)) as own:
            views = [each.name for each in own.ever_declared() if each.kind == "view"]
        catalog.note_going(name)
        _drop_online(settings, name, views, progress)
        progress("plans and runs")
        delete_places([branch_plans(settings.plans_folder, name), settings.of_branch(name).dagster_home])
        progress("the offline store")
        delete_folder(branch_uri(settings.offline_root, name), settings.storage_options)
        catalog.forget_branch(name)


def drop_expired(settings: Settings, now: datetime) -> list[str]:
    """Drop the branches that have expired, or are being dropped; return their names."""
    expired = [each.name for each in list_branches(settings) if each.is_going or each.expires_at <= now]
    for name in expired:
        drop_branch(settings.production, name)
    return expired


def _drop_online(settings: Settings, name: str, views: Sequence[str], progress: Told) -> None:
    url = in_space(running_url(settings.production), name)
    with closing(open_loader(url)) as loader:
        for number, view in enumerate(views, start=1):
            progress(f"the online store: {number} of {len(views)} views")
            loader.drop_view(view)
