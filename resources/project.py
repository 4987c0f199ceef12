"""The project's own resources, as its settings say."""

from __future__ import annotations

from typing import Any

from resources.offline import DeltaIOManager, OfflineStoreResource
from resources.online import OnlineStoreResource
from resources.settings import Settings
from resources.slack import SlackResource


def project_resources(team: str = "", settings: Settings | None = None) -> dict[str, Any]:
    """Return the resources of a code location by key.

    Args:
        team: whose views the code location may write; empty: none.
        settings: from the environment if not given.
    """
    chosen = settings or Settings.from_environment()
    offline = OfflineStoreResource(root=chosen.offline_root, storage_options=dict(chosen.storage_options), team=team)
    return {
        "offline_store": offline,
        "delta_io": DeltaIOManager(offline_store=offline),
        "online_store": OnlineStoreResource(url=chosen.online_url, embedded_folder=str(chosen.online_folder)),
        "slack": SlackResource(token=chosen.slack_token, base_url=chosen.slack_base_url, ui_url=chosen.ui_url),
    }
