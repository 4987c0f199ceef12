"""Features of stores."""

from feature_assets.teams.stores.features.pulse import StorePulse
from feature_assets.teams.stores.features.traffic import StoreTraffic

views = (StoreTraffic, StorePulse)

__all__ = ["StorePulse", "StoreTraffic", "views"]
