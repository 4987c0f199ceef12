"""The project's own resources, as its settings say; secrets never become configuration, which Dagster records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dagster as dg

from feature_store import FeatureView
from feature_store.offline.tables.store import OfflineStore
from resources.branch import note_written, open_store_to_write
from resources.engine import EngineChoice
from resources.offline import DeltaIOManager, OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.settings import Settings
from resources.slack import SlackResource


class ProjectOfflineStore(OfflineStoreResource):
    """The offline store of the settings, which it reads when it is opened: its options may hold secrets."""

    @property
    def store(self) -> OfflineStore:
        """The store, of the branch if there is one; it begins with the first run that needs it."""
        return open_store_to_write(replace(Settings.from_environment(), offline_root=self.root))

    def check_writable(self, view: FeatureView) -> None:
        """Refuse to write a view that another team owns, or whose definition was not applied.

        On a branch anything may be tried: what is written is recorded there as if it had been applied.

        Raises:
            OwnershipError: it is not of the team of this code location.
            NotAppliedError: the catalog records another definition of it, or none.
        """
        from feature_store.catalog.applied import check_applied  # noqa: PLC0415 - only who writes needs a database

        super().check_writable(view)
        settings = Settings.from_environment()
        if settings.branch:
            note_written(settings, view)
        else:
            check_applied(settings.catalog_url, view)


def project_resources(team: str = "") -> dict[str, Any]:
    """Return the resources of a code location by key, as the environment says.

    Args:
        team: whose views the code location may write; empty: none.
    """
    settings = Settings.from_environment()
    engine = EngineChoice(
        name=settings.engine,
        spark_remote=settings.spark_remote,
        spark_config=settings.spark_config,
        buckets=settings.spark_buckets,
    )
    offline = ProjectOfflineStore(root=settings.offline_root, team=team, engine=engine)
    url = dg.EnvVar("FEATURES_ONLINE_URL") if settings.online_url else ""
    # A branch wakes nobody up.
    token = dg.EnvVar("FEATURES_SLACK_TOKEN") if settings.slack_token and not settings.branch else ""
    pickles: dict[str, Any] = {}
    if settings.pickles:
        from resources.s3 import pickles_on_s3  # noqa: PLC0415 - of an extra

        pickles = {"io_manager": pickles_on_s3(settings.pickles)}
    return {
        **pickles,
        "offline_store": offline,
        "delta_io": DeltaIOManager(offline_store=offline),
        "online_store": OnlineStoreResource(
            url=url, embedded_folder=str(settings.online_folder), branch=settings.branch
        ),
        "slack": SlackResource(token=token, base_url=settings.slack_base_url, ui_url=settings.ui_url),
    }
